// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hpet: the HPET, all of it: counter, comparators, interrupts. (3 in docs/path.md)
 *
 * Regions: one of 0x400 bytes, MMIO (HPET_BASE by default).
 * State:   map hpet_state, struct hpet_state; the VMM makes it, both write it.
 * Eventfds: HPET_SLOT() of dev/hpet.h; kick and handover as in ops.h.
 * Handles: naturally aligned accesses of 1, 2, 4 and 8 bytes of all registers. Reads of
 *          capabilities, configuration and main counter take no lock.
 * Passes:  writes that change where interrupts go; reserved registers; everything while
 *          the VMM is changing the state.
 * Timers:  one for each timer that is to interrupt.
 */
#include "lx.bpf.h"
#include "hpet_model.h"

LX_STATE_MAP(hpet_state, struct hpet_state);

/* Carries out what the model says. The lock is held: nobody else starts these timers. */
static __noinline int apply(struct lx_io *io, struct hpet_state *st, __u64 ns,
			    const struct hpet_effect *eff)
{
	for (__u32 i = 0; i < HPET_SLOTS; i++) {
		if (eff->slots & 1U << i)
			lx_signal(io, i);
	}
	for (__u32 n = 0; n < HPET_TIMERS; n++) {
		if (!(eff->moved & 1U << n))
			continue;
		if (st->timers[n].timer.armed)
			lx_wake_at(io, &st->hdr, n, hpet_wake_ns(st, n, ns, eff));
		else
			lx_timer_cancel(io, n);
	}
	return LX_HANDLED;
}

static __noinline int read_locked(struct lx_io *io, struct hpet_state *st)
{
	int verdict;
	__u64 val;

	if (!lx_enter(&st->hdr))
		return LX_PASS;
	verdict = hpet_read_locked(st, lx_device_ns(io, &st->hdr), io->addr, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/hpet_io_read")
int BPF_PROG(hpet_io_read, struct lx_io *io)
{
	struct hpet_state *st = lx_state_of(hpet_state);
	__u64 off = io->addr, val;
	__u32 seq;

	if (!st)
		return LX_PASS;
	if (!hpet_is_fast(off & ~7ULL))
		return read_locked(io, st);
	if (!lx_read_live(&st->hdr, &seq))
		return LX_PASS;
	if (hpet_read(st, lx_device_ns(io, &st->hdr), off, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

/* The lock is held; and if hpet_is_published(), so is seq. */
static __noinline int write_locked(struct lx_io *io, struct hpet_state *st)
{
	struct hpet_effect eff = { 0 };
	__s64 ns = lx_device_ns(io, &st->hdr);

	if (!hpet_ns_ok(st, ns) ||
	    hpet_write(st, (__u64)ns, io->addr, io->len, io->data, &eff) != LX_HANDLED)
		return LX_PASS;
	return apply(io, st, (__u64)ns, &eff);
}

SEC("struct_ops/hpet_io_write")
int BPF_PROG(hpet_io_write, struct lx_io *io)
{
	struct hpet_state *st = lx_state_of(hpet_state);
	int verdict = LX_PASS;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	if (hpet_needs_vmm(st, io->addr, io->len, io->data))
		goto leave;
	if (hpet_is_published(io->addr & ~7ULL)) {
		lx_write_begin(&st->hdr);
		verdict = write_locked(io, st);
		lx_write_end(&st->hdr);
	} else {
		verdict = write_locked(io, st);
	}
leave:
	lx_leave(&st->hdr);
	return verdict;
}

SEC("struct_ops/hpet_io_timer")
int BPF_PROG(hpet_io_timer, struct lx_io *io)
{
	struct hpet_state *st = lx_state_of(hpet_state);
	struct hpet_effect eff = { 0 };
	__u64 n = io->addr;
	__s64 ns;

	if (!st)
		return LX_HANDLED;
	if (!lx_enter(&st->hdr))
		return lx_state_live(&st->hdr) ? LX_RETRY : LX_HANDLED;
	ns = lx_device_ns(io, &st->hdr);
	if (n >= HPET_TIMERS) {
		hpet_kicked(st, &eff);
	} else {
		/* Not due (a clock that was set back): to be waited for anew. */
		eff.moved = 1U << n;
		if (hpet_ns_ok(st, ns))
			hpet_expired(st, (__u32)n, (__u64)ns, &eff);
	}
	apply(io, st, (__u64)ns, &eff);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops hpet = {
	.read = (void *)hpet_io_read,
	.write = (void *)hpet_io_write,
	.timer = (void *)hpet_io_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = HPET_BASE, .len = HPET_LEN, .space = LX_SPACE_MMIO } },
	.name = "hpet",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
