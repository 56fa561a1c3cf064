// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A timer in the state and the timer op: lx_timer_arm(), lx_timer_claim(), lx_timer_disarm(),
 * lx_wake_at(), lx_wake_for(), and the kfuncs
 */
#include "verify.bpf.h"

#include <lightexit/timer.h>

struct verify_state {
	struct lx_state hdr;
	struct lx_timer timer;
};

LX_STATE_MAP(states, struct verify_state);

WRITE_OP
{
	struct verify_state *st = lx_state_of(states);

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	if (io->data) {
		lx_timer_arm(&st->timer, io->data);
		lx_wake_at(io, &st->hdr, 0, io->data);
		lx_timer_start(io, 1, io->data, LX_TIMER_REL);
	} else {
		lx_timer_disarm(&st->timer);
		lx_timer_cancel(io, 0);
	}
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC("struct_ops/verify_timer")
int BPF_PROG(verify_timer, struct lx_io *io)
{
	struct verify_state *st = lx_state_of(states);

	if (!st || !lx_enter(&st->hdr))
		return LX_RETRY;
	if (lx_timer_claim(&st->timer, lx_device_ns(io, &st->hdr)))
		lx_signal(io, 0);
	lx_wake_for(io, &st->hdr, 0, &st->timer);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

DEVICE(.write = (void *)verify_write, .timer = (void *)verify_timer);
