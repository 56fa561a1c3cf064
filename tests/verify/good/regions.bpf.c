// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Eight regions on both buses, with the flag LX_REGION_OVERLAY */
#include "verify.bpf.h"

READ_OP
{
	io->data = io->region;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops verify = {
	.read = (void *)verify_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = LX_MAX_REGIONS,
	.regions = {
		{ .addr = 0, .len = 1, .space = LX_SPACE_PIO },
		{ .addr = 1, .len = 2, .space = LX_SPACE_PIO },
		{ .addr = 0x40,
		  .len = 4,
		  .space = LX_SPACE_PIO,
		  .flags = LX_REGION_OVERLAY | LX_REGION_STRINGS },
		{ .addr = 0xffff, .len = 1, .space = LX_SPACE_PIO },
		{ .addr = 0, .len = 1, .space = LX_SPACE_MMIO },
		{ .addr = 0xfec00000, .len = 0x1000, .space = LX_SPACE_MMIO,
		  .flags = LX_REGION_OVERLAY },
		{ .addr = 1ULL << 40, .len = 0x7fffffff, .space = LX_SPACE_MMIO },
		{ .addr = 0xfffffffffffffff0, .len = 15, .space = LX_SPACE_MMIO },
	},
	.name = "123456789012345",
};
