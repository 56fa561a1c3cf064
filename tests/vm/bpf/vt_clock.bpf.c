// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_clock: shows the guest what the clock kfuncs return.
 *
 * Regions: one of 0x18 bytes, MMIO.
 * State:   map vt_clock_state, a header alone.
 * Handles: reads of 8 bytes: lx_kvmclock_ns(), lx_clock_gen(), lx_monotonic_ns().
 */
#include "lx.bpf.h"

LX_STATE_MAP(vt_clock_state, struct lx_state);

SEC("struct_ops/vt_clock_read")
int BPF_PROG(vt_clock_read, struct lx_io *io)
{
	if (!lx_state_of(vt_clock_state) || io->len != 8)
		return LX_PASS;
	if (io->addr == 0)
		io->data = lx_kvmclock_ns(io);
	else if (io->addr == 8)
		io->data = lx_clock_gen(io);
	else
		io->data = lx_monotonic_ns();
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_clock = {
	.read = (void *)vt_clock_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0xfe000000, .len = 0x18, .space = LX_SPACE_MMIO } },
	.name = "vt_clock",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
