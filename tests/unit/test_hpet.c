// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET's model against the IA-PC HPET specification 1.0a, sections 2.3.2 to
 * 2.3.7. Expected values are literals worked out with bc: after ns nanoseconds
 * the counter moved by ns * 10^6 / period (femtoseconds), rounded down.
 */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "hpet_model.h"
#include "longdiv.h"

#define BASE 987654321ULL /* any device time at which the counter started */
#define SEC 1000000000ULL
#define UNTOUCHED 0x5555aaaa5555aaaaULL

/*
 * 2.3.4: bits 63:32 period in fs, 31:16 vendor 8086h, 15 legacy capable, 13 a
 * 64-bit counter, 12:8 last timer (2), 7:0 revision 1. The period is 10 ns =
 * 10,000,000 fs = 989680h (QEMU's), or that of 14.31818 MHz: 69,841,279 fs =
 * 429b17fh (Intel's chipsets).
 */
#define CAP_10NS 0x009896808086a201ULL
#define CAP_14MHZ 0x0429b17f8086a201ULL
#define RUNNING 1ULL /* 2.3.5: ENABLE_CNF is bit 0 */

static struct hpet_state started(__u64 cap, __u64 counter)
{
	return (struct hpet_state){
		.cap = cap, .config = RUNNING, .counter = counter, .base_ns = BASE
	};
}

static void expect_value(const struct hpet_state *st, __u64 ns, __u64 off, __u32 len, __u64 want)
{
	__u64 val = UNTOUCHED;
	int ret = hpet_read(st, (__s64)(BASE + ns), off, len, &val);

	cr_expect_eq(ret, LX_HANDLED, "+%llu ns, offset 0x%llx, %u bytes: passed", ns, off, len);
	cr_expect_eq(val, want, "+%llu ns, offset 0x%llx, %u bytes: 0x%llx, not 0x%llx", ns, off,
		     len, val, want);
}

static void expect_pass(const struct hpet_state *st, __u64 ns, __u64 off, __u32 len)
{
	__u64 val = UNTOUCHED;
	int ret = hpet_read(st, (__s64)ns, off, len, &val);

	cr_expect_eq(ret, LX_PASS, "at %llu ns, offset 0x%llx, %u bytes: handled", ns, off, len);
	cr_expect_eq(val, UNTOUCHED, "a pass wrote 0x%llx", val);
}

/* Proves: with a period of 10 ns the counter at time t is t / 10 ns (2.3.4, 2.3.7). */
Test(hpet, period_10ns)
{
	struct hpet_state st = started(CAP_10NS, 0);

	expect_value(&st, 0, 0xf0, 8, 0);
	expect_value(&st, 9, 0xf0, 8, 0);
	expect_value(&st, 10, 0xf0, 8, 1);
	expect_value(&st, 99, 0xf0, 8, 9);
	expect_value(&st, 100, 0xf0, 8, 10);
	expect_value(&st, SEC, 0xf0, 8, 100000000);
	expect_value(&st, 3600 * SEC, 0xf0, 8, 360000000000);
}

/* Proves: a period that is no whole number of ns is not rounded before the division. */
Test(hpet, period_14mhz)
{
	struct hpet_state st = started(CAP_14MHZ, 0);

	expect_value(&st, 69, 0xf0, 8, 0);
	expect_value(&st, 70, 0xf0, 8, 1); /* 69.841279 ns */
	expect_value(&st, 139, 0xf0, 8, 1);
	expect_value(&st, 140, 0xf0, 8, 2); /* 139.682558 ns */
	expect_value(&st, 1000, 0xf0, 8, 14);
	expect_value(&st, SEC, 0xf0, 8, 14318179); /* 10^15 / 69841279 = 14318179.9 */
	expect_value(&st, SEC + 5, 0xf0, 8, 14318180);
	/* A day, where 69 or 70 ns would be off by seconds: 8.64 * 10^19 / 69841279 */
	expect_value(&st, 86400 * SEC, 0xf0, 8, 1237090746863);
}

/* Proves: the counter goes on from the value that was written to it (2.3.7). */
Test(hpet, starts_from_counter)
{
	struct hpet_state st = started(CAP_10NS, 0x0123456789abcdef);

	expect_value(&st, 0, 0xf0, 8, 0x0123456789abcdef);
	expect_value(&st, 9, 0xf0, 8, 0x0123456789abcdef);
	expect_value(&st, 10, 0xf0, 8, 0x0123456789abcdf0);
	expect_value(&st, 170, 0xf0, 8, 0x0123456789abce00);
}

/* Proves: the halves at 0f0h and 0f4h, with the carry from one to the other (2.3.2, 2.3.7). */
Test(hpet, halves)
{
	struct hpet_state st = started(CAP_10NS, 0x1fffffffe);

	expect_value(&st, 19, 0xf0, 4, 0xffffffff);
	expect_value(&st, 19, 0xf4, 4, 1);
	expect_value(&st, 20, 0xf0, 4, 0);
	expect_value(&st, 20, 0xf4, 4, 2);
	expect_value(&st, 20, 0x00, 4, 0x8086a201);
	expect_value(&st, 20, 0x04, 4, 0x00989680);
	expect_value(&st, 20, 0x10, 4, 1);
	expect_value(&st, 20, 0x14, 4, 0);
}

/* Proves: each byte and word of the counter and of the capabilities, where it lies. */
Test(hpet, bytes_and_words)
{
	static const __u8 bytes[8] = { 0xf0, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01 };
	static const __u16 words[4] = { 0xa201, 0x8086, 0x9680, 0x0098 };
	struct hpet_state st = started(CAP_10NS, 0x0123456789abcdef);

	for (unsigned int i = 0; i < 8; i++)
		expect_value(&st, 10, 0xf0 + i, 1, bytes[i]);
	for (unsigned int i = 0; i < 4; i++)
		expect_value(&st, 10, 2 * i, 2, words[i]);
	expect_value(&st, 10, 0xf2, 2, 0x89ab);
	expect_value(&st, 10, 0x13, 1, 0);
}

/* Proves: capabilities and configuration read back as they are, and do not move with time. */
Test(hpet, fixed_registers)
{
	struct hpet_state st = started(CAP_14MHZ, 5);

	st.config = 3; /* 2.3.5: ENABLE_CNF and LEG_RT_CNF */
	for (__u64 ns = 0; ns < 3 * SEC; ns += SEC) {
		expect_value(&st, ns, 0x00, 8, 0x0429b17f8086a201);
		expect_value(&st, ns, 0x10, 8, 3);
	}
}

/* Proves: a halted counter stands still, LEG_RT_CNF or not (2.3.5: ENABLE_CNF). */
Test(hpet, halted)
{
	struct hpet_state st = started(CAP_10NS, 0xfedcba9876543210);

	for (st.config = 0; st.config < 4; st.config += 2) {
		expect_value(&st, 0, 0xf0, 8, 0xfedcba9876543210);
		expect_value(&st, 3600 * SEC, 0xf0, 8, 0xfedcba9876543210);
		expect_value(&st, 3600 * SEC, 0xf0, 4, 0x76543210);
		expect_value(&st, 3600 * SEC, 0xf4, 4, 0xfedcba98);
	}
}

/* Proves: the counter rolls over from 2^64 - 1 to 0 (2.3.7). */
Test(hpet, overflow_64)
{
	struct hpet_state st = started(CAP_10NS, 0xfffffffffffffffe);

	expect_value(&st, 19, 0xf0, 8, 0xffffffffffffffff);
	expect_value(&st, 20, 0xf0, 8, 0);
	expect_value(&st, 20, 0xf4, 4, 0);
	expect_value(&st, 30, 0xf0, 8, 1);
}

/* Proves: 292 years on, where time * 10^6 needs more than 64 bits, the counter is right. */
Test(hpet, far_future)
{
	struct hpet_state st = started(CAP_14MHZ, 0);

	/* bc: 2^62 * 10^6 / 69841279 = 66030950241151624 */
	expect_value(&st, 1ULL << 62, 0xf0, 8, 66030950241151624);
}

/* Proves: only naturally aligned reads of 1, 2, 4 or 8 bytes are answered. */
Test(hpet, unaligned_and_odd_lengths_pass)
{
	static const __u32 odd[] = { 0, 3, 5, 6, 7, 9, 16, UINT32_MAX };
	static const __u64 regs[] = { 0x00, 0x10, 0xf0 };
	struct hpet_state st = started(CAP_10NS, 1);

	for (unsigned int r = 0; r < 3; r++) {
		for (__u64 i = 0; i < 8; i++) {
			for (unsigned int l = 0; l < sizeof(odd) / sizeof(odd[0]); l++)
				expect_pass(&st, BASE, regs[r] + i, odd[l]);
			if (i % 2)
				expect_pass(&st, BASE, regs[r] + i, 2);
			if (i % 4)
				expect_pass(&st, BASE, regs[r] + i, 4);
			if (i)
				expect_pass(&st, BASE, regs[r] + i, 8);
		}
	}
}

/* Proves: every other byte of the block, and what lies past it, is the VMM's (2.3.3). */
Test(hpet, other_registers_pass)
{
	struct hpet_state st = started(CAP_10NS, 1);

	for (__u64 off = 0; off < 0x800; off++) {
		__u64 reg = off / 8 * 8;

		if (reg == 0x00 || reg == 0x10 || reg == 0xf0)
			continue;
		for (__u32 len = 1; len <= 8; len *= 2)
			expect_pass(&st, BASE, off, len);
	}
	expect_pass(&st, BASE, 1ULL << 32, 4);
	expect_pass(&st, BASE, UINT64_MAX - 7, 8);
}

/* Proves: a counter whose time has not come passes; the registers without time do not. */
Test(hpet, before_base_passes)
{
	struct hpet_state st = started(CAP_10NS, 1);

	expect_pass(&st, BASE - 1, 0xf0, 8);
	expect_pass(&st, 0, 0xf4, 4);
	expect_pass(&st, -1ULL, 0xf0, 8); /* a clock that was set back */
	expect_value(&st, 0, 0xf0, 8, 1);
	expect_value(&st, -1ULL, 0x10, 8, 1);
	expect_value(&st, -1ULL, 0x00, 8, 0x009896808086a201);
}

/* Proves: a period of 0 or above 100 ns (2.3.4: at most 05f5e100h) is never counted by. */
Test(hpet, period_range)
{
	struct hpet_state st = started(0x00000000ULL << 32, 0);

	expect_pass(&st, BASE + SEC, 0xf0, 8);
	st.cap = 0x05f5e101ULL << 32;
	expect_pass(&st, BASE + SEC, 0xf0, 8);
	st.cap = 0xffffffffULL << 32;
	expect_pass(&st, BASE + SEC, 0xf0, 8);
	st.cap = 0x05f5e100ULL << 32;
	expect_value(&st, SEC, 0xf0, 8, 10000000);
}

/* Proves: 10^5 reads at any period, start, time and part equal long division. */
Test(hpet, random_times)
{
	uint64_t seed = 0x48504554;

	for (int i = 0; i < 100000; i++) {
		/* From 1 ns on, so that 584 years of ticks fit 64 bits. */
		__u64 period = 1000000 + repeatable_random(&seed) % 99000001;
		struct hpet_state st = started(period << 32, repeatable_random(&seed));
		__u32 len = 1U << repeatable_random(&seed) % 4;
		__u64 in_reg = repeatable_random(&seed) % (8 / len) * len;
		__u64 ns = random_width(&seed) >> 2;
		uint64_t count = st.counter + wide_div(wide_mul(ns, 1000000), period).lo;
		uint64_t want = 0;

		for (unsigned int byte = 0; byte < len; byte++)
			want |= (count >> (8 * (in_reg + byte)) & 0xff) << (8 * byte);
		expect_value(&st, ns, 0xf0 + in_reg, len, want);
	}
}
