// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lockstep's traces on the IDE channels. QEMU's disk works in the background: where a command
 * or a block of its data ends, it is waited for. What QEMU has forgotten of an interrupt is
 * excused until the next read of Status, or of the bus master's bit until that is cleared.
 */
#include <string.h>

#include "ide.h"
#include "iderig.h"
#include "replay.h"

#define TABLES 8U
#define DATA 0x1000U

/* Why INTRQ and the bus master's bit may differ; @identifying: the data is IDENTIFY DEVICE's */
static struct {
	enum ide_difference line;
	enum ide_difference bit;
	bool identifying;
	uint64_t commands;
} shadow;

static bool is_selected(const struct ide_state *st)
{
	return !(st->device & IDE_DEVICE_DEV);
}

/* As lockstep's: one to four descriptors each, for up to 32 sectors in all. */
static void write_tables(struct rig *rig)
{
	for (unsigned int i = 0; i < TABLES; i++) {
		unsigned int n = 1 + (unsigned int)rig_below(rig, 4);

		for (unsigned int k = 0; k < n; k++) {
			uint64_t base = DATA + 2 * rig_below(rig, 0x3000);
			uint64_t len = 2 * (1 + rig_below(rig, 0x800));

			write_memory(rig, 0x40 * i + 8 * k,
				     base | len << 32 | (uint64_t)(k == n - 1) << 63);
		}
	}
}

/* After each access. */
static void look(struct rig *rig)
{
	const struct ide_state *st = ide_state(rig);

	differ(rig, shadow.line);
	interrupts(rig);
	if (shadow.line == SAME && st->pending && st->control & IDE_CONTROL_NIEN)
		shadow.line = PENDING;
	else if (shadow.line == SAME && st->pending && !is_selected(st))
		shadow.line = SLAVE_STATUS;
	if (shadow.line != SAME)
		shadow.bit = shadow.line;
	differ(rig, SAME);
}

static void read_register(struct rig *rig, uint32_t len, unsigned int port)
{
	const struct ide_state *st = ide_state(rig);
	bool file = port > CMD && port < CMD + IDE_DEVICE;

	if (file && !is_selected(st))
		differ(rig, SLAVE_REGISTERS);
	if (port == BM + IDE_BM_STATUS)
		differ(rig, shadow.bit);
	rig_in(rig, len, port);
	differ(rig, SAME);
	if (port == CMD + IDE_STATUS && is_selected(st))
		shadow.line = SAME;
}

static bool is_in(unsigned int n, const uint8_t *list, size_t len)
{
	return memchr(list, (int)n, len);
}

/* In what way QEMU would do SET FEATURES. */
static enum ide_difference features_reason(unsigned int feature, unsigned int count)
{
	static const uint8_t optional[] = { 0x05, 0x85, 0x42, 0xc2, 0x67, 0x69, 0x96, 0x9a, 0xcc };
	static const uint8_t modes[] = { 0x20, 0x21, 0x22, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45 };

	if (feature == 3)
		return is_in(count, modes, sizeof(modes)) ? SAME : MODES;
	return is_in(feature, optional, sizeof(optional)) ? OPTIONAL : SAME;
}

/* And a command that is about to be accepted. */
static enum ide_difference command_reason(const struct ide_state *st, unsigned int command)
{
	static const uint8_t optional[] = { 0x06, 0x27, 0x3c, 0xb0, 0xf5, 0xf8 };
	static const uint8_t power[] = {
		0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6
	};
	static const uint8_t dma[] = { 0xc8, 0xc9, 0x25, 0xca, 0xcb, 0x35 };

	if (command == 0x91 && !st->file[IDE_COUNT][0])
		return NO_SECTORS;
	if (command >= 0x40 && command <= 0x42)
		return VERIFY;
	if (command == 0xef)
		return features_reason(st->file[IDE_FEATURES][0], st->file[IDE_COUNT][0]);
	if (is_in(command, dma, sizeof(dma)) && st->bm_status & IDE_BM_ACTIVE)
		return ACTIVE;
	if (is_in(command, optional, sizeof(optional)))
		return OPTIONAL;
	return is_in(command, power, sizeof(power)) ? DSC : SAME;
}

/* Left out are those that QEMU does otherwise. */
static bool write_command(struct rig *rig, unsigned int command)
{
	const struct ide_state *st = ide_state(rig);
	bool idle = is_selected(st) && !(st->status & (IDE_STATUS_BSY | IDE_STATUS_DRQ));
	enum ide_difference why = idle ? command_reason(st, command) : SAME;

	if (!is_selected(st) && command == 0x90)
		why = DIAGNOSTIC_1;
	if (why != SAME) {
		ide_differences[why].met++;
		return false;
	}
	if (idle) {
		shadow.identifying = command == 0xec;
		shadow.commands++;
	}
	put(rig, CMD + IDE_COMMAND, command);
	settle(rig, IDE_STATUS_BSY);
	if (is_selected(st))
		shadow.line = SAME;
	else if (st->pending)
		shadow.line = SLAVE_STATUS;
	return true;
}

/* QEMU would do it with the next start. */
static void end_dma(struct rig *rig)
{
	ide_differences[WAITING].met++;
	put(rig, BM + IDE_BM_COMMAND, 0);
	rig_out(rig, 4, BM + IDE_BM_TABLE, 0);
	put(rig, BM + IDE_BM_COMMAND, IDE_BM_START);
	settle(rig, IDE_STATUS_BSY | IDE_STATUS_DRQ);
	put(rig, BM + IDE_BM_COMMAND, 0);
}

/* QEMU resets at once, so here SRST is never set for long. */
static void write_control(struct rig *rig, unsigned int val)
{
	if (val & IDE_CONTROL_SRST) {
		if (ide_state(rig)->phase == IDE_DMA)
			end_dma(rig);
		if (!is_selected(ide_state(rig))) {
			ide_differences[SELECTED].met++;
			put(rig, CMD + IDE_DEVICE, IDE_DEVICE_ONES);
		}
		differ(rig, shadow.line);
		interrupts(rig);
		soft_reset(rig);
		shadow.line = SAME;
		shadow.bit = SAME;
	}
	put(rig, CTL, val & ~IDE_CONTROL_SRST);
}

static void write_bm(struct rig *rig, uint32_t len, unsigned int port, uint64_t val)
{
	const struct ide_state *st = ide_state(rig);
	bool waited = st->phase == IDE_DMA;

	if (port >= BM + IDE_BM_TABLE) /* tables are there, and whole */
		val = port == BM + IDE_BM_TABLE ? val & 0x1c0 : 0;
	rig_out(rig, len, port, val);
	if (waited && st->phase != IDE_DMA)
		settle(rig, IDE_STATUS_BSY | IDE_STATUS_DRQ);
	if (port != BM + IDE_BM_STATUS || !(val & IDE_BM_INT))
		return;
	shadow.bit = shadow.line;
	if (st->pending && shadow.bit == SAME)
		shadow.bit = EDGE;
}

/* Of IDENTIFY DEVICE's data. */
static enum ide_difference word_reason(uint32_t pos, uint32_t len)
{
	enum ide_difference why = SAME;

	for (unsigned int i = pos / 2; i < (pos + len + 1) / 2; i++) {
		if (own_word(i))
			why = IDENTIFY;
		else if (why == SAME && i >= 54 && i <= 59)
			why = TRANSLATION;
	}
	return why;
}

static void feed_data(struct rig *rig, const struct ls_access *a)
{
	const struct ide_state *st = ide_state(rig);
	uint32_t pos = st->pos;

	differ(rig, shadow.identifying ? word_reason(pos, a->len) : SAME);
	if (a->kind == LS_IN)
		rig_in(rig, a->len, CMD);
	else
		rig_out(rig, a->len, CMD, a->val);
	differ(rig, SAME);
	if (!(pos % IDE_SECTOR) || st->pos % IDE_SECTOR)
		return;
	settle(rig, IDE_STATUS_BSY);
	if (st->pending && !(st->bm_status & IDE_BM_INT))
		shadow.bit = EDGE;
}

/* ISA: each byte of a longer access is one of its own port. */
static bool feed_byte(struct rig *rig, const struct ls_access *a)
{
	unsigned int port = (unsigned int)a->addr, val = (unsigned int)a->val;
	bool done = true;

	if (a->kind == LS_IN)
		read_register(rig, a->len, port);
	else if (port == CTL)
		write_control(rig, val);
	else if (port >= BM)
		write_bm(rig, a->len, port, val);
	else if (port == CMD + IDE_COMMAND)
		done = write_command(rig, val);
	else
		put(rig, port, val);
	look(rig);
	return done;
}

static bool feed(struct rig *rig, const struct ls_access *a)
{
	bool done = true;

	if (a->kind >= LS_TIME)
		return true;
	if (a->addr == CMD && (a->len > 1 || a->kind == LS_IN)) {
		feed_data(rig, a);
		look(rig);
		return true;
	}
	if (a->addr == BM + IDE_BM_TABLE)
		return feed_byte(rig, a);
	for (unsigned int i = 0; i < a->len; i++) {
		const struct ls_access byte = replay_byte(a, i);

		done &= feed_byte(rig, &byte);
	}
	return done;
}

/* Left out: a disk that shrinks, or is pulled. */
static bool extra(struct rig *rig, const struct ls_access *a)
{
	if (a->addr != 2)
		return false;
	write_tables(rig);
	return true;
}

void ide_by_lockstep(struct rig *rig, unsigned int n)
{
	shadow.line = SAME;
	shadow.bit = SAME;
	shadow.identifying = false;
	shadow.commands = 0;
	differ(rig, POWER_ON);
	get(rig, CMD + IDE_ERROR);
	differ(rig, SAME);
	/* QEMU keeps the translation that was in force with the first one. */
	plain(rig, 0xec);
	soft_reset(rig);
	write_tables(rig);
	rig->extra = extra;
	replay(rig, &ls_ide, ide_state(rig), n / 5, 95, feed);
	replay_least(rig, "commands", shadow.commands, n / 200);
	soft_reset(rig); /* what was written so far is on the disk then */
	same_memory(rig, 0, DATA + 0x7000);
}
