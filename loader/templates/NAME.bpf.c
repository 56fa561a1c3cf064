// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * @name@: answers reads of both registers. All writes pass: the VMM changes
 * the state. So do reads while it is at it.
 */
#include "lx.bpf.h"
#include "@name@_model.h"

LX_STATE_MAP(@name@_state, struct @name@_state);

SEC("struct_ops/@name@_io_read")
int BPF_PROG(@name@_io_read, struct lx_io *io)
{
	struct @name@_state *st = lx_state_of(@name@_state);
	__u64 val;
	__u32 seq;

	if (!st || !lx_state_valid(&st->hdr) || !lx_read_begin(&st->hdr, &seq))
		return LX_PASS;
	if (@name@_read(st, lx_monotonic_ns(), io->addr, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops @name@ = {
	.read = (void *)@name@_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = @NAME@_BASE, .len = @NAME@_LEN, .space = LX_SPACE_MMIO } },
	.name = "@name@",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
