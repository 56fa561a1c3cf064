// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench_write: a register that keeps the last value written, and a count.
 *
 * Regions: one of BENCH_LEN bytes, PIO (BENCH_PORT by default) or MMIO.
 * State:   map bench_state, struct bench_state.
 * Handles: what bench_model.h does.
 */
#include "lx.bpf.h"
#include "bench_model.h"

LX_STATE_MAP(bench_state, struct bench_state);

SEC("struct_ops/bench_io_write")
int BPF_PROG(bench_io_write, struct lx_io *io)
{
	struct bench_state *st = lx_state_of(bench_state);

	return st ? bench_write(st, io->addr, io->len, io->data) : LX_PASS;
}

SEC("struct_ops/bench_io_read")
int BPF_PROG(bench_io_read, struct lx_io *io)
{
	struct bench_state *st = lx_state_of(bench_state);
	__u64 val;

	if (!st || bench_read(st, io->addr, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops bench_ops = {
	.read = (void *)bench_io_read,
	.write = (void *)bench_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = BENCH_PORT, .len = BENCH_LEN, .space = LX_SPACE_PIO } },
	.name = "bench_write",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
