/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* examples/hpet --timer: a guest that an HPET's comparators interrupt. */
#ifndef HPET_TIMER_H
#define HPET_TIMER_H

#include "common.h"
#include "params.h"

struct timer_config {
	const struct example_opts *common;
	enum lx_clock clock;
	bool kinds[TIMER_COUNT];
	uint64_t interrupts;
	uint64_t period_us;
};

/* Runs and prints. Return: 0 or a negative errno */
int timer_run(const struct timer_config *c);

#endif /* HPET_TIMER_H */
