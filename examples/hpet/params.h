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
	REG_TIMER = REG_COUNT, /* none: interrupts, by struct timer_params */
};

enum hpet_timer {
	TIMER_ONE_SHOT = 0, /* set anew for each interrupt, edge-triggered, as by Linux */
	TIMER_PERIODIC,	    /* level-triggered: its status is read, and cleared */
	TIMER_COUNT,
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

#define TIMER_INPUT 20U
#define TIMER_VECTOR 0x50U

/**
 * struct timer_params - one run of a timer
 * @reg:        REG_TIMER, where struct hpet_params has it. Writer: host
 * @kind:       enum hpet_timer. Writer: host
 * @hpet:       guest-physical address. Writer: host
 * @ticks:      from an interrupt to the next. Writer: host
 * @interrupts: that end the run. Writer: host
 * @taken:      so far. Writer: guest
 * @accesses:   to the HPET. Writer: guest
 * @counts:     irq.h's. Writer: guest
 */
struct timer_params {
	uint32_t reg;
	uint32_t kind;
	uint64_t hpet;
	uint64_t ticks;
	uint64_t interrupts;
	uint64_t taken;
	uint64_t accesses;
	uint32_t counts[256];
};

#endif /* HPET_PARAMS_H */
