// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The RTC's model against Motorola's MC146818 data sheet; dates against timegm().
 */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "rtc_model.h"

#define SEC 1000000000ULL
/* 2024-02-28 23:59:50, a Wednesday. */
#define START 1709164790ULL

static struct rtc_state st;
static __u64 now;
static bool rose;

static void reset(void)
{
	memset(&st, 0, sizeof(st));
	now = 5 * SEC;
	rtc_reset(&st, now, START);
}

TestSuite(rtc, .init = reset);

static unsigned int in(unsigned int index)
{
	__u64 val = ~0ULL;

	cr_assert_eq(rtc_write(&st, 0, 1, index), LX_HANDLED);
	cr_assert_eq(rtc_read(&st, now, 1, 1, &val, &rose), LX_HANDLED);
	return (unsigned int)val;
}

static bool out(unsigned int index, unsigned int val)
{
	cr_assert_eq(rtc_write(&st, 0, 1, index), LX_HANDLED);
	return rtc_set(&st, now, 1, val);
}

/* Seconds, minutes, hours, day, date, month, year, century. */
static void expect_time(const unsigned int *want)
{
	static const unsigned int index[] = { 0, 2, 4, 6, 7, 8, 9, 0x32 };

	for (unsigned int i = 0; i < 8; i++)
		cr_expect_eq(in(index[i]), want[i], "byte %#x: %#x, not %#x", index[i],
			     in(index[i]), want[i]);
}

#define TIME(...) expect_time((const unsigned int[]){ __VA_ARGS__ })

/* BCD and binary, 12 and 24 hours (table 3 of the data sheet), over a leap day. */
Test(rtc, formats)
{
	TIME(0x50, 0x59, 0x23, 4, 0x28, 2, 0x24, 0x20);
	now += 10 * SEC - 1;
	TIME(0x59, 0x59, 0x23, 4, 0x28, 2, 0x24, 0x20);
	now++;
	TIME(0, 0, 0, 5, 0x29, 2, 0x24, 0x20);
	out(0xb, 4 | 2);
	TIME(0, 0, 0, 5, 29, 2, 24, 20);
	out(0xb, 4);
	TIME(0, 0, 12, 5, 29, 2, 24, 20);
	now += 13 * 3600 * SEC;
	TIME(0, 0, 0x81, 5, 29, 2, 24, 20);
	out(0xb, 0);
	now += 10 * 3600 * SEC;
	TIME(0, 0, 0x91, 5, 0x29, 2, 0x24, 0x20);
	now += 3600 * SEC;
	TIME(0, 0, 0x12, 6, 1, 3, 0x24, 0x20);
	now += 12 * 3600 * SEC;
	TIME(0, 0, 0x92, 6, 1, 3, 0x24, 0x20);
}

/* Every day from 1970 to 2399. */
Test(rtc, calendar)
{
	out(0xb, 4 | 2);
	for (__u64 day = 0; day < 157000; day++) {
		time_t t = (time_t)(day * 86400);
		struct tm tm;

		gmtime_r(&t, &tm);
		st.base_s = (719468 + day) * 86400;
		st.base_ns = now;
		cr_assert_eq(in(7), (unsigned int)tm.tm_mday);
		cr_assert_eq(in(8), (unsigned int)tm.tm_mon + 1);
		cr_assert_eq(in(9), (unsigned int)tm.tm_year % 100);
		cr_assert_eq(in(0x32), (unsigned int)tm.tm_year / 100 + 19);
		cr_assert_eq(in(6), (unsigned int)tm.tm_wday + 1);
		cr_assert_eq(rtc_day_of((unsigned int)tm.tm_year + 1900,
					(unsigned int)tm.tm_mon + 1, (unsigned int)tm.tm_mday),
			     719468 + day);
	}
}

/* SET: "program can initialize the time and calendar bytes without an update"; UIE falls. */
Test(rtc, set)
{
	now += SEC / 4;
	out(0xb, 0x80 | 0x10 | 2);
	cr_expect_eq(in(0xb), 0x82);
	now += 100 * SEC;
	TIME(0x50, 0x59, 0x23, 4, 0x28, 2, 0x24, 0x20);
	out(4, 0x12);
	out(2, 0x34);
	out(0, 0x56);
	out(6, 7);
	out(7, 0x31);
	out(8, 0x12);
	out(9, 0x99);
	out(0x32, 0x19);
	TIME(0x56, 0x34, 0x12, 7, 0x31, 0x12, 0x99, 0x19);
	out(0xb, 2);
	TIME(0x56, 0x34, 0x12, 7, 0x31, 0x12, 0x99, 0x19);
	/* The dividers ran on: the next update is 0.75 s later. */
	now += 3 * SEC / 4 - 1;
	cr_expect_eq(in(0), 0x56);
	now++;
	cr_expect_eq(in(0), 0x57);
	/* The day of the week is a counter of its own: 1999-12-31 was a Friday. */
	now += 12 * 3600 * SEC;
	TIME(0x57, 0x34, 0, 1, 1, 1, 0, 0x20);
}

/* Divider reset: time stands, and "the first update cycle is one-half second later". */
Test(rtc, divider_reset)
{
	now += SEC / 4;
	out(0xa, 0x60);
	now += 10 * SEC;
	cr_expect_eq(in(0), 0x50);
	cr_expect_eq(in(0xa), 0x60);
	out(0xa, 0x26);
	now += SEC / 2 - 1;
	cr_expect_eq(in(0), 0x50);
	now++;
	cr_expect_eq(in(0), 0x51);
	now += SEC;
	cr_expect_eq(in(0), 0x52);
}

/* UIP: tBUC = 244 us and tUC = 1984 us before time advances; not while SET. */
Test(rtc, uip)
{
	cr_expect_eq(in(0xa), 0x26);
	now += SEC - 2228001;
	cr_expect_eq(in(0xa), 0x26);
	now++;
	cr_expect_eq(in(0xa), 0xa6);
	now += 2227999;
	cr_expect_eq(in(0xa), 0xa6);
	cr_expect_eq(in(0), 0x50);
	out(0xb, 0x82);
	cr_expect_eq(in(0xa), 0x26);
	out(0xb, 2);
	cr_expect_eq(in(0xa), 0xa6);
	now++;
	cr_expect_eq(in(0xa), 0x26);
	cr_expect_eq(in(0), 0x51);
	out(0xa, 0xa6);
	cr_expect_eq(in(0xa), 0x26, "UIP is read-only");
}

/* UF after each update, cleared by the read; C and D are read-only. */
Test(rtc, update_ended)
{
	out(0xa, 0x20);
	cr_expect_eq(in(0xc), 0);
	now += SEC;
	cr_expect_eq(in(0xc), 0x10);
	cr_expect_eq(in(0xc), 0);
	out(0xc, 0xff);
	out(0xd, 0);
	cr_expect_eq(in(0xc), 0);
	cr_expect_eq(in(0xd), 0x80);
	out(0xb, 0x12);
	now += 3 * SEC;
	cr_expect_eq(in(0xc), 0x90);
	cr_expect(rose, "no timer fired before the read");
	out(0xb, 0x82);
	now += 3 * SEC;
	cr_expect_eq(in(0xc), 0, "no updates while SET");
}

/* Seconds until the alarm of these three bytes, by the timer. */
static __u64 alarm_in(unsigned int h, unsigned int m, unsigned int s)
{
	out(5, h);
	out(3, m);
	out(1, s);
	out(0xb, 0x22);
	in(0xc);
	cr_assert_eq(st.irq.armed, 1, "%x:%x:%x", h, m, s);
	return (st.irq.due_ns - st.base_ns) / SEC - (now - st.base_ns) / SEC;
}

/* At 23:59:50. */
Test(rtc, alarm)
{
	cr_expect_eq(alarm_in(0x23, 0x59, 0x51), 1);
	cr_expect_eq(alarm_in(0x23, 0x59, 0x50), 86400);
	cr_expect_eq(alarm_in(0x00, 0x00, 0x00), 10);
	cr_expect_eq(alarm_in(0x23, 0x59, 0x49), 86399);
	cr_expect_eq(alarm_in(0x12, 0x34, 0x56), 12 * 3600 + 34 * 60 + 56 + 10);
	/* "an interrupt each hour [...] every minute [...] every second" */
	cr_expect_eq(alarm_in(0xc0, 0x34, 0x56), 34 * 60 + 56 + 10);
	cr_expect_eq(alarm_in(0xff, 0xc1, 0x56), 6);
	cr_expect_eq(alarm_in(0xff, 0xff, 0x05), 15);
	cr_expect_eq(alarm_in(0xff, 0xff, 0xff), 1);
	cr_expect_eq(alarm_in(0x23, 0xff, 0xff), 1);
	cr_expect_eq(alarm_in(0x05, 0xff, 0xff), 5 * 3600 + 10);
	cr_expect_eq(alarm_in(0xff, 0x05, 0xff), 310);
	now += 600 * SEC;
	cr_expect_eq(in(0xc), 0x80 | 0x40 | 0x20 | 0x10);
	cr_expect_eq(in(0xc), 0);
	out(1, 0x60);
	in(0xc);
	cr_expect_eq(st.irq.armed, 0, "60 seconds match never");
}

/* Against a second-by-second comparison of the three bytes. */
Test(rtc, alarm_by_comparison)
{
	static const unsigned int parts[] = { 0xff, 0, 1, 0x23, 0x59 };

	for (unsigned int n = 0; n < 125; n++) {
		unsigned int h = parts[n % 5], m = parts[n / 5 % 5], s = parts[n / 25], i;
		__u64 want, from = now;

		if (h == 0x59)
			h = 0x13;
		want = alarm_in(h, m, s);
		for (i = 1; i <= 86400; i++) {
			now = from + i * SEC;
			if ((s == 0xff || in(0) == s) && (m == 0xff || in(2) == m) &&
			    (h == 0xff || in(4) == h))
				break;
		}
		cr_assert_eq(i, want, "%x:%x:%x: after %u s, not %llu", h, m, s, i, want);
		now = from + 12345 * SEC;
	}
}

/* Table 5, with 32.768 kHz: RS 1 is 256 Hz, 2 is 128 Hz, 3 is 8192 Hz, ... 15 is 2 Hz. */
Test(rtc, periodic)
{
	static const unsigned int hz[] = { 0,	256, 128, 8192, 4096, 2048, 1024, 512,
					   256, 128, 64,  32,	16,   8,    4,	  2 };

	out(0xb, 0x42);
	for (unsigned int rs = 1; rs < 16; rs++) {
		unsigned int n = 0;

		now = 100 * SEC * rs;
		out(0xa, 0x20 | rs);
		in(0xc);
		while (st.irq.due_ns <= 100 * SEC * rs + SEC) {
			cr_assert_eq(st.irq.armed, 1);
			now = st.irq.due_ns;
			cr_assert(rtc_expire(&st, now));
			cr_assert_eq(st.irq.armed, 0, "one interrupt until C is read");
			cr_assert_eq(in(0xc) & 0xc0, 0xc0);
			n++;
		}
		cr_expect_eq(n, hz[rs], "RS %u: %u in a second", rs, n);
	}
	out(0xa, 0x20);
	in(0xc);
	now += 10 * SEC;
	cr_expect_eq(in(0xc) & 0x40, 0, "RS 0: none");
}

/* Flags are set whatever is enabled; enabling one that is set interrupts at once. */
Test(rtc, enable_with_flag_set)
{
	now += SEC;
	cr_expect(out(0xb, 0x12), "UIE with UF set");
	cr_expect_eq(st.line, 1);
	cr_expect_not(out(0xb, 0x02));
	cr_expect_eq(st.line, 0);
	cr_expect(out(0xb, 0x42), "PIE with PF set");
	cr_expect_eq(in(0xc), 0xd0);
	cr_expect_eq(st.line, 0);
}

/* RAM: all bytes from 14 on but the century. */
Test(rtc, ram)
{
	for (unsigned int i = 14; i < 128; i++)
		out(i, i ^ 0xa5);
	for (unsigned int i = 14; i < 128; i++)
		cr_expect(i == 0x32 || in(i) == (i ^ 0xa5), "byte %#x: %#x", i, in(i));
	rtc_write(&st, 0, 1, 0x8f); /* NMI masked */
	cr_expect_eq(st.index, 0x0f);
}

/* Nothing but the index is written without the VMM. A pass changes nothing. */
Test(rtc, what_passes)
{
	struct rtc_state before = st;
	__u64 val = 42;

	cr_expect_eq(rtc_write(&st, 1, 1, 0), LX_PASS);
	cr_expect_eq(rtc_write(&st, 0, 2, 0), LX_PASS);
	cr_expect_eq(rtc_read(&st, now, 0, 1, &val, &rose), LX_PASS);
	cr_expect_eq(rtc_read(&st, now, 0, 2, &val, &rose), LX_PASS);
	cr_expect_eq(rtc_read(&st, now, 1, 4, &val, &rose), LX_PASS);
	cr_expect_eq(val, 42);
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
}
