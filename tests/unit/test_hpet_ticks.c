// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET model against hardware as the IA-PC HPET specification 1.0a draws it: a counter,
 * and comparators that look at it at every tick (figures 8 and 9). The model computes what a
 * comparator did from the times at which somebody asks; here nothing is computed.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "hpet_model.h"
#include "longdiv.h"

#define TICK_NS 10U
#define CAPS 0x00f0000000000020ULL
#define STEPS 400000

/* 2.3.8 */
#define LEVEL 0x2U
#define ENB 0x4U
#define PERIODIC 0x8U
#define VAL_SET 0x40U
#define MODE32 0x100U

/* @looked: at this value of the counter; again when its own is written. */
struct comparator {
	uint64_t config;
	uint64_t value;
	uint64_t rate;
	bool looked;
	uint64_t edges;
};

static struct {
	uint64_t counter;
	uint64_t general;
	uint64_t status;
	struct comparator timer[3];
} hw;

static struct hpet_state st;
static uint64_t now;
static uint64_t edges[3];

static uint64_t width(const struct comparator *c)
{
	return c->config & MODE32 ? 0xffffffff : ~0ULL;
}

/* Figure 8: equal, and so an interrupt; figure 9: in periodic mode the adder. */
static void look(unsigned int n)
{
	struct comparator *c = &hw.timer[n];

	if (!(hw.general & 1) || c->looked)
		return;
	c->looked = true;
	if ((hw.counter & width(c)) != c->value)
		return;
	if (c->config & PERIODIC)
		c->value = (c->value + c->rate) & width(c);
	if (c->config & LEVEL)
		hw.status |= 1U << n;
	else if (c->config & ENB && c->config >> 9 & 0x1f)
		c->edges++;
}

static void tick(void)
{
	if (!(hw.general & 1))
		return;
	hw.counter++;
	for (unsigned int n = 0; n < 3; n++) {
		hw.timer[n].looked = false;
		look(n);
	}
}

static void hw_write(uint64_t off, uint64_t val)
{
	unsigned int n = (unsigned int)((off - 0x100) / 0x20);
	struct comparator *c = &hw.timer[n % 3];

	if (off == 0x10) {
		hw.general = val & 3;
	} else if (off == 0x20) {
		for (n = 0; n < 3; n++) {
			if (hw.timer[n].config & LEVEL)
				hw.status &= ~(val & 1U << n);
		}
	} else if (off == 0xf0) {
		if (hw.general & 1)
			return;
		hw.counter = val;
		for (n = 0; n < 3; n++)
			hw.timer[n].looked = false;
	} else if (off % 0x20 == 0) {
		c->config = val;
		c->value &= width(c);
		c->rate &= width(c);
		if (!(val & LEVEL))
			hw.status &= ~(1ULL << n);
	} else {
		if (c->config & PERIODIC)
			c->rate = val & width(c);
		if (!(c->config & PERIODIC) || c->config & VAL_SET) {
			c->value = val & width(c);
			c->looked = false;
		}
		c->config &= ~(uint64_t)VAL_SET;
	}
	for (n = 0; n < 3; n++)
		look(n);
}

/* What the model signals for edges. */
static void count(uint32_t slots)
{
	for (unsigned int n = 0; n < 3; n++)
		edges[n] += slots >> HPET_SLOT(HPET_ROUTE_INPUT + n, 0) & 1;
}

/* Whoever waits for the timers is told of each that is due, until none is. */
static void expire(void)
{
	for (unsigned int n = 0; n < 3; n++) {
		const struct lx_timer *t = &st.timers[n].timer;

		while (t->armed && t->due_ns <= now) {
			struct hpet_effect eff = { 0 };

			hpet_expired(&st, n, now, &eff);
			count(eff.slots);
		}
	}
}

static void both_write(uint64_t off, uint64_t val)
{
	struct hpet_effect eff = { 0 };

	hw_write(off, val);
	cr_assert_eq(hpet_write(&st, now, off, 8, val, &eff), LX_HANDLED);
	count(eff.slots);
	expire();
}

static void same(uint64_t off, uint64_t want, int step)
{
	__u64 val = 0;
	int ret = hpet_read(&st, (int64_t)now, off, 8, &val);

	if (ret != LX_HANDLED)
		ret = hpet_read_locked(&st, (int64_t)now, off, 8, &val);
	cr_assert_eq(ret, LX_HANDLED);
	cr_assert_eq(val, want, "step %d: 0x%lx is 0x%llx, the hardware's 0x%lx", step, off, val,
		     want);
}

static void compare(int step)
{
	same(0x10, hw.general, step);
	same(0x20, hw.status, step);
	same(0xf0, hw.counter, step);
	for (unsigned int n = 0; n < 3; n++) {
		const struct comparator *c = &hw.timer[n];
		uint32_t line = 1U << HPET_SLOT(HPET_ROUTE_INPUT + n, 1);
		bool asserted = hw.general & 1 && c->config & ENB && hw.status >> n & 1 &&
				c->config >> 9 & 0x1f;

		same(0x100 + 0x20 * n, c->config | CAPS | (n ? 0 : 0x10), step);
		same(0x108 + 0x20 * n, c->value, step);
		cr_assert_eq(edges[n], c->edges, "step %d: timer %u: %lu edges, the hardware's %lu",
			     step, n, edges[n], c->edges);
		cr_assert_eq(!!(hpet_lines(&st) & line), asserted, "step %d: timer %u: line", step,
			     n);
	}
}

static void at_random(uint64_t *seed)
{
	unsigned int n = (unsigned int)(repeatable_random(seed) % 3);
	uint64_t config, near = hw.counter + repeatable_random(seed) % 24 - 6;

	switch (repeatable_random(seed) % 16) {
	case 0:
		both_write(0x10, repeatable_random(seed) % 2);
		break;
	case 1:
	case 2:
		both_write(0x20, repeatable_random(seed) % 8);
		break;
	case 3:
		both_write(0xf0, 0xfffffff0 + repeatable_random(seed) % 16);
		break;
	case 4:
	case 5:
	case 6:
		config = repeatable_random(seed) & (LEVEL | ENB | VAL_SET | MODE32);
		if (!n)
			config |= repeatable_random(seed) & PERIODIC;
		if (repeatable_random(seed) % 4)
			config |= (20ULL + n) << 9;
		both_write(0x100 + 0x20 * n, config);
		break;
	case 7:
	case 8:
		both_write(0x108 + 0x20 * n, near);
		break;
	case 9: /* a rate */
		both_write(0x108 + 0x20 * n, repeatable_random(seed) % 8);
		break;
	default:
		break;
	}
}

/*
 * Proves: after any writes, at any time, registers, edges and lines are those of hardware that
 * looks at every tick, across the wrap of 32 bits; each timer on an input of its own.
 */
Test(hpet_ticks, as_hardware)
{
	uint64_t seed = 0x7469636b73;

	st.cap = 0x009896808086a201ULL;
	for (unsigned int n = 0; n < 3; n++) {
		st.timers[n].config = CAPS | (n ? 0 : 0x10);
		st.timers[n].comparator = ~0ULL;
		hw.timer[n].value = ~0ULL;
	}
	both_write(0xf0, 0xffffff00);
	for (int step = 0; step < STEPS; step++) {
		at_random(&seed);
		compare(step);
		for (uint64_t ticks = repeatable_random(&seed) % 12; ticks; ticks--) {
			now += TICK_NS;
			tick();
		}
		expire();
		compare(step);
	}
	cr_expect_gt(hw.timer[0].edges, 1000);
	cr_expect_gt(hw.timer[1].edges, 1000);
}
