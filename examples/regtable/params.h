/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The parameter block of examples/regtable. Shared by host and guest. */
#ifndef REGTABLE_PARAMS_H
#define REGTABLE_PARAMS_H

#include <stdint.h>

/* The first channel of a PC: ports, and names of the ATA/ATAPI-6 standard. */
#define IDE_DATA 0x1f0U
#define IDE_ERROR 0x1f1U    /* read */
#define IDE_FEATURES 0x1f1U /* written */
#define IDE_COUNT 0x1f2U
#define IDE_LBA_LOW 0x1f3U
#define IDE_LBA_MID 0x1f4U
#define IDE_LBA_HIGH 0x1f5U
#define IDE_DEVICE 0x1f6U
#define IDE_STATUS 0x1f7U  /* read; clears the interrupt */
#define IDE_COMMAND 0x1f7U /* written */
#define IDE_ALT_STATUS 0x3f6U
#define IDE_CONTROL 0x3f6U

#define IDE_ERR 0x01U
#define IDE_DRQ 0x08U
#define IDE_DRDY 0x40U
#define IDE_BSY 0x80U

#define IDE_NO_INTERRUPT 0x02U /* nIEN of the control register */
#define IDE_RESET 0x04U	       /* SRST */
#define IDE_DEV 0x10U	       /* of the device register: the second drive */
#define IDE_LBA 0xe0U
#define IDE_READ_SECTORS 0x20U
#define IDE_ABORTED 0x04U /* of the error register */

#define SECTOR_SIZE 512U

/* What a drive has at a byte of its medium. */
static inline uint8_t medium_byte(uint32_t sector, uint32_t byte)
{
	return (uint8_t)(sector * 31 + byte * 7 + (sector >> 8) + (byte >> 8));
}

/**
 * struct regtable_params - one run: commands that each read a sector
 * @commands: Writer: host
 * @sectors:  of the drive. Writer: host
 * @accesses: to the task file and the alternate status. Writer: guest
 * @polls:    of them, reads of the alternate status. Writer: guest
 * @errors:   sectors with a wrong byte or an error. Writer: guest
 */
struct regtable_params {
	uint64_t commands;
	uint64_t sectors;
	uint64_t accesses;
	uint64_t polls;
	uint64_t errors;
};

#endif /* REGTABLE_PARAMS_H */
