// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The HPET: all registers in all lengths; comparators near the counter, EOIs, wraps. */
#include "hpet.h"
#include "lockstep.h"

/* Slots of level-triggered interrupts: the odd ones. */
#define LEVELS 0xaaaU
#define TICK_NS 10U
/* What is due later than that is not waited for: time is not to come to its end. */
#define SOON_NS (1ULL << 36)

static void make(struct ls_side *side, uint64_t seed)
{
	const struct vmm_hpet_irqs irqs = { .loop = side->loop, .legacy_gsi = { 2, 8 } };
	struct vmm_hpet *hpet;

	if (vmm_hpet_new(side->vm, HPET_BASE, LX_CLOCK_MONOTONIC, (struct hpet_state *)side->st,
			 &hpet) ||
	    vmm_hpet_connect(hpet, &irqs))
		ls_die("no HPET");
	side->be = hpet;
	side->fds = (struct lx_eventfds){ .sz = sizeof(side->fds), .n = HPET_SLOTS };
	vmm_hpet_eventfds(hpet, side->fds.slots, &side->fds.handover_fd, &side->fds.kick_fd);
}

static void unmake(struct ls_side *side)
{
	vmm_hpet_free(side->be);
}

static void attaching(struct ls_side *side)
{
	if (vmm_hpet_hand_out(side->be))
		ls_die("the HPET cannot be handed out");
}

static uint64_t due(const void *state, uint64_t ns)
{
	const struct hpet_state *st = state;
	uint64_t next = LS_NEVER;

	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		const struct lx_timer *t = &st->timers[n].timer;

		if (t->armed && t->due_ns > ns && t->due_ns - ns < SOON_NS && t->due_ns < next)
			next = t->due_ns;
	}
	return next;
}

/* An EOI: what is still asserted is signalled again, by whoever answers. */
static void extra(struct ls_side *side, const struct ls_access *a)
{
	side->asserted = 0;
	ls_kick(side);
}

static uint64_t counter(const struct hpet_state *st)
{
	uint64_t ns = ls_device_ns(&st->hdr);

	return st->counter + (st->config & HPET_CONFIG_ENABLE ? (ns - st->base_ns) / TICK_NS : 0);
}

static void write_reg(struct ls_gen *g, uint64_t off, uint64_t val)
{
	switch (ls_below(g, 4)) {
	case 0:
		ls_push(g, LS_WRITE, 4, HPET_BASE + off + 4, val >> 32);
		__attribute__((fallthrough));
	case 1:
		ls_push(g, LS_WRITE, 4, HPET_BASE + off, val);
		break;
	default:
		ls_push(g, LS_WRITE, 8, HPET_BASE + off, val);
		break;
	}
}

static uint64_t tn(unsigned int n, uint64_t reg)
{
	return HPET_TN_BASE + HPET_TN_SIZE * n + reg;
}

/* A timer's configuration; of routes mostly those that there are. */
static void configure(struct ls_gen *g, const struct hpet_state *st, unsigned int n)
{
	uint64_t val = ls_random(g) & 0x1fff;
	uint64_t route = ls_below(g, 4) ? HPET_INPUT + ls_below(g, HPET_INPUTS) : ls_random(g);

	/* Changes of what is the VMM's are rarer than others. */
	if (ls_below(g, 4)) {
		val &= ~(HPET_TN_LEVEL | HPET_TN_ROUTE);
		val |= st->timers[n].config & (HPET_TN_LEVEL | HPET_TN_ROUTE);
	} else {
		val = (val & ~HPET_TN_ROUTE) | (route << HPET_TN_ROUTE_SHIFT & HPET_TN_ROUTE);
	}
	write_reg(g, tn(n, HPET_TN_CONFIG), val | (ls_below(g, 2) ? HPET_TN_ENABLE : 0));
}

/* A match soon, or at a distance of any length. */
static void compare(struct ls_gen *g, const struct hpet_state *st, unsigned int n)
{
	uint64_t ahead = ls_skewed(g, ls_below(g, 4) ? 24 : 64);

	if (st->timers[n].config & HPET_TN_PERIODIC) {
		write_reg(g, tn(n, HPET_TN_CONFIG), st->timers[n].config | HPET_TN_VAL_SET);
		write_reg(g, tn(n, HPET_TN_COMPARATOR), counter(st) + ahead);
		ahead = 16 + ls_skewed(g, 24);
	} else if (ls_below(g, 8)) {
		ahead += counter(st);
	}
	write_reg(g, tn(n, HPET_TN_COMPARATOR), ahead);
}

/* Near the wrap of 32 or of 64 bits, or anywhere; only a halted one is set. */
static void set_counter(struct ls_gen *g)
{
	uint64_t val =
		ls_below(g, 2) ? ls_random(g) : (ls_random(g) & 1ULL << 32) - ls_skewed(g, 16);

	ls_push(g, LS_WRITE, 4, HPET_BASE + HPET_CONFIG, 0);
	write_reg(g, HPET_COUNTER, val);
	ls_push(g, LS_WRITE, 4, HPET_BASE + HPET_CONFIG, HPET_CONFIG_ENABLE);
}

static void read_reg(struct ls_gen *g)
{
	static const uint64_t regs[] = { HPET_CAP, HPET_CONFIG, HPET_STATUS, HPET_COUNTER };
	uint64_t reg = regs[ls_below(g, 4)], len = 1ULL << ls_below(g, 4);

	if (ls_below(g, 2))
		reg = tn((unsigned int)ls_below(g, HPET_TIMERS), 8 * ls_below(g, 2));
	ls_push(g, LS_READ, (uint32_t)len, HPET_BASE + reg + ls_below(g, 8 / len) * len, 0);
}

static void next(struct ls_gen *g, const void *state)
{
	const struct hpet_state *st = state;
	unsigned int n = (unsigned int)ls_below(g, HPET_TIMERS);

	switch (ls_below(g, 32)) {
	case 0:
		set_counter(g);
		break;
	case 1:
		ls_push(g, LS_WRITE, 4, HPET_BASE + HPET_CONFIG, ls_random(g) & 7);
		break;
	case 2:
		write_reg(g, HPET_CONFIG, HPET_CONFIG_ENABLE);
		break;
	case 3:
		configure(g, st, n);
		break;
	case 4:
	case 5:
	case 6:
		compare(g, st, n);
		break;
	case 7:
	case 8:
		write_reg(g, HPET_STATUS, ls_random(g) & 7);
		break;
	case 9:
		ls_push(g, LS_EXTRA, 0, 0, 0);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		ls_push(g, LS_TIME, 0, 0, ls_skewed(g, 28));
		break;
	default:
		read_reg(g);
		break;
	}
}

static const struct lx_region region = { .addr = HPET_BASE,
					 .len = HPET_LEN,
					 .space = LX_SPACE_MMIO };

const struct ls_device ls_hpet = {
	.name = "hpet",
	.regions = &region,
	.n_regions = 1,
	.state_size = sizeof(struct hpet_state),
	.irq_slots = LEVELS | LEVELS >> 1,
	.level_slots = LEVELS,
	.paced = true,
	.make = make,
	.free = unmake,
	.attaching = attaching,
	.next = next,
	.due = due,
	.extra = extra,
};
