/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A driver for the IDE channel, without its interrupts: the accesses are those that Linux's
 * makes (ata_piix: libata-sff.c), in its order. Included by the benchmark's guest.
 */
#ifndef BENCH_IDEDRV_H
#define BENCH_IDEDRV_H

#include "guest.h"
#include "params.h"

#define IDE_CMD 0x1f0U
#define IDE_CTL 0x3f6U
#define IDE_BM 0xc000U

static uint8_t ide_page[4096] __attribute__((aligned(4096)));
static uint32_t ide_table[2] __attribute__((aligned(8)));

/* Waits until the disk is idle, as a driver has to each time. */
static inline void ide_wait(void)
{
	while (inb(IDE_CTL) & 0x88)
		cpu_relax();
}

/* 7 accesses. */
static inline void ide_task_file(unsigned int count, uint64_t lba)
{
	outb(IDE_CMD + 1, 0);
	outb(IDE_CMD + 2, (uint8_t)count);
	outb(IDE_CMD + 3, (uint8_t)lba);
	outb(IDE_CMD + 4, (uint8_t)(lba >> 8));
	outb(IDE_CMD + 5, (uint8_t)(lba >> 16));
	outb(IDE_CMD + 6, 0xe0);
	ide_wait();
}

static inline void ide_command(uint8_t command)
{
	outb(IDE_CMD + 7, command);
	inb(IDE_CTL); /* 400 ns */
}

/* 22 accesses: set up, start; then what the interrupt's handler does. */
static inline uint8_t ide_dma(uint64_t lba)
{
	uint8_t status;

	ide_table[0] = (uint32_t)(uintptr_t)ide_page;
	ide_table[1] = sizeof(ide_page) | 1U << 31;
	ide_wait();
	ide_task_file(sizeof(ide_page) / 512, lba);
	outl(IDE_BM + 4, (uint32_t)(uintptr_t)ide_table);
	outb(IDE_BM, (inb(IDE_BM) & ~9) | 8);
	ide_command(0xc8);
	outb(IDE_BM, inb(IDE_BM) | 1);
	inb(IDE_BM + 2);
	outb(IDE_BM, inb(IDE_BM) & ~1);
	inb(IDE_CTL);
	status = inb(IDE_CMD + 7);
	outb(IDE_BM + 2, inb(IDE_BM + 2));
	return status;
}

/* 12 accesses, and the sector. */
static inline uint8_t ide_pio(bool write, uint64_t lba, uint8_t *sector)
{
	ide_wait();
	ide_task_file(1, lba);
	ide_command(write ? 0x30 : 0x20);
	inb(IDE_CMD + 7);
	if (write)
		outsw(IDE_CMD, sector, 256);
	else
		insw(IDE_CMD, sector, 256);
	return inb(IDE_CMD + 7);
}

/* Returns Status, and above it what the sector began with. */
static inline uint64_t ide_run(uint32_t access, uint64_t lba, uint8_t *sector)
{
	uint8_t *data = access == BENCH_IDE_DMA ? ide_page : sector;
	uint64_t status = access == BENCH_IDE_DMA ? ide_dma(lba) :
						    ide_pio(access == BENCH_IDE_WRITE, lba, sector);

	return status | (uint64_t)(*(uint16_t *)data) << 8;
}

#endif /* BENCH_IDEDRV_H */
