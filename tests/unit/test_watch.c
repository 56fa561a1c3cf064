// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Learning a counter from a VMM's answers, against an adversary who decides how
 * long each step of each access takes, and which vCPU goes on: bpf-progs/
 * watch_model.h, docs/attach.md.
 *
 * The rule that holds whatever he does: a read that begins after another one
 * has ended, on whatever vCPU, gives no smaller value; and what is answered is
 * not above what the VMM would answer at that instant. The VMM of these tests
 * counts by ACPI 6.5's 4.8.2.1 (3.579545 MHz), worked out with 128 bits.
 *
 * That the adversary is strong enough is shown on variants that must fail: other
 * points of the interval, and other rules broken.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <lightexit/dev/pmtimer.h>
#include <lightexit/muldiv.h>

enum variant {
	RIGHT,
	MIDDLE,	  /* answers from the middle of the interval */
	UPPER,	  /* from its upper end */
	LOSSY,	  /* a lost sample does not end the calibration */
	NO_GEN,	  /* an answer under way does not look at the calibration again */
	NO_FLOOR, /* answers may be below a sample by the clock's margin */
};

static enum variant variant;

#define WATCH_OFFSET(st)                                                \
	(variant == MIDDLE ? (st)->lo + ((st)->hi - (st)->lo + 1) / 2 : \
	 variant == UPPER  ? (st)->hi :                                 \
			     (st)->lo)
#include "watch_model.h"

#define SEC 1000000000ULL
#define VCPUS 3U

enum phase {
	IDLE,
	VIEWED,
	TIMED,
	TRAPPED,
	VMM_READ,
	DONE
};

struct vcpu {
	enum phase phase;
	bool known, lost;
	unsigned int asleep; /* steps of the world that it is not scheduled for */
	struct watch_view view;
	struct watch_pending pending;
	struct watch_answer answer;
	uint64_t now;
	uint64_t seen;	/* largest count that ended before this read began */
	uint64_t value; /* the VMM's, or ours */
};

/* @offset: of the VMM's clock; @max: largest count that a guest has been given */
struct world {
	struct watch_state st;
	struct vcpu v[VCPUS];
	uint64_t ns, offset, max, answered, passed, back, above;
	uint32_t bits; /* the VMM's */
};

static uint64_t count_at(uint64_t ns)
{
	return lx_muldiv64(ns, PMTIMER_HZ, SEC);
}

static void world_init(struct world *w, uint64_t start, uint64_t offset)
{
	memset(w, 0, sizeof(*w));
	w->st.mul = PMTIMER_HZ;
	w->st.div = SEC;
	w->st.bits = WATCH_PMTIMER_BITS;
	w->st.verify_ns = 20000;
	w->st.trust_ns = 5000;
	w->ns = start;
	w->offset = offset;
	w->bits = 24;
}

/* The value's full count: the one nearest to the VMM's present. */
static uint64_t unfold(const struct world *w, uint64_t val)
{
	uint64_t about = count_at(w->ns + w->offset), half = 1ULL << (w->bits - 1);

	return about + ((val - about + half) & ((1ULL << w->bits) - 1)) - half;
}

static void given(struct world *w, struct vcpu *c, bool ours)
{
	uint64_t full = unfold(w, c->value);

	ours ? w->answered++ : w->passed++;
	if (full < c->seen)
		w->back++;
	if (ours && full > count_at(c->now + w->offset))
		w->above++;
	if (full > w->max)
		w->max = full;
	c->phase = IDLE;
}

static void pass(struct world *w, struct vcpu *c)
{
	c->pending = (struct watch_pending){ .gen = w->st.gen, .epoch = w->st.epoch };
	c->pending.trap_ns = w->ns;
	if (c->known)
		c->pending.ticks = watch_count(&w->st, &c->view, w->ns);
	c->phase = TRAPPED;
}

static void try_answer(struct world *w, struct vcpu *c)
{
	uint64_t ticks;

	if (watch_due(&w->st, c->now) || (variant != NO_GEN && watch_retry(&w->st, &c->view)))
		return pass(w, c);
	if (variant == NO_FLOOR)
		c->view.floor = 0;
	ticks = watch_count(&w->st, &c->view, c->now);
	if (watch_value(&w->st, &c->view, ticks, 4, (__u64 *)&c->value) != LX_HANDLED)
		return pass(w, c);
	given(w, c, true);
}

static void complete(struct world *w, struct vcpu *c)
{
	if (c->lost) {
		if (variant != LOSSY)
			watch_doubt(&w->st, WATCH_END_LOST);
	} else {
		watch_sample(&w->st, &c->pending, &c->answer);
	}
	c->lost = false;
	given(w, c, false);
}

/* The next step of a vCPU; the time is the world's. */
static void step(struct world *w, struct vcpu *c)
{
	switch (c->phase) {
	case IDLE:
		c->seen = w->max;
		c->known = watch_begin(&w->st, &c->view);
		c->phase = VIEWED;
		return;
	case VIEWED:
		c->now = w->ns;
		c->phase = TIMED;
		return;
	case TIMED:
		return c->known ? try_answer(w, c) : pass(w, c);
	case TRAPPED:
		c->value = count_at(w->ns + w->offset) & ((1ULL << w->bits) - 1);
		c->phase = VMM_READ;
		return;
	case VMM_READ:
		c->answer = (struct watch_answer){ w->ns + WATCH_CLOCK_MARGIN_NS, c->value, 4 };
		c->phase = DONE;
		return;
	case DONE:
		complete(w, c);
	}
}

static uint64_t rnd_state;

static uint64_t rnd(uint64_t n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state % n;
}

/* Mostly short, at times as long as a vCPU thread that is not scheduled. */
static uint64_t delay(void)
{
	uint64_t kind = rnd(100);

	if (kind < 70)
		return rnd(300);
	return kind < 98 ? rnd(5000) : rnd(200000);
}

/* Stops the VMM's clock, as `stop` and `cont` do: all vCPUs leave, the time goes on. */
static void stop_and_go(struct world *w)
{
	uint64_t frozen = 1 + rnd(rnd(2) ? 1000 : 50000000);
	unsigned int i;

	for (i = 0; i < VCPUS; i++) {
		while (w->v[i].phase != IDLE)
			step(w, &w->v[i]);
		watch_doubt(&w->st, WATCH_END_STOPPED);
	}
	w->ns += frozen;
	w->offset -= frozen;
}

/* @return the reads that went wrong, of about @steps / 4 */
static uint64_t torture(enum variant which, uint64_t seed, unsigned int steps, struct world *w)
{
	unsigned int i;

	variant = which;
	rnd_state = 0x9e3779b97f4a7c15ULL * (seed + 1);
	world_init(w, 1 + rnd(1000 * SEC), rnd(1000 * SEC));
	for (i = 0; i < steps; i++) {
		struct vcpu *c = &w->v[rnd(VCPUS)];

		w->ns += delay();
		if (c->asleep) {
			c->asleep--;
			continue;
		}
		if (rnd(50) == 0)
			c->asleep = rnd(100);
		if (rnd(300) == 0)
			c->lost = true;
		if (rnd(300) == 0)
			watch_doubt(&w->st, WATCH_END_CLOCK);
		if (rnd(10000) == 0)
			stop_and_go(w);
		step(w, c);
	}
	return w->back + w->above;
}

static uint64_t torture_all(enum variant which, unsigned int runs)
{
	struct world w;
	uint64_t seed, bad = 0;

	for (seed = 0; seed < runs; seed++)
		bad += torture(which, seed, 100000, &w);
	return bad;
}

/* Proves: no backward step and no answer above the VMM's, and that reads are answered. */
Test(watch, random_adversary)
{
	uint64_t seed, answered = 0, passed = 0;
	struct world w;

	for (seed = 0; seed < 40; seed++) {
		torture(RIGHT, seed, 100000, &w);
		cr_assert_eq(w.back, 0, "seed %" PRIu64 ": %" PRIu64 " backward steps", seed,
			     w.back);
		cr_assert_eq(w.above, 0, "seed %" PRIu64 ": %" PRIu64 " answers above the VMM's",
			     seed, w.above);
		cr_assert_eq(w.st.ends[WATCH_END_MISFIT], 0, "seed %" PRIu64 ": a misfit", seed);
		answered += w.answered;
		passed += w.passed;
	}
	cr_assert_gt(answered, passed, "only %" PRIu64 " of %" PRIu64 " reads were answered",
		     answered, answered + passed);
}

/* Proves: each rule of docs/attach.md is needed; without it the adversary wins. */
Test(watch, variants_fail)
{
	cr_expect_gt(torture_all(MIDDLE, 20), 0, "the middle of the interval was never wrong");
	cr_expect_gt(torture_all(UPPER, 20), 0, "the interval's upper end was never wrong");
	cr_expect_gt(torture_all(LOSSY, 20), 0, "lost samples did no harm");
	cr_expect_gt(torture_all(NO_GEN, 20), 0, "answers of an ended calibration did no harm");
	cr_expect_gt(torture_all(NO_FLOOR, 20), 0, "the clock's margin did no harm");
}

/* A calibration made with exits that take long until the VMM reads its clock. */
static void settle(struct world *w)
{
	unsigned int i;

	world_init(w, 77 * SEC, 5 * SEC + 123);
	w->st.verify_ns = 3000;
	for (i = 0; i < 4; i++) {
		do {
			w->ns += w->v[0].phase == TRAPPED ? 6000 : 100;
			step(w, &w->v[0]);
		} while (w->v[0].phase != IDLE);
	}
}

static uint64_t explored;

/* Any of two vCPUs goes on, after no time, or a bit, or as long as an exit. */
static uint64_t explore(const struct world *w, unsigned int depth)
{
	static const uint64_t delays[] = { 0, 400, 1900 };
	uint64_t bad = w->back + w->above;
	struct world next;
	unsigned int v, d;

	explored++;
	if (bad || !depth)
		return bad;
	for (v = 0; v < 2; v++) {
		for (d = 0; d < 3; d++) {
			next = *w;
			next.ns += delays[d];
			step(&next, &next.v[v]);
			bad += explore(&next, depth - 1);
		}
	}
	return bad;
}

/*
 * Proves: no schedule of two vCPUs' next 8 steps, each after one of three delays,
 * makes a backward step; the same schedules find one in the middle.
 */
Test(watch, exhaustive_adversary)
{
	struct world w;

	variant = RIGHT;
	settle(&w);
	cr_assert_gt(w.answered + w.st.ready, 0, "nothing was learnt");
	cr_expect_eq(explore(&w, 8), 0, "a schedule makes a backward step");
	cr_expect_gt(explored, 1000000, "only %" PRIu64 " states", explored);
	variant = MIDDLE;
	settle(&w);
	cr_expect_gt(explore(&w, 8), 0, "the middle of the interval is right in every schedule");
}

/* One vCPU reads every @gap ns, each exit taking @exit ns; @return reads answered. */
static uint64_t read_alone(struct world *w, unsigned int n, uint64_t gap, uint64_t exit)
{
	uint64_t before = w->answered;
	struct vcpu *c = &w->v[0];

	while (n--) {
		w->ns += gap;
		do {
			w->ns += c->phase == TRAPPED || c->phase == VMM_READ ? exit / 2 : 10;
			step(w, c);
		} while (c->phase != IDLE);
	}
	return w->answered - before;
}

/*
 * Proves: a 24-bit and a 32-bit timer are answered right from the start, their width being unknown;
 * where the upper bits change a read is passed. 2^24 ticks are 4.687 s.
 */
Test(watch, width_unknown)
{
	unsigned int bits;
	struct world w;

	for (bits = 24; bits <= 32; bits += 8) {
		variant = RIGHT;
		world_init(&w, 10 * SEC, 0);
		w.bits = bits;
		w.offset = bits == 24 ? 0 : 1199 * SEC; /* 32 bits wrap at 1199.86 s */
		w.st.verify_ns = 1000 * SEC;
		/* 30 s: six wraps of 24 bits */
		cr_expect_gt(read_alone(&w, 30000, 1000000, 4000), 29000, "%u bits", bits);
		cr_expect_eq(w.back + w.above, 0, "%u bits: %" PRIu64 " steps, %" PRIu64 " above",
			     bits, w.back, w.above);
		cr_expect_eq(w.st.ends[WATCH_END_MISFIT], 0, "%u bits: misfit", bits);
	}
}

/*
 * Proves: what is answered lags the VMM's own clock by less than an exit; and the histogram,
 * which has the way of the sample itself in it too, by less than two.
 */
Test(watch, error_is_below_an_exit)
{
	struct watch_view v;
	struct world w;
	unsigned int i;
	uint64_t n = 0, lag;

	variant = RIGHT;
	world_init(&w, 10 * SEC, 1000);
	w.st.verify_ns = 1000000;
	read_alone(&w, 100000, 5000, 8000);
	cr_assert(watch_begin(&w.st, &v));
	lag = (count_at(w.ns + w.offset) - watch_full(v.first, watch_count(&w.st, &v, w.ns))) &
	      0xffffff;
	cr_expect_leq(lag, count_at(8000), "it lags by %" PRIu64 " ticks", lag);
	for (i = 0; i <= 14; i++) /* up to 2^14 ns */
		n += w.st.error[i];
	cr_expect_gt(w.st.compared, 100);
	cr_expect_eq(n, w.st.compared, "%" PRIu64 " of %" PRIu64 " within 16384 ns", n,
		     (uint64_t)w.st.compared);
	cr_expect_eq(w.st.above, 0);
}

/* Proves: what is no such counter is never answered, and is left alone after a while. */
Test(watch, another_rate_and_a_constant)
{
	struct world w;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		variant = RIGHT;
		world_init(&w, 10 * SEC, 0);
		w.st.trust_ns = WATCH_TRUST_NS;
		w.st.mul = i ? PMTIMER_HZ / 1000 * 1001 : 14318180;
		read_alone(&w, 100000, 5000, 8000);
		cr_expect_eq(w.answered, 0, "rate %u: %" PRIu64 " answered", w.st.mul, w.answered);
		cr_expect_eq(w.st.off, WATCH_OFF_MISFITS, "rate %u", w.st.mul);
	}
}

static void sample(struct watch_state *st, uint64_t trap, uint64_t done, uint64_t val, uint32_t len)
{
	struct watch_pending p = { .trap_ns = trap, .gen = st->gen, .epoch = st->epoch };
	struct watch_answer a = { done, val, len };

	watch_sample(st, &p, &a);
}

/*
 * Proves: a read passed before the calibration was doubted does not make it ready. An answer of
 * 1,400 ns was lost, which was noticed at 1,500; a completion's time was taken before that.
 */
Test(watch, passed_before_the_doubt)
{
	struct watch_state st = { .mul = 1000000, .div = 10000000, .bits = WATCH_HPET_BITS };
	struct watch_pending b = { .trap_ns = 900 }, c = { .trap_ns = 1300 };
	struct watch_answer to_b = { 1000, 100, 8 }, to_c = { 1600, 135, 8 };

	st.trusted = 1;
	watch_doubt(&st, WATCH_END_LOST);
	watch_sample(&st, &b, &to_b);
	watch_sample(&st, &c, &to_c);
	cr_expect_neq(st.ready, st.gen + 1, "it would answer 135 at 1,600 ns, the guest has 140");
	cr_expect_eq(st.floor, WATCH_BIAS + 35, "its answer counts nonetheless");
	sample(&st, 1700, 1800, 170, 8);
	cr_expect_eq(st.ready, st.gen + 1);
}

/* Proves: a counter that stands still is not taken for one that runs, however it is read. */
Test(watch, halted)
{
	struct world w;
	uint64_t t = SEC;
	unsigned int i;

	world_init(&w, 0, 0);
	w.st.trusted = 1;
	for (i = 0; i < 1000; i++) {
		sample(&w.st, t, t + 50000, 0x1234, 4);
		cr_assert_neq(w.st.ready, w.st.gen + 1, "ready after %u", i);
		t += i % 7 ? 50000 : 51000;
	}
}

/* An HPET of 100 MHz, read at 4 bytes and 8. */
static int hpet_answer(struct watch_state *st, uint64_t ns, uint32_t len, __u64 *val)
{
	struct watch_view v;

	if (!watch_begin(st, &v))
		return LX_PASS;
	return watch_value(st, &v, watch_count(st, &v, ns), len, val);
}

/*
 * Proves: of a 64-bit counter 8 bytes are answered only while their upper half is the one last
 * seen.
 */
Test(watch, hpet_halves)
{
	struct watch_state st = { .mul = 1000000, .div = 10000000, .bits = WATCH_HPET_BITS };
	uint64_t start = 0x5fffffff0ULL; /* 16 ticks before its upper half changes */
	__u64 val = 0;

	variant = RIGHT;
	st.verify_ns = SEC;
	sample(&st, 1000, 1000, start & 0xffffffff, 4);
	sample(&st, 1040, 1040, (start + 4) & 0xffffffff, 4);
	cr_assert_eq(hpet_answer(&st, 1050, 4, &val), LX_HANDLED);
	cr_expect_eq(val, 0xfffffff5, "0x%llx", val);
	cr_expect_eq(hpet_answer(&st, 1050, 8, &val), LX_PASS, "the upper half was never seen");
	sample(&st, 1060, 1060, start + 6, 8);
	cr_assert_eq(hpet_answer(&st, 1080, 8, &val), LX_HANDLED);
	cr_expect_eq(val, start + 8, "0x%llx", val);
	cr_expect_eq(hpet_answer(&st, 1160, 8, &val), LX_PASS, "the upper half may be another now");
	cr_assert_eq(hpet_answer(&st, 1160, 4, &val), LX_HANDLED);
	cr_expect_eq(val, 0, "0x%llx", val);
	sample(&st, 1170, 1170, start + 17, 8);
	cr_assert_eq(hpet_answer(&st, 1180, 8, &val), LX_HANDLED);
	cr_expect_eq(val, start + 18, "0x%llx", val);
	cr_expect_eq(st.ends[WATCH_END_MISFIT], 0);
}

/* Proves: a guest's write ends it, and what was passed before or meanwhile starts nothing. */
Test(watch, writes)
{
	struct watch_state st = { .mul = 1000000, .div = 10000000, .bits = WATCH_HPET_BITS };
	struct watch_pending old = { .trap_ns = 3000 };
	struct watch_answer a = { 4000, 7000, 8 };

	st.trusted = 1;
	sample(&st, 1000, 1000, 100, 8);
	sample(&st, 2000, 2000, 200, 8);
	cr_assert_eq(st.ready, st.gen + 1);
	old.gen = st.gen;
	st.writes = 1; /* a write traps */
	st.epoch++;
	watch_doubt(&st, WATCH_END_WRITE);
	sample(&st, 3100, 3200, 320, 8);
	cr_expect_neq(st.cal_gen, st.gen + 1, "a read answered during a write started one");
	st.writes = 0;
	st.epoch++;
	watch_doubt(&st, WATCH_END_WRITE);
	watch_sample(&st, &old, &a);
	cr_expect_neq(st.cal_gen, st.gen + 1, "a read passed before a write started one");
	sample(&st, 5000, 5000, 9000, 8);
	sample(&st, 6000, 6000, 9100, 8);
	cr_expect_eq(st.ready, st.gen + 1);
}

/* Proves: watch_ticks() and watch_ns() are exact floors, whatever the rate. */
Test(watch, conversions)
{
	struct watch_state st = { 0 };
	unsigned int i;

	rnd_state = 1;
	for (i = 0; i < 1000000; i++) {
		uint64_t x = rnd(1ULL << (1 + rnd(62))), want;

		st.mul = i & 1 ? PMTIMER_HZ : 1000000;
		st.div = i & 1 ? SEC : 1 + rnd(100000000);
		want = lx_muldiv64(x, st.mul, st.div);
		if (want < 1ULL << 63)
			cr_assert_eq(watch_ticks(&st, x), want, "%" PRIu64, x);
		want = lx_muldiv64(x, st.div, st.mul);
		if (want < 1ULL << 63)
			cr_assert_eq(watch_ns(&st, x), want, "%" PRIu64, x);
	}
}
