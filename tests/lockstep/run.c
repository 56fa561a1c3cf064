// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Both sides, step by step, until they differ. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lockstep.h"

/* Steps of a trace that a failure shows; all of it: -v. */
#define KEEP 24U
/* Events of a step of time. A timer of nanoseconds would keep it for ever: then it ends there. */
#define EVENTS 8U
/* One of so many accesses is the program's at the least, in traces that are not short. */
#define LEAST_HANDLED 5U
#define ENOUGH 5000U
/* No clock begins with 0. */
#define CLOCK_START 1000000000ULL

const struct ls_device *const ls_devices[LS_DEVICES] = { &ls_pmtimer,  &ls_hpet,    &ls_pit,
							 &ls_rtc,      &ls_pciconf, &ls_uart,
							 &ls_regtable, &ls_ide };

/* What one step was for both. */
struct step {
	struct ls_access a;
	uint64_t ns;
	union ls_data data[2];
};

/* Since ls_open(). */
static struct {
	uint64_t seed;
	uint64_t n;
	struct step kept[KEEP];
} trace;

static void print_step(uint64_t n, const struct step *s)
{
	static const char *const kinds[] = { "in",   "out",  "read", "write",  "ins",
					     "outs", "time", "jump", "toggle", "extra" };
	const struct ls_access *a = &s->a;
	bool reads = a->kind == LS_IN || a->kind == LS_READ;

	printf("#  %8" PRIu64 "  %14" PRIu64 " ns  vCPU %u  %-6s", n, s->ns, a->vcpu,
	       kinds[a->kind]);
	if (a->kind < LS_TIME)
		printf(" %u %#" PRIx64, a->len, a->addr);
	if (a->kind == LS_INS || a->kind == LS_OUTS)
		printf(" x %u", a->count);
	if (a->kind != LS_INS && a->kind != LS_TOGGLE)
		printf(" %#" PRIx64, reads ? s->data[0].val : a->val);
	if (reads && s->data[1].val != s->data[0].val)
		printf(", and %#" PRIx64, s->data[1].val);
	printf("\n");
}

/* Interrupts of eventfds that no vCPU has. A level that is asserted is asserted. */
static void take_irqs(struct ls_side *side)
{
	eventfd_t count;

	for (uint32_t i = 0; i < side->fds.n; i++) {
		uint32_t bit = 1U << i & side->dev->irq_slots;

		if (!bit || side->fds.slots[i] <= 0 || eventfd_read(side->fds.slots[i], &count))
			continue;
		if (bit & side->dev->level_slots)
			count = !(side->asserted & bit);
		while (count--)
			side->irqs[side->n_irqs++ % LS_LOG] = (uint8_t)i;
		side->asserted |= bit & side->dev->level_slots;
	}
}

static void settle(struct ls_rig *rig)
{
	for (unsigned int i = 0; i < 2; i++) {
		rig->quiet(rig);
		ls_loop_turn(rig->side[i].loop, rig->side[i].dev->slack_ns);
		if (rig->side[i].dev->settle)
			rig->side[i].dev->settle(&rig->side[i]);
		take_irqs(&rig->side[i]);
	}
	rig->quiet(rig);
	take_irqs(&rig->side[1]);
}

/* Time goes on to @to, from one event of the device's to the next. */
static void go_on(struct ls_rig *rig, uint64_t to)
{
	const struct ls_side *ref = &rig->side[0];

	for (unsigned int i = 0; i < EVENTS && ls_now < to; i++) {
		uint64_t due = LS_NEVER;

		if (ref->dev->due)
			due = ref->dev->due(ref->st, ls_device_ns(ref->st));
		if (due != LS_NEVER)
			due += ref->st->epoch_ns;
		ls_now = due > ls_now && due < to ? due : to;
		rig->tick(rig);
		settle(rig);
	}
}

static void do_step(struct ls_rig *rig, struct step *s)
{
	const struct ls_access *a = &s->a;

	memset(s->data, 0, sizeof(s->data));
	switch (a->kind) {
	case LS_TIME:
		go_on(rig, ls_now + a->val);
		break;
	case LS_JUMP:
		if (rig->side[0].dev->paced) {
			go_on(rig, ls_now + a->val);
		} else {
			ls_now += a->val;
			rig->tick(rig);
		}
		break;
	case LS_TOGGLE:
		rig->toggle(rig);
		break;
	case LS_EXTRA:
		for (unsigned int i = 0; i < 2; i++)
			rig->side[i].dev->extra(&rig->side[i], a);
		break;
	default:
		for (unsigned int i = 0; i < 2; i++) {
			if (a->kind == LS_OUTS)
				ls_gen_string(a, &s->data[i]);
			rig->access(rig, &rig->side[i], a, &s->data[i]);
		}
		rig->asked += a->count;
		break;
	}
	s->ns = ls_now;
	settle(rig);
}

static bool same_state(const struct ls_side *a, const struct ls_side *b)
{
	size_t hdr = sizeof(struct lx_state);

	if (a->dev->same)
		return a->dev->same(a->st, b->st);
	return !memcmp((const uint8_t *)a->st + hdr, (const uint8_t *)b->st + hdr,
		       a->dev->state_size - hdr);
}

static bool same_log(const uint8_t *a, unsigned int na, const uint8_t *b, unsigned int nb)
{
	return na == nb && !memcmp(a, b, na);
}

static void first_difference(const struct ls_side *a, const struct ls_side *b)
{
	const uint8_t *p = (const uint8_t *)a->st, *q = (const uint8_t *)b->st;
	unsigned int shown = 0;

	for (size_t i = sizeof(struct lx_state); i < a->dev->state_size && shown < 8; i++) {
		if (p[i] != q[i] && shown++ < 8)
			printf("#   byte %zu of the state: %#x, and %#x\n", i, p[i], q[i]);
	}
}

static void forget(struct ls_side *side)
{
	side->n_irqs = 0;
	side->n_out = 0;
}

/* NULL: the sides are the same; else in what they are not. */
static const char *differs(struct ls_rig *rig, const struct step *s)
{
	struct ls_side *a = &rig->side[0], *b = &rig->side[1];
	const char *what = NULL;

	if (memcmp(&s->data[0], &s->data[1], sizeof(s->data[0])))
		return "the value";
	if (!same_log(a->irqs, a->n_irqs, b->irqs, b->n_irqs) ||
	    (rig->irqs_same && !rig->irqs_same(rig, &s->a)))
		what = "interrupts";
	else if (!same_log(a->out, a->n_out, b->out, b->n_out))
		what = "what left the device";
	else if (!same_state(a, b))
		what = "the state";
	else if (b->st->lock != LX_LOCK_FREE || b->st->seq & 1)
		what = "lock or seq";
	for (unsigned int i = 0; i < 2 && !what; i++)
		forget(&rig->side[i]);
	return what;
}

static void say_failed(const struct ls_rig *rig, const char *what)
{
	uint64_t n = trace.n;

	printf("# %s: %s differs after %" PRIu64 " steps, no fewer: --seed %#" PRIx64
	       " --steps %" PRIu64 " %s; the last ones:\n",
	       rig->side[0].dev->name, what, n, trace.seed, n, rig->side[0].dev->name);
	for (uint64_t i = n > KEEP ? n - KEEP : 0; i < n; i++)
		print_step(i + 1, &trace.kept[i % KEEP]);
	first_difference(&rig->side[0], &rig->side[1]);
	printf("#   %u interrupts, and %u; the program is %sattached\n", rig->side[0].n_irqs,
	       rig->side[1].n_irqs, rig->side[1].attached ? "" : "not ");
	fflush(stdout);
}

void ls_open(const struct ls_device *dev, uint64_t seed)
{
	trace.seed = seed;
	trace.n = 0;
	ls_now = CLOCK_START;
	ls_rig.asked = 0;
	ls_rig.handled = 0;
	ls_rig_open(dev, seed);
}

bool ls_step(const struct ls_access *a, bool verbose)
{
	struct step *s = &trace.kept[trace.n++ % KEEP];
	const char *what;

	s->a = *a;
	do_step(&ls_rig, s);
	what = differs(&ls_rig, s);
	if (verbose)
		print_step(trace.n, s);
	if (what)
		say_failed(&ls_rig, what);
	return !what;
}

bool ls_run(const struct ls_device *dev, uint64_t seed, uint64_t steps, bool verbose)
{
	struct ls_access a;
	struct ls_gen gen;
	bool same = true;

	ls_open(dev, seed);
	ls_gen_init(&gen, dev, seed);
	while (trace.n < steps && same) {
		a = ls_gen_next(&gen, ls_rig.side[0].st);
		same = ls_step(&a, verbose);
	}
	ls_rig_close();
	if (trace.n >= ENOUGH && ls_rig.handled * LEAST_HANDLED < ls_rig.asked)
		same = false;
	return same;
}
