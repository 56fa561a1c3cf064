// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vr_sleep: a sleepable device program, which the module refuses. */
#include "lx.bpf.h"

LX_STATE_MAP(vr_sleep_state, struct lx_state);

SEC("struct_ops.s/vr_sleep_read")
int BPF_PROG(vr_sleep_read, struct lx_io *io)
{
	return LX_PASS;
}

SEC(".struct_ops.link")
struct lightexit_ops vr_sleep = {
	.read = (void *)vr_sleep_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0xe0, .len = 4, .space = LX_SPACE_PIO } },
	.name = "vr_sleep",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
