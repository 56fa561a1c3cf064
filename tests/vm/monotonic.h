/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The monotonic guest: all vCPUs read a counter and check that it takes no
 * backward step, neither on a vCPU nor from one to another: each reads the
 * largest value that any vCPU has read, then the counter. Host and guest.
 */
#ifndef MONOTONIC_H
#define MONOTONIC_H

#include <stdint.h>

#define MONOTONIC_VCPUS 8U

/* enum monotonic_kind - which counter */
enum monotonic_kind {
	MONOTONIC_HPET = 0, /* 8 bytes of MMIO at @addr */
	MONOTONIC_HPET32,   /* the lower 4 bytes */
	MONOTONIC_PMTIMER,  /* 4 bytes of port @addr; 32 bits must not wrap */
};

/* Of one vCPU: reads done, and the first backward step. */
struct monotonic_result {
	uint64_t reads;
	uint64_t steps;
	uint64_t before;
	uint64_t after;
};

/**
 * struct monotonic_params - the parameter block
 * @kind:   enum monotonic_kind
 * @vcpus:  that begin together
 * @addr:   of the counter, or of the HPET
 * @reads:  of each vCPU
 * @writes: if not 0: vCPU 0, after each so many reads, halts the HPET, sets its
 *          counter somewhat forward and starts it again
 * @gate:   0
 * @max:    largest value read
 */
struct monotonic_params {
	uint32_t kind;
	uint32_t vcpus;
	uint64_t addr;
	uint64_t reads;
	uint64_t writes;
	uint32_t gate;
	uint32_t pad;
	uint64_t max;
	struct monotonic_result result[MONOTONIC_VCPUS];
};

#endif /* MONOTONIC_H */
