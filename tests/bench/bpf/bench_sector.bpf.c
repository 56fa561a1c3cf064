// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench_sector: a sector behind a port, word by word.
 *
 * Regions: one of BENCH_LEN bytes, PIO (BENCH_PORT by default).
 * State:   map bench_sector_state, struct bench_sector_state.
 * Handles: words, under the state's lock, as a device has to that a string changes.
 */
#include "lx.bpf.h"
#include "bench_model.h"

LX_STATE_MAP(bench_sector_state, struct bench_sector_state);

SEC("struct_ops/bench_sector_io_read")
int BPF_PROG(bench_sector_io_read, struct lx_io *io)
{
	struct bench_sector_state *st = lx_state_of(bench_sector_state);
	int verdict;
	__u64 val;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = bench_sector_read(st, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/bench_sector_io_write")
int BPF_PROG(bench_sector_io_write, struct lx_io *io)
{
	struct bench_sector_state *st = lx_state_of(bench_sector_state);
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = bench_sector_write(st, io->len, io->data);
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops bench_sector_ops = {
	.read = (void *)bench_sector_io_read,
	.write = (void *)bench_sector_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = BENCH_PORT,
		       .len = BENCH_LEN,
		       .space = LX_SPACE_PIO,
		       .flags = LX_REGION_STRINGS } },
	.name = "bench_sector",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
