// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does one access over and over, and reads the TSC before and after. All loops
 * are the same two instructions around the access.
 */
#include <linux/serial_reg.h>

#include "guest.h"
#include "params.h"

#define LOOP(_access)                                    \
	do {                                             \
		for (uint64_t n = p->n; n; n--) {        \
			_access;                         \
			asm volatile("" : : : "memory"); \
		}                                        \
	} while (0)

/* 16550: what drivers do before they fill the transmitter's FIFO. */
static void wait_for_thre(uint16_t port)
{
	while (!(inb(port + UART_LSR) & UART_LSR_THRE))
		cpu_relax();
}

#define SEND(_when)                               \
	LOOP({                                    \
		if (_when)                        \
			wait_for_thre(port);      \
		outb(port + UART_TX, (uint8_t)n); \
	})

/* Registers, so that the loops hold nothing but their access. */
static uint64_t run(struct bench_params *p)
{
	uint16_t port = (uint16_t)p->addr;
	uint64_t addr = p->addr, val = 0;

	switch (p->access) {
	case BENCH_SPIN:
		val = p->n;
		asm volatile("1: dec %0; jnz 1b" : "+r"(val));
		break;
	case BENCH_IN32:
		LOOP(val = inl(port));
		break;
	case BENCH_OUT32:
		LOOP(outl(port, 0x600d));
		break;
	case BENCH_READ32:
		LOOP(val = mmio_read32(addr));
		break;
	case BENCH_READ64:
		LOOP(val = mmio_read64(addr));
		break;
	case BENCH_WRITE32:
		LOOP(mmio_write32(addr, 0x600d));
		break;
	case BENCH_DOORBELL:
		LOOP(mmio_write32(addr, 0));
		break;
	case BENCH_DOORBELL_PIO:
		LOOP(outl(port, 0));
		break;
	case BENCH_INTERRUPT:
		LOOP(val = mmio_read32(addr); mmio_write32(addr + 4, (uint32_t)val));
		break;
	case BENCH_UART_EACH:
		SEND(true);
		break;
	case BENCH_UART_FIFO:
		SEND(n % 16 == 0);
		break;
	default:
		LOOP((void)0);
		break;
	}
	return val;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct bench_params *p = params;
	uint64_t start = rdtsc();
	uint64_t last = run(p);
	uint64_t end = rdtsc();

	p->last = last;
	p->end = end;
	p->ticks = end - start;
	return 0;
}
