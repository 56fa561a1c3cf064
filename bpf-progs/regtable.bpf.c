// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * regtable: answers for any device of plain registers, by a table in its state.
 * (3 in docs/path.md)
 *
 * Regions: any, set by the VMM; by default those of an IDE channel's task file
 *          and of its alternate status.
 * State:   map regtable_state, struct regtable_state. The VMM fills it before it
 *          attaches, and may change it in the state's lock.
 * Handles: what the table says.
 * Passes:  everything else, and all accesses while somebody holds the lock.
 *
 * A string's element that passes after one that was handled cuts the string
 * (docs/path.md). Guests read registers one by one; a data port is not for a table.
 */
#include "lx.bpf.h"
#include "regtable_model.h"

LX_STATE_MAP(regtable_state, struct regtable_state);

SEC("struct_ops/regtable_io_read")
int BPF_PROG(regtable_io_read, struct lx_io *io)
{
	struct regtable_state *st = lx_state_of(regtable_state);
	__u64 val = 0;
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = regtable_read(st, io->region, io->addr, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/regtable_io_write")
int BPF_PROG(regtable_io_write, struct lx_io *io)
{
	struct regtable_state *st = lx_state_of(regtable_state);
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = regtable_write(st, io->region, io->addr, io->len, io->data);
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops regtable = {
	.read = (void *)regtable_io_read,
	.write = (void *)regtable_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = {
		{ .addr = 0x1f0, .len = 8, .space = LX_SPACE_PIO },
		{ .addr = 0x3f6, .len = 1, .space = LX_SPACE_PIO },
	},
	.name = "regtable",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
