/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The UART guest: uses COM1 as operating systems do, and notes what it reads. Host and guest. */
#ifndef UARTGUEST_H
#define UARTGUEST_H

#include <stdint.h>

#define UARTGUEST_VECTOR 0x44U
#define UARTGUEST_NOTES 64U
/* Where fuzz and receive leave bytes, one each. */
#define UARTGUEST_BYTES_GPA 0x300000UL

/* Divisors of 115,200, 2,400 and 28 baud: a character time-out of 0.35 ms, 17 ms, and 22 s. */
#define UARTGUEST_FAST 1U
#define UARTGUEST_MEDIUM 48U
#define UARTGUEST_SLOW 0xffffU

enum uartguest_mode {
	UARTGUEST_POLL = 0,  /* sends @n, each when LSR says that it may */
	UARTGUEST_THRE,	     /* sends @n by THRE interrupts, bursts of 16: Linux's 8250 */
	UARTGUEST_BLIND,     /* the same, without a look at IIR */
	UARTGUEST_FREEBSD,   /* probes, and sends @n by interrupts: FreeBSD's uart */
	UARTGUEST_AUTOCONF,  /* Linux's autoconfig */
	UARTGUEST_RECEIVE,   /* receives @n by interrupts: trigger level 14, and time-out */
	UARTGUEST_REGISTERS, /* every register @n times, both ways */
	UARTGUEST_FUZZ,	     /* @n accesses at random */
};

/**
 * struct uartguest_params - the parameter block
 * @mode, @n, @seed: Writer: host
 * @hold:    the guest does not end before this is 0. Writer: host
 * @ready:   1: interrupts are on
 * @done:    1: the work is over
 * @count:   sent or received by interrupts so far
 * @notes:   what a probe read, in its order
 * @iir:     times that IIR read as, by its lower four bits
 * @wrong:   reads that were not what they had to be; the first: register, value, due
 * @irqs:    irq.h's
 *
 * Writer, where nothing else is said: the guest.
 */
struct uartguest_params {
	uint32_t mode;
	uint32_t n;
	uint64_t seed;
	uint32_t hold;
	uint32_t ready;
	uint32_t done;
	uint32_t count;
	uint32_t n_notes;
	uint32_t notes[UARTGUEST_NOTES];
	uint32_t iir[16];
	uint32_t wrong;
	uint32_t first_wrong[3];
	uint32_t irqs[256];
};

/* The text that is sent and received: lines of 64. */
static inline uint8_t uartguest_text(uint32_t i)
{
	return i % 64 == 63 ? '\n' : (uint8_t)(' ' + (i * 7 + i / 64 * 13) % 95);
}

#endif /* UARTGUEST_H */
