// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads sectors of an IDE drive by programmed I/O, as a boot loader would: it polls. */
#include "guest.h"
#include "params.h"

/* Within a page, so that it comes in one exit. */
static uint8_t sector[SECTOR_SIZE] __attribute__((aligned(SECTOR_SIZE)));

static void put(struct regtable_params *p, uint16_t port, uint8_t val)
{
	outb(port, val);
	p->accesses++;
}

static uint8_t get(struct regtable_params *p, uint16_t port)
{
	p->accesses++;
	return inb(port);
}

static uint8_t wait_not_busy(struct regtable_params *p)
{
	uint8_t status;

	do {
		status = get(p, IDE_ALT_STATUS);
		p->polls++;
	} while (status & IDE_BSY);
	return status;
}

/* Return: false if the drive reports an error or the sector is not what is on the medium. */
static bool read_sector(struct regtable_params *p, uint32_t lba)
{
	wait_not_busy(p);
	put(p, IDE_DEVICE, IDE_LBA | (lba >> 24 & 0xf));
	put(p, IDE_FEATURES, 0);
	put(p, IDE_COUNT, 1);
	put(p, IDE_LBA_LOW, (uint8_t)lba);
	put(p, IDE_LBA_MID, (uint8_t)(lba >> 8));
	put(p, IDE_LBA_HIGH, (uint8_t)(lba >> 16));
	put(p, IDE_COMMAND, IDE_READ_SECTORS);
	wait_not_busy(p);
	if ((get(p, IDE_STATUS) & (IDE_DRQ | IDE_ERR)) != IDE_DRQ || get(p, IDE_ERROR))
		return false;
	insw(IDE_DATA, sector, SECTOR_SIZE / 2);
	for (uint32_t i = 0; i < SECTOR_SIZE; i++) {
		if (sector[i] != medium_byte(lba, i))
			return false;
	}
	return true;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct regtable_params *p = params;
	uint32_t lba = 1;

	put(p, IDE_CONTROL, IDE_NO_INTERRUPT);
	for (uint64_t i = 0; i < p->commands; i++) {
		lba = lba * 1103515245 + 12345;
		p->errors += !read_sector(p, (lba >> 4) % p->sectors);
	}
	return 0;
}
