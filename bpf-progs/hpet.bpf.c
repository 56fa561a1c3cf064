// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hpet: answers reads of the HPET's capabilities, configuration and main
 * counter. (3 in docs/path.md)
 *
 * Regions: one of 0x400 bytes, MMIO (HPET_BASE by default).
 * State:   map hpet_state, struct hpet_state; the VMM writes it.
 * Handles: naturally aligned reads of 1, 2, 4 and 8 bytes of those registers.
 * Passes:  everything else, all writes, and all reads while the VMM is
 *          changing the state.
 */
#include "lx.bpf.h"
#include "hpet_model.h"

LX_STATE_MAP(hpet_state, struct hpet_state);

SEC("struct_ops/hpet_io_read")
int BPF_PROG(hpet_io_read, struct lx_io *io)
{
	struct hpet_state *st = lx_state_of(hpet_state);
	__u64 val;
	__u32 seq;

	if (!st || !hpet_is_fast(io->addr & ~7ULL) || !lx_state_valid(&st->hdr))
		return LX_PASS;
	if (!lx_read_begin(&st->hdr, &seq))
		return LX_PASS;
	if (hpet_read(st, lx_clock_ns(io, st->clock), io->addr, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops hpet = {
	.read = (void *)hpet_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = HPET_BASE, .len = HPET_LEN, .space = LX_SPACE_MMIO } },
	.name = "hpet",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
