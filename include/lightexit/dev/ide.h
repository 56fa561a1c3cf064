/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PIIX3 IDE, primary channel with one ATA disk as device 0: registers and state. Shared by
 * the BPF program and VMMs. Sections are those of ATA/ATAPI-6 (T13/1410D), of bus-master
 * registers those of Intel's 82371AB (PIIX4), which has the PIIX3's.
 */
#ifndef LIGHTEXIT_DEV_IDE_H
#define LIGHTEXIT_DEV_IDE_H

#include <lightexit/state.h>

/* Regions of the program, in this order. */
#define IDE_REGION_COMMAND 0U
#define IDE_REGION_CONTROL 1U
#define IDE_REGION_BM 2U
#define IDE_COMMAND_PORT 0x1f0U
#define IDE_COMMAND_LEN 8U
#define IDE_CONTROL_PORT 0x3f6U
#define IDE_CONTROL_LEN 1U
/* BMIBA if not moved; the second half of its 16 ports is the secondary channel's. */
#define IDE_BM_PORT 0xc000U
#define IDE_BM_LEN 8U

#define IDE_SLOT_IRQ 0U
#define IDE_IRQ 14U

/* Command block: offsets. 1 and 7 are two registers each. */
#define IDE_DATA 0U
#define IDE_ERROR 1U
#define IDE_FEATURES 1U
#define IDE_COUNT 2U
#define IDE_LBA_LOW 3U
#define IDE_LBA_MID 4U
#define IDE_LBA_HIGH 5U
#define IDE_DEVICE 6U
#define IDE_STATUS 7U
#define IDE_COMMAND 7U

/* Device: bits 7 and 5 are obsolete and read 1, as they do in QEMU. */
#define IDE_DEVICE_ONES 0xa0U
#define IDE_DEVICE_LBA 0x40U
#define IDE_DEVICE_DEV 0x10U
#define IDE_DEVICE_LOW 0x0fU /* LBA (27:24), or the head */

#define IDE_STATUS_BSY 0x80U
#define IDE_STATUS_DRDY 0x40U
#define IDE_STATUS_DSC 0x10U
#define IDE_STATUS_DRQ 0x08U
#define IDE_STATUS_ERR 0x01U
#define IDE_STATUS_READY (IDE_STATUS_DRDY | IDE_STATUS_DSC)

#define IDE_ERROR_UNC 0x40U
#define IDE_ERROR_ABRT 0x04U
#define IDE_ERROR_PASSED 0x01U /* after a reset: diagnostic code */

/* Device Control */
#define IDE_CONTROL_HOB 0x80U
#define IDE_CONTROL_SRST 0x04U
#define IDE_CONTROL_NIEN 0x02U

/* Bus master, 5.2: command, status, descriptor table */
#define IDE_BM_COMMAND 0U
#define IDE_BM_STATUS 2U
#define IDE_BM_TABLE 4U
#define IDE_BM_START 0x01U
#define IDE_BM_COMMAND_BITS 0x09U
#define IDE_BM_ACTIVE 0x01U
#define IDE_BM_ERROR 0x02U
#define IDE_BM_INT 0x04U
#define IDE_BM_CAPABLE 0x60U

#define IDE_SECTOR 512U
/* Sectors of a DRQ block at most (SET MULTIPLE MODE). */
#define IDE_MULTIPLE_MAX 16U
/* Bytes that a guest writes by PIO, at most, before the VMM stores them. A power of two. */
#define IDE_BUF 0x10000U

/* What CHS addresses are translated by, if INITIALIZE DEVICE PARAMETERS says nothing else. */
#define IDE_HEADS 16U
#define IDE_TRACK 63U

/* enum ide_phase - of the command that is under way */
enum ide_phase {
	IDE_IDLE = 0,
	IDE_PIO_IN,
	IDE_PIO_OUT,
	IDE_DMA, /* it waits for the bus master */
};

/**
 * struct ide_state - the channel
 * @hdr:     see state.h
 * @sectors: of the disk; 0: it was removed. Writer: the VMM
 * @start:   first sector of what is in @buf, of IDE_PIO_OUT
 * @file:    registers IDE_FEATURES to IDE_LBA_HIGH, by their offset (of 8): what was most
 *           recently written, and the content before that (6.20)
 * @device:  Device
 * @error:   Error
 * @status:  Status of device 0
 * @control: Device Control
 * @pending: interrupt pending (5.2.9)
 * @bm_command, @bm_status, @bm_table: bus master
 * @phase:   enum ide_phase
 * @is_write: of IDE_DMA
 * @lba48:   the command is one of the 48-bit Address feature set
 * @left:    sectors still to be transferred, as Sector Count has them
 * @block:   sectors of a DRQ block
 * @pos:     bytes of @buf that were transferred
 * @end:     end of the DRQ block in @buf
 * @multiple: sectors of a DRQ block of READ and WRITE MULTIPLE; 0: they are aborted
 * @mode:    transfer mode, by SET FEATURES. Writer: the VMM
 * @cache:   write cache enabled. Writer: the VMM
 * @heads, @track: what CHS addresses are translated by; 0 counts as 1
 * @buf:     data of programmed I/O
 *
 * The state's lock protects all of it. Writers, if nothing else is said: program and VMM.
 */
struct ide_state {
	struct lx_state hdr;
	__u64 sectors;
	__u64 start;
	__u32 file[IDE_COMMAND_LEN][2];
	__u32 device;
	__u32 error;
	__u32 status;
	__u32 control;
	__u32 pending;
	__u32 bm_command;
	__u32 bm_status;
	__u32 bm_table;
	__u32 phase;
	__u32 is_write;
	__u32 lba48;
	__u32 left;
	__u32 block;
	__u32 pos;
	__u32 end;
	__u32 multiple;
	__u32 mode;
	__u32 cache;
	__u32 heads;
	__u32 track;
	__u16 buf[IDE_BUF / 2];
};

#endif /* LIGHTEXIT_DEV_IDE_H */
