// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The torture guest; see torture.h. */
#include "torture.h"

/* IA-PC HPET 1.0a, 2.3.5 and 2.3.7; where QEMU has it */
#define HPET 0xfed00000U
#define HPET_CONFIG 0x010U
#define HPET_CONFIG_ENABLE 1U
#define HPET_COUNTER 0x0f0U

/* Intel SDM 3A, 12.4.4.1 and 12.6.1: the local APIC's interrupt command register */
#define APIC_SVR 0xfee000f0U
#define APIC_ICR 0xfee00300U
#define ICR_INIT_OTHERS 0x000c4500U
#define ICR_SIPI_OTHERS 0x000c4608U /* to 0x8000 */

/* PCI Local Bus 3.0, 3.2.2.3.2; ICH9, 13.1.13: PMBASE of 0:31.0, whose bit 0 says I/O */
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define ICH9_PMBASE 0x8000f840U

#define T ((struct torture *)TORTURE_GPA)

void torture_boot(void);
void torture_vcpu(uint32_t vcpu);

static inline void out8(uint16_t port, uint8_t val)
{
	asm volatile("outb %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t val)
{
	asm volatile("outl %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t val;

	asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t val;

	asm volatile("inw %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline void ins32(uint16_t port, uint32_t *buf, uint32_t n)
{
	asm volatile("rep insl" : "+D"(buf), "+c"(n) : "d"(port) : "memory");
}

static inline uint32_t read32(uint32_t addr)
{
	uint32_t val;

	asm volatile("movl (%1), %0" : "=r"(val) : "r"(addr) : "memory");
	return val;
}

static inline void write32(uint32_t addr, uint32_t val)
{
	asm volatile("movl %0, (%1)" : : "r"(val), "r"(addr) : "memory");
}

static uint32_t load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline uint64_t rdtsc(void)
{
	uint64_t val;

	asm volatile("rdtsc" : "=A"(val) : : "memory");
	return val;
}

static uint32_t counter(void)
{
	if (T->kind == TORTURE_HPET)
		return read32(T->addr + HPET_COUNTER);
	return in32(T->addr);
}

/* How far @b is behind @a; 0 if it is not. */
static uint32_t behind(uint32_t a, uint32_t b)
{
	uint32_t d = (a - b) & T->mask;

	return d <= T->mask / 2 ? d : 0;
}

/* After so many 2^20 cycles the counter may have gone half round: nothing can be said. */
#define LONG_AGO 900U
/* A @max of so long ago, be the TSC's count any. */
#define NEVER ((uint64_t)-(LONG_AGO + 1) << 32)

static uint32_t cycles(void)
{
	return rdtsc() >> 20;
}

static uint64_t exchange(uint64_t old, uint64_t val)
{
	asm volatile("lock cmpxchg8b %1"
		     : "+A"(old), "+m"(T->max)
		     : "b"((uint32_t)val), "c"((uint32_t)(val >> 32))
		     : "memory");
	return old;
}

static uint64_t get_max(void)
{
	return exchange(0, 0);
}

/* A full fence: who sees the value has it before its own next read. @since: before the read. */
static void raise_max(uint32_t since, uint32_t val)
{
	uint64_t old = get_max(), seen;
	int32_t later;

	for (;; old = seen) {
		later = since - (uint32_t)(old >> 32);
		if (later < -(int32_t)LONG_AGO ||
		    (later <= (int32_t)LONG_AGO && !behind(val, (uint32_t)old)))
			return;
		seen = exchange(old, (uint64_t)since << 32 | val);
		if (seen == old)
			return;
	}
}

/* A read that began after @max was seen gave @val. */
static void check(uint32_t vcpu, uint64_t max, uint32_t val)
{
	uint32_t by = behind((uint32_t)max, val), n;

	if (cycles() - (uint32_t)(max >> 32) > LONG_AGO)
		return;
	T->reads[vcpu & (TORTURE_VCPUS - 1)]++;
	if (!by)
		return;
	n = __atomic_fetch_add(&T->steps, 1, __ATOMIC_SEQ_CST);
	if (n < TORTURE_LOG)
		T->log[n] = (struct torture_step){ vcpu, max, val, 0 };
	if (by > T->worst)
		T->worst = by;
}

static void read_once(uint32_t vcpu)
{
	uint32_t since = cycles(), val;
	uint64_t max = get_max();

	val = counter();
	check(vcpu, max, val);
	raise_max(since, val);
}

static void set_forward(void)
{
	uint32_t val;

	write32(T->addr + HPET_CONFIG, 0);
	val = read32(T->addr + HPET_COUNTER);
	write32(T->addr + HPET_COUNTER, val + 1000);
	write32(T->addr + HPET_CONFIG, HPET_CONFIG_ENABLE);
}

/* 2 bytes, 4 that begin 2 before, and a string, whose values are checked too. */
static void read_odd(uint32_t vcpu)
{
	uint32_t buf[8], since, i;
	uint64_t max;

	if (T->kind != TORTURE_PMTIMER)
		return;
	in16(T->addr);
	in32(T->addr - 2);
	since = cycles();
	max = get_max();
	ins32(T->addr, buf, 8);
	for (i = 0; i < 8; i++) {
		check(vcpu, max, buf[i]);
		max = (max & ~0xffffffffULL) | buf[i];
	}
	raise_max(since, buf[7]);
}

static void move_pmbase(void)
{
	out32(PCI_ADDRESS, ICH9_PMBASE);
	out32(PCI_DATA, T->pmbase | 1);
	T->max = NEVER;
	__atomic_store_n(&T->pmbase, 0, __ATOMIC_SEQ_CST);
}

void torture_vcpu(uint32_t vcpu)
{
	uint32_t n = 0;

	__atomic_fetch_add(&T->online, 1, __ATOMIC_SEQ_CST);
	for (;; n++) {
		if (!load(&T->go)) {
			asm volatile("pause");
			continue;
		}
		read_once(vcpu);
		if (T->odd && n % T->odd == 0)
			read_odd(vcpu);
		if (T->writes && vcpu == 0 && n % T->writes == 0)
			set_forward();
		if (vcpu == 0 && load(&T->pmbase))
			move_pmbase();
	}
}

static void pause_a_bit(void)
{
	uint32_t i;

	for (i = 0; i < 1000; i++)
		out8(0x80, 0);
}

void torture_boot(void)
{
	write32(HPET + HPET_CONFIG, HPET_CONFIG_ENABLE);
	T->go = 0;
	T->online = 0;
	T->max = NEVER;
	T->magic = TORTURE_MAGIC;
	write32(APIC_SVR, read32(APIC_SVR) | 0x100);
	write32(APIC_ICR, ICR_INIT_OTHERS);
	pause_a_bit();
	write32(APIC_ICR, ICR_SIPI_OTHERS);
	torture_vcpu(0);
}
