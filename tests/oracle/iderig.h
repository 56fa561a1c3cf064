/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two IDE channels, QEMU's (PIIX3) and ours, each with a disk of the same content and memory
 * for its bus master; and the steps of a driver, done to both and compared.
 */
#ifndef IDERIG_H
#define IDERIG_H

#include "rig.h"

#define CMD 0x1f0U
#define CTL 0x3f6U
#define BM 0xc000U
#define SECTORS 4032U
#define BUFFER 0x11000U
#define BUFFER_SECTORS 32U

/* In what QEMU differs from the standards; SAME: not here. */
enum ide_difference {
	SAME = -1,
	POWER_ON,
	SRST_BUSY,
	SRST_IRQ,
	SLAVE_REGISTERS,
	SLAVE_STATUS,
	NIEN,
	PENDING,
	EDGE,
	IDENTIFY,
	DSC,
	WIDTHS,
	DWORDS,
	VERIFY,
	MODES,
	OPTIONAL,
	DIAGNOSTIC_1,
	TRANSLATION,
	NO_SECTORS,
	WAITING,
	SELECTED,
	ACTIVE
};

extern struct difference ide_differences[];

/* Ours. */
const struct ide_state *ide_state(const struct rig *rig);

void ide_setup(struct rig *rig);
void ide_teardown(struct rig *rig);

/* From here on accesses may differ in this way. */
void differ(struct rig *rig, enum ide_difference which);

/* A register. */
void put(struct rig *rig, unsigned int port, unsigned int val);
unsigned int get(struct rig *rig, unsigned int port);

/* Waits until none of these bits of Status is set in QEMU, whose disk works in the background. */
void settle(struct rig *rig, unsigned int bits);

/* IRQ14's rises since it was last looked at. */
void interrupts(struct rig *rig);

/* All that can be read without a side effect. */
void registers(struct rig *rig);

/* The end of a command, as a driver's handler sees it. */
void acknowledge(struct rig *rig);

void task_file(struct rig *rig, unsigned int count, uint64_t lba, bool ext);

/* A command without data. */
void plain(struct rig *rig, uint8_t command);

/* A command by bus master, whose table is there; and by PIO, in blocks. */
void dma(struct rig *rig, uint8_t command, unsigned int count, uint64_t lba, bool ext);
void pio(struct rig *rig, uint8_t command, unsigned int count, uint64_t lba, bool ext,
	 unsigned int block);

/* Memory, and a descriptor in the table. */
void write_memory(struct rig *rig, uint64_t addr, uint64_t val);
void same_memory(struct rig *rig, uint64_t addr, uint64_t len);
void prd(struct rig *rig, unsigned int i, uint64_t base, uint64_t len, bool last);

/* Clears Device Control, and then interrupts, which may differ in this way. */
void release(struct rig *rig, enum ide_difference which);

void soft_reset(struct rig *rig);

/* Of IDENTIFY DEVICE's words: the device's own, which may be anything. */
bool own_word(unsigned int i);

/* idereplay.c */
void ide_by_lockstep(struct rig *rig, unsigned int n);

#endif /* IDERIG_H */
