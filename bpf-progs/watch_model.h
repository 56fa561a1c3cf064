/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is learnt of a counter from the VMM's answers, and what is answered from
 * it. Pure, but for atomic additions: the BPF programs and the unit tests
 * compile this very code. docs/attach.md has the argument.
 *
 * Who reads does not lock: watch_begin(), then the clock, then watch_retry(), as
 * with a seqcount whose count is the calibration's number. x86 keeps loads in
 * order, and stores; only the compiler must.
 */
#ifndef WATCH_MODEL_H
#define WATCH_MODEL_H

#include <lightexit/dev/watch.h>
#include <lightexit/io.h>

/* What an answer adds to the time; tests show that no other choice is right. */
#ifndef WATCH_OFFSET
#define WATCH_OFFSET(st) WATCH_ONCE((st)->lo)
#endif

#define WATCH_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WATCH_SET(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define WATCH_BARRIER() asm volatile("" ::: "memory")
#define WATCH_MASK(bits) ((1ULL << (bits)) - 1)

/* What an answer follows from. */
struct watch_view {
	__u64 gen;
	__s64 offset;
	__u64 floor;
	__u64 first;
	__u64 top;
};

/* An answer of the VMM's. */
struct watch_answer {
	__u64 done_ns; /* not before its completion */
	__u64 val;
	__u32 len;
};

/* Ticks in @ns; exact, as @mul and @div are below 2^32. */
static inline __u64 watch_ticks(const struct watch_state *st, __u64 ns)
{
	__u64 whole = ns / st->div;

	return whole * st->mul + (ns - whole * st->div) * st->mul / st->div;
}

/* Nanoseconds of @ticks, rounded down. */
static inline __u64 watch_ns(const struct watch_state *st, __u64 ticks)
{
	__u64 whole = ticks / st->mul;

	return whole * st->div + (ticks - whole * st->mul) * st->div / st->mul;
}

/* Two ticks, rounded up: a counter that stands still does not fit after so long. */
static inline __u64 watch_moved_ns(const struct watch_state *st)
{
	return 2ULL * st->div / st->mul + 2;
}

/**
 * watch_doubt() - end the calibration, whichever it is
 *
 * A full fence. No calibration that begins afterwards takes a read for its
 * proof that was passed before.
 */
static inline void watch_doubt(struct watch_state *st, enum watch_end why)
{
	__sync_fetch_and_add(&st->gen, 1);
	__sync_fetch_and_add(&st->ends[why], 1);
}

/* Takes a view; false: nothing is known, pass. */
static inline bool watch_begin(const struct watch_state *st, struct watch_view *v)
{
	v->gen = WATCH_ONCE(st->gen);
	WATCH_BARRIER();
	if (WATCH_ONCE(st->ready) != v->gen + 1)
		return false;
	WATCH_BARRIER();
	v->offset = WATCH_OFFSET(st);
	v->floor = WATCH_ONCE(st->floor);
	v->first = WATCH_ONCE(st->first);
	v->top = WATCH_ONCE(st->top);
	WATCH_BARRIER();
	return true;
}

/* After the clock was read: true if the view did not hold until then. */
static inline bool watch_retry(const struct watch_state *st, const struct watch_view *v)
{
	WATCH_BARRIER();
	return WATCH_ONCE(st->gen) != v->gen;
}

/* True if a read at @ns has to be passed as the next sample. */
static inline bool watch_due(const struct watch_state *st, __u64 ns)
{
	return ns - WATCH_ONCE(st->checked_ns) >= st->verify_ns;
}

/* The count at @ns. */
static inline __u64 watch_count(const struct watch_state *st, const struct watch_view *v, __u64 ns)
{
	__s64 t = (__s64)ns + v->offset;
	__u64 ticks = t > 0 ? watch_ticks(st, t) : 0;

	return ticks > v->floor ? ticks : v->floor;
}

/* The counter's 2^bits counted up to @ticks, and its lower bits. */
static inline __u64 watch_full(__u64 first, __u64 ticks)
{
	return first + ticks - WATCH_BIAS;
}

/**
 * watch_value() - the value of a count
 * @len: bytes
 * @val: the value, if handled
 *
 * Return: LX_HANDLED, or LX_PASS where bits are asked for that may be others
 * than those last seen.
 */
static inline int watch_value(const struct watch_state *st, const struct watch_view *v, __u64 ticks,
			      __u32 len, __u64 *val)
{
	__u64 full = watch_full(v->first, ticks), low = full & WATCH_MASK(st->bits);

	if (len * 8 > st->bits) {
		if ((__u32)(full >> st->bits) != v->top >> 32 || v->top == WATCH_NO_TOP)
			return LX_PASS;
		low |= (v->top & WATCH_MASK(32)) << st->bits;
	}
	*val = low;
	return LX_HANDLED;
}

/* The count that @val is of, if it is near @about. */
static inline __u64 watch_lift(const struct watch_state *st, __u64 val, __u64 about)
{
	__u64 half = 1ULL << (st->bits - 1), d;

	d = (val - watch_full(st->first, about) + half) & WATCH_MASK(st->bits);
	return about + d - half;
}

/* The first sample of a calibration. */
static inline void watch_start(struct watch_state *st, const struct watch_pending *p,
			       const struct watch_answer *a, __u64 gen)
{
	st->cal_gen = gen + 1;
	st->first_ns = a->done_ns;
	WATCH_SET(st->first, a->val & WATCH_MASK(st->bits));
	WATCH_SET(st->lo, (__s64)(watch_ns(st, WATCH_BIAS) - a->done_ns));
	st->hi = (__s64)(watch_ns(st, WATCH_BIAS + 1) + 1 - p->trap_ns);
	WATCH_SET(st->floor, WATCH_BIAS);
	WATCH_SET(st->top, a->len * 8 > st->bits ? a->val >> st->bits : WATCH_NO_TOP);
	WATCH_SET(st->checked_ns, a->done_ns);
}

/* The upper bits of a sample; false: not those of the same 2^bits before. */
static inline bool watch_take_top(struct watch_state *st, const struct watch_answer *a, __u64 ticks)
{
	__u32 turn = watch_full(st->first, ticks) >> st->bits, upper;
	__s32 ahead;

	if (a->len * 8 <= st->bits)
		return true;
	upper = a->val >> st->bits;
	ahead = turn - (__u32)(st->top >> 32);
	if (st->top == WATCH_NO_TOP || ahead > 0)
		WATCH_SET(st->top, (__u64)turn << 32 | upper);
	else if (ahead == 0 && upper != (__u32)st->top)
		return false;
	return true;
}

/* Narrows the bounds; false: the sample does not fit. */
static inline bool watch_fit(struct watch_state *st, const struct watch_pending *p,
			     const struct watch_answer *a)
{
	__s64 t = (__s64)a->done_ns + st->lo, lo, hi;
	__u64 ticks = watch_lift(st, a->val, t > 0 ? watch_ticks(st, t) : WATCH_BIAS);

	lo = (__s64)(watch_ns(st, ticks) - a->done_ns);
	hi = (__s64)(watch_ns(st, ticks + 1) + 1 - p->trap_ns);
	if (lo > st->hi || hi < st->lo || !watch_take_top(st, a, ticks))
		return false;
	if (lo > st->lo)
		WATCH_SET(st->lo, lo);
	if (hi < st->hi)
		st->hi = hi;
	if (ticks > st->floor)
		WATCH_SET(st->floor, ticks);
	if (a->done_ns > st->checked_ns)
		WATCH_SET(st->checked_ns, a->done_ns);
	return true;
}

/* 0 up to 1 ns, n up to 2^n. */
static inline __u32 watch_bucket(__u64 ns)
{
	__u32 i = 0;

	for (; ns > 1 && i < WATCH_BUCKETS - 1; ns -= ns / 2)
		i++;
	return i & (WATCH_BUCKETS - 1);
}

/* What would have been answered at the trap, against what the VMM answered later. */
static inline void watch_compare(struct watch_state *st, const struct watch_pending *p,
				 const struct watch_answer *a)
{
	__u64 ticks = watch_lift(st, a->val, p->ticks);

	__sync_fetch_and_add(&st->compared, 1);
	__sync_fetch_and_add(&st->exits[watch_bucket(a->done_ns - p->trap_ns)], 1);
	if (ticks < p->ticks)
		__sync_fetch_and_add(&st->above, 1);
	else
		__sync_fetch_and_add(&st->error[watch_bucket(watch_ns(st, ticks - p->ticks))], 1);
}

/*
 * Whether the calibration has been shown to be this counter's, running at this rate: its
 * samples have fitted for two ticks, and those of all of them for long enough.
 */
static inline bool watch_proved(struct watch_state *st, const struct watch_pending *p,
				const struct watch_answer *a, __u64 before_ns)
{
	if (a->done_ns > before_ns && before_ns >= st->first_ns)
		st->fitted_ns += a->done_ns - before_ns;
	if (!st->trusted && st->fitted_ns >= st->trust_ns)
		st->trusted = 1;
	if (st->fitted_ns >= st->trust_ns)
		WATCH_SET(st->misfits, 0);
	return st->trusted && (__s64)(p->trap_ns - st->first_ns) >= (__s64)watch_moved_ns(st);
}

/**
 * watch_sample() - take an answer of the VMM's; under the lock
 * @p: the read's trap
 * @a: its completion; done_ns was read before this call
 *
 * Every answer that a guest gets from the VMM comes here, or ends the calibration
 * by watch_doubt(), before the guest sees it.
 */
static inline void watch_sample(struct watch_state *st, const struct watch_pending *p,
				const struct watch_answer *a)
{
	__u64 gen = WATCH_ONCE(st->gen), before_ns = st->checked_ns;

	__sync_fetch_and_add(&st->samples, 1);
	if (p->epoch != WATCH_ONCE(st->epoch) || WATCH_ONCE(st->writes)) {
		watch_doubt(st, WATCH_END_WRITE);
		return;
	}
	if (st->cal_gen != gen + 1) {
		watch_start(st, p, a, gen);
		return;
	}
	if (p->ticks && p->gen == gen)
		watch_compare(st, p, a);
	if (!watch_fit(st, p, a)) {
		watch_doubt(st, WATCH_END_MISFIT);
		st->fitted_ns = 0;
		if (++st->misfits >= WATCH_MISFIT_LIMIT)
			WATCH_SET(st->off, WATCH_OFF_MISFITS);
		return;
	}
	if (watch_proved(st, p, a, before_ns) && p->gen == gen) {
		WATCH_BARRIER();
		WATCH_SET(st->ready, gen + 1);
	}
}

#endif /* WATCH_MODEL_H */
