// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench_queue: queues the writes of a register, and rings for the first one.
 *
 * Regions:  one of BENCH_LEN bytes, PIO (BENCH_PORT by default) or MMIO.
 * State:    map bench_queue_state, struct bench_queue_state.
 * Eventfds: slot 0, on which the VMM takes what is queued.
 * Passes:   everything but writes of BENCH_VALUE, and all when the queue is full.
 */
#include "lx.bpf.h"
#include "bench_model.h"
#include "bench_queue.h"

LX_STATE_MAP(bench_queue_state, struct bench_queue_state);

SEC("struct_ops/bench_queue_write")
int BPF_PROG(bench_queue_write, struct lx_io *io)
{
	struct bench_queue_state *st = lx_state_of(bench_queue_state);
	int verdict = LX_PASS;

	if (!st || io->addr != BENCH_VALUE || !lx_enter(&st->hdr))
		return LX_PASS;
	if (lx_queue_push(&st->queue, io)) {
		if (lx_bell_ring(&st->bell))
			lx_signal(io, 0);
		verdict = LX_HANDLED;
	}
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops bench_queue_ops = {
	.write = (void *)bench_queue_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = BENCH_PORT, .len = BENCH_LEN, .space = LX_SPACE_PIO } },
	.name = "bench_queue",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
