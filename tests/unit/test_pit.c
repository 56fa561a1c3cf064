// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The PIT's model against Intel's 8254 data sheet (231164). The sequences are those
 * of its timing diagrams, figures 15 to 20, value by value.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pit_model.h"

static struct pit_state st;
static __u64 now; /* CLK pulses */

/* Between two pulses, well off both. */
static __u64 ns(void)
{
	return pit_ns(now) + 400;
}

static void reset(void)
{
	memset(&st, 0, sizeof(st));
	now = 1000;
	pit_reset(&st, ns());
}

TestSuite(pit, .init = reset);

static void control(unsigned int val)
{
	pit_set(&st, ns(), PIT_REGION_COUNTERS, 3, val);
}

static void write2(unsigned int val)
{
	pit_set(&st, ns(), PIT_REGION_COUNTERS, 2, val);
}

static void gate2(bool high)
{
	pit_set(&st, ns(), PIT_REGION_PORT_B, 0, high);
}

static unsigned int in(__u32 region, unsigned int off)
{
	__u64 val = ~0ULL;

	cr_assert_eq(pit_read(&st, ns(), region, off, 1, &val), LX_HANDLED);
	return (unsigned int)val;
}

/* Counter 2, in mode @mode, one byte, binary: SC 10, RW 01. */
static void program(unsigned int mode)
{
	control(2 << 6 | 1 << 4 | mode << 1);
}

static bool out2(void)
{
	return in(PIT_REGION_PORT_B, 0) & 0x20;
}

/* Whole count, without disturbing flip-flops or latches. */
static unsigned int count2(void)
{
	return pit_count(&st.c[2], pit_pulses(ns()));
}

/*
 * A diagram: one word for each CLK pulse, "count" or "count-" where OUT is low; words
 * of other kinds come between two pulses: w4 writes count 4, g0 and g1 set GATE. "N"
 * is an undefined count.
 */
static void diagram(const char *text)
{
	char *copy = strdup(text), *word, *rest = copy;
	unsigned int pulse = 0;

	for (word = strtok_r(rest, " ", &rest); word; word = strtok_r(rest, " ", &rest)) {
		if (*word == 'w') {
			write2((unsigned int)atoi(word + 1));
			continue;
		}
		if (*word == 'g') {
			gate2(word[1] == '1');
			continue;
		}
		now++;
		pulse++;
		if (*word != 'N')
			cr_expect_eq(count2(), strtoul(word, NULL, 16),
				     "%s: count %x at pulse %u, not %s", text, count2(), pulse,
				     word);
		cr_expect_eq(out2(), word[strlen(word) - 1] != '-', "%s: OUT is %u at pulse %u",
			     text, out2(), pulse);
	}
	free(copy);
}

static void mode(unsigned int m, bool gate, const char *text)
{
	reset();
	gate2(gate);
	program(m);
	diagram(text);
}

/* Figure 15 */
Test(pit, mode_0)
{
	mode(0, true, "N- N- w4 4- 3- 2- 1- 0 ffff fffe");
	mode(0, true, "w3 3- 2- g0 2- 2- g1 1- 0 ffff");
	mode(0, true, "w3 3- 2- 1- w2 2- 1- 0 ffff");
	/* "If an initial count is written while GATE = 0, it will still be loaded" */
	mode(0, false, "w3 3- 3- g1 2- 1- 0 ffff");
	/* "until a new count [...] is written" */
	mode(0, true, "w1 1- 0 ffff w2 2- 1- 0");
}

/* Figure 16 */
Test(pit, mode_1)
{
	mode(1, false, "w3 N N g1 3- 2- 1- 0 ffff g0 fffe g1 3- 2-");
	mode(1, false, "w3 N N g1 3- 2- g0 1- g1 3- 2- 1- 0");
	mode(1, false, "w2 N g1 2- 1- w4 0 ffff g0 fffe g1 4- 3-");
	mode(1, false, "N g1 N g0 w3 N N g1 3- 2- 1- 0");
}

/* Figure 17 */
Test(pit, mode_2)
{
	mode(2, true, "N N w3 3 2 1- 3 2 1- 3");
	mode(2, true, "w3 3 2 g0 2 2 g1 3 2 1- 3");
	mode(2, true, "w4 4 3 w5 2 1- 5 4 3 2 1- 5");
	/* "If GATE goes low during an output pulse, OUT is set high immediately." */
	mode(2, true, "w3 3 2 1- g0 1 1 g1 3 2 1-");
	/* "If a trigger is received after writing a new count but before the end" */
	mode(2, true, "w9 9 8 w3 7 g0 7 g1 3 2 1- 3");
	mode(6, true, "w3 3 2 1- 3 2 1- 3");
}

/* Figure 18 */
Test(pit, mode_3)
{
	mode(3, true, "N w4 4 2 4- 2- 4 2 4- 2- 4 2");
	mode(3, true, "w5 4 2 0 4- 2- 4 2 0 4- 2- 4");
	mode(3, true, "w4 4 2 4- 2- 4 2 4- g0 4 4 g1 4 2 4- 2-");
	/* "Otherwise [...] loaded at the end of the current half-cycle" */
	mode(3, true, "w8 8 6 w4 4 2 4- 2- 4 2");
	mode(3, true, "w8 8 6 4 2 8- 6- w5 4- 2- 4 2 0 4- 2- 4");
	mode(7, true, "w4 4 2 4- 2- 4 2");
}

/* Figure 19 */
Test(pit, mode_4)
{
	mode(4, true, "N w3 3 2 1 0- ffff fffe fffd");
	mode(4, false, "w3 3 3 g1 2 1 0- ffff");
	mode(4, true, "w3 3 2 1 w2 2 1 0- ffff");
}

/* Figure 20 */
Test(pit, mode_5)
{
	mode(5, false, "w3 N N g1 3 2 1 0- ffff g0 fffe g1 3 2");
	mode(5, false, "w3 N N g1 3 2 g0 1 g1 3 2 1 0- ffff");
	mode(5, false, "w3 N g1 3 2 w5 1 0- ffff fffe g0 fffd g1 5 4");
}

/* A count of 0 is 2^16, or 10^4 in BCD. */
Test(pit, largest_counts)
{
	mode(0, true, "w0 0- ffff- fffe-");
	now += 0x10000 - 3;
	cr_expect_not(out2());
	now++;
	cr_expect(out2());
	cr_expect_eq(count2(), 0);
	gate2(true);
	control(2 << 6 | 1 << 4 | 0 << 1 | 1);
	diagram("w0 0- 9999- 9998-");
	now += 10000 - 3;
	cr_expect_not(out2());
	now++;
	cr_expect(out2());
	now++;
	cr_expect_eq(count2(), 0x9999);
}

/* BCD, two bytes: 2000 counts down by tens of decimal digits. */
Test(pit, bcd)
{
	gate2(true);
	control(2 << 6 | 3 << 4 | 2 << 1 | 1);
	write2(0x00);
	write2(0x20);
	now++;
	cr_expect_eq(count2(), 0x2000);
	now++;
	cr_expect_eq(count2(), 0x1999);
	now += 1998;
	cr_expect_eq(count2(), 0x0001);
	now++;
	cr_expect_eq(count2(), 0x2000);
}

/* "Interleaved" programming: LSB and MSB of reads and of writes are two flip-flops. */
Test(pit, interleaved_bytes)
{
	gate2(true);
	control(2 << 6 | 3 << 4 | 4 << 1);
	write2(0x34);
	write2(0x12);
	now++;
	cr_expect_eq(in(0, 2), 0x34);
	write2(0x78);
	cr_expect_eq(in(0, 2), 0x12);
	write2(0x56);
	now++;
	cr_expect_eq(in(0, 2), 0x78);
	cr_expect_eq(in(0, 2), 0x56);
}

/* Mode 0: the first byte of two stops counting, and OUT is low at once. */
Test(pit, mode_0_two_bytes)
{
	gate2(true);
	control(2 << 6 | 3 << 4);
	write2(2);
	write2(0);
	now += 3;
	cr_expect(out2());
	write2(5);
	cr_expect_not(out2());
	now += 10;
	cr_expect_eq(count2(), 0, "stopped at %x", count2());
	write2(0);
	now++;
	cr_expect_eq(count2(), 5);
}

/* One byte only: "the other byte will be zero". */
Test(pit, most_significant_byte)
{
	gate2(true);
	control(2 << 6 | 2 << 4 | 4 << 1);
	write2(0x12);
	now++;
	cr_expect_eq(count2(), 0x1200);
	now++;
	cr_expect_eq(in(0, 2), 0x11);
	cr_expect_eq(in(0, 2), 0x11);
}

/* The latch holds while CE counts; the second command before the read is ignored. */
Test(pit, counter_latch)
{
	gate2(true);
	control(2 << 6 | 3 << 4 | 4 << 1);
	write2(0x01);
	write2(0x10);
	now++;
	control(2 << 6);
	now += 2;
	control(2 << 6);
	cr_expect_eq(in(0, 2), 0x01);
	now += 100;
	cr_expect_eq(in(0, 2), 0x10);
	control(2 << 6);
	cr_expect_eq(in(0, 2), 0x9b); /* 1001 - 66 */
	/* "until the Counter is reprogrammed" */
	control(2 << 6 | 1 << 4 | 4 << 1);
	write2(7);
	now++;
	cr_expect_eq(in(0, 2), 7);
}

/* Figure 11: read-back of count and status of several counters. */
Test(pit, read_back)
{
	gate2(true);
	for (unsigned int i = 0; i < 3; i++) {
		control(i << 6 | 3 << 4 | 4 << 1);
		pit_set(&st, ns(), 0, i, 0x20 + i);
		pit_set(&st, ns(), 0, i, 0x01);
	}
	now++;
	control(0xc2); /* count and status of counter 0 */
	now++;
	control(0xe4); /* status of counter 1 */
	control(0xec); /* of 2 and 1: ignored for 1 */
	control(0xdc); /* count of 2 and 1 */
	now++;
	control(0xe2); /* status of 0: ignored */
	control(0xd2); /* count of 0: ignored */
	cr_expect_eq(in(0, 0), 0x80 | 3 << 4 | 4 << 1);
	cr_expect_eq(in(0, 0), 0x20);
	cr_expect_eq(in(0, 0), 0x01);
	cr_expect_eq(in(0, 0), 0x1e); /* runs: 2 pulses further */
	cr_expect_eq(in(0, 1), 0x80 | 3 << 4 | 4 << 1);
	cr_expect_eq(in(0, 1), 0x20);
	cr_expect_eq(in(0, 2), 0x80 | 3 << 4 | 4 << 1);
	cr_expect_eq(in(0, 2), 0x21);
}

/* Null count: set by control word and count, cleared when CE is loaded. */
Test(pit, null_count)
{
	gate2(true);
	control(2 << 6 | 3 << 4 | 2 << 1);
	control(0xe8);
	cr_expect_eq(in(0, 2), 0xc0 | 3 << 4 | 2 << 1);
	write2(4);
	write2(0);
	control(0xe8);
	cr_expect_eq(in(0, 2), 0xc0 | 3 << 4 | 2 << 1);
	now++;
	control(0xe8);
	cr_expect_eq(in(0, 2), 0x80 | 3 << 4 | 2 << 1);
	write2(9);
	control(0xe8);
	cr_expect_eq(in(0, 2), 0x80 | 3 << 4 | 2 << 1, "half a count is none");
	write2(0);
	now += 3;
	control(0xe8);
	cr_expect_eq(in(0, 2), 0x40 | 3 << 4 | 2 << 1, "new count waits for the period's end");
	now++;
	control(0xe8);
	cr_expect_eq(in(0, 2), 0x80 | 3 << 4 | 2 << 1);
}

/* 105/88 MHz: 1,193,181.81... pulses a second, exactly 105 in 88 us, for 584 years. */
Test(pit, frequency)
{
	cr_expect_eq(pit_pulses(838), 0);
	cr_expect_eq(pit_pulses(839), 1);
	cr_expect_eq(pit_pulses(87999), 104);
	cr_expect_eq(pit_pulses(88000), 105);
	cr_expect_eq(pit_pulses(1000000000), 1193181);
	cr_expect_eq(pit_pulses(88000000000), 105000000);
	cr_expect_eq(pit_pulses(18446744073709551615ULL), 22010319633403442ULL);
	for (__u64 n = 0; n < 3000; n++) {
		cr_assert_eq(pit_pulses(pit_ns(n)), n);
		if (n)
			cr_assert_eq(pit_pulses(pit_ns(n) - 1), n - 1);
	}
}

/* ICH9 13.7.1: bits 3:0 read back, 4 toggles with refresh, 5 is OUT 2, 7:6 are 0 here. */
Test(pit, port_b)
{
	unsigned int toggles = 0, last = 0;

	pit_set(&st, ns(), PIT_REGION_PORT_B, 0, 0xff);
	cr_expect_eq(in(1, 0) & 0xcf, 0x0f);
	pit_set(&st, ns(), PIT_REGION_PORT_B, 0, 0x02);
	cr_expect_eq(in(1, 0) & 0xcf, 0x02);
	for (unsigned int i = 0; i < 1800; i++) {
		toggles += (in(1, 0) ^ last) >> 4 & 1;
		last = in(1, 0);
		now++;
	}
	cr_expect(toggles >= 99 && toggles <= 101, "%u toggles in 100 refresh cycles", toggles);
}

/* Rises of OUT 0 as a pulse-by-pulse look at OUT finds them. */
static void expect_rises(const char *what, unsigned int pulses)
{
	const struct pit_counter *c = &st.c[0];
	__u64 next = pit_next_rise(c, now);

	for (; pulses--; now++) {
		bool rises = !pit_out(c, now) && pit_out(c, now + 1);

		cr_assert_eq(next == now + 1, rises, "%s: next rise %lld pulses on, OUT %s", what,
			     next - now, rises ? "rises" : "does not");
		if (rises)
			next = pit_next_rise(c, now + 1);
	}
}

Test(pit, irq_rises)
{
	for (unsigned int m = 0; m < 6; m++) {
		for (unsigned int n = 1; n < 12; n++) {
			control(0 << 6 | 1 << 4 | m << 1);
			expect_rises("programmed", 3);
			pit_set(&st, ns(), 0, 0, n);
			expect_rises("counting", 40 + n);
			pit_set(&st, ns(), 0, 0, 13 - n);
			expect_rises("another count", 40);
		}
	}
}

/* The timer fires on the rise's first nanosecond, once, and is armed again. */
Test(pit, irq_timer)
{
	control(0 << 6 | 1 << 4 | 2 << 1);
	pit_set(&st, ns(), 0, 0, 100);
	pit_arm(&st, ns());
	cr_expect_eq(st.irq.armed, 1);
	cr_expect_eq(st.irq.due_ns, pit_ns(now + 101));
	cr_expect_not(pit_expire(&st, st.irq.due_ns - 1));
	cr_expect(pit_expire(&st, st.irq.due_ns));
	cr_expect_eq(st.irq.due_ns, pit_ns(now + 201));
	cr_expect(pit_expire(&st, pit_ns(now + 555)));
	cr_expect_eq(st.irq.due_ns, pit_ns(now + 601));
	cr_expect_eq(st.irq.fired, 2);
	control(0 << 6 | 1 << 4);
	pit_arm(&st, ns());
	cr_expect_eq(st.irq.armed, 0, "mode 0 without a count");
}

/* Only latch commands are written without the VMM; a pass changes nothing. */
Test(pit, what_passes)
{
	struct pit_state before;
	__u64 val = 42;

	for (unsigned int v = 0; v < 256; v++) {
		bool latch = v >> 6 == 3 || !(v & 0x30);

		before = st;
		cr_expect_eq(pit_write(&st, ns(), 0, 3, 1, v), latch ? LX_HANDLED : LX_PASS);
		if (!latch)
			cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
		before = st;
		for (unsigned int off = 0; off < 3; off++)
			cr_expect_eq(pit_write(&st, ns(), 0, off, 1, v), LX_PASS);
		cr_expect_eq(pit_write(&st, ns(), 1, 0, 1, v), LX_PASS);
		cr_expect_eq(pit_write(&st, ns(), 0, 3, 2, v), LX_PASS);
		cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
	}
	before = st;
	cr_expect_eq(pit_read(&st, ns(), 0, 3, 1, &val), LX_PASS);
	cr_expect_eq(pit_read(&st, ns(), 0, 0, 2, &val), LX_PASS);
	cr_expect_eq(pit_read(&st, ns(), 0, 0, 4, &val), LX_PASS);
	cr_expect_eq(val, 42);
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
}
