/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The churn guest: uses both sets of the churn device until it is told to stop. Host and guest. */
#ifndef CHURN_H
#define CHURN_H

#include <stdint.h>

#include "bpf/vt_churn.h"

#define CHURN_INS 64U  /* elements of an input string */
#define CHURN_OUTS 16U /* elements of an output string; each passed one is a heavy exit */

/**
 * struct churn_result - what a vCPU did
 * @rounds: over all registers
 * @n:      accesses of each kind; string elements count
 * @bad:    values read that were not the next
 * @kind, @got, @due: of the first bad one
 */
struct churn_result {
	uint64_t rounds;
	uint64_t n[VT_CHURN_KINDS];
	uint64_t bad;
	uint64_t kind;
	uint64_t got;
	uint64_t due;
};

struct churn_params {
	uint32_t stop; /* writer: the host */
	uint32_t pad;
	struct churn_result result[VT_CHURN_VCPUS];
};

#endif /* CHURN_H */
