// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_wronly: a device with a write op alone, which counts and takes all writes.
 *
 * Regions: two, as the recording devices of tests/vm/vmscript.h.
 * State:   map vt_wronly_state.
 */
#include "lx.bpf.h"

struct vt_wronly_state {
	struct lx_state hdr;
	__u64 writes;
};

LX_STATE_MAP(vt_wronly_state, struct vt_wronly_state);

SEC("struct_ops/vt_wronly_write")
int BPF_PROG(vt_wronly_write, struct lx_io *io)
{
	struct vt_wronly_state *st = lx_state_of(vt_wronly_state);

	if (!st)
		return LX_PASS;
	__sync_fetch_and_add(&st->writes, 1);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_wronly = {
	.write = (void *)vt_wronly_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = { { .addr = 0x500, .len = 0x20, .space = LX_SPACE_PIO },
		     { .addr = 0xfe000000, .len = 0x2000, .space = LX_SPACE_MMIO } },
	.name = "vt_wronly",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
