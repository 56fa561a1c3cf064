// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vr_name: a device program with a name that the module does not take. */
#include "lx.bpf.h"

LX_STATE_MAP(vr_name_state, struct lx_state);

SEC("struct_ops/vr_name_read")
int BPF_PROG(vr_name_read, struct lx_io *io)
{
	return LX_PASS;
}

SEC(".struct_ops.link")
struct lightexit_ops vr_name = {
	.read = (void *)vr_name_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0xe0, .len = 4, .space = LX_SPACE_PIO } },
	.name = "two words",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
