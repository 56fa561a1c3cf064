// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See qguest.h. All loops are the same few instructions around the access. */
#include <linux/serial_reg.h>

#include <lightexit/dev/hpet.h>

#include "guest.h"
#include "../params.h"
#include "qguest.h"

/* Intel SDM 3A, 12.4.4.1 and 12.6.1: the local APIC's interrupt command register */
#define APIC_SVR 0xfee000f0U
#define APIC_SVR_ENABLE 0x100U
#define APIC_ICR 0xfee00300U
#define ICR_INIT_OTHERS 0x000c4500U
#define ICR_SIPI_OTHERS 0x000c4608U /* to 0x8000 */
#define COM1 0x3f8U

#define Q ((struct qguest *)QGUEST_GPA)

void bench_vcpu(uint32_t vcpu);

/* Waits between two looks before an exit. */
#define WAITS 100000U

/* An exit now and then: without any a CPU may be kept for good (docs/decisions.md 18). */
static void wait_a_bit(uint32_t *waits)
{
	uint32_t leaf = 0;

	cpu_relax();
	if (!(++*waits % WAITS))
		asm volatile("cpuid" : "+a"(leaf) : : "rbx", "rcx", "rdx", "memory");
}

/* Until the other side has counted so far. */
static void wait_until(const uint32_t *count, uint32_t n)
{
	uint32_t waits = 0;

	while ((int32_t)(__atomic_load_n(count, __ATOMIC_ACQUIRE) - n) < 0)
		wait_a_bit(&waits);
}

/* Whether there is another time, when it has come. */
static inline bool another(uint64_t start)
{
	uint64_t i = __atomic_fetch_add(&Q->next, 1, __ATOMIC_RELAXED);

	while (Q->gap && rdtsc() - start < i * Q->gap)
		asm volatile("" : : : "memory");
	return i < Q->n;
}

#define LOOP(_access)                                    \
	do {                                             \
		while (another(start)) {                 \
			_access;                         \
			asm volatile("" : : : "memory"); \
		}                                        \
	} while (0)

static uint64_t run(uint64_t start)
{
	uint64_t addr = Q->addr, val = 0;

	switch (Q->access) {
	case BENCH_SPIN:
		val = Q->n;
		asm volatile("1: dec %0; jnz 1b" : "+r"(val));
		break;
	case BENCH_IN32:
		LOOP(val = inl(addr));
		break;
	case BENCH_READ32:
		LOOP(val = mmio_read32(addr));
		break;
	case BENCH_READ64:
		LOOP(val = mmio_read64(addr));
		break;
	default:
		LOOP((void)0);
		break;
	}
	return val;
}

static void measure(uint32_t vcpu)
{
	uint64_t start;

	__atomic_fetch_add(&Q->come, 1, __ATOMIC_SEQ_CST);
	wait_until(&Q->come, Q->vcpus);
	start = rdtsc();
	Q->last[vcpu] = run(start);
	Q->end[vcpu] = rdtsc();
	Q->start[vcpu] = start;
	__atomic_fetch_add(&Q->left, 1, __ATOMIC_SEQ_CST);
}

/* Intel SDM 3A, 9.4.4.1: one SIPI may not do; those that come late are ignored. */
static void start_other(void)
{
	uint32_t waits = 0;

	mmio_write32(APIC_ICR, ICR_INIT_OTHERS);
	while (!__atomic_load_n(&Q->come, __ATOMIC_ACQUIRE)) {
		if (!(waits % WAITS))
			mmio_write32(APIC_ICR, ICR_SIPI_OTHERS);
		wait_a_bit(&waits);
	}
}

/* The other vCPU rests until the next SIPI, so that it takes no time. */
static void end_other(void)
{
	wait_until(&Q->left, Q->vcpus);
	mmio_write32(APIC_ICR, ICR_INIT_OTHERS);
}

static void say(void)
{
	outb(COM1 + UART_TX, '.');
}

static void serve(void)
{
	uint32_t seen = Q->run;

	say();
	for (;;) {
		wait_until(&Q->run, ++seen);
		if (Q->vcpus > 1)
			start_other();
		measure(0);
		if (Q->vcpus > 1)
			end_other();
		say();
	}
}

void bench_vcpu(uint32_t vcpu)
{
	if (vcpu) {
		measure(vcpu);
		return;
	}
	mmio_write32(APIC_SVR, mmio_read32(APIC_SVR) | APIC_SVR_ENABLE);
	mmio_write32(HPET_BASE + HPET_CONFIG, HPET_CONFIG_ENABLE);
	serve();
}
