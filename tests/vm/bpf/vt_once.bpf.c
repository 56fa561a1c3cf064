// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_once: a device with a one-shot timer. Each write arms it, unless it is armed;
 * it fires once for each time, by this program or by the VMM that took over.
 *
 * Regions: one, as the recording ports of tests/vm/vmscript.h.
 * State:   map vt_once_state, struct vt_once_state.
 * Time:    CLOCK_MONOTONIC.
 */
#include "lx.bpf.h"
#include "vt_once.h"

LX_STATE_MAP(vt_once_state, struct vt_once_state);

static void start(struct lx_io *io, const struct vt_once_state *st)
{
	lx_timer_start(io, 0, st->hdr.epoch_ns + st->timer.due_ns, 0);
}

SEC("struct_ops/vt_once_write")
int BPF_PROG(vt_once_write, struct lx_io *io)
{
	struct vt_once_state *st = lx_state_of(vt_once_state);

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	if (!st->timer.armed) {
		lx_timer_arm(&st->timer, lx_device_ns(io, &st->hdr) + st->delay_ns);
		st->armed++;
		start(io, st);
	}
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC("struct_ops/vt_once_timer")
int BPF_PROG(vt_once_timer, struct lx_io *io)
{
	struct vt_once_state *st = lx_state_of(vt_once_state);

	if (!st)
		return LX_HANDLED;
	__sync_fetch_and_add(&st->ops, 1);
	if (st->eject) {
		st->eject = 0;
		lx_eject(io, 1);
		return LX_HANDLED;
	}
	if (!lx_enter(&st->hdr))
		return LX_RETRY;
	if (lx_timer_claim(&st->timer, lx_device_ns(io, &st->hdr)))
		st->by_program++;
	else if (st->timer.armed)
		start(io, st);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_once = {
	.write = (void *)vt_once_write,
	.timer = (void *)vt_once_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0x500, .len = 0x20, .space = LX_SPACE_PIO } },
	.name = "vt_once",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
