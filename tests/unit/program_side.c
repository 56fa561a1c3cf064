// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See program_side.h. What the headers have for __bpf__ is C that any compiler takes. */
#include <linux/types.h>
#include <stdbool.h>
#include <time.h>

#define __bpf__
#define preserve_access_index may_alias /* any attribute that the compiler knows */

#include <lightexit/bell.h>
#include <lightexit/queue.h>
#include <lightexit/state.h>

#include "program_side.h"

bool program_enter(struct lx_state *st)
{
	return lx_enter(st);
}

void program_leave(struct lx_state *st)
{
	lx_leave(st);
}

void program_write_begin(struct lx_state *st)
{
	lx_write_begin(st);
}

void program_write_end(struct lx_state *st)
{
	lx_write_end(st);
}

bool program_live(const struct lx_state *st)
{
	return lx_state_live(st);
}

bool program_read_begin(const struct lx_state *st, uint32_t *seq)
{
	return lx_read_begin(st, seq);
}

bool program_read_retry(const struct lx_state *st, uint32_t seq)
{
	return lx_read_retry(st, seq);
}

bool program_bell_ring(struct lx_bell *bell)
{
	return lx_bell_ring(bell);
}

bool program_push(struct lx_queue *q, uint32_t region, uint64_t addr, uint64_t data)
{
	const struct lx_io io = { .region = region, .addr = addr, .data = data, .len = 4 };

	return lx_queue_push(q, &io);
}
