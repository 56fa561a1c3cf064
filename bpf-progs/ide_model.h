/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IDE channel: state and access in, verdict and value out. Pure: the BPF program, the VMM's
 * back end and the unit tests compile this very code. Registers, resets, the acceptance of
 * commands that move data by DMA or out by PIO, and that data, are here; what needs the disk,
 * or the bus master, is the VMM's, and passes.
 *
 * The caller holds the state's lock.
 */
#ifndef IDE_MODEL_H
#define IDE_MODEL_H

#include <lightexit/dev/ide.h>
#include <lightexit/io.h>

#if !defined(__VMLINUX_H__) && !defined(__KERNEL__)
#include <stdbool.h>
#endif

/* What a command is; 0: none that moves sectors. */
#define IDE_IS_READ 1U
#define IDE_IS_WRITE 2U
#define IDE_IS_DMA 4U
#define IDE_IS_MULTIPLE 8U
#define IDE_IS_EXT 16U

static inline __u32 ide_kind(__u32 command)
{
	switch (command) {
	case 0x20: /* READ SECTOR(S) */
	case 0x21:
		return IDE_IS_READ;
	case 0x24:
		return IDE_IS_READ | IDE_IS_EXT;
	case 0x30: /* WRITE SECTOR(S) */
	case 0x31:
		return IDE_IS_WRITE;
	case 0x34:
		return IDE_IS_WRITE | IDE_IS_EXT;
	case 0xc4: /* READ MULTIPLE */
		return IDE_IS_READ | IDE_IS_MULTIPLE;
	case 0x29:
		return IDE_IS_READ | IDE_IS_MULTIPLE | IDE_IS_EXT;
	case 0xc5: /* WRITE MULTIPLE */
		return IDE_IS_WRITE | IDE_IS_MULTIPLE;
	case 0x39:
		return IDE_IS_WRITE | IDE_IS_MULTIPLE | IDE_IS_EXT;
	case 0xc8: /* READ DMA */
	case 0xc9:
		return IDE_IS_READ | IDE_IS_DMA;
	case 0x25:
		return IDE_IS_READ | IDE_IS_DMA | IDE_IS_EXT;
	case 0xca: /* WRITE DMA */
	case 0xcb:
		return IDE_IS_WRITE | IDE_IS_DMA;
	case 0x35:
		return IDE_IS_WRITE | IDE_IS_DMA | IDE_IS_EXT;
	default:
		return 0;
	}
}

/* The disk is device 0; nobody else is there. */
static inline bool ide_selected(const struct ide_state *st)
{
	return !(st->device & IDE_DEVICE_DEV);
}

/* 5.2.9: "When the nIEN bit is set to one or the device is not selected, [...] released." */
static inline bool ide_line(const struct ide_state *st)
{
	return st->pending && !(st->control & IDE_CONTROL_NIEN) && ide_selected(st);
}

/*
 * After a change: the bus master's interrupt bit follows the line's rising edge, 5.2.2.
 * @was: the line before. Return: true if it rose: signal IRQ14
 */
static inline bool ide_raise(struct ide_state *st, bool was)
{
	if (was || !ide_line(st))
		return false;
	st->bm_status |= IDE_BM_INT;
	return true;
}

/* What divides and multiplies is never 0, whatever state was restored. */
static inline __u32 ide_heads(const struct ide_state *st)
{
	return st->heads ? st->heads : 1;
}

static inline __u32 ide_track(const struct ide_state *st)
{
	return st->track ? st->track : 1;
}

static inline __u64 ide_lba(const struct ide_state *st)
{
	__u64 low = st->file[IDE_LBA_LOW][0], mid = st->file[IDE_LBA_MID][0];
	__u64 high = st->file[IDE_LBA_HIGH][0], top = st->device & IDE_DEVICE_LOW;

	if (!(st->device & IDE_DEVICE_LBA))
		return ((high << 8 | mid) * ide_heads(st) + top) * ide_track(st) + low - 1;
	low |= mid << 8 | high << 16;
	if (!st->lba48)
		return low | top << 24;
	return low | (__u64)st->file[IDE_LBA_LOW][1] << 24 | (__u64)st->file[IDE_LBA_MID][1] << 32 |
	       (__u64)st->file[IDE_LBA_HIGH][1] << 40;
}

static inline void ide_set_chs(struct ide_state *st, __u64 lba)
{
	__u64 track = lba / ide_track(st), cylinder = track / ide_heads(st);

	st->file[IDE_LBA_LOW][0] = (__u32)(lba % ide_track(st)) + 1;
	st->file[IDE_LBA_MID][0] = cylinder & 0xff;
	st->file[IDE_LBA_HIGH][0] = cylinder >> 8 & 0xff;
	st->device = (st->device & ~IDE_DEVICE_LOW) | (track % ide_heads(st) & IDE_DEVICE_LOW);
}

static inline void ide_set_lba(struct ide_state *st, __u64 lba)
{
	if (!(st->device & IDE_DEVICE_LBA)) {
		ide_set_chs(st, lba);
		return;
	}
	st->file[IDE_LBA_LOW][0] = lba & 0xff;
	st->file[IDE_LBA_MID][0] = lba >> 8 & 0xff;
	st->file[IDE_LBA_HIGH][0] = lba >> 16 & 0xff;
	if (st->lba48) {
		st->file[IDE_LBA_LOW][1] = lba >> 24 & 0xff;
		st->file[IDE_LBA_MID][1] = lba >> 32 & 0xff;
		st->file[IDE_LBA_HIGH][1] = lba >> 40 & 0xff;
	} else {
		st->device = (st->device & ~IDE_DEVICE_LOW) | (lba >> 24 & IDE_DEVICE_LOW);
	}
}

/* @n sectors from the current address on are the disk's. */
static inline bool ide_in_disk(const struct ide_state *st, __u32 n)
{
	__u64 lba = ide_lba(st);

	return lba <= st->sectors && n <= st->sectors - lba;
}

/* Sectors of the DRQ block that is next. */
static inline __u32 ide_block(const struct ide_state *st)
{
	return st->left < st->block ? st->left : st->block;
}

/* @n sectors are done with; address and count go on. */
static inline void ide_advance(struct ide_state *st, __u32 n)
{
	ide_set_lba(st, ide_lba(st) + n);
	st->left -= n;
	st->file[IDE_COUNT][0] = st->left & 0xff;
}

/* The command has ended. */
static inline void ide_end(struct ide_state *st, __u32 status, __u32 error)
{
	st->status = status;
	st->error = error;
	st->phase = IDE_IDLE;
	st->pos = 0;
	st->end = 0;
}

/**
 * ide_accept() - a command has come, and nothing speaks against it yet
 * @ext: it is of the 48-bit Address feature set: registers are two bytes deep (6.20)
 */
static inline void ide_accept(struct ide_state *st, bool ext)
{
	__u32 count = st->file[IDE_COUNT][0];

	if (ext)
		count |= st->file[IDE_COUNT][1] << 8;
	st->lba48 = ext;
	st->left = count ? count : ext ? 65536 : 256;
	st->pending = 0;
	ide_end(st, IDE_STATUS_READY, 0);
}

/* A DRQ block begins at @pos. */
static inline void ide_request(struct ide_state *st, __u32 pos, __u32 sectors)
{
	st->pos = pos;
	st->end = pos + sectors * IDE_SECTOR;
	st->status |= IDE_STATUS_DRQ;
}

/* A command of sectors that waits: for the bus master, or for the guest's data. */
static inline void ide_begin(struct ide_state *st, __u32 kind)
{
	ide_accept(st, kind & IDE_IS_EXT);
	st->is_write = kind & IDE_IS_WRITE ? 1 : 0;
	if (kind & IDE_IS_DMA) {
		st->phase = IDE_DMA;
		st->status |= IDE_STATUS_DRQ;
		return;
	}
	st->phase = IDE_PIO_OUT;
	st->block = kind & IDE_IS_MULTIPLE ? st->multiple : 1;
	st->start = ide_lba(st);
	ide_request(st, 0, ide_block(st));
}

/* Whether ide_begin() is all there is to do for a command now. */
static inline bool ide_waits(const struct ide_state *st, __u32 kind)
{
	if (!st->sectors)
		return false;
	if (kind & IDE_IS_DMA)
		return !(st->bm_status & IDE_BM_ACTIVE);
	return kind & IDE_IS_WRITE && (!(kind & IDE_IS_MULTIPLE) || st->multiple);
}

/*
 * Command. 9.16.1: with device 1 selected it is ignored, but for EXECUTE DEVICE DIAGNOSTIC
 * (90h). While BSY or DRQ is set it is ignored, too, as it is by QEMU.
 */
static inline int ide_command(struct ide_state *st, __u32 command)
{
	__u32 kind = ide_kind(command);
	bool ignored = !ide_selected(st) || st->status & (IDE_STATUS_BSY | IDE_STATUS_DRQ);

	if (!ide_selected(st) && command == 0x90)
		return LX_PASS;
	if (!ignored && !ide_waits(st, kind))
		return LX_PASS;
	st->control &= ~IDE_CONTROL_HOB;
	if (!ignored)
		ide_begin(st, kind);
	else if (ide_selected(st))
		st->pending = 0;
	return LX_HANDLED;
}

/* 9.12: registers after a reset or a diagnostic of a device without PACKET commands */
static inline void ide_sign(struct ide_state *st)
{
	st->file[IDE_COUNT][0] = 1;
	st->file[IDE_LBA_LOW][0] = 1;
	st->file[IDE_LBA_MID][0] = 0;
	st->file[IDE_LBA_HIGH][0] = 0;
	st->device = IDE_DEVICE_ONES;
	ide_end(st, IDE_STATUS_READY, IDE_ERROR_PASSED);
}

/* The end of a soft reset. Settings stay, but for SET MULTIPLE MODE's, which is as in QEMU. */
static inline void ide_restart(struct ide_state *st)
{
	for (__u32 i = IDE_FEATURES; i <= IDE_LBA_HIGH; i++) {
		st->file[i][0] = 0;
		st->file[i][1] = 0;
	}
	st->multiple = IDE_MULTIPLE_MAX;
	ide_sign(st);
}

/* Whole blocks are in the buffer that the disk does not have yet: a reset is not to lose them. */
static inline bool ide_holds(const struct ide_state *st)
{
	return st->phase == IDE_PIO_OUT && st->start != ide_lba(st);
}

/* Device Control: all devices have it (7.8.5). While SRST is set the disk is in reset. */
static inline void ide_set_control(struct ide_state *st, __u32 val)
{
	__u32 old = st->control;

	st->control = val;
	if (val & IDE_CONTROL_SRST) {
		st->pending = 0;
		ide_end(st, IDE_STATUS_BSY, 0);
	} else if (old & IDE_CONTROL_SRST) {
		ide_restart(st);
	}
}

/* A register of the command block but data and command: each write pushes (6.20). */
static inline void ide_set_file(struct ide_state *st, __u32 reg, __u32 val)
{
	if (st->status & (IDE_STATUS_BSY | IDE_STATUS_DRQ))
		return;
	st->control &= ~IDE_CONTROL_HOB;
	if (reg == IDE_DEVICE) {
		st->device = val | IDE_DEVICE_ONES;
		return;
	}
	reg %= IDE_COMMAND_LEN;
	st->file[reg][1] = st->file[reg][0];
	st->file[reg][0] = val;
}

static inline void ide_store(struct ide_state *st, __u32 len, __u64 val)
{
	st->buf[st->pos / 2 % (IDE_BUF / 2)] = (__u16)val;
	if (len == 4)
		st->buf[(st->pos / 2 + 1) % (IDE_BUF / 2)] = (__u16)(val >> 16);
	st->pos += len;
}

/* A word or two within a DRQ block that is written: what a sector has most of. */
static inline bool ide_word(struct ide_state *st, __u64 off, __u32 len, __u64 val)
{
	if (off != IDE_DATA || st->phase != IDE_PIO_OUT || (len != 2 && len != 4) ||
	    !ide_selected(st) || st->pos + len >= st->end)
		return false;
	ide_store(st, len, val);
	return true;
}

/* A DRQ block is complete, and the next one can begin without the disk. */
static inline bool ide_goes_on(const struct ide_state *st)
{
	__u32 n = ide_block(st);

	return st->left > n && ide_in_disk(st, n) && st->end + st->block * IDE_SECTOR <= IDE_BUF;
}

/* What else is written to the data port. Passes with a block's last word if the disk is needed. */
static inline int ide_data_out(struct ide_state *st, __u32 len, __u64 val)
{
	if (st->phase != IDE_PIO_OUT || !ide_selected(st) || st->pos + len > st->end)
		return LX_HANDLED;
	if (!ide_goes_on(st))
		return LX_PASS;
	ide_store(st, len, val);
	ide_advance(st, ide_block(st));
	ide_request(st, st->end, ide_block(st));
	st->pending = 1;
	return LX_HANDLED;
}

/* The bus master is started or stopped. Passes if a command waits for it. */
static inline int ide_set_bm_command(struct ide_state *st, __u32 val)
{
	bool start = val & IDE_BM_START, started = st->bm_command & IDE_BM_START;

	if (start && !started && !(st->bm_status & IDE_BM_ACTIVE) && st->phase == IDE_DMA)
		return LX_PASS;
	if (start && !started)
		st->bm_status |= IDE_BM_ACTIVE;
	else if (!start && started)
		st->bm_status &= ~IDE_BM_ACTIVE;
	st->bm_command = val & IDE_BM_COMMAND_BITS;
	return LX_HANDLED;
}

static inline void ide_set_bm_status(struct ide_state *st, __u32 val)
{
	__u32 clear = val & (IDE_BM_ERROR | IDE_BM_INT);

	st->bm_status = (st->bm_status & ~(IDE_BM_CAPABLE | clear)) | (val & IDE_BM_CAPABLE);
}

static inline int ide_write_bm(struct ide_state *st, __u64 off, __u32 len, __u32 val)
{
	__u32 shift, mask;

	if (off < IDE_BM_TABLE) {
		if (len != 1)
			return LX_PASS;
		if (off == IDE_BM_COMMAND)
			return ide_set_bm_command(st, val);
		if (off == IDE_BM_STATUS)
			ide_set_bm_status(st, val);
		return LX_HANDLED;
	}
	if (len > 4 || off + len > IDE_BM_LEN)
		return LX_PASS;
	shift = (__u32)(off - IDE_BM_TABLE) * 8;
	mask = ~0U >> (32 - 8 * len);
	st->bm_table = ((st->bm_table & ~(mask << shift)) | (val & mask) << shift) & ~3U;
	return LX_HANDLED;
}

static inline int ide_write_block(struct ide_state *st, __u64 off, __u32 len, __u64 val)
{
	if (off == IDE_DATA && (len == 2 || len == 4))
		return ide_data_out(st, len, val);
	if (off == IDE_DATA || off > IDE_COMMAND || len != 1)
		return LX_PASS;
	if (off == IDE_COMMAND)
		return ide_command(st, (__u32)val);
	ide_set_file(st, (__u32)off, (__u32)val);
	return LX_HANDLED;
}

/**
 * ide_write() - a guest's write
 * @st:     the state
 * @region: IDE_REGION_*
 * @off:    offset there
 * @len:    bytes
 * @val:    the value
 * @rose:   the interrupt rose: signal IRQ14
 *
 * Return: LX_HANDLED; LX_PASS: the VMM's, and nothing has changed.
 */
static inline int ide_write(struct ide_state *st, __u32 region, __u64 off, __u32 len, __u64 val,
			    bool *rose)
{
	int verdict = LX_PASS;
	bool was;

	*rose = false;
	if (region == IDE_REGION_COMMAND && ide_word(st, off, len, val))
		return LX_HANDLED;
	was = ide_line(st);
	if (region == IDE_REGION_COMMAND) {
		verdict = ide_write_block(st, off, len, val);
	} else if (region == IDE_REGION_BM) {
		verdict = ide_write_bm(st, off, len, (__u32)val);
	} else if (len == 1 && !(val & IDE_CONTROL_SRST && ide_holds(st))) {
		ide_set_control(st, (__u32)val);
		verdict = LX_HANDLED;
	}
	*rose = ide_raise(st, was);
	return verdict;
}

/* 9.16.1: with device 1 selected Status is 00h, and all other registers are device 0's. */
static inline __u32 ide_status(const struct ide_state *st)
{
	return ide_selected(st) ? st->status : 0;
}

static inline __u32 ide_read_file(struct ide_state *st, __u32 reg)
{
	__u32 hob = st->control & IDE_CONTROL_HOB ? 1 : 0;

	if (reg == IDE_STATUS) {
		if (ide_selected(st))
			st->pending = 0;
		return ide_status(st);
	}
	if (reg == IDE_DEVICE)
		return st->device;
	if (reg == IDE_ERROR && !hob)
		return st->error;
	return st->file[reg % IDE_COMMAND_LEN][hob];
}

static inline int ide_read_bm(const struct ide_state *st, __u64 off, __u32 len, __u64 *val)
{
	if (off < IDE_BM_TABLE && len == 1) {
		*val = off == IDE_BM_COMMAND ? st->bm_command :
		       off == IDE_BM_STATUS  ? st->bm_status :
					       0xff; /* reserved; as QEMU has them */
		return LX_HANDLED;
	}
	if (off < IDE_BM_TABLE || len > 4 || off + len > IDE_BM_LEN)
		return LX_PASS;
	*val = st->bm_table >> (off - IDE_BM_TABLE) * 8 & ~0U >> (32 - 8 * len);
	return LX_HANDLED;
}

/**
 * ide_read() - a guest's read
 * @val: the value, if handled
 *
 * Return: LX_HANDLED; LX_PASS: the data port, and lengths that the registers do not have.
 */
static inline int ide_read(struct ide_state *st, __u32 region, __u64 off, __u32 len, __u64 *val)
{
	if (region == IDE_REGION_BM)
		return ide_read_bm(st, off, len, val);
	if (len != 1 || (region == IDE_REGION_COMMAND && (off == IDE_DATA || off > IDE_STATUS)))
		return LX_PASS;
	*val = region == IDE_REGION_CONTROL ? ide_status(st) : ide_read_file(st, (__u32)off);
	return LX_HANDLED;
}

/**
 * ide_reset() - the channel after power-on
 * @st: zeros but for the header, and for what the VMM has set
 */
static inline void ide_reset(struct ide_state *st)
{
	st->heads = IDE_HEADS;
	st->track = IDE_TRACK;
	ide_restart(st);
}

#endif /* IDE_MODEL_H */
