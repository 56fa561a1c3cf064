// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_lock: answers with a ticket that it takes under the state's lock.
 *
 * Regions: one of VT_LOCK_LEN ports.
 * State:   map vt_lock_state, struct vt_lock_state.
 * Handles: reads, if the lock is free.
 */
#include "lx.bpf.h"
#include "vt_lock.h"

LX_STATE_MAP(vt_lock_state, struct vt_lock_state);

SEC("struct_ops/vt_lock_io_read")
int BPF_PROG(vt_lock_io_read, struct lx_io *io)
{
	struct vt_lock_state *st = lx_state_of(vt_lock_state);

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	io->data = vt_lock_take(st, io->vcpu, lx_monotonic_ns());
	st->handled++;
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_lock = {
	.read = (void *)vt_lock_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = VT_LOCK_PORT, .len = VT_LOCK_LEN, .space = LX_SPACE_PIO } },
	.name = "vt_lock",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
