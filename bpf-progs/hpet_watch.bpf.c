// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hpet_watch: answers reads of the HPET's main counter of a VMM that knows
 * nothing of lightexit. (3 in docs/path.md; docs/attach.md)
 *
 * Regions: one of 0x400 bytes, MMIO.
 * State:   map watch_state, struct watch_state; `lightexit attach` fills in the
 *          rate, and the register block's address.
 * Handles: reads of 4 bytes of the counter's lower half, and of all 8, once
 *          the offset is known.
 * Passes:  everything else, all writes. A write to the configuration or to the
 *          counter ends the calibration, and so do reads of its other parts.
 */
#include "watch.bpf.h"

#include <lightexit/dev/hpet.h>

/* The registers that the counter's value depends on. */
static inline bool is_time(__u64 off)
{
	return (off & ~7ULL) == HPET_CONFIG || (off & ~7ULL) == HPET_COUNTER;
}

static inline bool touches_counter(__u64 off, __u32 len)
{
	return off < HPET_COUNTER + 8 && off + len > HPET_COUNTER;
}

SEC("struct_ops/hpet_watch_read")
int BPF_PROG(hpet_watch_read, struct lx_io *io)
{
	struct watch_state *st = lx_state_of(watch_state);

	if (!st || !touches_counter(io->addr, io->len))
		return LX_PASS;
	return watch_read(io, st, io->addr == HPET_COUNTER && io->len >= 4);
}

SEC("struct_ops/hpet_watch_write")
int BPF_PROG(hpet_watch_write, struct lx_io *io)
{
	struct watch_state *st = lx_state_of(watch_state);

	if (!st || !(is_time(io->addr) || is_time(io->addr + io->len - 1)))
		return LX_PASS;
	return watch_pass(st, WATCH_WRITE, NULL);
}

SEC("raw_tp/kvm_mmio")
int watch_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	struct watch_state *st = lx_state_of(watch_state);
	__u32 len = ctx->args[1], tid;
	__u64 off;

	if (!st || ctx->args[0] != KVM_TRACE_MMIO_READ)
		return 0;
	off = ctx->args[2] - st->addr;
	/* An access that begins before the block, or crosses a page, comes in parts. */
	if (!touches_counter(off, len))
		return 0;
	tid = watch_thread(st);
	if (!tid)
		return 0;
	if (off == HPET_COUNTER && (len == 4 || len == 8))
		watch_completed(st, tid, (void *)ctx->args[3], len);
	else
		watch_other(st, tid);
	return 0;
}

SEC(".struct_ops.link")
struct lightexit_ops hpet_watch = {
	.read = (void *)hpet_watch_read,
	.write = (void *)hpet_watch_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = HPET_BASE, .len = HPET_LEN, .space = LX_SPACE_MMIO } },
	.name = "hpet_watch",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
