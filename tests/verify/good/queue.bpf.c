// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A queue and its bell: lx_queue_push(), lx_queue_count(), lx_queue_pop(), lx_bell_ring(),
 * lx_bell_rearm()
 */
#include "verify.bpf.h"

#include <lightexit/bell.h>
#include <lightexit/queue.h>

struct verify_state {
	struct lx_state hdr;
	struct lx_bell bell;
	struct lx_queue queue;
};

LX_STATE_MAP(states, struct verify_state);

WRITE_OP
{
	struct verify_state *st = lx_state_of(states);
	struct lx_queued first;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	if (!lx_queue_push(&st->queue, io)) {
		lx_leave(&st->hdr);
		return LX_PASS;
	}
	if (lx_queue_count(&st->queue) > 1 && lx_queue_pop(&st->queue, &first))
		lx_bell_rearm(&st->bell);
	lx_bell_ring(&st->bell);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
