/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The parameter block of examples/hpet. Shared by host and guest. */
#ifndef HPET_PARAMS_H
#define HPET_PARAMS_H

#include <stdint.h>

enum hpet_reg {
	REG_HPET64 = 0, /* main counter, 8 bytes */
	REG_HPET32,	/* main counter, low 4 bytes */
	REG_PMTIMER,
	REG_COUNT,
};

/* What a vCPU saw. Steps are between two reads that follow each other, in ticks. */
struct reg_result {
	uint64_t accesses;
	uint64_t backward; /* steps below 0, by the register's width */
	int64_t min_step;
	int64_t max_step;
	uint64_t first;
	uint64_t last;
};

/**
 * struct hpet_params - one run: one register
 * @reg:     enum hpet_reg. Writer: host
 * @vcpus:   Writer: host
 * @reads:   per vCPU, at least 2. Writer: host
 * @hpet:    guest-physical address. Writer: host
 * @pmtimer: port. Writer: host
 * @gate:    0; where the vCPUs meet before they read. Writer: guest
 * @results: per vCPU. Writer: guest
 */
struct hpet_params {
	uint32_t reg;
	uint32_t vcpus;
	uint64_t reads;
	uint64_t hpet;
	uint16_t pmtimer;
	uint16_t pad;
	uint32_t gate;
	struct reg_result results[];
};

#endif /* HPET_PARAMS_H */
