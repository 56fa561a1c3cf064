// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A program for a newer module that leaves the op which this one lacks unset */
#include "verify.bpf.h"

READ_OP
{
	return LX_PASS;
}

struct lightexit_ops___newer {
	int (*read)(struct lx_io *io);
	int (*write)(struct lx_io *io);
	__u32 sz;
	__u32 flags;
	__s32 vm_fd;
	__u32 nr_regions;
	struct lx_region regions[LX_MAX_REGIONS];
	char name[LX_NAME_LEN];
	int (*reset)(struct lx_io *io);
};

SEC(".struct_ops.link")
struct lightexit_ops___newer verify = {
	.read = (void *)verify_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0xe0, .len = 4, .space = LX_SPACE_PIO } },
	.name = "verify",
};
