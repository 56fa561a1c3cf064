// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_race: starts the kernel's timer when it is kicked, and claims the state's when it is due.
 *
 * Regions: one port, which passes.
 * State:   map vt_race_state, struct vt_race_state; by CLOCK_MONOTONIC.
 */
#include "lx.bpf.h"
#include "vt_race.h"

LX_STATE_MAP(vt_race_state, struct vt_race_state);

SEC("struct_ops/vt_race_timer")
int BPF_PROG(vt_race_timer, struct lx_io *io)
{
	struct vt_race_state *st = lx_state_of(vt_race_state);
	__s64 now;

	if (!st || !lx_enter(&st->hdr))
		return st && lx_state_live(&st->hdr) ? LX_RETRY : LX_HANDLED;
	now = lx_device_ns(io, &st->hdr);
	if (io->addr != LX_TIMER_KICK && now + st->hdr.epoch_ns < io->data)
		st->early++;
	if (now >= 0 && lx_timer_claim(&st->timer, now))
		st->by_program++;
	else if (st->timer.armed)
		lx_timer_start(io, 0, st->timer.due_ns + st->hdr.epoch_ns, 0);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops vt_race = {
	.timer = (void *)vt_race_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0x700, .len = 1, .space = LX_SPACE_PIO } },
	.name = "vt_race",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
