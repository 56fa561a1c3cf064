/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HPET: state, access and time in; verdict, value, and what is to be signalled and
 * armed out. Pure: the BPF program, the VMM's back end and the unit tests compile this
 * very code. hpet_read() needs no lock, all else the state's.
 *
 * A timer's match is a value of the main counter, so that what is missed is never more
 * than late: hpet_settle() does, at any later time, what the matches in between did.
 * Only a match that interrupts is waited for: it alone is armed (struct lx_timer).
 */
#ifndef HPET_MODEL_H
#define HPET_MODEL_H

#include <lightexit/dev/hpet.h>
#include <lightexit/io.h>
#include <lightexit/muldiv.h>

/* Past any device time: a timer that would fire then is not armed. */
#define HPET_NEVER (1ULL << 62)
/* Periodic interrupts that are more than so much late are not made up for. */
#define HPET_LATE_MAX_NS 10000000000ULL

/*
 * A step that is taken for each of several timers. To BPF it is a global function, which the
 * verifier looks at once, for any arguments, and not wherever and after whatever it is called:
 * 7,700 instructions of it, not 61,000. A write costs 65 more by that, a timer's expiry 35 to 50
 * (kernel.bpf_stats_enabled under lab/run --icount: 1,333 and 1,266, 1,084 and 1,050).
 */
#ifdef __bpf__
#define HPET_STEP __attribute__((noinline))
#define HPET_ARG __arg_nonnull
#else
#define HPET_STEP static inline
#define HPET_ARG
#endif

/**
 * struct hpet_effect - what a change of the state asks of whoever made it
 * @slots: bit n: signal slot n
 * @moved: bit n: timer n was armed for another time, or disarmed: start it by
 *         hpet_wake_ns(), or stop it
 * @late:  bit n: timer n has fired and is due again
 */
struct hpet_effect {
	__u32 slots;
	__u32 moved;
	__u32 late;
};

static inline __u64 hpet_period_fs(const struct hpet_state *st)
{
	return st->cap >> HPET_CAP_PERIOD_SHIFT;
}

/* 1 to HPET_PERIOD_MAX, in one comparison. */
static inline int hpet_period_ok(const struct hpet_state *st)
{
	return hpet_period_fs(st) - 1 < HPET_PERIOD_MAX;
}

/* Whether time can be told at all. If not: pass. @ns is device time. */
static inline int hpet_ns_ok(const struct hpet_state *st, __s64 ns)
{
	return ns >= (__s64)st->base_ns && hpet_period_ok(st);
}

/**
 * hpet_counter() - the main counter, 2.3.7
 * @st: a consistent state
 * @ns: device time of the read; not before base_ns
 */
static inline __u64 hpet_counter(const struct hpet_state *st, __s64 ns)
{
	if (!(st->config & HPET_CONFIG_ENABLE))
		return st->counter;
	return st->counter +
	       lx_muldiv64((__u64)ns - st->base_ns, HPET_FS_PER_NS, hpet_period_fs(st));
}

/* 2.3.2: naturally aligned, 4 or 8 bytes; and 1 and 2 bytes, which are those of the register. */
static inline int hpet_aligned(__u64 off, __u32 len)
{
	return len <= 8 && 1U << len & (1 << 1 | 1 << 2 | 1 << 4 | 1 << 8) && !(off & (len - 1));
}

static inline __u64 hpet_mask(__u32 len)
{
	return len == 8 ? ~0ULL : (1ULL << (len * 8)) - 1;
}

/* What an access of @len bytes at @off reads from a register's value. */
static inline __u64 hpet_part(__u64 reg, __u64 off, __u32 len)
{
	return reg >> ((off & 7) * 8) & hpet_mask(len);
}

/* A register's value with what a write at @off puts over it. */
static inline __u64 hpet_merge(__u64 old, __u64 off, __u32 len, __u64 val)
{
	__u64 shift = (off & 7) * 8, mask = hpet_mask(len) << shift;

	return (old & ~mask) | (val << shift & mask);
}

/* True if the register at @reg (a multiple of 8) is read without the lock. */
static inline int hpet_is_fast(__u64 reg)
{
	return __builtin_expect(reg == HPET_COUNTER, 1) || reg == HPET_CONFIG || reg == HPET_CAP;
}

/**
 * hpet_read() - a guest's read of a register that needs no lock
 * @st:  a consistent state
 * @ns:  device time of the read
 * @off: offset into the register block
 * @len: bytes
 * @val: the value, if handled
 *
 * 2.3.2: registers are 64 bits wide and may be read as such or in halves;
 * naturally aligned reads of 1 and 2 bytes give those bytes of the register.
 *
 * Return: LX_HANDLED; LX_PASS for other registers, accesses that are not
 * naturally aligned, a time before the state's, or a period out of range.
 */
static inline int hpet_read(const struct hpet_state *st, __s64 ns, __u64 off, __u32 len, __u64 *val)
{
	__u64 reg = off & ~7ULL, v;

	if (!hpet_aligned(off, len))
		return LX_PASS;
	if (__builtin_expect(reg == HPET_COUNTER, 1)) {
		if (!hpet_ns_ok(st, ns))
			return LX_PASS;
		v = hpet_counter(st, ns);
	} else if (reg == HPET_CONFIG) {
		v = st->config;
	} else if (reg == HPET_CAP) {
		v = st->cap;
	} else {
		return LX_PASS;
	}
	*val = hpet_part(v, off, len);
	return LX_HANDLED;
}

/* The timer whose register (@which: HPET_TN_CONFIG or _COMPARATOR) is at @reg; else HPET_TIMERS. */
static inline __u32 hpet_timer_at(__u64 reg, __u64 which)
{
	__u64 off = reg - HPET_TN_BASE - which;
	__u32 n = HPET_TIMERS;

	if (off < HPET_TIMERS * HPET_TN_SIZE && off % HPET_TN_SIZE == 0)
		n = (__u32)(off / HPET_TN_SIZE);
#ifdef __bpf__
	/* The verifier has to see that what is compared is what indexes. */
	asm volatile("" : "+r"(n));
#endif
	return n;
}

/* 2.4.7: a timer's width, its own or that of HPET_TN_32BIT. */
static inline __u64 hpet_width(const struct hpet_timer_state *t)
{
	return t->config & HPET_TN_32BIT ? 0xffffffffULL : ~0ULL;
}

/* Ticks from @from to the next match. */
static inline __u64 hpet_ahead(const struct hpet_timer_state *t)
{
	return (t->comparator - t->from) & hpet_width(t);
}

/* 2.3.9.2.2: what @n matches do to the comparator. */
static inline void hpet_accumulate(struct hpet_timer_state *t, __u64 n)
{
	if (t->config & HPET_TN_PERIODIC)
		t->comparator = (t->comparator + n * t->period) & hpet_width(t);
}

/**
 * hpet_settle() - does what all matches up to now did to a timer's own registers
 * @counter: the counter now; it runs
 *
 * 2.3.9.2.1: a one-shot matches again whenever the counter has gone around.
 *
 * Return: whether there was a match
 */
static inline int hpet_settle(struct hpet_timer_state *t, __u64 counter)
{
	__u64 past = counter - t->from, ahead = hpet_ahead(t);
	__u64 period = t->period & hpet_width(t);

	if ((__s64)past < 0) /* it has matched at this very tick */
		return 0;
	t->from = counter + 1;
	if (past < ahead)
		return 0;
	hpet_accumulate(t, period ? (past - ahead) / period + 1 : 1);
	return 1;
}

/* The device time of the next match, rounded up: never early. HPET_NEVER or more: none. */
static inline __u64 hpet_match_ns(const struct hpet_state *st, const struct hpet_timer_state *t)
{
	__u64 ahead = hpet_ahead(t), ticks = t->from - st->counter + ahead;
	__u64 period = hpet_period_fs(st), ns = lx_muldiv64(ticks, period, HPET_FS_PER_NS);

	if (ticks < ahead || ns >= HPET_NEVER)
		return HPET_NEVER;
	return st->base_ns + ns + (ns * HPET_FS_PER_NS != ticks * period);
}

/* 2.3.5, 2.4.2: HPET_ROUTE_* of timer @n. */
static inline __u32 hpet_route(const struct hpet_state *st, __u32 n)
{
	__u64 input = (st->timers[n].config & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT;

	if (st->config & HPET_CONFIG_LEGACY && n < 2)
		return n;
	input -= HPET_INPUT;
	return input < HPET_INPUTS ? HPET_ROUTE_INPUT + (__u32)input : HPET_ROUTE_NONE;
}

/* 2.3.5, 2.3.8: whether a match of timer @n interrupts. */
static inline int hpet_interrupts(const struct hpet_state *st, __u32 n)
{
	return st->config & HPET_CONFIG_ENABLE && st->timers[n].config & HPET_TN_ENABLE &&
	       hpet_route(st, n) != HPET_ROUTE_NONE;
}

static inline __u32 hpet_slot_bit(const struct hpet_state *st, __u32 n)
{
	return 1U << HPET_SLOT(hpet_route(st, n), st->timers[n].config & HPET_TN_LEVEL);
}

/* 2.3.6, 2.3.8: the slots whose level-triggered interrupts are asserted. */
static inline __u32 hpet_lines(const struct hpet_state *st)
{
	__u32 lines = 0;

	for (__u32 n = 0; n < HPET_TIMERS; n++) {
		if (st->status & 1ULL << n && hpet_interrupts(st, n))
			lines |= hpet_slot_bit(st, n);
	}
	return lines;
}

/*
 * Arms timer @n for its next match, or disarms it, as the state says now. An interrupt
 * that is asserted already needs no further match.
 */
HPET_STEP int hpet_arm(struct hpet_state *st HPET_ARG, __u32 n, struct hpet_effect *eff HPET_ARG)
{
	struct hpet_timer_state *t;
	__u64 due = HPET_NEVER;

	if (n >= HPET_TIMERS)
		return 0;
	t = &st->timers[n];
	if (hpet_interrupts(st, n) && !(st->status & 1ULL << n))
		due = hpet_match_ns(st, t);
	if (due >= HPET_NEVER) {
		eff->moved |= t->timer.armed ? 1U << n : 0;
		lx_timer_disarm(&t->timer);
	} else if (!t->timer.armed || t->timer.due_ns != due) {
		eff->moved |= 1U << n;
		lx_timer_arm(&t->timer, due);
	}
	return 0;
}

/*
 * If timer @n is due: one match happens, and interrupts. Of a periodic timer others may be
 * due, too: they follow one by one (hpet_wake_ns()), unless they are too late.
 */
static inline void hpet_fire(struct hpet_state *st, __u32 n, __u64 ns, struct hpet_effect *eff)
{
	struct hpet_timer_state *t = &st->timers[n];

	if (!lx_timer_claim(&t->timer, ns))
		return;
	if (t->config & HPET_TN_LEVEL)
		st->status |= 1ULL << n;
	else
		eff->slots |= hpet_slot_bit(st, n);
	t->from += hpet_ahead(t) + 1;
	hpet_accumulate(t, 1);
	if (ns - t->timer.due_ns > HPET_LATE_MAX_NS)
		hpet_settle(t, hpet_counter(st, (__s64)ns));
	eff->moved |= 1U << n;
	hpet_arm(st, n, eff);
	if (t->timer.armed && t->timer.due_ns <= ns)
		eff->late |= 1U << n;
}

/* All of timer @n's past, before its registers change: what is due interrupts, once. */
HPET_STEP int hpet_catch_up(struct hpet_state *st HPET_ARG, __u32 n, __u64 ns,
			    struct hpet_effect *eff HPET_ARG)
{
	struct hpet_timer_state *t;

	if (n >= HPET_TIMERS || !(st->config & HPET_CONFIG_ENABLE))
		return 0;
	t = &st->timers[n];
	hpet_fire(st, n, ns, eff);
	if (hpet_settle(t, hpet_counter(st, (__s64)ns)) && t->config & HPET_TN_LEVEL)
		st->status |= 1ULL << n;
	return 0;
}

/**
 * hpet_expired() - timer @n may be due: interrupt
 * @st:  the state, locked
 * @ns:  device time, hpet_ns_ok()
 * @eff: added to
 */
static inline void hpet_expired(struct hpet_state *st, __u32 n, __u64 ns, struct hpet_effect *eff)
{
	__u32 lines = hpet_lines(st);

	hpet_fire(st, n, ns, eff);
	eff->slots |= hpet_lines(st) & ~lines;
}

/**
 * hpet_kicked() - who waits for the timers begins anew, or an EOI came
 * @st:  the state, locked
 * @eff: set: all timers, and all lines that are asserted
 */
static inline void hpet_kicked(struct hpet_state *st, struct hpet_effect *eff)
{
	for (__u32 n = 0; n < HPET_TIMERS; n++)
		hpet_arm(st, n, eff);
	eff->slots = hpet_lines(st);
	eff->moved = (1U << HPET_TIMERS) - 1;
}

/**
 * hpet_wake_ns() - when hpet_expired() is to be called for an armed timer
 * @ns:  device time
 * @eff: that moved it
 *
 * Return: a device time; interrupts that are late come at twice their rate, so that the
 * guest can take each.
 */
static inline __u64 hpet_wake_ns(const struct hpet_state *st, __u32 n, __u64 ns,
				 const struct hpet_effect *eff)
{
	const struct hpet_timer_state *t = &st->timers[n];

	if (!(eff->late & 1U << n))
		return t->timer.due_ns;
	return ns + lx_muldiv64(t->period, hpet_period_fs(st), 2 * HPET_FS_PER_NS);
}

/**
 * hpet_read_locked() - a guest's read of any other register
 * @st:  the state, locked
 * @ns:  device time
 *
 * Return: as hpet_read()
 */
static inline int hpet_read_locked(const struct hpet_state *st, __s64 ns, __u64 off, __u32 len,
				   __u64 *val)
{
	__u32 n = hpet_timer_at(off & ~7ULL, HPET_TN_CONFIG);
	__u64 counter, v;

	if (!hpet_aligned(off, len))
		return LX_PASS;
	if (n < HPET_TIMERS) {
		*val = hpet_part(st->timers[n].config, off, len);
		return LX_HANDLED;
	}
	if (!hpet_ns_ok(st, ns))
		return LX_PASS;
	counter = hpet_counter(st, ns);
	n = hpet_timer_at(off & ~7ULL, HPET_TN_COMPARATOR);
	if (n < HPET_TIMERS) {
		struct hpet_timer_state t = st->timers[n];

		if (st->config & HPET_CONFIG_ENABLE)
			hpet_settle(&t, counter);
		v = t.comparator;
	} else if ((off & ~7ULL) == HPET_STATUS) {
		v = st->status;
		for (n = 0; n < HPET_TIMERS; n++) {
			struct hpet_timer_state t = st->timers[n];

			if (st->config & HPET_CONFIG_ENABLE && t.config & HPET_TN_LEVEL &&
			    hpet_settle(&t, counter))
				v |= 1ULL << n;
		}
	} else {
		return LX_PASS;
	}
	*val = hpet_part(v, off, len);
	return LX_HANDLED;
}

/*
 * 2.3.5. Halting: what was due still comes, and the counter stays where it is. Time was
 * read after lx_write_begin().
 */
static inline void hpet_write_config(struct hpet_state *st, __u64 ns, __u64 val,
				     struct hpet_effect *eff)
{
	__u64 was = st->config;
	__u32 n;

	val &= HPET_CONFIG_ENABLE | HPET_CONFIG_LEGACY;
	for (n = 0; n < HPET_TIMERS && val != was; n++)
		hpet_catch_up(st, n, ns, eff);
	if (was & ~val & HPET_CONFIG_ENABLE)
		st->counter = hpet_counter(st, (__s64)ns);
	st->config = val;
	if (val & ~was & HPET_CONFIG_ENABLE)
		st->base_ns = ns;
	for (n = 0; n < HPET_TIMERS; n++)
		hpet_arm(st, n, eff);
}

/* 2.3.6: a written 1 clears what a level-triggered interrupt has set; others set nothing. */
static inline void hpet_write_status(struct hpet_state *st, __u64 ns, __u64 val,
				     struct hpet_effect *eff)
{
	for (__u32 n = 0; n < HPET_TIMERS; n++) {
		if (!(val & 1ULL << n) || !(st->timers[n].config & HPET_TN_LEVEL))
			continue;
		hpet_catch_up(st, n, ns, eff);
		st->status &= ~(1ULL << n);
		hpet_arm(st, n, eff);
	}
}

/* 2.3.7: written only while halted; a write to a running counter does nothing. */
static inline void hpet_write_counter(struct hpet_state *st, __u64 off, __u32 len, __u64 val)
{
	if (st->config & HPET_CONFIG_ENABLE)
		return;
	st->counter = hpet_merge(st->counter, off, len, val);
	for (__u32 n = 0; n < HPET_TIMERS; n++)
		st->timers[n].from = st->counter;
}

/* 2.3.8: bits that cannot be written keep their values, and so does a route that there is not. */
static inline __u64 hpet_tn_config(__u64 old, __u64 val)
{
	__u64 can = HPET_TN_LEVEL | HPET_TN_ENABLE | HPET_TN_VAL_SET | HPET_TN_32BIT;
	__u64 route = (val & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT;

	if (old & HPET_TN_PERIODIC_CAP)
		can |= HPET_TN_PERIODIC;
	if (!route || old >> HPET_TN_ROUTE_CAP_SHIFT >> route & 1)
		can |= HPET_TN_ROUTE;
	return (old & ~can) | (val & can);
}

static inline void hpet_write_tn_config(struct hpet_state *st, __u32 n, __u64 val,
					struct hpet_effect *eff)
{
	struct hpet_timer_state *t = &st->timers[n];

	t->config = hpet_tn_config(t->config, val);
	t->comparator &= hpet_width(t);
	t->period &= hpet_width(t);
	if (!(t->config & HPET_TN_LEVEL))
		st->status &= ~(1ULL << n);
}

/*
 * 2.3.9.2.3: in periodic mode a write is to the period, and with Tn_VAL_SET_CNF, which that
 * clears, to the comparator as well. In 32-bit mode the upper half stays 0.
 */
static inline void hpet_write_comparator(struct hpet_state *st, __u32 n, __u64 ns, __u64 off,
					 __u32 len, __u64 val)
{
	struct hpet_timer_state *t = &st->timers[n];
	__u64 width = hpet_width(t), config = t->config;

	if (off & 4 && config & HPET_TN_32BIT)
		return;
	if (config & HPET_TN_PERIODIC)
		t->period = hpet_merge(t->period, off, len, val) & width;
	if (!(config & HPET_TN_PERIODIC) || config & HPET_TN_VAL_SET) {
		t->comparator = hpet_merge(t->comparator, off, len, val) & width;
		t->from = hpet_counter(st, (__s64)ns);
	}
	t->config = config & ~HPET_TN_VAL_SET;
}

/**
 * hpet_needs_vmm() - whether a guest's write changes what is the VMM's
 *
 * That is where interrupts go: which irqfds there are, and what else has their inputs.
 */
static inline int hpet_needs_vmm(const struct hpet_state *st, __u64 off, __u32 len, __u64 val)
{
	__u32 n = hpet_timer_at(off & ~7ULL, HPET_TN_CONFIG);
	__u64 old;

	if ((off & ~7ULL) == HPET_CONFIG)
		return !!((hpet_merge(st->config, off, len, val) ^ st->config) &
			  HPET_CONFIG_LEGACY);
	if (n >= HPET_TIMERS)
		return 0;
	old = st->timers[n].config;
	val = hpet_tn_config(old, hpet_merge(old, off, len, val));
	return !!((val ^ old) & (HPET_TN_LEVEL | HPET_TN_ROUTE));
}

/* True if a write to the register at @reg is between lx_write_begin() and lx_write_end(). */
static inline int hpet_is_published(__u64 reg)
{
	return reg == HPET_CONFIG || reg == HPET_COUNTER;
}

/**
 * hpet_write() - a guest's write
 * @st:  the state, locked, and if hpet_is_published(), between lx_write_begin() and _end()
 * @ns:  device time, read after that; hpet_ns_ok()
 * @off: offset into the register block
 * @len: bytes
 * @val: the value
 * @eff: added to
 *
 * Return: LX_HANDLED; LX_PASS, and nothing changed, for what is not naturally aligned, not
 * a register, or read-only.
 */
static inline int hpet_write(struct hpet_state *st, __u64 ns, __u64 off, __u32 len, __u64 val,
			     struct hpet_effect *eff)
{
	__u32 cfg = hpet_timer_at(off & ~7ULL, HPET_TN_CONFIG);
	__u32 cmp = hpet_timer_at(off & ~7ULL, HPET_TN_COMPARATOR);
	__u32 lines = hpet_lines(st);

	if (!hpet_aligned(off, len))
		return LX_PASS;
	if (cfg < HPET_TIMERS) {
		hpet_catch_up(st, cfg, ns, eff);
		val = hpet_merge(st->timers[cfg].config, off, len, val);
		hpet_write_tn_config(st, cfg, val, eff);
		hpet_arm(st, cfg, eff);
	} else if (cmp < HPET_TIMERS) {
		hpet_catch_up(st, cmp, ns, eff);
		hpet_write_comparator(st, cmp, ns, off, len, val);
		hpet_arm(st, cmp, eff);
	} else if ((off & ~7ULL) == HPET_CONFIG) {
		hpet_write_config(st, ns, hpet_merge(st->config, off, len, val), eff);
	} else if ((off & ~7ULL) == HPET_STATUS) {
		hpet_write_status(st, ns, hpet_merge(0, off, len, val), eff);
	} else if ((off & ~7ULL) == HPET_COUNTER) {
		hpet_write_counter(st, off, len, val);
	} else {
		return LX_PASS;
	}
	eff->slots |= hpet_lines(st) & ~lines;
	return LX_HANDLED;
}

#endif /* HPET_MODEL_H */
