// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench_pass: declines every access.
 *
 * Regions: one of BENCH_LEN bytes, PIO (BENCH_PORT by default) or MMIO.
 * State:   map bench_state, not used.
 */
#include "lx.bpf.h"
#include "bench_model.h"

LX_STATE_MAP(bench_state, struct bench_state);

SEC("struct_ops/bench_pass_read")
int BPF_PROG(bench_pass_read, struct lx_io *io)
{
	return LX_PASS;
}

SEC("struct_ops/bench_pass_write")
int BPF_PROG(bench_pass_write, struct lx_io *io)
{
	return LX_PASS;
}

SEC(".struct_ops.link")
struct lightexit_ops bench_pass_ops = {
	.read = (void *)bench_pass_read,
	.write = (void *)bench_pass_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = BENCH_PORT, .len = BENCH_LEN, .space = LX_SPACE_PIO } },
	.name = "bench_pass",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
