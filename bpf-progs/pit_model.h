/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PIT: state, access and time in, verdict and value out. Pure: the BPF program, the
 * VMM's back end and the unit tests compile this very code. Time is device time in
 * nanoseconds, or in CLK pulses (@t): a pulse ends with the falling edge on which a
 * counter is loaded and counts, so what is written at pulse t takes effect at t + 1.
 *
 * The caller holds the state's lock, but for what takes a const state.
 */
#ifndef PIT_MODEL_H
#define PIT_MODEL_H

#include <lightexit/dev/pit.h>
#include <lightexit/io.h>
#include <lightexit/muldiv.h>

#if !defined(__VMLINUX_H__) && !defined(__KERNEL__)
#include <stdbool.h>
#endif

#define PIT_NEVER (~0ULL)

/* CLK pulses by device time, and the first nanosecond of a pulse. */
static inline __u64 pit_pulses(__u64 ns)
{
	return lx_muldiv64(ns, PIT_NS_DEN, PIT_NS_NUM);
}

static inline __u64 pit_ns(__u64 pulse)
{
	return lx_muldiv64(pulse, PIT_NS_NUM, PIT_NS_DEN) + (pulse % PIT_NS_DEN != 0);
}

/* Modes 6 and 7 are 2 and 3 (X10, X11). */
static inline __u32 pit_mode(const struct pit_counter *c)
{
	__u32 m = c->control >> PIT_MODE_SHIFT & 7;

	return m > 5 ? m - 4 : m;
}

static inline __u32 pit_rw(const struct pit_counter *c)
{
	return c->control >> PIT_RW_SHIFT & PIT_RW_MASK;
}

/* GATE low stops counting: all modes but 1 and 5, which it only triggers. */
static inline bool pit_stopped(const struct pit_counter *c)
{
	return !c->gate && pit_mode(c) != 1 && pit_mode(c) != 5;
}

/* CE as it is after pulse @t: @u pulses counted since it was loaded with @n. */
struct pit_view {
	__u64 u;
	__u32 n;
	__u32 half;
	__u32 null;
};

static inline void pit_look(const struct pit_counter *c, __u64 t, struct pit_view *v)
{
	if (c->next && t >= c->next_at) {
		v->u = pit_stopped(c) ? 0 : t - c->next_at;
		v->n = c->next;
		v->half = c->next_half;
		v->null = 0;
		return;
	}
	v->u = c->held ? c->elapsed : t - c->start;
	v->n = c->ce;
	v->half = c->half;
	v->null = c->null;
}

/* Mode 3: pulses into the period, which begins with the high half of (N + 1) / 2. */
static inline __u64 pit_phase(const struct pit_view *v)
{
	return (v->u + (v->half ? (v->n + 1) / 2 : 0)) % v->n;
}

/* What CE holds; a count of 2^16 or 10^4 reads as 0. */
static inline __u32 pit_ce(const struct pit_counter *c, const struct pit_view *v)
{
	__u32 wrap = c->control & PIT_BCD ? 10000 : 0x10000, high;
	__u64 p;

	if (!v->n)
		return c->value;
	switch (pit_mode(c)) {
	case 2:
		return (v->n - (__u32)(v->u % v->n)) % wrap;
	case 3:
		high = (v->n + 1) / 2;
		p = pit_phase(v);
		if (p >= high)
			p -= high;
		return ((v->n & ~1U) - 2 * (__u32)p) % wrap;
	default:
		return (v->n + wrap - (__u32)(v->u % wrap)) % wrap;
	}
}

/* In a mode's words: OUT. */
static inline bool pit_out_of(const struct pit_counter *c, const struct pit_view *v)
{
	switch (pit_mode(c)) {
	case 0:
		return v->n && v->u >= v->n;
	case 1:
		return !v->n || v->u >= v->n;
	case 2:
		return !v->n || !c->gate || v->u % v->n != v->n - 1;
	case 3:
		return !v->n || !c->gate || pit_phase(v) < (v->n + 1) / 2;
	default:
		return !v->n || v->u != v->n;
	}
}

static inline bool pit_out(const struct pit_counter *c, __u64 t)
{
	struct pit_view v;

	pit_look(c, t, &v);
	return pit_out_of(c, &v);
}

static inline __u32 pit_to_bcd(__u32 v)
{
	return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

/* The counter as it is read. */
static inline __u32 pit_count(const struct pit_counter *c, __u64 t)
{
	struct pit_view v;
	__u32 count;

	pit_look(c, t, &v);
	count = pit_ce(c, &v);
	return c->control & PIT_BCD ? pit_to_bcd(count) : count;
}

/* "If a Counter is latched [again] before the count is read, the second [...] is ignored." */
static inline void pit_latch_count(struct pit_counter *c, __u64 t)
{
	if (c->latched)
		return;
	c->latch = pit_count(c, t);
	c->latched = pit_rw(c) ? pit_rw(c) : PIT_RW_LSB;
}

static inline void pit_latch_status(struct pit_counter *c, __u64 t)
{
	struct pit_view v;

	if (c->status_latched)
		return;
	pit_look(c, t, &v);
	c->status = c->control | (v.null ? PIT_STATUS_NULL : 0) |
		    (pit_out_of(c, &v) ? PIT_STATUS_OUT : 0);
	c->status_latched = 1;
}

/* A latched byte, status first; false: nothing is latched. */
static inline bool pit_take_latched(struct pit_counter *c, __u64 *val)
{
	bool msb = !(c->latched & PIT_RW_LSB);

	if (c->status_latched) {
		c->status_latched = 0;
		*val = c->status;
		return true;
	}
	if (!c->latched)
		return false;
	c->latched &= msb ? 0 : PIT_RW_MSB;
	*val = msb ? c->latch >> 8 : c->latch & 0xff;
	return true;
}

/* A byte of the count that is running. */
static inline __u32 pit_read_counter(struct pit_counter *c, __u64 t)
{
	bool msb = pit_rw(c) == PIT_RW_MSB;

	if (pit_rw(c) == PIT_RW_WORD) {
		msb = c->read_msb;
		c->read_msb = !msb;
	}
	return msb ? pit_count(c, t) >> 8 : pit_count(c, t) & 0xff;
}

/* Port 61h */
static inline __u32 pit_read_port_b(const struct pit_state *st, __u64 t)
{
	return st->port_b | (t / PIT_REFRESH_PULSES & 1 ? PIT_B_REFRESH : 0) |
	       (pit_out(&st->c[2], t) ? PIT_B_OUT2 : 0);
}

/* True if @val, to the control word register, only latches: it needs no VMM. */
static inline bool pit_is_latch(__u32 val)
{
	return val >> PIT_SC_SHIFT == PIT_SC_READ_BACK ||
	       (val >> PIT_RW_SHIFT & PIT_RW_MASK) == PIT_RW_LATCH;
}

/* A counter latch or read-back command. */
static inline void pit_latch(struct pit_state *st, __u64 t, __u32 val)
{
	bool back = val >> PIT_SC_SHIFT == PIT_SC_READ_BACK;

	for (__u32 i = 0; i < PIT_COUNTERS; i++) {
		if (back ? !(val & 2U << i) : val >> PIT_SC_SHIFT != i)
			continue;
		if (!back || !(val & PIT_READ_BACK_NO_COUNT))
			pit_latch_count(&st->c[i], t);
		if (back && !(val & PIT_READ_BACK_NO_STATUS))
			pit_latch_status(&st->c[i], t);
	}
}

/* Whether a byte is read: not the control word register, which cannot be. */
static inline bool pit_is_read(__u32 region, __u64 off, __u32 len)
{
	return len == 1 && (region == PIT_REGION_PORT_B || off < PIT_COUNTERS);
}

/* A byte that was latched, whatever the time is; false: there is none. */
static inline bool pit_read_latched(struct pit_state *st, __u32 region, __u64 off, __u64 *val)
{
	return region != PIT_REGION_PORT_B && pit_take_latched(&st->c[off], val);
}

/* Any other byte. */
static inline void pit_read_running(struct pit_state *st, __u64 ns, __u32 region, __u64 off,
				    __u64 *val)
{
	__u64 t = pit_pulses(ns);

	if (region == PIT_REGION_PORT_B)
		*val = pit_read_port_b(st, t);
	else
		*val = pit_read_counter(&st->c[off], t);
}

/**
 * pit_read() - a guest's read
 * @st:     the state
 * @ns:     device time
 * @region: PIT_REGION_*
 * @off:    offset into it
 * @len:    bytes
 * @val:    the value, if handled
 *
 * Return: LX_HANDLED; LX_PASS for the control word register, which cannot be read,
 * and other lengths than 1.
 */
static inline int pit_read(struct pit_state *st, __u64 ns, __u32 region, __u64 off, __u32 len,
			   __u64 *val)
{
	if (!pit_is_read(region, off, len))
		return LX_PASS;
	if (!pit_read_latched(st, region, off, val))
		pit_read_running(st, ns, region, off, val);
	return LX_HANDLED;
}

/**
 * pit_write() - a guest's write, as far as it needs no VMM
 *
 * As pit_read(). Return: LX_HANDLED for latch and read-back commands.
 */
static inline int pit_write(struct pit_state *st, __u64 ns, __u32 region, __u64 off, __u32 len,
			    __u64 val)
{
	if (len != 1 || region != PIT_REGION_COUNTERS || off != PIT_CONTROL ||
	    !pit_is_latch((__u32)val))
		return LX_PASS;
	pit_latch(st, pit_pulses(ns), (__u32)val);
	return LX_HANDLED;
}

/* The next pulse after @t on which OUT rises while CE, loaded at @start with @n, counts on. */
static inline __u64 pit_rise_of(const struct pit_counter *c, __u32 n, __u32 half, __u64 start,
				__u64 t)
{
	__u64 skip = half ? (n + 1) / 2 : 0, rise;

	if (!n)
		return PIT_NEVER;
	switch (pit_mode(c)) {
	case 0:
	case 1:
		rise = start + n;
		break;
	case 2:
	case 3:
		if (n == 1) /* illegal in both */
			return PIT_NEVER;
		if (pit_mode(c) == 2)
			skip = 0;
		/* The period's begin: start - skip + k * n, k >= 1. */
		rise = start + n - skip;
		if (rise <= t)
			rise += ((t - rise) / n + 1) * n;
		break;
	default:
		rise = start + n + 1;
		break;
	}
	return rise > t ? rise : PIT_NEVER;
}

/**
 * pit_next_rise() - when OUT next goes from low to high, if nobody writes
 * @c: the counter
 * @t: pulse; rises later than it count
 *
 * Return: the pulse, or PIT_NEVER
 */
static inline __u64 pit_next_rise(const struct pit_counter *c, __u64 t)
{
	__u64 rise = PIT_NEVER;

	if (pit_stopped(c))
		return PIT_NEVER;
	if (!c->next)
		return pit_rise_of(c, c->ce, c->half, c->start, t);
	if (t < c->next_at) {
		if (!c->held)
			rise = pit_rise_of(c, c->ce, c->half, c->start, t);
		if (rise < c->next_at)
			return rise;
		if (!pit_out(c, c->next_at - 1) && pit_out(c, c->next_at))
			return c->next_at;
		t = c->next_at;
	}
	return pit_rise_of(c, c->next, c->next_half, c->next_at, t);
}

/* What has been loaded by pulse @t is in the fields from here on. */
static inline void pit_settle(struct pit_counter *c, __u64 t)
{
	if (!c->next || t < c->next_at)
		return;
	c->ce = c->next;
	c->half = c->next_half;
	c->start = c->next_at;
	c->held = pit_stopped(c);
	c->elapsed = 0;
	c->next = 0;
	c->null = 0;
}

/* CE counts no more, and holds what it has. */
static inline void pit_halt(struct pit_counter *c, __u64 t)
{
	struct pit_view v;

	pit_look(c, t, &v);
	c->value = pit_ce(c, &v);
	c->ce = 0;
	c->next = 0;
	c->held = 0;
}

static inline void pit_load_at(struct pit_counter *c, __u64 at, __u32 half)
{
	c->next = c->cr;
	c->next_at = at;
	c->next_half = half;
}

/* "all Control Logic [...] is immediately reset and OUT goes to a known initial state" */
static inline void pit_program(struct pit_counter *c, __u64 t, __u32 control)
{
	pit_settle(c, t);
	pit_halt(c, t);
	c->control = control & PIT_PROGRAMMED;
	c->cr = 0;
	c->null = 1;
	c->write_msb = 0;
	c->read_msb = 0;
	c->latched = 0;
	c->status_latched = 0;
}

/* The end of a period of mode 2 or half-period of mode 3 that follows pulse @t. */
static inline void pit_load_at_end(struct pit_counter *c, __u64 t)
{
	struct pit_view v;
	__u32 high;
	__u64 p;

	pit_look(c, t, &v);
	if (pit_mode(c) == 2) {
		pit_load_at(c, t + v.n - v.u % v.n, 0);
		return;
	}
	high = (v.n + 1) / 2;
	p = pit_phase(&v);
	if (p < high && v.n > 1)
		pit_load_at(c, t + high - p, 1);
	else
		pit_load_at(c, t + v.n - p, 0);
}

/* A count is whole. Mode 0, 4: the next pulse loads it; 1, 5: a trigger; 2, 3: as said there. */
static inline void pit_new_count(struct pit_counter *c, __u64 t, __u32 raw)
{
	__u32 mode = pit_mode(c);

	if (c->control & PIT_BCD)
		raw = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 +
		      (raw & 15);
	c->cr = raw % (c->control & PIT_BCD ? 10000 : 0x10000);
	if (!c->cr)
		c->cr = c->control & PIT_BCD ? 10000 : 0x10000;
	pit_settle(c, t);
	c->null = 1;
	if (mode == 0)
		pit_halt(c, t);
	if (c->next && c->next_at == t + 1)
		c->next = c->cr;
	else if (mode == 0 || mode == 4)
		pit_load_at(c, t + 1, 0);
	else if (mode == 1 || mode == 5)
		return;
	else if (!c->ce)
		pit_load_at(c, t + 1, 0);
	else if (!c->held)
		pit_load_at_end(c, t);
}

/* A byte to a counter's port. In mode 0 the first of two stops counting, and OUT goes low. */
static inline void pit_write_counter(struct pit_counter *c, __u64 t, __u32 byte)
{
	switch (pit_rw(c)) {
	case PIT_RW_MSB:
		pit_new_count(c, t, byte << 8);
		break;
	case PIT_RW_WORD:
		if (c->write_msb) {
			c->write_msb = 0;
			pit_new_count(c, t, byte << 8 | c->lsb);
			break;
		}
		c->write_msb = 1;
		c->lsb = byte;
		if (pit_mode(c) == 0) {
			pit_settle(c, t);
			pit_halt(c, t);
		}
		break;
	default:
		pit_new_count(c, t, byte);
		break;
	}
}

/* GATE's level stops and starts counting; its rising edge, a trigger, reloads. */
static inline void pit_set_gate(struct pit_counter *c, __u64 t, bool gate)
{
	__u32 mode = pit_mode(c);

	pit_settle(c, t);
	if (gate == !!c->gate)
		return;
	if (!gate && mode != 1 && mode != 5) {
		if (c->ce && !c->held) {
			c->elapsed = t - c->start;
			c->held = 1;
		}
		if (c->next && c->next_at > t + 1)
			c->next = 0;
	}
	c->gate = gate;
	if (!gate)
		return;
	if (mode != 0 && mode != 4) {
		if (c->cr)
			pit_load_at(c, t + 1, 0);
	} else if (c->held) {
		c->start = t - c->elapsed;
		c->held = 0;
	}
}

static inline void pit_control(struct pit_state *st, __u64 t, __u32 val)
{
	if (pit_is_latch(val))
		pit_latch(st, t, val);
	else
		pit_program(&st->c[val >> PIT_SC_SHIFT & 3], t, val);
}

/**
 * pit_set() - any write of a byte, for who may change all of the device
 *
 * As pit_write(). Afterwards the counter 0's next rise may be another.
 */
static inline void pit_set(struct pit_state *st, __u64 ns, __u32 region, __u64 off, __u32 byte)
{
	__u64 t = pit_pulses(ns);

	byte &= 0xff;
	if (region == PIT_REGION_PORT_B) {
		st->port_b = byte & PIT_B_WRITABLE;
		pit_set_gate(&st->c[2], t, byte & PIT_B_GATE2);
	} else if (off == PIT_CONTROL) {
		pit_control(st, t, byte);
	} else if (off < PIT_COUNTERS) {
		pit_write_counter(&st->c[off], t, byte);
	}
}

/* Counter 0's next rise, as the state's timer. */
static inline void pit_arm(struct pit_state *st, __u64 ns)
{
	__u64 rise = pit_next_rise(&st->c[0], pit_pulses(ns));

	if (rise == PIT_NEVER)
		lx_timer_disarm(&st->irq);
	else
		lx_timer_arm(&st->irq, pit_ns(rise));
}

/**
 * pit_expire() - the timer's time may have come
 *
 * Return: true if OUT 0 rose: signal IRQ0. The next rise is armed. Rises that are
 * late fall together, as edges do at an interrupt controller that nobody serves.
 */
static inline bool pit_expire(struct pit_state *st, __u64 ns)
{
	if (!lx_timer_claim(&st->irq, ns))
		return false;
	pit_arm(st, ns);
	return true;
}

/* After power-up "the Mode, count value, and output of all Counters are undefined": as QEMU's. */
static inline void pit_reset(struct pit_state *st, __u64 ns)
{
	__u64 t = pit_pulses(ns);

	st->port_b = 0;
	for (__u32 i = 0; i < PIT_COUNTERS; i++) {
		st->c[i] = (struct pit_counter){
			.control = 3 << PIT_MODE_SHIFT,
			.cr = 0x10000,
			.gate = i != 2,
			.null = 1,
		};
		pit_load_at(&st->c[i], t + 1, 0);
	}
	pit_arm(st, ns);
}

#endif /* PIT_MODEL_H */
