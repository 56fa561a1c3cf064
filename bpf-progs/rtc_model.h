/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RTC: state, access and time in, verdict and value out. Pure: the BPF program, the
 * VMM's back end and the unit tests compile this very code. Nothing ticks: time and
 * flags follow from device time. Time runs on in whole seconds, each of which ends
 * an update cycle; before it is over the last values are read, as nothing else is.
 *
 * The caller holds the state's lock.
 */
#ifndef RTC_MODEL_H
#define RTC_MODEL_H

#include <lightexit/dev/rtc.h>
#include <lightexit/io.h>
#include <lightexit/muldiv.h>

#if !defined(__VMLINUX_H__) && !defined(__KERNEL__)
#include <stdbool.h>
#endif

#define RTC_NEVER (~0ULL)
#define RTC_DAY_S 86400U
#define RTC_ANY 255U /* an alarm's part that matches all */

/* Neither stopped by SET nor by the dividers. */
static inline bool rtc_runs(const struct rtc_state *st)
{
	return !(st->ram[RTC_B] & RTC_B_SET) && (st->ram[RTC_A] & RTC_A_DV) <= RTC_A_DV_RUNS;
}

static inline __u64 rtc_seconds(const struct rtc_state *st, __u64 ns)
{
	return st->base_s + (ns - st->base_ns) / RTC_SECOND_NS;
}

static inline __u32 rtc_encode(const struct rtc_state *st, __u32 v)
{
	return st->ram[RTC_B] & RTC_B_DM ? v : v / 10 << 4 | v % 10;
}

static inline __u32 rtc_decode(const struct rtc_state *st, __u32 v)
{
	return st->ram[RTC_B] & RTC_B_DM ? v : (v >> 4) * 10 + (v & 15);
}

static inline __u32 rtc_encode_hour(const struct rtc_state *st, __u32 h)
{
	if (st->ram[RTC_B] & RTC_B_24H)
		return rtc_encode(st, h);
	return rtc_encode(st, h % 12 ? h % 12 : 12) | (h >= 12 ? RTC_PM : 0);
}

static inline __u32 rtc_decode_hour(const struct rtc_state *st, __u32 v)
{
	if (st->ram[RTC_B] & RTC_B_24H)
		return rtc_decode(st, v);
	return rtc_decode(st, v & ~RTC_PM) % 12 + (v & RTC_PM ? 12 : 0);
}

/* A day's date: days since 0000-03-01, Gregorian, so that a leap day ends a year. */
struct rtc_date {
	__u32 year;
	__u32 month;
	__u32 date;
};

static inline void rtc_date_of(__u64 day, struct rtc_date *d)
{
	__u32 era = (__u32)(day / 146097), doe = (__u32)(day % 146097), yoe, doy, m;

	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	m = (5 * doy + 2) / 153;
	d->date = doy - (153 * m + 2) / 5 + 1;
	d->month = m < 10 ? m + 3 : m - 9;
	d->year = yoe + era * 400 + (m >= 10);
}

static inline __u64 rtc_day_of(__u32 year, __u32 month, __u32 date)
{
	__u32 y = month <= 2 ? year - 1 : year, m = month > 2 ? month - 3 : month + 9;
	__u32 yoe = y % 400;

	return y / 400 * 146097ULL + yoe * 365 + yoe / 4 - yoe / 100 + (153 * m + 2) / 5 + date - 1;
}

/* 0000-03-01 was a Wednesday. */
static inline __u32 rtc_weekday(__u64 day)
{
	return (__u32)((day + 3) % 7);
}

/* A byte of time or calendar at second @s. */
static inline __u32 rtc_time_byte(const struct rtc_state *st, __u32 index, __u64 s)
{
	__u32 t = (__u32)(s % RTC_DAY_S);
	struct rtc_date d;

	switch (index) {
	case RTC_SECONDS:
		return rtc_encode(st, t % 60);
	case RTC_MINUTES:
		return rtc_encode(st, t / 60 % 60);
	case RTC_HOURS:
		return rtc_encode_hour(st, t / 3600);
	case RTC_DAY:
		return rtc_encode(st, (rtc_weekday(s / RTC_DAY_S) + st->day) % 7 + 1);
	default:
		break;
	}
	rtc_date_of(s / RTC_DAY_S, &d);
	switch (index) {
	case RTC_DATE:
		return rtc_encode(st, d.date);
	case RTC_MONTH:
		return rtc_encode(st, d.month);
	case RTC_YEAR:
		return rtc_encode(st, d.year % 100);
	default:
		return rtc_encode(st, d.year / 100 % 100);
	}
}

/* Bytes that count. */
static inline bool rtc_is_time(__u32 index)
{
	return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
	       (index >= RTC_DAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

/* Part of an alarm. Values out of range match never: they are no time's. */
static inline bool rtc_fits(__u32 part, __u32 v)
{
	return part == RTC_ANY || part == v;
}

static inline __u32 rtc_first(__u32 part)
{
	return part == RTC_ANY ? 0 : part;
}

struct rtc_alarm {
	__u32 h;
	__u32 m;
	__u32 s;
};

static inline __u32 rtc_alarm_part(const struct rtc_state *st, __u32 index)
{
	__u32 v = st->ram[index];

	if (v >= RTC_DONT_CARE)
		return RTC_ANY;
	return index == RTC_HOURS_ALARM ? rtc_decode_hour(st, v) : rtc_decode(st, v);
}

/* The first second of the day from @t on that matches; RTC_DAY_S: none. */
static inline __u32 rtc_match(const struct rtc_alarm *a, __u32 t)
{
	__u32 h = t / 3600, m = t / 60 % 60, s = t % 60, later;

	if (rtc_fits(a->h, h) && rtc_fits(a->m, m)) {
		if (a->s == RTC_ANY)
			return t;
		if (a->s >= s)
			return t - s + a->s;
	}
	later = a->m == RTC_ANY ? m + 1 : a->m;
	if (rtc_fits(a->h, h) && later > m && later < 60)
		return h * 3600 + later * 60 + rtc_first(a->s);
	later = a->h == RTC_ANY ? h + 1 : a->h;
	if (later > h && later < 24)
		return later * 3600 + rtc_first(a->m) * 60 + rtc_first(a->s);
	return RTC_DAY_S;
}

/* The first second after @s at whose update the alarm matches. */
static inline __u64 rtc_next_alarm(const struct rtc_state *st, __u64 s)
{
	struct rtc_alarm a = {
		.h = rtc_alarm_part(st, RTC_HOURS_ALARM),
		.m = rtc_alarm_part(st, RTC_MINUTES_ALARM),
		.s = rtc_alarm_part(st, RTC_SECONDS_ALARM),
	};
	__u64 from = s + 1, day = from / RTC_DAY_S * RTC_DAY_S;
	__u32 t;

	if ((a.h != RTC_ANY && a.h > 23) || (a.m != RTC_ANY && a.m > 59) ||
	    (a.s != RTC_ANY && a.s > 59))
		return RTC_NEVER;
	t = rtc_match(&a, (__u32)(from - day));
	return t < RTC_DAY_S ? day + t : day + RTC_DAY_S + rtc_match(&a, 0);
}

/* Periodic rate: 32.768 kHz clocks in a period; 0: none, or the dividers are held. */
static inline __u32 rtc_period(const struct rtc_state *st)
{
	__u32 rs = st->ram[RTC_A] & RTC_A_RS;

	if (!rs || (st->ram[RTC_A] & RTC_A_DV) > RTC_A_DV_RUNS)
		return 0;
	return 1U << (rs < 3 ? rs + 6 : rs - 1);
}

/* Periods that ended by @ns since the phase's begin: 32768 / 10^9 = 512 / 15625000. */
static inline __u64 rtc_periods(const struct rtc_state *st, __u64 ns, __u32 period)
{
	return lx_muldiv64(ns - st->base_ns, 512, 15625000) / period;
}

/* All flags that were set up to @ns are in the state from here on. */
static inline void rtc_settle(struct rtc_state *st, __u64 ns)
{
	__u32 period = rtc_period(st);
	__u64 was, now;

	if (period && rtc_periods(st, ns, period) > rtc_periods(st, st->flags_ns, period))
		st->flags |= RTC_C_PF;
	if (rtc_runs(st)) {
		was = rtc_seconds(st, st->flags_ns);
		now = rtc_seconds(st, ns);
		if (now > was)
			st->flags |= RTC_C_UF;
		if (!(st->flags & RTC_C_AF) && rtc_next_alarm(st, was) <= now)
			st->flags |= RTC_C_AF;
	}
	st->flags_ns = ns;
}

/* IRQF by flags and enables. Return: true if it rises. */
static inline bool rtc_raise(struct rtc_state *st)
{
	bool was = st->line;

	st->line = !!(st->flags & st->ram[RTC_B] & RTC_C_FLAGS);
	return st->line && !was;
}

/* Device time at which second @s begins, and at which period @n ends. */
static inline __u64 rtc_second_ns(const struct rtc_state *st, __u64 s)
{
	return st->base_ns + (s - st->base_s) * RTC_SECOND_NS;
}

static inline __u64 rtc_period_ns(const struct rtc_state *st, __u64 n, __u32 period)
{
	__u64 clocks = n * period;

	return st->base_ns + lx_muldiv64(clocks, 15625000, 512) + (clocks % 64 != 0);
}

/* Arms the timer for the next interrupt, flags being settled at @ns. */
static inline void rtc_arm(struct rtc_state *st, __u64 ns)
{
	__u32 enabled = st->ram[RTC_B] & RTC_C_FLAGS, period = rtc_period(st);
	__u64 due = RTC_NEVER, at, s;

	if (enabled & RTC_B_PIE && period)
		due = rtc_period_ns(st, rtc_periods(st, ns, period) + 1, period);
	if (enabled & (RTC_B_UIE | RTC_B_AIE) && rtc_runs(st)) {
		s = rtc_seconds(st, ns);
		at = enabled & RTC_B_UIE ? s + 1 : rtc_next_alarm(st, s);
		if (at != RTC_NEVER && rtc_second_ns(st, at) < due)
			due = rtc_second_ns(st, at);
	}
	if (st->line || due == RTC_NEVER)
		lx_timer_disarm(&st->irq);
	else
		lx_timer_arm(&st->irq, due);
}

/**
 * rtc_expire() - the timer's time may have come
 *
 * Return: true if IRQF rose: signal IRQ8. The next one is armed when C was read.
 */
static inline bool rtc_expire(struct rtc_state *st, __u64 ns)
{
	bool rose;

	if (!lx_timer_claim(&st->irq, ns))
		return false;
	rtc_settle(st, ns);
	rose = rtc_raise(st);
	rtc_arm(st, ns);
	return rose;
}

/* Register C, which its read clears; the line falls. @rose: it had just gone up. */
static inline __u32 rtc_read_c(struct rtc_state *st, __u64 ns, bool *rose)
{
	__u32 val;

	rtc_settle(st, ns);
	*rose = rtc_raise(st);
	val = st->flags | (st->line ? RTC_C_IRQF : 0);
	st->flags = 0;
	st->line = 0;
	rtc_arm(st, ns);
	return val;
}

static inline bool rtc_uip(const struct rtc_state *st, __u64 ns)
{
	return rtc_runs(st) && (ns - st->base_ns) % RTC_SECOND_NS >= RTC_SECOND_NS - RTC_UIP_NS;
}

/**
 * rtc_read() - a guest's read
 * @st:   the state
 * @ns:   device time
 * @off:  RTC_INDEX or RTC_DATA
 * @len:  bytes
 * @val:  the value, if handled
 * @rose: IRQF rose with this very access: signal IRQ8. After a read of C the timer is
 *        armed anew
 *
 * Return: LX_HANDLED; LX_PASS for the index, and other lengths than 1.
 */
static inline int rtc_read(struct rtc_state *st, __u64 ns, __u64 off, __u32 len, __u64 *val,
			   bool *rose)
{
	__u32 index = st->index & RTC_INDEX_MASK;

	*rose = false;
	if (len != 1 || off != RTC_DATA)
		return LX_PASS;
	if (index == RTC_C)
		*val = rtc_read_c(st, ns, rose);
	else if (index == RTC_A)
		*val = st->ram[RTC_A] | (rtc_uip(st, ns) ? RTC_A_UIP : 0);
	else if (rtc_is_time(index) && rtc_runs(st))
		*val = rtc_time_byte(st, index, rtc_seconds(st, ns));
	else
		*val = st->ram[index];
	return LX_HANDLED;
}

/* rtc_write() - a guest's write of the index; LX_PASS for all others */
static inline int rtc_write(struct rtc_state *st, __u64 off, __u32 len, __u64 val)
{
	if (len != 1 || off != RTC_INDEX)
		return LX_PASS;
	st->index = (__u32)val & RTC_INDEX_MASK;
	return LX_HANDLED;
}

/* DV2 and DV1: the dividers are in reset. */
static inline bool rtc_held(const struct rtc_state *st)
{
	return (st->ram[RTC_A] & RTC_A_DV_RESET) == RTC_A_DV_RESET;
}

/* Time into the bytes, where it stands still, and back. */
static inline void rtc_stop(struct rtc_state *st, __u64 ns)
{
	__u64 s = rtc_seconds(st, ns);

	for (__u32 i = 0; i < RTC_A; i++) {
		if (rtc_is_time(i))
			st->ram[i] = rtc_time_byte(st, i, s);
	}
	st->ram[RTC_CENTURY] = rtc_time_byte(st, RTC_CENTURY, s);
}

/* The first update is a whole second after the dividers' last. */
static inline void rtc_go(struct rtc_state *st, __u64 ns)
{
	__u32 year = rtc_decode(st, st->ram[RTC_CENTURY]) * 100 + rtc_decode(st, st->ram[RTC_YEAR]);
	__u32 month = rtc_decode(st, st->ram[RTC_MONTH]), date = rtc_decode(st, st->ram[RTC_DATE]);
	__u64 day;

	/* What is no date is undefined; here it is counted on from a month's begin. */
	day = rtc_day_of(year + !year, month ? (month - 1) % 12 + 1 : 1, 1) + date - 1;
	st->day = (rtc_decode(st, st->ram[RTC_DAY]) + 13 - rtc_weekday(day)) % 7;
	st->base_s = day * RTC_DAY_S + rtc_decode_hour(st, st->ram[RTC_HOURS]) * 3600U +
		     rtc_decode(st, st->ram[RTC_MINUTES]) * 60U +
		     rtc_decode(st, st->ram[RTC_SECONDS]);
	st->base_ns = ns - (ns - st->base_ns) % RTC_SECOND_NS;
}

/*
 * Register A or B; both may stop time or let it go on. Bytes have the format that was in
 * force when they were written or stopped; a time that runs takes on a new one.
 */
static inline void rtc_set_control(struct rtc_state *st, __u64 ns, __u32 index, __u32 val)
{
	bool was = rtc_runs(st), held = rtc_held(st);
	__u32 old = st->ram[index];

	if (index == RTC_A)
		val &= ~RTC_A_UIP;
	else if (val & RTC_B_SET)
		val &= ~RTC_B_UIE;
	st->ram[index] = val;
	if (was && !rtc_runs(st)) {
		st->ram[index] = old;
		rtc_stop(st, ns);
		st->ram[index] = val;
	}
	/* "the first update cycle is one-half second later" */
	if (held && !rtc_held(st))
		st->base_ns = ns - RTC_HALF_NS;
	if (!was && rtc_runs(st))
		rtc_go(st, ns);
}

static inline void rtc_set_time(struct rtc_state *st, __u64 ns, __u32 index, __u32 val)
{
	bool runs = rtc_runs(st);

	if (runs)
		rtc_stop(st, ns);
	st->ram[index] = val;
	if (runs)
		rtc_go(st, ns);
}

/**
 * rtc_set() - any write of a byte, for who may change all of the device
 *
 * Return: true if IRQF rose: signal IRQ8. The timer is armed anew.
 */
static inline bool rtc_set(struct rtc_state *st, __u64 ns, __u64 off, __u32 byte)
{
	__u32 index = st->index & RTC_INDEX_MASK;
	bool rose;

	byte &= 0xff;
	if (off == RTC_INDEX) {
		st->index = byte & RTC_INDEX_MASK;
		return false;
	}
	rtc_settle(st, ns);
	if (index == RTC_A || index == RTC_B)
		rtc_set_control(st, ns, index, byte);
	else if (rtc_is_time(index))
		rtc_set_time(st, ns, index, byte);
	else if (index != RTC_C && index != RTC_D)
		st->ram[index] = byte;
	rose = rtc_raise(st);
	rtc_arm(st, ns);
	return rose;
}

/**
 * rtc_reset() - a clock that runs, 24 hours, BCD
 * @st: zeros but for the header and what is to be in the RAM
 * @ns: device time, at which a second begins
 * @s:  time, in seconds since 1970-01-01
 */
static inline void rtc_reset(struct rtc_state *st, __u64 ns, __u64 s)
{
	st->ram[RTC_A] = RTC_A_DV_RUNS | 6;
	st->ram[RTC_B] = RTC_B_24H;
	st->ram[RTC_D] = RTC_D_VRT;
	st->base_s = s + rtc_day_of(1970, 1, 1) * RTC_DAY_S;
	st->base_ns = ns;
	st->flags_ns = ns;
	rtc_arm(st, ns);
}

#endif /* RTC_MODEL_H */
