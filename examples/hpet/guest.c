// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads a time counter over and over, as an operating system would, and watches it. */
#include <lightexit/dev/hpet.h>

#include "guest.h"
#include "params.h"

static inline uint64_t read_reg(const struct hpet_params *p, uint32_t reg)
{
	switch (reg) {
	case REG_HPET64:
		return mmio_read64(p->hpet + HPET_COUNTER);
	case REG_HPET32:
		return mmio_read32(p->hpet + HPET_COUNTER);
	default:
		return inl(p->pmtimer);
	}
}

/* Ticks from one value to the next, in which a counter of 32 bits may have wrapped. */
static inline int64_t step_of(uint32_t reg, uint64_t from, uint64_t to)
{
	return reg == REG_HPET64 ? (int64_t)(to - from) : (int32_t)(to - from);
}

static void watch(const struct hpet_params *p, struct reg_result *r)
{
	const uint32_t reg = p->reg;
	int64_t min = INT64_MAX, max = INT64_MIN;
	uint64_t last = read_reg(p, reg), backward = 0;

	r->first = last;
	for (uint64_t i = 1; i < p->reads; i++) {
		uint64_t now = read_reg(p, reg);
		int64_t step = step_of(reg, last, now);

		backward += step < 0;
		min = step < min ? step : min;
		max = step > max ? step : max;
		last = now;
	}
	r->last = last;
	r->min_step = min;
	r->max_step = max;
	r->backward = backward;
	r->accesses = p->reads;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct hpet_params *p = params;

	/* 2.3.5: set ENABLE_CNF, leave the other bits. */
	if (!vcpu && p->reg != REG_PMTIMER)
		mmio_write32(p->hpet + HPET_CONFIG,
			     mmio_read32(p->hpet + HPET_CONFIG) | HPET_CONFIG_ENABLE);
	guest_barrier(&p->gate, p->vcpus);
	watch(p, &p->results[vcpu]);
	return 0;
}
