// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The PM timer's model against ACPI 6.5, sections 4.8.2.1 and 4.8.3.3. Expected
 * values are literals worked out with bc, as said beside them; the first
 * nanosecond of tick n is ceil(n * 10^9 / 3579545), in bc:
 *   (n * 10^9 + 3579544) / 3579545
 */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "pmtimer_model.h"
#include "longdiv.h"

#define SEC 1000000000ULL
#define UNTOUCHED 0x5555aaaa5555aaaaULL

static int timer_read(unsigned int bits, __s64 ns, __u64 off, __u32 len, __u64 *val)
{
	struct pmtimer_state st = { .bits = bits };

	*val = UNTOUCHED;
	return pmtimer_read(&st, ns, off, len, val);
}

static void expect_value(unsigned int bits, __u64 ns, __u64 off, __u32 len, __u64 want)
{
	__u64 val;
	int ret = timer_read(bits, (__s64)ns, off, len, &val);

	cr_expect_eq(ret, LX_HANDLED, "%u bits, +%llu ns, offset %llu, %u bytes: passed", bits, ns,
		     off, len);
	cr_expect_eq(val, want, "%u bits, +%llu ns, offset %llu, %u bytes: 0x%llx, not 0x%llx",
		     bits, ns, off, len, val, want);
}

static void expect_pass(unsigned int bits, __s64 ns, __u64 off, __u32 len)
{
	__u64 val;
	int ret = timer_read(bits, ns, off, len, &val);

	cr_expect_eq(ret, LX_PASS, "%u bits, at %lld ns, offset %llu, %u bytes: handled", bits, ns,
		     off, len);
	cr_expect_eq(val, UNTOUCHED, "a pass wrote 0x%llx", val);
}

/* Proves: 3.579545 MHz (4.8.2.1): the count after 0 s, 1 s, 2 s, 1 h, and at single ticks. */
Test(pmtimer, frequency)
{
	expect_value(32, 0, 0, 4, 0);
	expect_value(32, 279, 0, 4, 0); /* a tick is 279.365 ns */
	expect_value(32, 280, 0, 4, 1);
	expect_value(32, 558, 0, 4, 1);
	expect_value(32, 559, 0, 4, 2);
	expect_value(32, SEC - 1, 0, 4, 3579544);
	expect_value(32, SEC, 0, 4, 3579545);
	expect_value(32, 2 * SEC, 0, 4, 7159090);
	/* 3600 * 3579545 = 12886362000; minus 3 * 2^32 */
	expect_value(32, 3600 * SEC, 0, 4, 1460112);
}

/* Proves: a 24-bit timer wraps after 2^24 ticks, 4.686968875 s, and its upper byte is 0. */
Test(pmtimer, wrap_24)
{
	expect_value(24, 4686968595, 0, 4, 0x00fffffe);
	expect_value(24, 4686968596, 0, 4, 0x00ffffff);
	expect_value(24, 4686968874, 0, 4, 0x00ffffff);
	expect_value(24, 4686968875, 0, 4, 0);
	expect_value(24, 4686969154, 0, 4, 1);
	/* 5 * 3579545 = 17897725 = 2^24 + 1120509 */
	expect_value(24, 5 * SEC, 0, 4, 1120509);
	expect_value(24, 5 * SEC, 3, 1, 0);
}

/* Proves: a 32-bit timer goes on over 2^24, and wraps after 2^32 ticks, 1199.864031882 s. */
Test(pmtimer, wrap_32)
{
	expect_value(32, 4686968875, 0, 4, 0x01000000);
	expect_value(32, 4686968875, 3, 1, 1);
	expect_value(32, 1199864031602, 0, 4, 0xffffffff);
	expect_value(32, 1199864031881, 0, 4, 0xffffffff);
	expect_value(32, 1199864031882, 0, 4, 0);
}

/* Proves: 292 years on, the product needs more than 64 bits and is still right. */
Test(pmtimer, far_future)
{
	__u64 val;
	struct pmtimer_state st = { .bits = 32 };

	/* bc: (2^63-1) * 3579545 / 10^9 = 33015475257663328 = 0x754b665ad2df60 */
	cr_expect_eq(pmtimer_read(&st, INT64_MAX, 0, 4, &val), LX_HANDLED);
	cr_expect_eq(val, 0x5ad2df60);
}

/*
 * Proves: bytes, words and the double word at their offsets (4.8.3.3, little endian).
 * 100 s: 357954500 = 0x1555f3c4.
 */
Test(pmtimer, parts)
{
	static const __u8 bytes[4] = { 0xc4, 0xf3, 0x55, 0x15 };

	for (unsigned int i = 0; i < 4; i++)
		expect_value(32, 100 * SEC, i, 1, bytes[i]);
	expect_value(32, 100 * SEC, 0, 2, 0xf3c4);
	expect_value(32, 100 * SEC, 1, 2, 0x55f3);
	expect_value(32, 100 * SEC, 2, 2, 0x1555);
	expect_value(32, 100 * SEC, 0, 4, 0x1555f3c4);
	expect_value(24, 100 * SEC, 0, 4, 0x0055f3c4);
	expect_value(24, 100 * SEC, 2, 2, 0x0055);
	expect_value(24, 100 * SEC, 3, 1, 0);
}

/* Proves: what reaches out of the four bytes passes, whatever the sums wrap to. */
Test(pmtimer, straddles_pass)
{
	static const __u32 lens[] = { 1, 2, 4 };

	for (unsigned int i = 0; i < 3; i++) {
		for (__u64 off = 5 - lens[i]; off < 16; off++)
			expect_pass(32, SEC, off, lens[i]);
		expect_pass(32, SEC, UINT64_MAX, lens[i]);
		expect_pass(32, SEC, UINT64_MAX - lens[i] + 1, lens[i]);
		expect_pass(32, SEC, 1ULL << 32, lens[i]);
	}
}

/* Proves: lengths that are not 1, 2 or 4 pass at every offset. */
Test(pmtimer, lengths_pass)
{
	static const __u32 lens[] = { 0, 3, 5, 6, 7, 8, 16, UINT32_MAX };

	for (unsigned int i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (__u64 off = 0; off < 5; off++)
			expect_pass(32, SEC, off, lens[i]);
}

/* Proves: a time before the counter's zero passes; the zero itself is answered. */
Test(pmtimer, before_base_passes)
{
	expect_pass(32, -1, 0, 4);
	expect_pass(24, INT64_MIN, 0, 4);
	expect_value(24, 0, 0, 4, 0);
}

/* Proves: only the widths that the FADT can tell (5.2.9, TMR_VAL_EXT) are answered. */
Test(pmtimer, other_widths_pass)
{
	for (unsigned int bits = 0; bits < 70; bits++)
		if (bits != 24 && bits != 32)
			expect_pass(bits, SEC, 0, 4);
	expect_pass(UINT32_MAX, SEC, 0, 4);
}

/* Proves: 10^5 reads of any width, time and part equal long division. */
Test(pmtimer, random_times)
{
	uint64_t seed = 0x504d5452;

	for (int i = 0; i < 100000; i++) {
		unsigned int bits = repeatable_random(&seed) & 1 ? 24 : 32;
		__u32 len = 1U << repeatable_random(&seed) % 3;
		__u64 off = repeatable_random(&seed) % (5 - len);
		__u64 ns = random_width(&seed) >> 1;
		uint64_t ticks = wide_div(wide_mul(ns, 3579545), 1000000000).lo;
		uint64_t want = 0;

		if (bits == 24)
			ticks &= 0xffffff;
		for (unsigned int byte = 0; byte < len; byte++)
			want |= (ticks >> (8 * (off + byte)) & 0xff) << (8 * byte);
		expect_value(bits, ns, off, len, want);
	}
}
