// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET model's timers against the IA-PC HPET specification 1.0a, 2.3.5 to 2.3.9 and
 * 2.4.2. Expected values are literals of that text, or worked out from it. Where nothing
 * else is said a tick is 10 ns, so that counter n is reached at 10n ns.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "hpet_model.h"
#include "longdiv.h"

#define CAP_10NS 0x009896808086a201ULL
#define CAP_14MHZ 0x0429b17f8086a201ULL /* 69.841279 ns */
#define SEC 1000000000ULL

/* 2.3.1 */
#define GEN_CONFIG 0x10
#define STATUS 0x20
#define COUNTER 0xf0
#define CONFIG(_n) (0x100UL + 0x20UL * (unsigned int)(_n))
#define COMPARATOR(_n) (0x108UL + 0x20UL * (unsigned int)(_n))

/* 2.3.8; the route is bits 13:9 */
#define LEVEL 0x2
#define ENB 0x4
#define PERIODIC 0x8
#define VAL_SET 0x40
#define MODE32 0x100
#define ROUTE(_input) ((_input) << 9)
/* Timer 0: inputs 20 to 23, 64 bits, periodic capable; the others are not. */
#define CAPS0 0x00f0000000000030ULL
#define CAPS1 0x00f0000000000020ULL

/* dev/hpet.h: two slots a route, edge first; legacy 0 and 1, then inputs 20 to 23 */
#define EDGE20 0x010
#define LEVEL20 0x020
#define EDGE21 0x040
#define LEVEL23 0x800
#define LEGACY0 0x001
#define LEGACY1 0x004

static struct hpet_state st;
static struct hpet_effect eff;
static uint64_t now;

/* 3.1: halted and zeroed, comparators all ones */
static void reset(void)
{
	memset(&st, 0, sizeof(st));
	st.cap = CAP_10NS;
	for (int n = 0; n < 3; n++) {
		st.timers[n].config = n ? CAPS1 : CAPS0;
		st.timers[n].comparator = ~0ULL;
	}
	now = 0;
}

TestSuite(hpet_timers, .init = reset);

/* A write at @now; eff is what it asks for. */
static void wr(uint32_t len, uint64_t off, uint64_t val)
{
	memset(&eff, 0, sizeof(eff));
	cr_assert_eq(hpet_write(&st, now, off, len, val, &eff), LX_HANDLED, "write of 0x%lx", off);
}

static uint64_t rd(uint32_t len, uint64_t off)
{
	__u64 val = 0x5a5a;
	int ret = hpet_read(&st, (int64_t)now, off, len, &val);

	if (ret != LX_HANDLED)
		ret = hpet_read_locked(&st, (int64_t)now, off, len, &val);
	cr_assert_eq(ret, LX_HANDLED, "read of 0x%lx", off);
	return val;
}

/* hpet_expired() of timer @n at @ns: the slots it signals. */
static uint32_t expire(unsigned int n, uint64_t ns)
{
	now = ns;
	memset(&eff, 0, sizeof(eff));
	hpet_expired(&st, n, now, &eff);
	return eff.slots;
}

static bool armed(unsigned int n)
{
	return st.timers[n].timer.armed;
}

static uint64_t due(unsigned int n)
{
	cr_assert(armed(n), "timer %u is not armed", n);
	return st.timers[n].timer.due_ns;
}

static void run(void)
{
	wr(4, GEN_CONFIG, 1);
}

/* Proves: 2.3.8, 2.3.9.1, 2.3.6, 3.1: what all registers are after a reset. */
Test(hpet_timers, after_reset)
{
	cr_expect_eq(rd(8, CONFIG(0)), 0x00f0000000000030);
	cr_expect_eq(rd(8, CONFIG(1)), 0x00f0000000000020);
	cr_expect_eq(rd(8, CONFIG(2)), 0x00f0000000000020);
	cr_expect_eq(rd(4, CONFIG(2) + 4), 0x00f00000);
	for (int n = 0; n < 3; n++) {
		cr_expect_eq(rd(8, COMPARATOR(n)), 0xffffffffffffffff);
		cr_expect(!armed(n));
	}
	cr_expect_eq(rd(8, STATUS), 0);
}

/* Proves: 2.3.9.2.1: one interrupt when the counter is what the comparator says, not before. */
Test(hpet_timers, one_shot)
{
	wr(4, CONFIG(1), ENB | ROUTE(20));
	wr(8, COMPARATOR(1), 1000);
	run();
	cr_expect_eq(due(1), 10000);
	cr_expect_eq(eff.moved, 2);
	cr_expect_eq(expire(1, 9999), 0);
	cr_expect_eq(due(1), 10000);
	cr_expect_eq(expire(1, 10000), EDGE20);
	cr_expect_eq(expire(1, 10000), 0, "twice");
	cr_expect_eq(expire(1, 11000), 0);
	cr_expect(!armed(1));
	cr_expect_eq(rd(8, COMPARATOR(1)), 1000, "the value does not change");
	cr_expect_eq(rd(8, STATUS), 0, "edge-triggered");
}

/* Proves: a match is never early, where a tick is no whole number of ns (bc: n * 69.841279). */
Test(hpet_timers, rounded_up)
{
	static const struct {
		uint64_t comparator, ns;
	} rows[] = { { 1, 70 },
		     { 2, 140 },
		     { 3, 210 },
		     { 14318179, 999999935 },
		     { 14318180, 1000000005 },
		     { 12345678901234, 862238004585498 } };

	st.cap = CAP_14MHZ;
	wr(4, CONFIG(1), ENB | ROUTE(20));
	run();
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wr(8, COMPARATOR(1), rows[i].comparator);
		cr_expect_eq(due(1), rows[i].ns, "%lu: %lu ns", rows[i].comparator, due(1));
		now = rows[i].ns - 1;
		cr_expect_eq(rd(8, COUNTER), rows[i].comparator - 1);
		now++;
		cr_expect_eq(rd(8, COUNTER), rows[i].comparator);
		now = 0;
	}
}

/* Proves: 2.3.9.2.1: in 32-bit mode another interrupt when the counter has gone around. */
Test(hpet_timers, one_shot_32_bits_wraps)
{
	wr(8, COUNTER, 0x5ffffff00);
	wr(4, CONFIG(2), ENB | MODE32 | ROUTE(20));
	wr(4, COMPARATOR(2), 0x100);
	run();
	cr_expect_eq(due(2), 5120); /* 0x200 ticks */
	cr_expect_eq(expire(2, 5119), 0);
	cr_expect_eq(expire(2, 5120), EDGE20);
	cr_expect_eq(due(2), 42949678080); /* 2^32 ticks later */
	cr_expect_eq(expire(2, 42949678080), EDGE20);
	cr_expect_eq(rd(8, COMPARATOR(2)), 0x100);
}

/* Proves: 2.3.9.2.1, warning: a comparator that the counter has passed misses its interrupt. */
Test(hpet_timers, passed_comparator)
{
	run();
	wr(4, CONFIG(1), ENB | ROUTE(20));
	wr(4, CONFIG(2), ENB | MODE32 | ROUTE(20));
	now = 1000; /* counter 100 */
	wr(8, COMPARATOR(1), 99);
	wr(8, COMPARATOR(2), 99);
	cr_expect(!armed(1), "2^64 ticks are 5,800 years");
	cr_expect_eq(due(2), 42949673950); /* 2^32 + 99 ticks */
}

/* Proves: 2.3.9.1: the counter equals the value: at once, and once. */
Test(hpet_timers, equal_comparator)
{
	run();
	wr(4, CONFIG(1), ENB | ROUTE(20));
	now = 1005; /* counter 100, for 5 ns more */
	wr(8, COMPARATOR(1), 100);
	cr_expect_leq(due(1), now);
	cr_expect_eq(expire(1, now), EDGE20);
	cr_expect_eq(expire(1, now), 0);
	cr_expect(!armed(1));
}

static void start_periodic(uint64_t mode, uint64_t val)
{
	wr(4, CONFIG(0), ENB | PERIODIC | VAL_SET | ROUTE(20) | mode);
	wr(8, COMPARATOR(0), val);
	run();
}

/* Proves: 2.3.9.1's example: 123h, 246h, 369h. */
Test(hpet_timers, periodic)
{
	start_periodic(0, 0x123);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x123);
	cr_expect_eq(due(0), 2910);
	cr_expect_eq(expire(0, 2909), 0);
	cr_expect_eq(expire(0, 2910), EDGE20);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x246);
	cr_expect_eq(expire(0, 5819), 0);
	cr_expect_eq(expire(0, 5820), EDGE20);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x369);
	cr_expect_eq(due(0), 8730);
}

/* Proves: 2.3.9.1's other one: FFFF0000h and 20000h in 32 bits give 00010000h. */
Test(hpet_timers, periodic_wraps)
{
	start_periodic(MODE32, 0xffff0000);
	wr(4, COMPARATOR(0), 0x20000);
	cr_expect_eq(expire(0, 0xffff0000ULL * 10), EDGE20);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x00010000);
	cr_expect_eq(due(0), 0x100010000ULL * 10);
	cr_expect_eq(expire(0, 0x100010000ULL * 10), EDGE20);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x00030000);
}

/* Proves: 10^6 periods of 69.841279 us at 14.3 MHz end where they should: nothing adds up. */
Test(hpet_timers, periodic_does_not_drift)
{
	st.cap = CAP_14MHZ;
	start_periodic(0, 1000);
	for (int i = 0; i < 999999; i++)
		cr_assert_eq(expire(0, due(0)), EDGE20);
	cr_expect_eq(due(0), 69841279000); /* 10^9 ticks */
}

/* Proves: 2.3.8: Tn_VAL_SET_CNF sets the accumulator too, and clears itself by one write. */
Test(hpet_timers, value_set)
{
	run();
	now = 10000; /* counter 1000 */
	wr(4, CONFIG(0), ENB | PERIODIC | VAL_SET | MODE32 | ROUTE(20));
	cr_expect_eq(rd(4, CONFIG(0)), 0x30 | ENB | PERIODIC | VAL_SET | MODE32 | ROUTE(20));
	wr(4, COMPARATOR(0), 1500);
	cr_expect_eq(rd(4, CONFIG(0)), 0x30 | ENB | PERIODIC | MODE32 | ROUTE(20));
	/* As Linux does: the second write is the period alone. */
	wr(4, COMPARATOR(0), 200);
	cr_expect_eq(rd(4, COMPARATOR(0)), 1500);
	cr_expect_eq(expire(0, 15000), EDGE20);
	cr_expect_eq(rd(4, COMPARATOR(0)), 1700);
	cr_expect_eq(due(0), 17000);
}

/* Proves: 2.3.9.2.3: without it a write is to the period only. */
Test(hpet_timers, value_not_set)
{
	wr(4, CONFIG(0), ENB | ROUTE(20));
	wr(8, COMPARATOR(0), 700);
	wr(4, CONFIG(0), ENB | PERIODIC | ROUTE(20));
	wr(8, COMPARATOR(0), 50);
	run();
	cr_expect_eq(rd(8, COMPARATOR(0)), 700);
	cr_expect_eq(expire(0, 7000), EDGE20);
	cr_expect_eq(due(0), 7500);
}

/* Proves: 2.4.3.2: a new rate counts from the next match on. */
Test(hpet_timers, new_rate)
{
	start_periodic(0, 100);
	cr_expect_eq(expire(0, 1000), EDGE20);
	now = 1500;
	wr(8, COMPARATOR(0), 30);
	cr_expect_eq(due(0), 2000);
	cr_expect_eq(expire(0, 2000), EDGE20);
	cr_expect_eq(due(0), 2300);
}

/* Proves: 2.3.5, 2.3.8: what cannot interrupt is not waited for, each reason alone. */
Test(hpet_timers, nothing_armed)
{
	static const struct {
		uint64_t general, config;
		bool armed;
	} rows[] = { { 1, ENB | ROUTE(20), true },
		     { 0, ENB | ROUTE(20), false },
		     { 1, ROUTE(20), false },
		     { 1, ENB, false },
		     { 3, ENB, true },
		     { 2, ENB, false } };

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reset();
		wr(8, COMPARATOR(0), 1000);
		wr(4, CONFIG(0), rows[i].config);
		wr(4, GEN_CONFIG, rows[i].general);
		cr_expect_eq(armed(0), rows[i].armed, "row %u", i);
		cr_expect_eq(eff.moved, rows[i].armed ? 1 : 0, "row %u", i);
	}
	wr(4, GEN_CONFIG, 1);
	wr(4, CONFIG(0), ENB | ROUTE(20));
	cr_expect_eq(eff.moved, 1);
	wr(4, CONFIG(0), ROUTE(20));
	cr_expect_eq(eff.moved, 1);
	cr_expect(!armed(0));
}

/* Proves: 2.3.8: masked, a timer still counts; what it missed does not come later. */
Test(hpet_timers, masked_edge)
{
	start_periodic(0, 100);
	wr(4, CONFIG(0), PERIODIC | ROUTE(20));
	now = 12345; /* twelve periods later */
	cr_expect_eq(rd(8, COMPARATOR(0)), 1300);
	wr(4, CONFIG(0), ENB | PERIODIC | ROUTE(20));
	cr_expect_eq(eff.slots, 0);
	cr_expect_eq(due(0), 13000);
}

/* Proves: 2.3.6: a level-triggered interrupt stays until its bit is written 1; 0 does nothing. */
Test(hpet_timers, level)
{
	start_periodic(LEVEL, 100);
	cr_expect_eq(expire(0, 1000), LEVEL20);
	cr_expect_eq(rd(8, STATUS), 1);
	cr_expect(!armed(0), "it is asserted already");
	cr_expect_eq(rd(8, COMPARATOR(0)), 200);
	now = 3500; /* two more; it remains active */
	cr_expect_eq(rd(8, COMPARATOR(0)), 400);
	wr(4, STATUS, 0);
	wr(4, STATUS, 6);
	wr(4, STATUS + 4, 1);
	cr_expect_eq(rd(8, STATUS), 1);
	wr(4, STATUS, 1);
	cr_expect_eq(rd(8, STATUS), 0);
	cr_expect_eq(due(0), 4000);
	cr_expect_eq(hpet_lines(&st), 0);
	cr_expect_eq(expire(0, 4000), LEVEL20);
}

/* Proves: the bit is there from the match on, before anybody was told to interrupt. */
Test(hpet_timers, level_polled)
{
	start_periodic(LEVEL, 100);
	now = 999;
	cr_expect_eq(rd(8, STATUS), 0);
	now = 1000;
	cr_expect_eq(rd(8, STATUS), 1);
	cr_expect_eq(rd(1, STATUS), 1);
	wr(1, STATUS, 1);
	cr_expect_eq(eff.slots, 0);
	cr_expect_eq(rd(8, STATUS), 0);
	cr_expect_eq(due(0), 2000);
}

/* Proves: 2.3.8, note: masked, it generates the status; unmasked, that interrupts. */
Test(hpet_timers, level_masked)
{
	wr(4, CONFIG(2), LEVEL | ROUTE(23));
	wr(8, COMPARATOR(2), 100);
	run();
	now = 5000;
	cr_expect_eq(rd(8, STATUS), 4);
	cr_expect_eq(hpet_lines(&st), 0);
	wr(4, CONFIG(2), LEVEL | ENB | ROUTE(23));
	cr_expect_eq(eff.slots, LEVEL23);
	wr(4, CONFIG(2), ENB | ROUTE(23));
	cr_expect_eq(rd(8, STATUS), 0, "edge-triggered now");
}

/* Proves: 2.3.5: halted, nothing interrupts; the status stays, and interrupts again later. */
Test(hpet_timers, halted)
{
	start_periodic(LEVEL, 100);
	wr(4, CONFIG(1), ENB | ROUTE(21));
	wr(8, COMPARATOR(1), 150);
	cr_expect_eq(expire(0, 1000), LEVEL20);
	now = 1490; /* counter 149 */
	wr(4, GEN_CONFIG, 0);
	cr_expect_eq(eff.slots, 0);
	cr_expect(!armed(0) && !armed(1));
	cr_expect_eq(hpet_lines(&st), 0);
	cr_expect_eq(rd(8, STATUS), 1);
	now = 1000000;
	cr_expect_eq(rd(8, COUNTER), 149);
	cr_expect_eq(rd(8, COMPARATOR(0)), 200);
	wr(4, GEN_CONFIG, 1);
	cr_expect_eq(eff.slots, LEVEL20);
	cr_expect_eq(due(1), 1000010);
}

/* Proves: what was due when the counter is halted still comes; going on, it does not again. */
Test(hpet_timers, halted_when_due)
{
	wr(4, CONFIG(1), ENB | ROUTE(21));
	wr(8, COMPARATOR(1), 150);
	run();
	now = 1505;
	wr(4, GEN_CONFIG, 0);
	cr_expect_eq(eff.slots, EDGE21);
	wr(4, GEN_CONFIG, 1);
	cr_expect_eq(eff.slots, 0);
	cr_expect(!armed(1));
}

/* Proves: 2.4.2.1: timers 0 and 1 go to IRQ0 and IRQ8, timer 2 where it is routed. */
Test(hpet_timers, legacy_replacement)
{
	wr(4, CONFIG(0), ENB | ROUTE(20));
	wr(4, CONFIG(1), ENB);
	wr(4, CONFIG(2), ENB | ROUTE(21));
	for (int n = 0; n < 3; n++)
		wr(8, COMPARATOR(n), 100);
	wr(4, GEN_CONFIG, 3);
	cr_expect_eq(expire(0, 1000), LEGACY0);
	cr_expect_eq(expire(1, 1000), LEGACY1);
	cr_expect_eq(expire(2, 1000), EDGE21);
	for (int n = 0; n < 3; n++)
		wr(8, COMPARATOR(n), 200);
	wr(4, GEN_CONFIG, 1);
	cr_expect(!armed(1), "it has no route of its own");
	cr_expect_eq(expire(0, 2000), EDGE20);
	cr_expect_eq(expire(2, 2000), EDGE21);
	/* What it missed without a route does not come when it gets one. */
	now = 3000;
	wr(4, GEN_CONFIG, 3);
	cr_expect_eq(eff.slots, 0);
	cr_expect(!armed(1));
}

/* Proves: 2.3.8: a route that Tn_INT_ROUTE_CAP has not is not taken: the old one reads back. */
Test(hpet_timers, routes)
{
	for (unsigned int input = 0; input < 32; input++) {
		wr(4, CONFIG(1), ROUTE(22));
		wr(4, CONFIG(1), ROUTE(input));
		cr_expect_eq(rd(4, CONFIG(1)),
			     0x20 | ROUTE(!input || (input >= 20 && input <= 23) ? input : 22),
			     "input %u: 0x%lx", input, rd(4, CONFIG(1)));
	}
}

/* Proves: 2.3.8: which bits can be written. FSB delivery is not there; nor its register. */
Test(hpet_timers, config_bits)
{
	uint64_t all = ~0ULL & ~(uint64_t)ROUTE(31);
	__u64 val;

	wr(8, CONFIG(0), all);
	cr_expect_eq(rd(8, CONFIG(0)), 0x00f000000000017e);
	wr(8, CONFIG(1), all);
	cr_expect_eq(rd(8, CONFIG(1)), 0x00f0000000000166, "timer 1 is not periodic");
	wr(4, CONFIG(1) + 4, 0xffffffff);
	cr_expect_eq(rd(8, CONFIG(1)), 0x00f0000000000166);
	wr(8, CONFIG(1), 0);
	cr_expect_eq(rd(8, CONFIG(1)), 0x00f0000000000020);
	wr(1, CONFIG(1), ENB);
	wr(1, CONFIG(1) + 1, ROUTE(21) >> 8);
	cr_expect_eq(rd(2, CONFIG(1)), 0x20 | ENB | ROUTE(21));
	cr_expect_eq(hpet_read_locked(&st, 0, 0x110, 8, &val), LX_PASS);
}

/* Proves: 2.4.7: in 32-bit mode the upper half is 0 and stays so. */
Test(hpet_timers, mode_32_bits)
{
	wr(8, COMPARATOR(1), 0x1234567800000100);
	wr(4, CONFIG(1), ENB | MODE32 | ROUTE(20));
	cr_expect_eq(rd(8, COMPARATOR(1)), 0x100);
	wr(4, COMPARATOR(1) + 4, 0xffffffff);
	wr(1, COMPARATOR(1) + 7, 0xff);
	cr_expect_eq(rd(8, COMPARATOR(1)), 0x100);
	wr(8, COMPARATOR(1), 0xabcdef0187654321);
	cr_expect_eq(rd(8, COMPARATOR(1)), 0x87654321);
	wr(8, COMPARATOR(1), 0x100);
	wr(8, COUNTER, 0x700000000);
	run();
	cr_expect_eq(due(1), 2560);
	/* 64 bits again: 0x100 is long past. */
	wr(4, CONFIG(1), ENB | ROUTE(20));
	cr_expect(!armed(1));
	wr(4, CONFIG(2), MODE32);
	cr_expect_eq(rd(8, COMPARATOR(2)), 0xffffffff); /* 2.3.9.1: of a 32-bit timer */
}

/* Proves: 2.3.9.1: in halves; and bytes and words where they lie. */
Test(hpet_timers, comparator_parts)
{
	wr(4, COMPARATOR(2), 0x55667788);
	cr_expect_eq(rd(8, COMPARATOR(2)), 0xffffffff55667788);
	wr(4, COMPARATOR(2) + 4, 0x11223344);
	cr_expect_eq(rd(8, COMPARATOR(2)), 0x1122334455667788);
	cr_expect_eq(rd(4, COMPARATOR(2) + 4), 0x11223344);
	wr(2, COMPARATOR(2) + 2, 0xaabb);
	wr(1, COMPARATOR(2) + 7, 0xcc);
	cr_expect_eq(rd(8, COMPARATOR(2)), 0xcc223344aabb7788);
	/* Intel's way to set 64 bits in halves: Tn_VAL_SET_CNF before each. */
	wr(4, CONFIG(0), PERIODIC | VAL_SET);
	wr(4, COMPARATOR(0), 0x55667788);
	wr(4, CONFIG(0), PERIODIC | VAL_SET);
	wr(4, COMPARATOR(0) + 4, 0x11223344);
	cr_expect_eq(rd(8, COMPARATOR(0)), 0x1122334455667788);
}

/* Proves: 2.3.7: a counter that is set, halted, moves all matches; running, it cannot be. */
Test(hpet_timers, counter_set)
{
	wr(4, CONFIG(1), ENB | ROUTE(20));
	wr(8, COMPARATOR(1), 100);
	run();
	cr_expect_eq(expire(1, 1000), EDGE20);
	wr(8, COUNTER, 0);
	cr_expect_eq(rd(8, COUNTER), 100);
	wr(4, GEN_CONFIG, 0);
	wr(8, COUNTER, 40);
	now = 9000;
	wr(4, GEN_CONFIG, 1);
	cr_expect_eq(due(1), 9600);
	wr(4, GEN_CONFIG, 0);
	wr(4, COUNTER + 4, 1);
	cr_expect_eq(rd(8, COUNTER), 0x100000028);
	wr(4, GEN_CONFIG, 1);
	cr_expect(!armed(1));
}

/* Proves: periodic interrupts that come late come all, one by one, at twice the rate. */
Test(hpet_timers, late)
{
	start_periodic(0, 1000);
	for (unsigned int i = 1; i <= 3; i++) {
		cr_expect_eq(expire(0, 34000), EDGE20, "interrupt %u", i);
		cr_expect_eq(hpet_wake_ns(&st, 0, now, &eff), i < 3 ? 39000 : 40000);
	}
	cr_expect_eq(expire(0, 34000), 0);
	cr_expect_eq(rd(8, COMPARATOR(0)), 4000);
	cr_expect_eq(st.timers[0].timer.fired, 3);
	/* One who begins to wait anew does not wait longer. */
	now = 60000;
	hpet_kicked(&st, &eff);
	cr_expect_eq(hpet_wake_ns(&st, 0, now, &eff), 40000);
}

/* Proves: what is more than ten seconds late does not come; a one-shot does. */
Test(hpet_timers, too_late)
{
	start_periodic(0, 100000); /* 1 ms */
	wr(4, CONFIG(1), ENB | ROUTE(21));
	wr(8, COMPARATOR(1), 1000);
	cr_expect_eq(expire(0, 10001000000), EDGE20);
	cr_expect_eq(due(0), 2000000);
	cr_expect_eq(expire(0, 10002000001), EDGE20);
	cr_expect_eq(due(0), 10003000000);
	cr_expect_eq(expire(1, 10002000001), EDGE21);
}

/* Proves: a kick starts all that is armed, and signals all asserted lines, again and again. */
Test(hpet_timers, kick)
{
	start_periodic(0, 100);
	wr(4, CONFIG(1), LEVEL | ENB | ROUTE(20));
	wr(8, COMPARATOR(1), 50);
	cr_expect_eq(expire(1, 500), LEVEL20);
	for (int i = 0; i < 2; i++) {
		memset(&eff, 0, sizeof(eff));
		hpet_kicked(&st, &eff);
		cr_expect_eq(eff.slots, LEVEL20);
		cr_expect_eq(eff.moved, 7);
		cr_expect_eq(due(0), 1000);
		cr_expect(!armed(1));
	}
}

/* Proves: one line for two timers: it stays asserted while one of them has not been cleared. */
Test(hpet_timers, shared_line)
{
	for (int n = 0; n < 2; n++) {
		wr(4, CONFIG(n), LEVEL | ENB | ROUTE(20));
		wr(8, COMPARATOR(n), 100 + n);
	}
	run();
	cr_expect_eq(expire(0, 1000), LEVEL20);
	cr_expect_eq(expire(1, 1010), 0);
	wr(4, STATUS, 1);
	cr_expect_eq(hpet_lines(&st), LEVEL20);
	wr(4, STATUS, 2);
	cr_expect_eq(hpet_lines(&st), 0);
}

/* Proves: far matches are never armed, nor times that 62 bits do not hold. */
Test(hpet_timers, far_future)
{
	wr(4, CONFIG(1), ENB | ROUTE(20));
	run();
	wr(8, COMPARATOR(1), 1ULL << 63);
	cr_expect(!armed(1));
	wr(8, COMPARATOR(1), 461168601842738790); /* 2^62 ns = 461168601842738790.4 ticks */
	cr_expect_eq(due(1), 4611686018427387900);
	wr(8, COMPARATOR(1), 461168601842738791);
	cr_expect(!armed(1));
}

/* Proves: 2.4.2: what the VMM has to do with: routes, level or edge, legacy replacement. */
Test(hpet_timers, writes_of_the_vmm)
{
	static const struct {
		uint64_t off, val;
		bool vmm;
	} rows[] = { { GEN_CONFIG, 1, false },
		     { GEN_CONFIG, 2, true },
		     { GEN_CONFIG, 3, true },
		     { CONFIG(0), ENB | ROUTE(20), false },
		     { CONFIG(0), PERIODIC | VAL_SET | MODE32 | ROUTE(20), false },
		     { CONFIG(0), ROUTE(21), true },
		     { CONFIG(0), 0, true },
		     { CONFIG(0), LEVEL | ROUTE(20), true },
		     { CONFIG(0), ROUTE(5), false }, /* not taken */
		     { CONFIG(1), LEVEL, true },
		     { COMPARATOR(0), LEVEL | ROUTE(21), false },
		     { COUNTER, 2, false },
		     { STATUS, 7, false } };

	wr(4, CONFIG(0), ROUTE(20));
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(hpet_needs_vmm(&st, rows[i].off, 4, rows[i].val), rows[i].vmm,
			     "row %u", i);
}

/* Proves: what passes has changed nothing: unaligned, odd, reserved, read-only, another time. */
Test(hpet_timers, passes)
{
	static const uint32_t odd[] = { 0, 3, 5, 6, 7, 9, 16 };
	struct hpet_state before;
	__u64 val = 77;

	start_periodic(0, 100);
	now = 5000;
	before = st;
	for (uint64_t off = 0; off < 0x400; off++) {
		uint64_t reg = off / 8 * 8;
		bool is = reg == GEN_CONFIG || reg == STATUS || reg == COUNTER;

		for (int n = 0; n < 3; n++)
			is = is || reg == CONFIG(n) || reg == COMPARATOR(n);
		for (uint32_t len = 1; len <= 8; len *= 2) {
			if (is && off % len == 0)
				continue;
			cr_assert_eq(hpet_write(&st, now, off, len, ~0ULL, &eff), LX_PASS,
				     "0x%lx, %u", off, len);
			cr_assert_eq(hpet_read_locked(&st, (int64_t)now, off, len, &val), LX_PASS);
		}
		for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
			cr_assert_eq(hpet_write(&st, now, off, odd[i], ~0ULL, &eff), LX_PASS);
			cr_assert_eq(hpet_read_locked(&st, (int64_t)now, off, odd[i], &val),
				     LX_PASS);
		}
	}
	st.base_ns = 6000;
	before.base_ns = 6000;
	cr_expect_eq(hpet_read_locked(&st, 5000, COMPARATOR(0), 8, &val), LX_PASS);
	cr_expect_eq(hpet_read_locked(&st, 5000, STATUS, 8, &val), LX_PASS);
	cr_expect_eq(val, 77);
	cr_expect_eq(memcmp(&st, &before, sizeof(st)), 0);
}
