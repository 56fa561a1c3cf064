// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rtc: answers index and data port of the RTC and CMOS RAM, and raises IRQ8.
 * (3 in docs/path.md)
 *
 * Regions: one of 2 bytes, PIO: the index at 70h, the data at 71h.
 * State:   map rtc_state, struct rtc_state; program and VMM write it.
 * Eventfds: slot 0: IRQ8, an edge for each rise of IRQF.
 * Timers:  0: the next enabled interrupt; none while IRQF is up.
 * Handles: bytes written to 70h; bytes read from 71h, register C's clearing too.
 * Passes:  bytes written to 71h, reads of 70h, everything longer than a byte, and
 *          all while somebody else holds the state's lock.
 */
#include "lx.bpf.h"
#include "rtc_model.h"

LX_STATE_MAP(rtc_state, struct rtc_state);

SEC("struct_ops/rtc_io_read")
int BPF_PROG(rtc_io_read, struct lx_io *io)
{
	struct rtc_state *st = lx_state_of(rtc_state);
	int verdict = LX_PASS;
	bool rose = false;
	__u64 val;
	__s64 ns;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	ns = lx_device_ns(io, &st->hdr);
	if (ns >= 0)
		verdict = rtc_read(st, ns, io->addr, io->len, &val, &rose);
	if (verdict == LX_HANDLED && st->index == RTC_C)
		lx_wake_for(io, &st->hdr, RTC_TIMER_IRQ, &st->irq);
	lx_leave(&st->hdr);
	if (rose)
		lx_signal(io, RTC_SLOT_IRQ);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/rtc_io_write")
int BPF_PROG(rtc_io_write, struct lx_io *io)
{
	struct rtc_state *st = lx_state_of(rtc_state);
	int verdict;

	if (io->addr != RTC_INDEX || !st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = rtc_write(st, io->addr, io->len, io->data);
	lx_leave(&st->hdr);
	return verdict;
}

SEC("struct_ops/rtc_io_timer")
int BPF_PROG(rtc_io_timer, struct lx_io *io)
{
	struct rtc_state *st = lx_state_of(rtc_state);
	__s64 ns;

	if (!st)
		return LX_HANDLED;
	if (!lx_enter(&st->hdr))
		return lx_state_live(&st->hdr) ? LX_RETRY : LX_HANDLED;
	ns = lx_device_ns(io, &st->hdr);
	if (ns >= 0 && rtc_expire(st, ns))
		lx_signal(io, RTC_SLOT_IRQ);
	lx_wake_for(io, &st->hdr, RTC_TIMER_IRQ, &st->irq);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops rtc = {
	.read = (void *)rtc_io_read,
	.write = (void *)rtc_io_write,
	.timer = (void *)rtc_io_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = RTC_PORT, .len = RTC_LEN, .space = LX_SPACE_PIO } },
	.name = "rtc",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
