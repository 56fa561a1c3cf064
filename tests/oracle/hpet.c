// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET of QEMU's i440fx machine and ours: capabilities, configuration, main counter;
 * timers and their interrupts by lockstep's traces. Sections: IA-PC HPET 1.0a.
 */
#include <stdlib.h>

#include "hpet.h"
#include "hpet_model.h"
#include "replay.h"

enum {
	NONE = -1,
	BYTES,
	FAR_COUNTER,
	OFFSETS,
	CAPABILITIES,
	NOT_OFFERED,
	FSB,
	TIMER_3,
	PASSED,
	AROUND,
	FAST,
	LINE
};

static struct difference differences[] = {
	[BYTES] = { .name = "bytes and words",
		    .sentence =
			    "2.3.2: accesses are of 32 or 64 bits. QEMU answers shorter ones with zero; "
			    "ours with those bytes of the register." },
	[FAR_COUNTER] = { .name = "far counter",
			  .sentence =
				  "2.3.7: a 64-bit counter. QEMU counts nanoseconds in 64 bits, and "
				  "loses the top of a counter set to 2^64 / 10 or more." },
	[OFFSETS] = { .name = "between registers",
		      .sentence = "2.3.5 and all others: \"32-bit accesses can be done to offset "
				  "010h or 014h\", 64-bit ones \"only [...] to 010h\". QEMU has "
				  "something there; ours 0." },
	[CAPABILITIES] = { .name = "capabilities of timers",
			   .sentence = "2.3.8: Tn_INT_ROUTE_CAP, Tn_PER_INT_CAP are read-only, an "
				       "implementation's own. QEMU's has input 2, and periods in "
				       "each timer." },
	[NOT_OFFERED] = { .name = "configuration that is not offered",
			  .sentence =
				  "2.3.8: such a route \"will not match what is written\"; without "
				  "Tn_PER_INT_CAP \"writes will have no impact\"; only with "
				  "Tn_FSB_INT_DEL_CAP can Tn_FSB_EN_CNF be set. QEMU takes all." },
	[FSB] = { .name = "FSB route",
		  .sentence = "2.3.10, for timers with Tn_FSB_INT_DEL_CAP (2.3.8). QEMU keeps what "
			      "is written without." },
	[TIMER_3] = { .name = "a fourth timer",
		      .sentence = "2.3.4: NUM_TIM_CAP is \"the last timer\". QEMU has one behind "
				  "it." },
	[PASSED] = { .name = "comparator that was passed",
		     .sentence =
			     "2.3.9.2.1: \"the counter may pass the value before it reaches the "
			     "register and the interrupt will be missed\". QEMU matches at once, "
			     "and again with each write to the configuration." },
	[AROUND] = { .name = "32 bits, and the wrap",
		     .sentence =
			     "2.3.9.2.1: \"another interrupt when the main counter wraps "
			     "around\". QEMU's comes at 0, if the match is behind that, and none "
			     "later; ours with each match." },
	[FAST] = { .name = "periods below some microseconds",
		   .sentence = "2.3.9.1: \"An interrupt will be generated when the main counter "
			       "reaches\" the value. QEMU keeps 1 us between them." },
	[LINE] = { .name = "level-triggered interrupt while configuration changes",
		   .sentence = "2.3.8: without Tn_INT_ENB_CNF none, and \"held active until it is "
			       "cleared\". QEMU's line stays up without Tn_INT_ENB_CNF, and falls "
			       "for all timers that have it, by a match of a masked one, too." },
	{ 0 },
};

/* The counter was @set while halted, and runs since @start, if it does. */
struct context {
	struct vmm_hpet *hpet;
	uint64_t set;
	uint64_t start;
	bool far;
};

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct context *c = rig->ctx;
	uint64_t reg = a->addr & ~7ULL, counter = c->set + (rig->now - c->start) / 10;

	if (reg == HPET_BASE + HPET_COUNTER && c->far)
		return ours == rig_bytes(counter, a->addr & 7, a->len) ? &differences[FAR_COUNTER] :
									 NULL;
	if (a->len < 4 && rig_part(rig, a, reg, 8) == ours)
		return &differences[BYTES];
	return NULL;
}

static void setup(struct rig *rig)
{
	struct context *c = calloc(1, sizeof(*c));

	rig_start(rig, "pc,hpet=on", false);
	if (!c || vmm_hpet_new(&rig->vm, HPET_BASE, LX_CLOCK_MONOTONIC, NULL, &c->hpet))
		exit(1);
	rig->ctx = c;
	rig->excuse = excuse;
}

static void teardown(struct rig *rig)
{
	struct context *c = rig->ctx;

	vmm_hpet_free(c->hpet);
	free(c);
	rig_stop(rig);
}

static void set_counter(struct rig *rig, uint64_t val)
{
	struct context *c = rig->ctx;

	c->set = val;
	c->far = val >= ~0ULL / 10;
	rig_write(rig, 8, HPET_BASE + HPET_COUNTER, val);
}

static void read_all(struct rig *rig)
{
	static const uint32_t regs[] = { HPET_CAP, HPET_CONFIG, HPET_STATUS, HPET_COUNTER };

	for (unsigned int i = 0; i < 4; i++) {
		rig_read(rig, 8, HPET_BASE + regs[i]);
		rig_read(rig, 4, HPET_BASE + regs[i]);
		rig_read(rig, 4, HPET_BASE + regs[i] + 4);
	}
}

static void enable(struct rig *rig, bool on)
{
	struct context *c = rig->ctx;

	c->start = rig->now;
	rig_write(rig, 4, HPET_BASE + HPET_CONFIG, on);
}

/* Halted, running, halted again; a carry into the upper half; what QEMU does otherwise. */
static void directed(struct rig *rig, unsigned int n)
{
	read_all(rig);
	rig_write(rig, 8, HPET_BASE + HPET_CAP, ~0ULL);
	read_all(rig);
	set_counter(rig, 0xffffff80);
	read_all(rig);
	rig_step(rig, 12345);
	read_all(rig);
	enable(rig, true);
	for (unsigned int i = 0; i < 2000; i++) {
		rig_read(rig, 4, HPET_BASE + HPET_COUNTER);
		rig_read(rig, 4, HPET_BASE + HPET_COUNTER + 4);
		rig_step(rig, 1);
	}
	enable(rig, false);
	read_all(rig);
	rig_step(rig, 1000000);
	read_all(rig);
	enable(rig, true);
	rig_step(rig, 7);
	read_all(rig);
	rig_write(rig, 4, HPET_BASE + HPET_CONFIG, 3);
	read_all(rig);
	for (uint32_t off = 0; off < 8; off++)
		rig_read(rig, 1, HPET_BASE + off);
	enable(rig, false);
	set_counter(rig, ~0ULL - 100);
	read_all(rig);
	enable(rig, true);
	read_all(rig);
	rig_step(rig, 2000);
	read_all(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	static const uint32_t regs[] = { HPET_CAP, HPET_CONFIG, HPET_COUNTER, HPET_COUNTER };

	while (n--) {
		uint64_t reg = HPET_BASE + regs[rig_below(rig, 4)];

		rig_step(rig, rig_random(rig) >> (30 + rig_below(rig, 34)));
		switch (rig_below(rig, 32)) {
		case 0:
			enable(rig, rig_below(rig, 2));
			break;
		case 1:
			enable(rig, false);
			set_counter(rig, rig_random(rig) >> (4 + rig_below(rig, 60)));
			break;
		default:
			if (rig_below(rig, 2))
				rig_read(rig, 8, reg);
			else
				rig_read(rig, 4, reg + 4 * rig_below(rig, 2));
		}
	}
}

/*
 * Timers. QEMU's nanoseconds in 64 bits would make nonsense of far values: what is written to
 * the counter is below 2^58, to comparators below 2^59.
 */
#define NEAR_BITS 58U
#define TICK_NS 10U
#define FAST_TICKS 512U
/* QEMU's periodic match may be so late. */
#define LATE_TICKS 110U
/* Matches in a step of time: of what interrupts, and of what does not. */
#define EVENTS 16U
#define MASKED_EVENTS 4096U
/* QEMU counts a passed periodic comparator up to the counter. */
#define LOOPS 1000000U
#define LINES (HPET_INPUT + HPET_INPUTS)

/**
 * struct timer - in what QEMU's timer may differ from ours; differences or NONE
 * @why:        its matches, from now on
 * @status_why: its bit of HPET_STATUS
 * @cmp_why:    its comparator
 * @since:      time since which it counts towards its match
 */
struct timer {
	int why;
	int status_why;
	int cmp_why;
	uint64_t since;
};

/* By input of the IO-APIC: @stuck: QEMU's line was not ours, and did not fall since */
struct timers {
	struct ls_side side;
	struct timer t[HPET_TIMERS];
	bool stuck[LINES];
	uint64_t rises[LINES];
	uint64_t matched; /* interrupts that both gave */
	int line_why;
};

static struct hpet_state *state(const struct rig *rig)
{
	return (struct hpet_state *)((struct timers *)rig->ctx)->side.st;
}

static bool runs(const struct hpet_state *st)
{
	return st->config & HPET_CONFIG_ENABLE;
}

static struct difference *found(int why)
{
	return why == NONE ? NULL : &differences[why];
}

static struct difference *excuse_status(const struct timers *x, uint64_t diff)
{
	int why = NONE;

	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		if (!(diff & 1ULL << n))
			continue;
		why = x->t[n].status_why;
		if (why == NONE)
			return NULL;
	}
	return diff >> HPET_TIMERS ? NULL : found(why);
}

static struct difference *excuse_timers(struct rig *rig, const struct access *a, uint64_t qemu,
					uint64_t ours)
{
	static const uint64_t capabilities = ~0ULL << 32 | HPET_TN_PERIODIC_CAP;
	const struct timers *x = rig->ctx;
	uint64_t off = a->addr - HPET_BASE, reg = off & ~7ULL, tn = reg - HPET_TN_BASE, diff;

	if (a->addr < 2 * LINES)
		return found(x->line_why);
	if (off & (a->len - 1))
		return ours ? NULL : &differences[OFFSETS];
	if (a->len < 4) {
		qemu = rig_part(rig, a, HPET_BASE + reg, 8);
		if (qemu == ours)
			return &differences[BYTES];
	}
	diff = (qemu ^ ours) << 8 * (off & 7);
	if (reg == HPET_STATUS)
		return excuse_status(x, diff);
	if (reg < HPET_TN_BASE || tn >= HPET_TIMERS * HPET_TN_SIZE)
		return NULL;
	if (tn % HPET_TN_SIZE == HPET_TN_CONFIG)
		return diff & ~capabilities ? NULL : &differences[CAPABILITIES];
	if (tn % HPET_TN_SIZE == HPET_TN_COMPARATOR)
		return found(x->t[tn / HPET_TN_SIZE].cmp_why);
	return ours ? NULL : &differences[FSB];
}

static void setup_timers(struct rig *rig)
{
	struct timers *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	rig_start(rig, "pc,hpet=on", true);
	replay_open(rig, &ls_hpet, &x->side);
	for (unsigned int n = 0; n < HPET_TIMERS; n++)
		x->t[n] = (struct timer){ NONE, NONE, NONE, 0 };
	rig->ctx = x;
	rig->excuse = excuse_timers;
}

static void teardown_timers(struct rig *rig)
{
	struct timers *x = rig->ctx;

	replay_close(&x->side);
	free(x);
	rig_stop(rig);
}

/* Where timer @n interrupts; 0: nowhere, or as the 8254. */
static unsigned int input(const struct hpet_state *st, unsigned int n)
{
	if (st->config & HPET_CONFIG_LEGACY && n < 2)
		return n * 8;
	return (st->timers[n].config & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT;
}

/* Level-triggered and active. */
static bool active(const struct hpet_state *st, unsigned int n)
{
	return st->timers[n].config & HPET_TN_LEVEL && st->status & 1ULL << n;
}

static bool line(const struct hpet_state *st, unsigned int in)
{
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		if (runs(st) && st->timers[n].config & HPET_TN_ENABLE && active(st, n) &&
		    input(st, n) == in)
			return true;
	}
	return false;
}

/* Why an input may differ. @configured: a configuration was written */
static int line_reason(const struct rig *rig, unsigned int in, bool configured)
{
	const struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);
	unsigned int users = 0;

	if (x->stuck[in])
		return LINE;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		if (configured && active(st, n))
			return LINE;
		if (input(st, n) != in)
			continue;
		if (x->t[n].why != NONE)
			return x->t[n].why;
		if (x->t[n].status_why != NONE)
			return x->t[n].status_why;
		users++;
	}
	return users > 1 ? LINE : NONE;
}

static uint64_t signals(const struct timers *x, unsigned int in)
{
	unsigned int route = in / 8;

	if (in >= HPET_INPUT)
		route = HPET_ROUTE_INPUT + in - HPET_INPUT;
	return replay_signals(&x->side, HPET_SLOT(route, false)) +
	       replay_signals(&x->side, HPET_SLOT(route, true));
}

/* Edges and levels of the inputs that are the HPET's alone. */
static void interrupts(struct rig *rig, bool configured)
{
	struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);

	for (unsigned int in = 0; in < LINES; in++) {
		uint64_t rises = rig->qemu.rises[in] - x->rises[in], ours;

		if (in < HPET_INPUT && in % 8)
			continue;
		if (in == 16)
			continue;
		ours = signals(x, in);
		x->rises[in] += rises;
		if (in < HPET_INPUT && !(st->config & HPET_CONFIG_LEGACY))
			continue;
		x->line_why = line_reason(rig, in, configured);
		rig_same(rig, "interrupts", in, rises, ours);
		x->matched += x->line_why == NONE ? ours : 0;
		rig_same(rig, "line", LINES + in, rig->qemu.level[in], line(st, in));
		x->stuck[in] = rig->qemu.level[in] ? x->stuck[in] || !line(st, in) : line(st, in);
	}
}

/*
 * Whether at @ns there was a periodic match so short ago that QEMU may not have done it yet; at the
 * very tick it would do it twice.
 */
static bool is_fresh(const struct rig *rig, uint64_t ns)
{
	const struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);
	struct hpet_timer_state t = st->timers[0];
	uint64_t counter = hpet_counter(st, (int64_t)ns), ahead;

	if (!runs(st) || !(t.config & HPET_TN_PERIODIC) || x->t[0].why != NONE)
		return false;
	hpet_settle(&t, counter);
	ahead = (t.comparator - counter) & hpet_width(&t);
	return ahead <= t.period && t.period - ahead < LATE_TICKS;
}

static void go(struct rig *rig, uint64_t ns)
{
	struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);

	while (is_fresh(rig, rig->ours + ns))
		ns += LATE_TICKS * TICK_NS;
	rig_step(rig, ns);
	replay_turn(rig, &x->side);
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		uint64_t config = st->timers[n].config;

		if (config & HPET_TN_32BIT && !(config & HPET_TN_PERIODIC) && runs(st) &&
		    (rig->ours - x->t[n].since) / TICK_NS >> 32) {
			x->t[n].why = AROUND;
			x->t[n].status_why = AROUND;
		}
	}
	interrupts(rig, false);
}

/* From match to match; where there are many, less time goes by. */
static void feed_time(struct rig *rig, uint64_t ns)
{
	const struct hpet_state *st = state(rig);
	const struct hpet_timer_state *t = &st->timers[0];
	uint64_t most = MASKED_EVENTS * TICK_NS * (t->period + 1), end;

	end = rig->ours +
	      (runs(st) && t->config & HPET_TN_PERIODIC && t->period < 1ULL << 32 && ns > most ?
		       most :
		       ns);
	for (unsigned int i = 0; i < EVENTS && rig->ours < end; i++) {
		uint64_t due = ls_hpet.due(st, rig->ours);

		go(rig, (due < end ? due : end) - rig->ours);
	}
}

/* QEMU has begun to wait for timer @n's match: in what way it may be another than ours. */
static int armed(const struct hpet_state *st, unsigned int n, uint64_t ns)
{
	const struct hpet_timer_state *t = &st->timers[n];
	uint64_t counter = hpet_counter(st, (int64_t)ns);
	uint64_t ahead = (t->comparator - counter) & hpet_width(t);

	if (t->config & HPET_TN_PERIODIC && t->period < FAST_TICKS)
		return FAST;
	/* It has matched at this very tick. */
	if (t->config & HPET_TN_PERIODIC && ahead == t->period)
		return PASSED;
	if (!(t->config & HPET_TN_32BIT))
		return t->comparator <= counter ? PASSED : NONE;
	if (!ahead)
		return PASSED;
	if (!(t->config & HPET_TN_PERIODIC) && (counter & 0xffffffff) + ahead > 1ULL << 32)
		return AROUND;
	return NONE;
}

static void arm(struct rig *rig, unsigned int n)
{
	struct timer *t = &((struct timers *)rig->ctx)->t[n];
	const struct hpet_state *st = state(rig);

	t->since = rig->ours;
	t->why = armed(st, n, rig->ours);
	if (t->why != NONE && st->timers[n].config & HPET_TN_PERIODIC)
		t->cmp_why = t->why;
	if (t->cmp_why != NONE)
		t->why = t->cmp_why;
	if (t->why != NONE)
		t->status_why = t->why;
}

/* What the write @a did to what is known of QEMU's timers. @was: ours before it */
static void follow(struct rig *rig, const struct ls_access *a, const struct hpet_state *was)
{
	struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);
	uint64_t reg = (a->addr - HPET_BASE) & ~7ULL, half = a->addr & 4;
	unsigned int cmp = hpet_timer_at(reg, HPET_TN_COMPARATOR);

	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		struct timer *t = &x->t[n];
		bool narrow = was->timers[n].config & HPET_TN_32BIT;
		bool sets = !(was->timers[n].config & HPET_TN_PERIODIC) ||
			    was->timers[n].config & HPET_TN_VAL_SET;

		if (cmp == n && narrow && half)
			continue;
		if (cmp == n && sets && (a->len == 8 || narrow))
			t->cmp_why = NONE;
		if (runs(st) && (!runs(was) || cmp == n || hpet_timer_at(reg, HPET_TN_CONFIG) == n))
			arm(rig, n);
		if (t->why == NONE && ((reg == HPET_STATUS && !half && a->val & 1ULL << n) ||
				       !(st->timers[n].config & HPET_TN_LEVEL)))
			t->status_why = NONE;
	}
}

/* One-shots that QEMU did at once wait for nothing; halted, none does. */
static void forget(struct rig *rig)
{
	struct timers *x = rig->ctx;
	const struct hpet_state *st = state(rig);

	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		uint64_t config = st->timers[n].config;

		if (!runs(st) || (x->t[n].why == PASSED && x->t[n].cmp_why == NONE &&
				  !(config & (HPET_TN_PERIODIC | HPET_TN_32BIT))))
			x->t[n].why = NONE;
	}
}

/* Whether QEMU would count a comparator for minutes. */
static bool would_loop(const struct rig *rig, const struct ls_access *a)
{
	struct hpet_state st = *state(rig);
	const struct hpet_timer_state *t = &st.timers[0];
	struct hpet_effect eff = { 0 };
	uint64_t counter;

	hpet_write(&st, rig->ours, a->addr - HPET_BASE, a->len, a->val, &eff);
	counter = hpet_counter(&st, (int64_t)rig->ours);
	return runs(&st) && t->config & HPET_TN_PERIODIC && !(t->config & HPET_TN_32BIT) &&
	       t->period && t->comparator < counter &&
	       (counter - t->comparator) / t->period > LOOPS;
}

/* What a timer has of a configuration that is written. */
static uint64_t offered(const struct hpet_state *st, unsigned int n, uint64_t val)
{
	uint64_t input = (val & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT;

	val &= ~(1ULL << 14); /* Tn_FSB_EN_CNF */
	if (n)
		val &= ~HPET_TN_PERIODIC;
	if (input && input - HPET_INPUT >= HPET_INPUTS)
		val = (val & ~HPET_TN_ROUTE) | (st->timers[n].config & HPET_TN_ROUTE);
	return val;
}

static void write_reg(struct rig *rig, const struct ls_access *a)
{
	uint64_t reg = (a->addr - HPET_BASE) & ~7ULL, val = a->val;
	unsigned int cfg = hpet_timer_at(reg, HPET_TN_CONFIG);

	if (cfg < HPET_TIMERS && !(a->addr & 4))
		val = offered(state(rig), cfg, val);
	differences[NOT_OFFERED].met += val != a->val;
	rig_write_two(rig, LX_SPACE_MMIO, a->len, a->addr, val, a->val);
}

/* What is written to the counter, and with a bit more to what it is compared with. */
static struct ls_access near(const struct ls_access *a)
{
	uint64_t reg = (a->addr - HPET_BASE) & ~7ULL;
	unsigned int bits = reg == HPET_COUNTER ? NEAR_BITS : NEAR_BITS + 1;
	struct ls_access b = *a;

	if (reg == HPET_COUNTER || hpet_timer_at(reg, HPET_TN_COMPARATOR) < HPET_TIMERS)
		b.val &= ~0ULL >> (64 - bits + (a->addr & 4 ? 32 : 0));
	return b;
}

static bool feed_write(struct rig *rig, const struct ls_access *a)
{
	struct timers *x = rig->ctx;
	uint64_t reg = (a->addr - HPET_BASE) & ~7ULL;
	struct hpet_state was = *state(rig);

	if (a->len < 4 || a->addr & (a->len - 1) || would_loop(rig, a))
		return false;
	if (reg - HPET_TN_BASE - HPET_TIMERS * HPET_TN_SIZE < HPET_TN_SIZE) {
		differences[TIMER_3].met++;
		vmm_hpet_write(x->side.be, NULL, a->addr - HPET_BASE, a->len, a->val);
		return true;
	}
	write_reg(rig, a);
	qemu_step(&rig->qemu, 0);
	replay_turn(rig, &x->side);
	follow(rig, a, &was);
	interrupts(rig, reg == HPET_CONFIG || hpet_timer_at(reg, HPET_TN_CONFIG) < HPET_TIMERS);
	forget(rig);
	return true;
}

/* Left out: writes to parts of registers, and those that QEMU would not come back from. */
static bool feed(struct rig *rig, const struct ls_access *a)
{
	const struct ls_access b = near(a);

	if (a->kind == LS_WRITE)
		return feed_write(rig, &b);
	if (a->kind == LS_READ)
		rig_read(rig, a->len, a->addr);
	else
		feed_time(rig, a->val);
	return true;
}

static void by_lockstep(struct rig *rig, unsigned int n)
{
	const struct timers *x = rig->ctx;

	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		rig_write(rig, 8, HPET_BASE + HPET_TN_BASE + HPET_TN_SIZE * i + HPET_TN_COMPARATOR,
			  1ULL << (NEAR_BITS - 1));
	replay(rig, &ls_hpet, state(rig), n, 85, feed);
	replay_least(rig, "interrupts that both gave", x->matched, n / 200);
}

const struct oracle_test hpet_tests[] = {
	{ "hpet.directed", false, setup, directed, teardown, differences },
	{ "hpet.random", true, setup, at_random, teardown, differences },
	{ "hpet.lockstep", true, setup_timers, by_lockstep, teardown_timers, differences },
	{ 0 },
};
