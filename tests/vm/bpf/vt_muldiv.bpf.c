// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_muldiv: a write computes lx_muldiv64() of a batch of triples.
 *
 * Regions: one port.
 * State:   map vt_muldiv_state, struct vt_muldiv_state.
 */
#include "lx.bpf.h"
#include "vt_muldiv.h"

LX_STATE_MAP(vt_muldiv_state, struct vt_muldiv_state);

SEC("struct_ops/vt_muldiv_write")
int BPF_PROG(vt_muldiv_write, struct lx_io *io)
{
	struct vt_muldiv_state *st = lx_state_of(vt_muldiv_state);
	int i;

	if (!st)
		return LX_PASS;
	bpf_for(i, 0, VT_MULDIV_BATCH)
		st->t[i].q = lx_muldiv64(st->t[i].a, st->t[i].b, st->t[i].c);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_muldiv = {
	.write = (void *)vt_muldiv_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0x500, .len = 1, .space = LX_SPACE_PIO } },
	.name = "vt_muldiv",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
