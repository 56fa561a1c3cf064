// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The HPET guest; see hpet_guest.h. */
#include <lightexit/dev/hpet.h>

#include "guest.h"
#include "irq.h"
#include "../hpet_guest.h"

static struct hpet_guest_params *p;
static uint64_t next; /* the counter at which the next interrupt may come */
static unsigned int expected = HPET_GUEST_VECTOR;

static uintptr_t timer_reg(uint32_t reg)
{
	return p->base + HPET_TN_BASE + p->timer * HPET_TN_SIZE + reg;
}

static uint64_t counter(void)
{
	return mmio_read64(p->base + HPET_COUNTER);
}

static bool is_periodic(void)
{
	return p->config & HPET_TN_PERIODIC;
}

/* Returns whether it was set. */
static bool clear_status(void)
{
	uint32_t bit = 1U << p->timer;

	if (!(mmio_read32(p->base + HPET_STATUS) & bit))
		return false;
	mmio_write32(p->base + HPET_STATUS, bit);
	/* A periodic one's next match may have come already. */
	p->stuck += !is_periodic() && mmio_read32(p->base + HPET_STATUS) & bit;
	return true;
}

static void interrupted(unsigned int vector)
{
	uint64_t now = counter();

	if (vector != expected) {
		p->astray++;
		return;
	}
	if (p->config & HPET_TN_LEVEL && !clear_status()) {
		p->unasked++;
		return;
	}
	p->early += now < next;
	if (is_periodic())
		next += p->ticks;
	__atomic_fetch_add(&p->taken, 1, __ATOMIC_RELEASE);
}

static uint64_t taken(void)
{
	return __atomic_load_n(&p->taken, __ATOMIC_ACQUIRE);
}

/* Halts until the @n th has been taken. Interrupts are on, before and after. */
static void wait_taken(uint64_t n)
{
	irq_disable();
	while (taken() < n)
		asm volatile("sti; hlt; cli" : : : "memory");
	irq_enable();
}

/* 2.3.9.2.2: the usage model. The first match is one period after the start; then the period. */
static void periodic(void)
{
	next = p->start + p->ticks;
	mmio_write32(timer_reg(HPET_TN_CONFIG), p->config | HPET_TN_VAL_SET);
	mmio_write64(timer_reg(HPET_TN_COMPARATOR), next);
	mmio_write64(timer_reg(HPET_TN_COMPARATOR), p->ticks);
	mmio_write32(p->base + HPET_CONFIG, p->general | HPET_CONFIG_ENABLE);
	wait_taken(p->want);
}

/*
 * 2.3.9.2.1, warning: set too late the comparator matches no more. A write to the timer's
 * configuration ends the doubt: a match that there was has interrupted then, however late its
 * device is, and the interrupt is on its way; else none comes, for a second.
 */
static bool missed(uint64_t n)
{
	uint64_t end;

	if (counter() < next)
		return false;
	mmio_write32(timer_reg(HPET_TN_CONFIG), p->config & ~HPET_TN_ENABLE);
	mmio_write32(timer_reg(HPET_TN_CONFIG), p->config);
	end = counter() + HPET_GUEST_LATE;
	while (taken() < n) {
		if (counter() > end) {
			p->missed++;
			return true;
		}
	}
	return false;
}

/* 2.3.5: the other routing; nothing is set, and nothing on its way. */
static void toggle_legacy(void)
{
	p->general ^= HPET_CONFIG_LEGACY;
	expected ^= HPET_GUEST_VECTOR ^ HPET_GUEST_OTHER;
	mmio_write32(p->base + HPET_CONFIG, p->general | HPET_CONFIG_ENABLE);
}

/* As Linux does it: ahead of a running counter. */
static void one_shot(void)
{
	mmio_write32(timer_reg(HPET_TN_CONFIG), p->config);
	mmio_write32(p->base + HPET_CONFIG, p->general | HPET_CONFIG_ENABLE);
	for (uint64_t n = 1; n <= p->want; n++) {
		if (p->toggle && n > 1)
			toggle_legacy();
		do {
			next = counter() + p->ticks;
			mmio_write64(timer_reg(HPET_TN_COMPARATOR), next);
		} while (missed(n));
		wait_taken(n);
	}
}

static void interrupts(void)
{
	irq_init(p->irqs);
	irq_set_handler(HPET_GUEST_VECTOR, interrupted);
	ioapic_route(p->pin, HPET_GUEST_VECTOR, p->level, lapic_id());
	irq_set_handler(HPET_GUEST_OTHER, interrupted);
	if (p->other)
		ioapic_route(p->other, HPET_GUEST_OTHER, false, lapic_id());
	mmio_write64(p->base + HPET_COUNTER, p->start);
	irq_enable();
	if (is_periodic())
		periodic();
	else
		one_shot();
	/* A second one of a one-shot would come about now. */
	for (uint64_t end = counter() + p->ticks; counter() < end;)
		cpu_relax();
	while (__atomic_load_n(&p->hold, __ATOMIC_ACQUIRE))
		cpu_relax();
	irq_disable();
	p->end = counter();
	__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
}

/*
 * 2.3.9.1: what is read is the next match: not before this read, and within a period; in
 * 32-bit mode (2.4.7) of the counter's lower half, the upper one being 0.
 */
static void check_comparator(void)
{
	uint64_t before = counter(), val = mmio_read64(timer_reg(HPET_TN_COMPARATOR));
	uint64_t after = counter(), width = p->config & HPET_TN_32BIT ? 0xffffffff : ~0ULL;

	p->reads++;
	if (!is_periodic() || __atomic_load_n(&p->done, __ATOMIC_ACQUIRE))
		return;
	if (val <= width && val != (before & width) &&
	    ((val - before) & width) <= after - before + p->ticks)
		return;
	if (p->wrong++)
		return;
	p->bad[0] = before;
	p->bad[1] = val;
	p->bad[2] = after;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	p = params;
	guest_barrier(&p->gate, p->vcpus);
	if (!vcpu) {
		interrupts();
		return 0;
	}
	while (!(mmio_read32(p->base + HPET_CONFIG) & HPET_CONFIG_ENABLE))
		cpu_relax();
	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) {
		check_comparator();
		mmio_read32(p->base + HPET_STATUS);
	}
	return 0;
}
