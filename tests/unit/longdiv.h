/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tests' own arithmetic, so that the code under test is not measured by
 * itself: a * b in 32-bit limbs as on paper, then long division bit by bit.
 */
#ifndef LONGDIV_H
#define LONGDIV_H

#include <stdbool.h>
#include <stdint.h>

struct wide {
	uint64_t hi, lo;
};

static inline struct wide wide_mul(uint64_t a, uint64_t b)
{
	uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
	uint64_t low = a0 * b0, mid1 = a1 * b0, mid2 = a0 * b1, high = a1 * b1;
	uint64_t carry = (low >> 32) + (uint32_t)mid1 + (uint32_t)mid2;

	return (struct wide){ .hi = high + (mid1 >> 32) + (mid2 >> 32) + (carry >> 32),
			      .lo = carry << 32 | (uint32_t)low };
}

/* @n / @d, rounded down; @d is not 0. */
static inline struct wide wide_div(struct wide n, uint64_t d)
{
	struct wide q = { 0, 0 };
	uint64_t rem = 0;

	for (int bit = 127; bit >= 0; bit--) {
		bool out = rem >> 63;

		rem = rem << 1 | ((bit >= 64 ? n.hi >> (bit - 64) : n.lo >> bit) & 1);
		q.hi = q.hi << 1 | q.lo >> 63;
		q.lo <<= 1;
		if (out || rem >= d) {
			rem -= d;
			q.lo |= 1;
		}
	}
	return q;
}

/* Random numbers that every run repeats (xorshift64*, Vigna 2016). */
static inline uint64_t repeatable_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* The same with 1 to 64 significant bits, so that small numbers come up as well. */
static inline uint64_t random_width(uint64_t *state)
{
	unsigned int shift = repeatable_random(state) >> 58;

	return repeatable_random(state) >> shift;
}

#endif /* LONGDIV_H */
