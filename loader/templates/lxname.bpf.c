// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lxname: answers reads of both registers. All writes pass: the VMM changes
 * the state. So do reads while it is at it.
 */
#include "lx.bpf.h"
#include "lxname_model.h"

LX_STATE_MAP(lxname_accel, struct lxname_accel);

SEC("struct_ops/lxname_io_read")
int BPF_PROG(lxname_io_read, struct lx_io *io)
{
	struct lxname_accel *st = lx_state_of(lxname_accel);
	__u64 val;
	__u32 seq;
	__s64 ns;

	if (!st || !lx_read_live(&st->hdr, &seq))
		return LX_PASS;
	ns = lx_device_ns(io, &st->hdr);
	if (lxname_accel_read(st, ns, io->addr, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops lxname_io_ops = {
	.read = (void *)lxname_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = LXNAME_BASE, .len = LXNAME_LEN, .space = LX_SPACE_MMIO } },
	.name = "lxname",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
