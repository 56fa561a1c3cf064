// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pit: answers reads of the 8254's counters and port 61h, takes latch and read-back
 * commands, and raises IRQ0. (3 in docs/path.md)
 *
 * Regions: ports 40h to 43h, and 61h; both PIO.
 * State:   map pit_state, struct pit_state; program and VMM write it.
 * Eventfds: slot 0: IRQ0, an edge for each rise of OUT 0.
 * Timers:  0: OUT 0's next rise.
 * Handles: bytes read from 40h to 42h and 61h; latch and read-back commands to 43h.
 * Passes:  modes, counts, gates, everything longer than a byte, and all while
 *          somebody else holds the state's lock.
 */
#include "lx.bpf.h"
#include "pit_model.h"

LX_STATE_MAP(pit_state, struct pit_state);

/* As pit_read(), but reads the clock only for what is not latched. */
static inline int pit_answer(struct lx_io *io, struct pit_state *st, __u32 region, __u64 off,
			     __u64 *val)
{
	__s64 ns;

	if (pit_read_latched(st, region, off, val))
		return LX_HANDLED;
	ns = lx_device_ns(io, &st->hdr);
	if (ns < 0)
		return LX_PASS;
	pit_read_running(st, ns, region, off, val);
	return LX_HANDLED;
}

SEC("struct_ops/pit_io_read")
int BPF_PROG(pit_io_read, struct lx_io *io)
{
	struct pit_state *st = lx_state_of(pit_state);
	__u64 off = io->addr, val;
	__u32 region = io->region;
	int verdict;

	if (!st || !pit_is_read(region, off, io->len) || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = pit_answer(io, st, region, off, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/pit_io_write")
int BPF_PROG(pit_io_write, struct lx_io *io)
{
	struct pit_state *st = lx_state_of(pit_state);
	int verdict = LX_PASS;
	__s64 ns;

	if (io->region != PIT_REGION_COUNTERS || io->addr != PIT_CONTROL)
		return LX_PASS;
	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	ns = lx_device_ns(io, &st->hdr);
	if (ns >= 0)
		verdict = pit_write(st, ns, io->region, io->addr, io->len, io->data);
	lx_leave(&st->hdr);
	return verdict;
}

SEC("struct_ops/pit_io_timer")
int BPF_PROG(pit_io_timer, struct lx_io *io)
{
	struct pit_state *st = lx_state_of(pit_state);
	__s64 ns;

	if (!st)
		return LX_HANDLED;
	if (!lx_enter(&st->hdr))
		return lx_state_live(&st->hdr) ? LX_RETRY : LX_HANDLED;
	ns = lx_device_ns(io, &st->hdr);
	if (ns >= 0 && pit_expire(st, ns))
		lx_signal(io, PIT_SLOT_IRQ);
	lx_wake_for(io, &st->hdr, PIT_TIMER_IRQ, &st->irq);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops pit = {
	.read = (void *)pit_io_read,
	.write = (void *)pit_io_write,
	.timer = (void *)pit_io_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = { { .addr = PIT_PORT, .len = PIT_LEN, .space = LX_SPACE_PIO },
		     { .addr = PIT_PORT_B, .len = PIT_PORT_B_LEN, .space = LX_SPACE_PIO } },
	.name = "pit",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
