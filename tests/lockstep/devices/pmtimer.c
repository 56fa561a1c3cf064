// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The PM timer: reads of all its parts, around each wrap, and after it was set. */
#include "lockstep.h"
#include "pmtimer.h"
#include "pmtimer_model.h"

static void make(struct ls_side *side, uint64_t seed)
{
	const struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = seed & 1 ? 24 : 32,
		.ticks = seed & 1 ? 0xfffff0 : 0xfffffff0,
		.state = (struct pmtimer_state *)side->st,
	};
	struct vmm_pmtimer *pmt;

	if (vmm_pmtimer_new(side->vm, &opts, &pmt))
		ls_die("no PM timer");
	side->be = pmt;
}

static void unmake(struct ls_side *side)
{
	vmm_pmtimer_free(side->be);
}

static void next(struct ls_gen *g, const void *state)
{
	switch (ls_below(g, 16)) {
	case 0:
		ls_push(g, LS_EXTRA, 4, 0, ls_below(g, 2) ? ~0ULL - ls_skewed(g, 8) : ls_random(g));
		break;
	case 1:
		ls_string(g, LS_INS, 4, PMTIMER_PORT, 1 + (uint32_t)ls_below(g, 4));
		break;
	case 2:
		ls_push(g, LS_IN, 2, PMTIMER_PORT + 2 * ls_below(g, 2), 0);
		break;
	default:
		ls_push(g, LS_IN, 4, PMTIMER_PORT, 0);
		break;
	}
}

/* The next wrap of 24 bits. */
static uint64_t due(const void *state, uint64_t ns)
{
	uint64_t ticks = (pmtimer_ticks(ns) | 0xffffff) + 1;

	return lx_muldiv64(ticks, 1000000000, PMTIMER_HZ) + 1;
}

static void extra(struct ls_side *side, const struct ls_access *a)
{
	vmm_pmtimer_set(side->be, (uint32_t)a->val);
}

static const struct lx_region region = { .addr = PMTIMER_PORT, .len = PMTIMER_LEN };

const struct ls_device ls_pmtimer = {
	.name = "pmtimer",
	.regions = &region,
	.n_regions = 1,
	.state_size = sizeof(struct pmtimer_state),
	.make = make,
	.free = unmake,
	.next = next,
	.due = due,
	.extra = extra,
};
