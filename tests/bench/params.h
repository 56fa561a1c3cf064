/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parameter block of the benchmark. Shared by host and guest. */
#ifndef BENCH_PARAMS_H
#define BENCH_PARAMS_H

#include <stdint.h>

enum bench_access {
	BENCH_EMPTY = 0, /* the loop without an access */
	BENCH_SPIN,	 /* two instructions each time round, of which none exits */
	BENCH_IN32,
	BENCH_OUT32,
	BENCH_READ32,
	BENCH_READ64,
	BENCH_WRITE32,
	BENCH_DOORBELL, /* virtio: QueueNotify, queue 0 */
	BENCH_DOORBELL_PIO,
	BENCH_INTERRUPT, /* virtio: InterruptStatus, and what it read into InterruptACK */
	BENCH_UART_EACH, /* a byte out, when LSR says so */
	BENCH_UART_FIFO, /* the same, but LSR is read before each 16 bytes */
	BENCH_REQUEST,	 /* virtio: a sector is read; the guest halts until it is interrupted */
	BENCH_INS,	 /* a sector: one rep insw */
	BENCH_OUTS,	 /* a sector: one rep outsw */
	BENCH_IDE_STATUS,
	BENCH_IDE_DMA,	 /* READ DMA of 4 KiB, by the accesses that Linux's driver makes */
	BENCH_IDE_READ,	 /* READ SECTOR(S), one */
	BENCH_IDE_WRITE, /* WRITE SECTOR(S), one */
	BENCH_PIT_START, /* counter 2 in mode 2, from 65536: what the two below read */
	BENCH_PIT_READ,	 /* both bytes of its count, as Linux calibrates the TSC */
	BENCH_PIT_LATCH, /* the same after a latch command, as Linux's clock source */
	BENCH_RTC,	 /* the index, then a byte of the time */
	BENCH_PCI_READ,	 /* CONFIG_ADDRESS, then a word of a function */
};

/* A write here: before the first time round, and after the last one. Of BENCH_REQUEST alone. */
#define BENCH_MARK_PORT 0xf0U
#define BENCH_SECTORS 64U
/* What each sector of the IDE disk begins with, and what a guest writes there. */
#define BENCH_PATTERN 0x1de5U
/* The RTC's register of seconds. */
#define BENCH_RTC_INDEX 0U
/* Function 0.0 of bus 0: vendor and device. */
#define BENCH_PCI_ADDRESS 0x80000000U

/**
 * struct bench_params - one run of the loop
 * @access: enum bench_access. Writer: host
 * @n:      times round, at least 1. Writer: host
 * @addr:   port or guest-physical address. Writer: host
 * @ticks:  of the TSC, for the loop. Writer: guest
 * @end:    the TSC just after the last access. Writer: guest
 * @last:   the last value read. Writer: guest
 */
struct bench_params {
	uint32_t access;
	uint32_t pad;
	uint64_t n;
	uint64_t addr;
	uint64_t ticks;
	uint64_t end;
	uint64_t last;
};

#endif /* BENCH_PARAMS_H */
