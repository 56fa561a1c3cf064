// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_churn: answers every access of the device in vt_churn.h, and counts them.
 *
 * Regions: one on each bus, by default the first set.
 * State:   map vt_churn_state, struct vt_churn_state.
 */
#include "lx.bpf.h"
#include "vt_churn.h"

/* vt_churn2.bpf.c is the same program under another number. */
#ifndef VT_CHURN_PROG
#define VT_CHURN_PROG 0
#endif

LX_STATE_MAP(vt_churn_state, struct vt_churn_state);

static int churn(struct lx_io *io, bool write)
{
	struct vt_churn_state *st = lx_state_of(vt_churn_state);
	__u32 kind = vt_churn_kind(io->region == 0, io->addr, write) & 3;
	struct vt_churn_vcpu *v;

	if (!st || io->vcpu >= VT_CHURN_VCPUS)
		return LX_PASS;
	v = &st->vcpu[io->vcpu & 1];
	if (write)
		vt_churn_write(v, kind, io->len, io->data);
	else
		io->data = vt_churn_read(v, kind);
	__sync_fetch_and_add(&st->handled[VT_CHURN_PROG][io->addr / VT_CHURN_SET & 1][kind], 1);
	return LX_HANDLED;
}

SEC("struct_ops/vt_churn_io_read")
int BPF_PROG(vt_churn_io_read, struct lx_io *io)
{
	return churn(io, false);
}

SEC("struct_ops/vt_churn_io_write")
int BPF_PROG(vt_churn_io_write, struct lx_io *io)
{
	return churn(io, true);
}

SEC(".struct_ops.link")
struct lightexit_ops vt_churn = {
	.read = (void *)vt_churn_io_read,
	.write = (void *)vt_churn_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = { { .addr = VT_CHURN_PORT(0),
		       .len = VT_CHURN_LEN,
		       .space = LX_SPACE_PIO,
		       .flags = LX_REGION_STRINGS },
		     { .addr = VT_CHURN_MMIO(0), .len = VT_CHURN_LEN, .space = LX_SPACE_MMIO } },
	.name = "vt_churn",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
