/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The guest that writes one register of the HPET now and then, and reads it all the time, in
 * all lengths: is it what the specification says? Host and guest.
 */
#ifndef HPETREGS_GUEST_H
#define HPETREGS_GUEST_H

#include <stdint.h>

enum hpetregs {
	HPETREGS_CAP = 0,
	HPETREGS_CONFIG,
	HPETREGS_STATUS,
	HPETREGS_COUNTER, /* halted */
	HPETREGS_TN_CONFIG,
	HPETREGS_ONE_SHOT, /* comparators */
	HPETREGS_PERIODIC, /* the comparator of timer 0, running */
};

/* Reads between two changes of a register. */
#define HPETREGS_READS 256U

/**
 * struct hpetregs_params - the parameter block
 * @base, @reg, @seed, @cap: of the HPET, enum hpetregs, random numbers', what 000h has.
 *          Writer: host
 * @stop:   1: enough. Writer: host
 * @reads:  of the register
 * @wrong:  of them, those that were not right; the first: offset and length, value, due
 */
struct hpetregs_params {
	uint64_t base;
	uint64_t seed;
	uint64_t cap;
	uint32_t reg;
	uint32_t stop;
	uint64_t reads;
	uint64_t wrong;
	uint64_t bad[4];
};

#endif /* HPETREGS_GUEST_H */
