// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_queue: queues the writes of the device in vt_queue.h, and passes some.
 *
 * Regions:  ports and MMIO.
 * State:    map vt_queue_state, struct vt_queue_state.
 * Eventfds: slot 0, the queue's doorbell.
 */
#include "lx.bpf.h"
#include "vt_queue.h"

LX_STATE_MAP(vt_queue_state, struct vt_queue_state);

SEC("struct_ops/vt_queue_io_write")
int BPF_PROG(vt_queue_io_write, struct lx_io *io)
{
	struct vt_queue_state *st = lx_state_of(vt_queue_state);
	int verdict = LX_PASS;

	if (!st || (st->pass_of && !(bpf_get_prandom_u32() % st->pass_of)) || !lx_enter(&st->hdr))
		return LX_PASS;
	if (lx_queue_push(&st->queue, io)) {
		if (lx_bell_ring(&st->bell))
			lx_signal(io, 0);
		verdict = LX_HANDLED;
	} else {
		st->full++;
	}
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_queue = {
	.write = (void *)vt_queue_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = { { .addr = VT_QUEUE_PORT, .len = VT_QUEUE_LEN, .space = LX_SPACE_PIO },
		     { .addr = VT_QUEUE_MMIO, .len = VT_QUEUE_LEN, .space = LX_SPACE_MMIO } },
	.name = "vt_queue",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
