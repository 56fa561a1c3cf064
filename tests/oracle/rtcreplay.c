// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lockstep's traces on the RTCs. */
#include "replay.h"
#include "rtcrig.h"

/* Why IRQ8, and with it IRQF, may differ. */
static int irq_reason(const struct rtc_context *x)
{
	if (x->pie)
		return PF;
	if (x->was_set)
		return SET_FLAGS;
	return x->aie ? x->af_why : NONE;
}

static struct difference *found(int why)
{
	return why == NONE ? NULL : &rtc_differences[why];
}

static struct difference *excuse_flags(const struct rtc_context *x, unsigned int diff)
{
	int why = NONE;

	if (diff & RTC_C_IRQF)
		why = irq_reason(x);
	else if (diff & RTC_C_PF)
		why = x->rate ? PF : NONE;
	else if (diff & RTC_C_UF || (diff & RTC_C_AF && x->was_set))
		why = x->was_set ? SET_FLAGS : NONE;
	else if (diff & RTC_C_AF)
		why = x->af_why;
	if ((diff & RTC_C_PF && !x->rate) || (diff & RTC_C_UF && !x->was_set) ||
	    (diff & RTC_C_AF && !x->was_set && x->af_why == NONE))
		why = NONE;
	return found(why);
}

static struct difference *excuse_lockstep(struct rig *rig, const struct access *a, uint64_t qemu,
					  uint64_t ours)
{
	const struct rtc_context *x = rig->ctx;
	unsigned int diff = (unsigned int)(qemu ^ ours);

	if (a->addr == IRQ)
		return found(irq_reason(x));
	if (a->addr == RTC_PORT)
		return NULL;
	if (x->index == RTC_C)
		return excuse_flags(x, diff);
	if (x->index == RTC_A && diff == RTC_A_UIP)
		return rtc_excuse_a(x, rig->ours - x->st.base_ns, ours);
	if (x->index == CENTURY_2)
		return &rtc_differences[CENTURY_PS2];
	return x->index == RTC_DAY ? &rtc_differences[DAY] : NULL;
}

static bool runs(unsigned int a, unsigned int b)
{
	return (a & RTC_A_DV) <= RTC_A_DV_RUNS && !(b & RTC_B_SET);
}

/* A byte's number in a format; none if it is not in [@min, @max]. */
static bool decode(unsigned int b, unsigned int byte, unsigned int min, unsigned int max,
		   unsigned int *v)
{
	*v = b & RTC_B_DM ? byte : (byte >> 4) * 10 + (byte & 15);
	return (b & RTC_B_DM || ((byte & 15) < 10 && byte < 0xa0)) && *v >= min && *v <= max;
}

static bool is_hour(unsigned int b, unsigned int byte)
{
	unsigned int v;

	if (b & RTC_B_24H)
		return decode(b, byte, 0, 23, &v);
	return decode(b, byte & ~RTC_PM, 1, 12, &v);
}

/* How QEMU sees the alarm. */
static int alarm_reason(const struct rtc_context *x)
{
	const uint32_t *ram = x->st.ram;
	bool any_min = ram[RTC_MINUTES_ALARM] >= RTC_DONT_CARE;
	bool any_hour = ram[RTC_HOURS_ALARM] >= RTC_DONT_CARE;
	bool any_sec = ram[RTC_SECONDS_ALARM] >= RTC_DONT_CARE;
	unsigned int v;

	if ((!any_sec && !decode(x->b, ram[RTC_SECONDS_ALARM], 0, 59, &v)) ||
	    (!any_min && !decode(x->b, ram[RTC_MINUTES_ALARM], 0, 59, &v)) ||
	    (!any_hour && !is_hour(x->b, ram[RTC_HOURS_ALARM])))
		return ALARM_RANGE;
	if (!any_hour && !(x->b & RTC_B_24H))
		return ALARM_12H;
	return !any_sec && (any_min || any_hour) ? ALARM_NOW : NONE;
}

/* What there was since C was read. */
void rtc_follow(struct rtc_context *x, bool anew)
{
	int why = alarm_reason(x);

	if (anew) {
		x->rate = false;
		x->pie = false;
		x->aie = false;
		x->af_why = NONE;
	}
	x->rate |= x->a & RTC_A_RS;
	x->pie |= x->rate && x->b & RTC_B_PIE;
	x->af_why = why == NONE ? x->af_why : why;
	x->aie |= x->b & RTC_B_AIE && x->af_why != NONE;
}

/* The bytes of time and calendar, in the order of the table in is_time(). */
static const uint8_t parts[] = { RTC_SECONDS, RTC_MINUTES, RTC_HOURS, RTC_DAY,
				 RTC_DATE,    RTC_MONTH,   RTC_YEAR,  RTC_CENTURY };
#define PARTS sizeof(parts)

/* Of this century: QEMU's nanoseconds have no year 1900. */
static bool is_time(unsigned int b, const uint8_t byte[PARTS])
{
	unsigned int v, date, month, year, days;

	if (!decode(b, byte[0], 0, 59, &v) || !decode(b, byte[1], 0, 59, &v) ||
	    !is_hour(b, byte[2]) || !decode(b, byte[3], 1, 7, &v) ||
	    !decode(b, byte[4], 1, 31, &date) || !decode(b, byte[5], 1, 12, &month) ||
	    !decode(b, byte[6], 0, 99, &year) || !decode(b, byte[7], 20, 20, &v))
		return false;
	days = month == 2 ? 28 + !(year % 4) : 30 + ((month & 1) ^ (month > 7));
	return date <= days;
}

/* While it stands still: what is no time is undefined, once it runs; so it becomes one. */
static void make_time(struct rig *rig, unsigned int b)
{
	static const unsigned int fresh[PARTS] = { 58, 59, 11, 5, 28, 2, 24, 20 };
	const struct rtc_context *x = rig->ctx;
	uint8_t byte[PARTS];

	for (unsigned int i = 0; i < PARTS; i++)
		byte[i] = (uint8_t)x->st.ram[parts[i]];
	if (is_time(b, byte))
		return;
	for (unsigned int i = 0; i < PARTS; i++)
		cmos_put(rig, parts[i],
			 b & RTC_B_DM ? fresh[i] : fresh[i] / 10 << 4 | fresh[i] % 10);
}

/* Both begin their seconds anew. */
static void reset_dividers(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;
	unsigned int a = x->a;

	cmos_put(rig, RTC_A, a | RTC_A_DV_RESET);
	cmos_put(rig, RTC_A, a);
	x->adrift = false;
}

static unsigned int peek(struct rig *rig, unsigned int index)
{
	qemu_access(&rig->qemu, LX_SPACE_PIO, true, RTC_PORT, 1, index);
	return (unsigned int)qemu_access(&rig->qemu, LX_SPACE_PIO, false, RTC_PORT + RTC_DATA, 1,
					 0);
}

/* While it runs. QEMU reads bytes that may be old, if nobody has looked; peek() does. */
static bool write_time(struct rig *rig, unsigned int val)
{
	struct rtc_context *x = rig->ctx;
	unsigned int index = x->index;
	uint8_t byte[PARTS];

	for (unsigned int i = 0; i < PARTS; i++)
		byte[i] = (uint8_t)(parts[i] == index ? val : peek(rig, parts[i]));
	cmos_select(rig, index);
	if (!is_time(x->b, byte))
		return false;
	cmos_put_data(rig, val);
	rtc_differences[PHASE].met++;
	reset_dividers(rig);
	cmos_select(rig, index);
	return true;
}

static void write_a(struct rig *rig, unsigned int val)
{
	struct rtc_context *x = rig->ctx;
	bool held = (x->a & RTC_A_DV) > RTC_A_DV_RUNS;

	/* "Any other combination of divider bits is used for test purposes only." */
	if ((val & RTC_A_DV) > RTC_A_DV_RUNS && (val & RTC_A_DV_RESET) != RTC_A_DV_RESET)
		val = (val & ~RTC_A_DV) | RTC_A_DV_RUNS;
	if (!runs(x->a, x->b) && runs(val, x->b))
		make_time(rig, x->b);
	if (held && (val & RTC_A_DV) <= RTC_A_DV_RUNS) {
		x->adrift = x->b & RTC_B_SET;
		rtc_differences[RELEASE].met += x->adrift;
	}
	cmos_put(rig, RTC_A, val);
}

/* A new format, then the time in it: both at once would leave open in which the bytes are. */
static void write_b(struct rig *rig, unsigned int val)
{
	struct rtc_context *x = rig->ctx;

	if (!runs(x->a, x->b) && runs(x->a, val)) {
		if ((x->b ^ val) & (RTC_B_DM | RTC_B_24H))
			cmos_put(rig, RTC_B, val | RTC_B_SET);
		make_time(rig, val);
	}
	cmos_put(rig, RTC_B, val);
	if (x->adrift && runs(x->a, x->b))
		reset_dividers(rig);
}

static bool is_part(unsigned int index)
{
	for (unsigned int i = 0; i < PARTS; i++) {
		if (parts[i] == index)
			return true;
	}
	return false;
}

static bool write_data(struct rig *rig, unsigned int val)
{
	struct rtc_context *x = rig->ctx;
	unsigned int index = x->index;
	bool done = true;

	if (index == CENTURY_2) {
		rtc_differences[CENTURY_PS2].met++;
		return true;
	}
	if (index == RTC_A)
		write_a(rig, val);
	else if (index == RTC_B)
		write_b(rig, val);
	else if (is_part(index) && runs(x->a, x->b))
		done = write_time(rig, val);
	else
		cmos_put_data(rig, val);
	cmos_select(rig, index);
	rtc_follow(x, false);
	return done;
}

/* QEMU's periodic timer fires each time on the way. */
static void feed_time(struct rig *rig, uint64_t ns)
{
	const struct rtc_context *x = rig->ctx;
	unsigned int rs = x->a & RTC_A_RS;
	uint64_t most = (4096ULL << (rs < 3 ? rs + 6 : rs - 1)) * SECOND / 32768;

	cmos_pass(rig, rs && x->b & RTC_B_PIE && ns > most ? most : ns);
}

/* Of the alarms that nothing excuses, those that both had; C begins anew. */
static void read_data(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;
	unsigned int val = cmos_get_data(rig);

	if (x->index != RTC_C)
		return;
	x->alarms += val & RTC_C_AF && x->af_why == NONE && !x->was_set;
	rtc_follow(x, true);
}

/* ISA: each byte of a longer access is one of its own port. */
static bool feed(struct rig *rig, const struct ls_access *a)
{
	bool done = true;

	if (a->kind >= LS_TIME) {
		feed_time(rig, a->val);
		return true;
	}
	for (unsigned int i = 0; i < a->len; i++) {
		const struct ls_access byte = replay_byte(a, i);

		if (byte.addr == RTC_PORT && a->kind == LS_OUT)
			cmos_select(rig, byte.val & 0x7f);
		else if (byte.addr == RTC_PORT)
			rig_in(rig, 1, RTC_PORT);
		else if (a->kind == LS_OUT)
			done &= write_data(rig, (unsigned int)byte.val);
		else
			read_data(rig);
		cmos_irqs(rig);
	}
	return done;
}

/* Left out: what is no time, or not of this century, into a clock that runs. */
void rtc_by_lockstep(struct rig *rig, unsigned int n)
{
	struct rtc_context *x = rig->ctx;

	rig->excuse = excuse_lockstep;
	cmos_fill(rig);
	for (unsigned int i = RTC_SECONDS_ALARM; i <= RTC_HOURS_ALARM; i += 2)
		cmos_put(rig, i, 0);
	rtc_follow(x, true);
	cmos_get(rig, RTC_C);
	x->matched = 0;
	x->alarms = 0;
	replay(rig, &ls_rtc, &x->st, n, 85, feed);
	replay_least(rig, "interrupts on both sides", x->matched, n / 1000);
	replay_least(rig, "alarms on both sides", x->alarms, n / 200);
}
