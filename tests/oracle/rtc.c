// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Traces of the RTC: calendar, periods, alarms; then at random. */
#include "rtcrig.h"

static void read_all(struct rig *rig)
{
	for (unsigned int i = 0; i < RTC_C; i++)
		cmos_get(rig, i);
	cmos_get(rig, RTC_D);
	cmos_get(rig, RTC_CENTURY);
}

static unsigned int coded(const struct rtc_context *x, unsigned int v)
{
	return x->b & RTC_B_DM ? v : v / 10 << 4 | v % 10;
}

/* A valid time, while SET. */
static void set_time(struct rig *rig, unsigned int hour, unsigned int min, unsigned int sec,
		     unsigned int year, unsigned int month, unsigned int date)
{
	const struct rtc_context *x = rig->ctx;
	unsigned int h12 = coded(x, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? RTC_PM : 0);

	cmos_put(rig, RTC_B, x->b | RTC_B_SET);
	cmos_put(rig, RTC_SECONDS, coded(x, sec));
	cmos_put(rig, RTC_MINUTES, coded(x, min));
	cmos_put(rig, RTC_HOURS, x->b & RTC_B_24H ? coded(x, hour) : h12);
	cmos_put(rig, RTC_DATE, coded(x, date));
	cmos_put(rig, RTC_MONTH, coded(x, month));
	cmos_put(rig, RTC_YEAR, coded(x, year % 100));
	cmos_put(rig, RTC_CENTURY, coded(x, year / 100));
	read_all(rig);
	cmos_put(rig, RTC_B, x->b & ~RTC_B_SET);
	read_all(rig);
}

/* Leap days, ends of centuries, all four formats. */
static void calendar(struct rig *rig)
{
	static const unsigned int years[] = { 1970, 1999, 2000, 2023, 2024, 2099, 2100 };
	struct rtc_context *x = rig->ctx;

	x->day = true;
	for (unsigned int format = 0; format < 4; format++) {
		cmos_put(rig, RTC_B, format << 1 | RTC_B_SET);
		for (unsigned int i = 0; i < 7; i++) {
			set_time(rig, 23, 59, 58, years[i], 2, 28);
			for (unsigned int s = 0; s < 3; s++) {
				cmos_pass(rig, SECOND);
				read_all(rig);
			}
			set_time(rig, 11, 59, 59, years[i], 12, 31);
			for (unsigned int s = 0; s < 4; s++) {
				cmos_pass(rig, 43200 * SECOND / 4);
				read_all(rig);
			}
		}
	}
}

/* Periodic interrupts that begin with a second. A bit later: QEMU's are a nanosecond late. */
static void periodic(struct rig *rig, unsigned int rs)
{
	struct rtc_context *x = rig->ctx;
	uint64_t clocks = 1ULL << (rs < 3 ? rs + 6 : rs - 1);

	cmos_put(rig, RTC_B, 0x02);
	cmos_put(rig, RTC_A, 0x20);
	cmos_pass(rig, SECOND - rig->now % SECOND + 1000);
	cmos_get(rig, RTC_C);
	cmos_put(rig, RTC_B, 0x42);
	cmos_put(rig, RTC_A, 0x20 | rs);
	x->was_no_pie = false;
	for (uint64_t i = 0; i < 40; i++) {
		cmos_pass(rig, clocks * SECOND / 32768 / 2);
		if (i % 3 != 2)
			cmos_get(rig, RTC_C);
	}
	cmos_put(rig, RTC_B, 0x02);
	cmos_put(rig, RTC_A, 0x20);
	cmos_get(rig, RTC_C);
}

static void alarm_12h(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;

	/* 1:59:58 PM; the alarm is for 2 AM. */
	cmos_put(rig, RTC_B, 0x20);
	set_time(rig, 13, 59, 58, 2024, 3, 1);
	cmos_put(rig, RTC_SECONDS_ALARM, 0);
	cmos_put(rig, RTC_MINUTES_ALARM, 0);
	cmos_put(rig, RTC_HOURS_ALARM, 2);
	cmos_get(rig, RTC_C);
	x->alarm_12h = true;
	cmos_pass(rig, 3 * SECOND);
	cmos_get(rig, RTC_C);
	x->alarm_12h = false;
}

/* Every minute at 10 s, and every hour at 13:10; then one that QEMU misses. */
static void alarms(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;

	cmos_put(rig, RTC_B, 0x06);
	cmos_put(rig, RTC_SECONDS_ALARM, 10);
	cmos_put(rig, RTC_MINUTES_ALARM, 0xff);
	cmos_put(rig, RTC_HOURS_ALARM, 0xc0);
	set_time(rig, 12, 11, 5, 2024, 3, 1);
	cmos_get(rig, RTC_C);
	for (unsigned int i = 0; i < 20; i++) {
		cmos_pass(rig, 17 * SECOND); /* never in the alarm's second */
		cmos_get(rig, RTC_C);
	}
	cmos_put(rig, RTC_MINUTES_ALARM, 13);
	for (unsigned int i = 0; i < 20; i++) {
		cmos_pass(rig, 570 * SECOND);
		cmos_get(rig, RTC_C);
	}
	cmos_put(rig, RTC_MINUTES_ALARM, 0xff);
	set_time(rig, 12, 11, 10, 2024, 3, 1);
	cmos_get(rig, RTC_C);
	x->alarm_now = true;
	cmos_pass(rig, 61 * SECOND);
	cmos_get(rig, RTC_C);
	x->alarm_now = false;
}

static void directed(struct rig *rig, unsigned int n)
{
	struct rtc_context *x = rig->ctx;

	read_all(rig);
	cmos_get(rig, RTC_C);
	rig_in(rig, 1, RTC_PORT);
	cmos_pass(rig, SECOND - TUC_TBUC - 1);
	for (unsigned int i = 0; i < 6; i++) {
		cmos_get(rig, RTC_A);
		cmos_pass(rig, 500000);
	}
	cmos_pass(rig, SECOND);
	cmos_get(rig, RTC_C);
	cmos_put(rig, RTC_A, 0x20);
	cmos_get(rig, RTC_C);
	cmos_put(rig, RTC_B, 0x12);
	for (unsigned int i = 0; i < 20; i++) {
		cmos_pass(rig, SECOND / 3);
		if (i % 5 != 4)
			cmos_get(rig, RTC_C);
	}
	cmos_get(rig, RTC_C);
	cmos_put(rig, RTC_B, 0x82);
	cmos_pass(rig, 3 * SECOND);
	cmos_get(rig, RTC_C);
	cmos_get(rig, RTC_B);
	cmos_put(rig, RTC_B, 0x02);
	calendar(rig);
	cmos_put(rig, RTC_B, 0x02);
	for (unsigned int rs = 1; rs < 16; rs++)
		periodic(rig, rs);
	cmos_put(rig, RTC_A, 0x60);
	cmos_pass(rig, 1234567890);
	read_all(rig);
	cmos_put(rig, RTC_A, 0x20);
	cmos_get(rig, RTC_C);
	for (unsigned int i = 0; i < 20; i++) {
		cmos_pass(rig, SECOND / 8);
		cmos_get(rig, RTC_SECONDS);
		cmos_get(rig, RTC_C);
	}
	cmos_put(rig, CENTURY_2, 0x12);
	cmos_get(rig, CENTURY_2);
	alarm_12h(rig);
	alarms(rig);
	cmos_put(rig, RTC_B, 0x02);
	x->phase = true;
	cmos_put(rig, RTC_SECONDS, 0x10);
	for (unsigned int i = 0; i < 20; i++) {
		cmos_pass(rig, SECOND / 8);
		cmos_get(rig, RTC_SECONDS);
	}
}

static void random_time(struct rig *rig)
{
	set_time(rig, (unsigned int)rig_below(rig, 24), (unsigned int)rig_below(rig, 60),
		 (unsigned int)rig_below(rig, 60), 1970 + (unsigned int)rig_below(rig, 120),
		 1 + (unsigned int)rig_below(rig, 12), 1 + (unsigned int)rig_below(rig, 28));
}

/* Seconds with hours or minutes that do not matter: directed traces have them, see the table. */
static void random_alarm(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;
	bool h24 = x->b & RTC_B_24H, all = h24 && rig_below(rig, 2);
	unsigned int sec = coded(x, (unsigned int)rig_below(rig, 60));
	unsigned int min = coded(x, (unsigned int)rig_below(rig, 60));
	unsigned int hour = coded(x, (unsigned int)rig_below(rig, 24));

	cmos_put(rig, RTC_SECONDS_ALARM, all ? sec : 0xff);
	cmos_put(rig, RTC_MINUTES_ALARM, all || rig_below(rig, 3) ? min : 0xc0);
	cmos_put(rig, RTC_HOURS_ALARM, all || (h24 && rig_below(rig, 3)) ? hour : 0xff);
}

/* Bits of B that interrupt, and formats; the latter only with a new time and alarm. */
static void random_b(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;

	if (rig_below(rig, 4)) {
		cmos_put(rig, RTC_B, (x->b & 6) | (rig_random(rig) & 0x30));
		return;
	}
	cmos_put(rig, RTC_B, RTC_B_SET | (rig_random(rig) & 6));
	random_alarm(rig); /* with 12 hours for any hour: see the table */
	random_time(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	struct rtc_context *x = rig->ctx;

	x->day = true;
	cmos_fill(rig);
	cmos_put(rig, RTC_A, 0x20);
	cmos_get(rig, RTC_C);
	n /= 4;
	while (n--) {
		unsigned int index = (unsigned int)rig_below(rig, 128);

		cmos_pass(rig, rig_random(rig) >> (18 + rig_below(rig, 40)));
		switch (rig_below(rig, 16)) {
		case 0:
			random_alarm(rig);
			break;
		case 1:
			random_b(rig);
			break;
		case 2:
			random_time(rig);
			break;
		case 3:
			if (index > 0xd && index != RTC_CENTURY && index != CENTURY_2)
				cmos_put(rig, index, rig_random(rig) & 0xff);
			break;
		case 4:
		case 5:
			cmos_get(rig, RTC_C);
			break;
		case 6:
			if (index != CENTURY_2)
				cmos_get(rig, index);
			break;
		default:
			cmos_get(rig, index % 14);
			break;
		}
	}
}

const struct oracle_test rtc_tests[] = {
	{ "rtc.directed", false, rtc_setup, directed, rtc_teardown, rtc_differences },
	{ "rtc.random", true, rtc_setup, at_random, rtc_teardown, rtc_differences },
	{ "rtc.lockstep", true, rtc_setup, rtc_by_lockstep, rtc_teardown, rtc_differences },
	{ 0 },
};
