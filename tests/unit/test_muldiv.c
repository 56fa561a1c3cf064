// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lx_muldiv64() as VMMs compile it: the contract of <lightexit/kfuncs.bpf.h>.
 * The kfunc of the same name is compared with it in tests/vm.
 */
#include <criterion/criterion.h>
#include <inttypes.h>

#include <lightexit/muldiv.h>
#include "longdiv.h"

#define MAX UINT64_MAX

/* Proves: quotients round down and need a 128-bit product. */
Test(muldiv, known_values)
{
	cr_expect_eq(lx_muldiv64(0, 5, 7), 0);
	cr_expect_eq(lx_muldiv64(7, 5, 7), 5);
	cr_expect_eq(lx_muldiv64(10, 10, 3), 33);
	cr_expect_eq(lx_muldiv64(MAX, MAX, MAX), 18446744073709551615ULL);
	/* bc: 10^18 * 10^18 / (10^18 + 1) */
	cr_expect_eq(lx_muldiv64(1000000000000000000, 1000000000000000000, 1000000000000000001),
		     999999999999999999ULL);
	/* bc: (2^64-1) * 3579545 / 10^9, 584 years of the ACPI PM timer */
	cr_expect_eq(lx_muldiv64(MAX, 3579545, 1000000000), 66030950515326656ULL);
}

/* Proves: a divisor of 0 gives 0 and no trap. */
Test(muldiv, zero_divisor)
{
	cr_expect_eq(lx_muldiv64(0, 0, 0), 0);
	cr_expect_eq(lx_muldiv64(1, 1, 0), 0);
	cr_expect_eq(lx_muldiv64(MAX, MAX, 0), 0);
}

/* Proves: the first quotient past 64 bits saturates, and the last before it does not. */
Test(muldiv, saturation)
{
	cr_expect_eq(lx_muldiv64(MAX, MAX, 1), MAX);
	cr_expect_eq(lx_muldiv64(1ULL << 32, 1ULL << 32, 1), MAX);
	cr_expect_eq(lx_muldiv64(1ULL << 63, 2, 1), MAX);
	cr_expect_eq(lx_muldiv64(MAX, 2, 1), MAX);
	cr_expect_eq(lx_muldiv64(1ULL << 63, 2, 2), 1ULL << 63);
	/* (2^32-1)(2^32+1) = 2^64-1 fits exactly; 2^64 / 1 is one more. */
	cr_expect_eq(lx_muldiv64(0xffffffffULL, 0x100000001ULL, 1), MAX);
	cr_expect_eq(lx_muldiv64(0xffffffffULL, 0xffffffffULL, 1), 0xfffffffe00000001ULL);
	/* high64(a * b) = c - 1 fits, high64(a * b) = c does not. */
	cr_expect_eq(lx_muldiv64(0xfffffffffffffffeULL, 3, 3), 0xfffffffffffffffeULL);
	cr_expect_eq(lx_muldiv64(1ULL << 63, 6, 3), MAX);
}

/* Proves: equal to long division on 10^6 triples, of which many saturate and many do not. */
Test(muldiv, random_triples)
{
	uint64_t seed = 0x4c584554, saturated = 0, a, b, c, want, got;

	for (int i = 0; i < 1000000; i++) {
		struct wide q;

		a = random_width(&seed);
		b = random_width(&seed);
		c = random_width(&seed);
		if (!c)
			continue;
		q = wide_div(wide_mul(a, b), c);
		want = q.hi ? MAX : q.lo;
		got = lx_muldiv64(a, b, c);
		saturated += q.hi != 0;
		cr_assert_eq(got, want,
			     "%" PRIu64 " * %" PRIu64 " / %" PRIu64 " = %" PRIu64
			     ", long division says %" PRIu64,
			     a, b, c, got, want);
	}
	cr_expect(saturated > 100000 && saturated < 900000, "%" PRIu64 " saturated", saturated);
}

/* Proves: the tests' own arithmetic is right where the answer is known by hand. */
Test(muldiv, long_division_itself)
{
	struct wide p = wide_mul(MAX, MAX), q;

	/* (2^64-1)^2 = 2^128 - 2^65 + 1 */
	cr_expect_eq(p.hi, 0xfffffffffffffffeULL);
	cr_expect_eq(p.lo, 1);
	q = wide_div(p, MAX);
	cr_expect_eq(q.hi, 0);
	cr_expect_eq(q.lo, MAX);
	/* 2^127 / 3 = 56713727820156410577229101238628035242 (bc) */
	q = wide_div((struct wide){ .hi = 1ULL << 63 }, 3);
	cr_expect_eq(q.hi, 0x2aaaaaaaaaaaaaaaULL);
	cr_expect_eq(q.lo, 0xaaaaaaaaaaaaaaaaULL);
}
