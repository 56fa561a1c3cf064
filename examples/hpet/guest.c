// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads a time counter over and over, as an operating system would, and watches it; or has
 * the HPET interrupt it.
 */
#include <lightexit/dev/hpet.h>

#include "irq.h"
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

static struct timer_params *timer;

static uint32_t get(uint32_t reg)
{
	timer->accesses++;
	return mmio_read32(timer->hpet + reg);
}

static void put(uint32_t reg, uint32_t val)
{
	timer->accesses++;
	mmio_write32(timer->hpet + reg, val);
}

static void interrupted(unsigned int vector)
{
	if (timer->kind == TIMER_PERIODIC) {
		if (!(get(HPET_STATUS) & 1))
			return;
		put(HPET_STATUS, 1);
	}
	__atomic_fetch_add(&timer->taken, 1, __ATOMIC_RELEASE);
}

/* Halts until @n have been taken. Interrupts are off, before and after. */
static void wait_taken(uint64_t n)
{
	while (__atomic_load_n(&timer->taken, __ATOMIC_ACQUIRE) < n)
		asm volatile("sti; hlt; cli" : : : "memory");
}

/* Linux's hpet_clkevt_set_next_event(): the counter may have passed what was written. */
static void set_next(void)
{
	uint32_t next;

	do {
		next = get(HPET_COUNTER) + (uint32_t)timer->ticks;
		put(HPET_TN_BASE + HPET_TN_COMPARATOR, next);
	} while ((int32_t)(get(HPET_COUNTER) - next) >= 0);
}

static void one_shot(void)
{
	put(HPET_TN_BASE + HPET_TN_CONFIG,
	    HPET_TN_ENABLE | HPET_TN_32BIT | TIMER_INPUT << HPET_TN_ROUTE_SHIFT);
	put(HPET_CONFIG, HPET_CONFIG_ENABLE);
	while (timer->taken < timer->interrupts) {
		uint64_t n = timer->taken + 1;

		set_next();
		wait_taken(n);
	}
}

/* 2.3.9.2.2: the first match, and the period. */
static void periodic(void)
{
	put(HPET_TN_BASE + HPET_TN_CONFIG, HPET_TN_ENABLE | HPET_TN_32BIT | HPET_TN_PERIODIC |
						   HPET_TN_LEVEL | HPET_TN_VAL_SET |
						   TIMER_INPUT << HPET_TN_ROUTE_SHIFT);
	put(HPET_TN_BASE + HPET_TN_COMPARATOR, (uint32_t)timer->ticks);
	put(HPET_CONFIG, HPET_CONFIG_ENABLE);
	wait_taken(timer->interrupts);
}

static void run_timer(struct timer_params *p)
{
	timer = p;
	irq_init(p->counts);
	irq_set_handler(TIMER_VECTOR, interrupted);
	ioapic_route(TIMER_INPUT, TIMER_VECTOR, p->kind == TIMER_PERIODIC, lapic_id());
	if (p->kind == TIMER_ONE_SHOT)
		one_shot();
	else
		periodic();
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct hpet_params *p = params;

	if (p->reg == REG_TIMER) {
		run_timer(params);
		return 0;
	}
	/* 2.3.5: set ENABLE_CNF, leave the other bits. */
	if (!vcpu && p->reg != REG_PMTIMER)
		mmio_write32(p->hpet + HPET_CONFIG,
			     mmio_read32(p->hpet + HPET_CONFIG) | HPET_CONFIG_ENABLE);
	guest_barrier(&p->gate, p->vcpus);
	watch(p, &p->results[vcpu]);
	return 0;
}
