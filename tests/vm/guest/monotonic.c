// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The monotonic guest; see monotonic.h. */
#include <lightexit/dev/hpet.h>

#include "guest.h"
#include "../monotonic.h"

static uint64_t counter(const struct monotonic_params *p)
{
	switch (p->kind) {
	case MONOTONIC_HPET:
		return mmio_read64(p->addr + HPET_COUNTER);
	case MONOTONIC_HPET32:
		return mmio_read32(p->addr + HPET_COUNTER);
	default:
		return inl((uint16_t)p->addr);
	}
}

/* Atomic, and a full fence: who sees the value has it before its own next read. */
static void raise_max(uint64_t *max, uint64_t val)
{
	uint64_t old = __atomic_load_n(max, __ATOMIC_SEQ_CST);

	while (old < val && !__atomic_compare_exchange_n(max, &old, val, false, __ATOMIC_SEQ_CST,
							 __ATOMIC_SEQ_CST))
		;
}

/* Halted, the counter stays; a value that was read before is not above it. */
static void set_forward(const struct monotonic_params *p)
{
	uint64_t val;

	mmio_write32(p->addr + HPET_CONFIG, 0);
	val = mmio_read64(p->addr + HPET_COUNTER);
	mmio_write64(p->addr + HPET_COUNTER, val + 1000);
	mmio_write32(p->addr + HPET_CONFIG, HPET_CONFIG_ENABLE);
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct monotonic_params *p = arg;
	struct monotonic_result *r = &p->result[vcpu];
	uint64_t before, now;

	guest_barrier(&p->gate, p->vcpus);
	while (r->reads < p->reads) {
		before = __atomic_load_n(&p->max, __ATOMIC_SEQ_CST);
		now = counter(p);
		r->reads++;
		if (now < before && !r->steps++) {
			r->before = before;
			r->after = now;
		}
		raise_max(&p->max, now);
		if (p->writes && vcpu == 0 && r->reads % p->writes == 0)
			set_forward(p);
	}
	return 0;
}
