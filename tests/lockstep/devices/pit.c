// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The PIT: all modes and formats, latches in any order, gates, counts around their ends. */
#include "lockstep.h"
#include "pit.h"

#define CONTROL (PIT_PORT + PIT_CONTROL)
#define IRQ0_GSI 2U

static void make(struct ls_side *side, uint64_t seed)
{
	struct vmm_pit_opts opts = { .loop = side->loop, .state = (struct pit_state *)side->st };
	struct vmm_pit *pit;

	ls_make_fds(side, IRQ0_GSI);
	opts.irq_fd = side->fds.slots[PIT_SLOT_IRQ];
	opts.kick_fd = side->fds.kick_fd;
	opts.handover_fd = side->fds.handover_fd;
	if (vmm_pit_new(side->vm, &opts, &pit))
		ls_die("no PIT");
	side->be = pit;
}

static void unmake(struct ls_side *side)
{
	vmm_pit_free(side->be);
	ls_close_fds(side);
}

static void attached(struct ls_side *side)
{
	vmm_pit_attached(side->be);
}

static uint64_t due(const void *state, uint64_t ns)
{
	const struct pit_state *st = state;

	return st->irq.armed && st->irq.due_ns > ns ? st->irq.due_ns : LS_NEVER;
}

/* A count: most are small, so that their ends are seen; of each kind that is special some. */
static uint64_t count(struct ls_gen *g)
{
	switch (ls_below(g, 8)) {
	case 0:
		return ls_random(g);
	case 1:
		return ls_below(g, 4);
	case 2:
		return 0x9990 + ls_below(g, 16);
	default:
		return ls_skewed(g, 12);
	}
}

static void program(struct ls_gen *g, unsigned int n)
{
	uint64_t val = count(g);

	ls_out(g, CONTROL,
	       n << PIT_SC_SHIFT | (1 + ls_below(g, 3)) << PIT_RW_SHIFT | (ls_random(g) & 0xf));
	if (ls_below(g, 8))
		ls_out(g, PIT_PORT + n, val & 0xff);
	if (ls_below(g, 8))
		ls_out(g, PIT_PORT + n, val >> 8 & 0xff);
}

/* Some pulses: of counts that are small much happens in them. */
static void pulses(struct ls_gen *g)
{
	ls_push(g, LS_TIME, 0, 0, ls_skewed(g, 8) * PIT_NS_NUM / PIT_NS_DEN + ls_below(g, 3));
}

static void next(struct ls_gen *g, const void *state)
{
	unsigned int n = (unsigned int)ls_below(g, PIT_COUNTERS);

	switch (ls_below(g, 16)) {
	case 0:
		program(g, n);
		break;
	case 1:
		ls_out(g, PIT_PORT + n, count(g) & 0xff);
		break;
	case 2:
	case 3:
		ls_out(g, PIT_PORT_B, ls_random(g) & 0xff);
		break;
	case 4:
		ls_out(g, CONTROL, n << PIT_SC_SHIFT);
		break;
	case 5:
		ls_out(g, CONTROL, PIT_SC_READ_BACK << PIT_SC_SHIFT | (ls_random(g) & 0x3f));
		break;
	case 6:
		ls_in(g, PIT_PORT_B);
		break;
	case 7:
		ls_string(g, LS_INS, 1, PIT_PORT + n, 1 + (uint32_t)ls_below(g, 6));
		break;
	case 8:
	case 9:
	case 10:
		pulses(g);
		break;
	default:
		ls_in(g, PIT_PORT + n);
		break;
	}
}

static const struct lx_region regions[] = {
	{ .addr = PIT_PORT, .len = PIT_LEN },
	{ .addr = PIT_PORT_B, .len = PIT_PORT_B_LEN },
};

const struct ls_device ls_pit = {
	.name = "pit",
	.regions = regions,
	.n_regions = 2,
	.state_size = sizeof(struct pit_state),
	.irq_slots = 1U << PIT_SLOT_IRQ,
	.make = make,
	.free = unmake,
	.attached = attached,
	.next = next,
	.due = due,
};
