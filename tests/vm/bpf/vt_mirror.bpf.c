// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_mirror: a page of 64-bit registers, each of which reads as it was last written.
 *
 * Regions: one page, MMIO.
 * State:   map vt_mirror_state, struct vt_mirror_state; its second page is the registers.
 * Handles: all accesses, by the register that they begin in; a write sets all of it.
 */
#include "lx.bpf.h"
#include "vt_mirror.h"

LX_STATE_MAP(vt_mirror_state, struct vt_mirror_state);

SEC("struct_ops/vt_mirror_read")
int BPF_PROG(vt_mirror_read, struct lx_io *io)
{
	struct vt_mirror_state *st = lx_state_of(vt_mirror_state);

	if (!st)
		return LX_PASS;
	__sync_fetch_and_add(&st->reads, 1);
	io->data = st->page[io->addr / 8 % VT_WORDS];
	return LX_HANDLED;
}

SEC("struct_ops/vt_mirror_write")
int BPF_PROG(vt_mirror_write, struct lx_io *io)
{
	struct vt_mirror_state *st = lx_state_of(vt_mirror_state);

	if (!st)
		return LX_PASS;
	*(volatile __u64 *)&st->page[io->addr / 8 % VT_WORDS] = io->data;
	__sync_fetch_and_add(&st->writes, 1);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_mirror = {
	.read = (void *)vt_mirror_read,
	.write = (void *)vt_mirror_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0xfe000000, .len = VT_PAGE, .space = LX_SPACE_MMIO } },
	.name = "vt_mirror",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
