// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * IDE registers, resets, interrupts and the commands that the model takes, against
 * ATA/ATAPI-6 (T13/1410D) and, of the bus master, Intel's 82371AB data sheet (PIIX4), 5.2.
 * What these leave open is as in QEMU, and says so.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ide_model.h"

#define BSY 0x80
#define DRDY 0x40
#define DSC 0x10
#define DRQ 0x08

enum {
	BLOCK,
	CONTROL,
	BM
};

static struct ide_state st;
static unsigned int rises;

static void reset(void)
{
	memset(&st, 0, sizeof(st));
	st.sectors = 1ULL << 40;
	ide_reset(&st);
	rises = 0;
}

TestSuite(ide, .init = reset);

static int try_out(unsigned int region, unsigned int off, unsigned int len, __u64 val)
{
	bool rose;
	int verdict = ide_write(&st, region, off, len, val, &rose);

	rises += rose;
	return verdict;
}

static void out(unsigned int region, unsigned int off, __u64 val)
{
	cr_assert_eq(try_out(region, off, 1, val), LX_HANDLED, "%#llx to %u of region %u passes",
		     val, off, region);
}

static unsigned int in(unsigned int region, unsigned int off)
{
	__u64 val = ~0ULL;

	cr_assert_eq(ide_read(&st, region, off, 1, &val), LX_HANDLED, "%u of region %u passes", off,
		     region);
	return (unsigned int)val;
}

static void expect(unsigned int region, unsigned int off, unsigned int want)
{
	unsigned int got = in(region, off);

	cr_expect_eq(got, want, "%u of region %u is %#x, not %#x", off, region, got, want);
}

/* Sector Count to LBA High, twice where @hob. */
static void address(unsigned int count, __u64 lba, bool hob)
{
	if (hob) {
		out(BLOCK, 2, count >> 8 & 0xff);
		for (unsigned int i = 0; i < 3; i++)
			out(BLOCK, 3 + i, lba >> (24 + 8 * i) & 0xff);
	}
	out(BLOCK, 2, count & 0xff);
	for (unsigned int i = 0; i < 3; i++)
		out(BLOCK, 3 + i, lba >> 8 * i & 0xff);
	out(BLOCK, 6, 0xe0 | (hob ? 0 : lba >> 24 & 0xf));
}

/* The disk interrupts. */
static void interrupt(void)
{
	bool was = ide_line(&st);

	st.pending = 1;
	rises += ide_raise(&st, was);
}

static void words(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(try_out(BLOCK, 0, 2, i ^ 0x5aa5), LX_HANDLED, "word %u passes", i);
}

/* 9.12: Error 01h, Sector Count 01h, LBA Low 01h, Mid and High 00h. */
Test(ide, signature_after_power_on)
{
	static const unsigned int want[] = { 1, 1, 1, 0, 0, 0xa0, DRDY | DSC };

	for (unsigned int i = 0; i < 7; i++)
		expect(BLOCK, 1 + i, want[i]);
	expect(CONTROL, 0, DRDY | DSC);
	for (unsigned int i = 0; i < 8; i++)
		expect(BM, i, i == 1 || i == 3 ? 0xff : 0);
	cr_expect_eq(rises, 0);
}

/*
 * 6.20: "each a two byte deep FIFO": a write moves what was there to the "previous content",
 * which is read while HOB is set; a write to the command block clears HOB.
 */
Test(ide, two_bytes_deep)
{
	for (unsigned int i = 1; i < 6; i++) {
		out(BLOCK, i, 0x10 + i);
		out(BLOCK, i, 0x20 + i);
	}
	out(CONTROL, 0, 0x80);
	for (unsigned int i = 2; i < 6; i++)
		expect(BLOCK, i, 0x10 + i);
	out(CONTROL, 0, 0);
	for (unsigned int i = 2; i < 6; i++)
		expect(BLOCK, i, 0x20 + i);
	out(CONTROL, 0, 0x80);
	out(BLOCK, 6, 0xe0);
	for (unsigned int i = 2; i < 6; i++)
		expect(BLOCK, i, 0x20 + i);
	expect(BLOCK, 6, 0xe0);
	out(BLOCK, 2, 0x33);
	out(CONTROL, 0, 0x80);
	expect(BLOCK, 2, 0x22);
	out(BLOCK, 6, 0x43);
	expect(BLOCK, 6, 0xe3); /* bits 7 and 5 are obsolete: as QEMU has them */
}

/* 9.16.1, device 0 only, with device 1 selected: all four of its points. */
Test(ide, device_1_is_not_there)
{
	address(5, 0x123456, false);
	interrupt();
	out(BLOCK, 6, 0xf0);
	expect(BLOCK, 7, 0);
	expect(CONTROL, 0, 0);
	expect(BLOCK, 1, 1);
	expect(BLOCK, 2, 5);
	expect(BLOCK, 3, 0x56);
	expect(BLOCK, 6, 0xf0);
	cr_expect_eq(try_out(BLOCK, 7, 1, 0xc8), LX_HANDLED, "a command to nobody");
	cr_expect_eq(try_out(BLOCK, 7, 1, 0xec), LX_HANDLED);
	cr_expect_eq(try_out(BLOCK, 7, 1, 0x90), LX_PASS, "EXECUTE DEVICE DIAGNOSTIC is for both");
	out(BLOCK, 2, 0x77);
	cr_expect_eq(st.pending, 1);
	out(BLOCK, 6, 0xe0);
	expect(BLOCK, 2, 0x77);
	expect(CONTROL, 0, DRDY | DSC);
	out(BLOCK, 6, 0xf0);
	out(CONTROL, 0, 4);
	out(CONTROL, 0, 0);
	expect(CONTROL, 0, DRDY | DSC); /* reset selects device 0, 9.12 */
	expect(BLOCK, 2, 1);
}

/* Status acknowledges, Alternate Status does not. */
Test(ide, status_acknowledges)
{
	interrupt();
	cr_expect_eq(rises, 1);
	expect(CONTROL, 0, DRDY | DSC);
	cr_expect(ide_line(&st));
	expect(BLOCK, 7, DRDY | DSC);
	cr_expect(!ide_line(&st));
	interrupt();
	cr_expect_eq(rises, 2);
	interrupt();
	cr_expect_eq(rises, 2, "an edge of a line that is up");
}

/*
 * 5.2.9: "When the nIEN bit is set to one or the device is not selected, the INTRQ signal
 * shall be released." What is pending comes back with it.
 */
Test(ide, intrq_is_released)
{
	out(CONTROL, 0, 2);
	interrupt();
	cr_expect_eq(rises, 0);
	out(CONTROL, 0, 0);
	cr_expect_eq(rises, 1);
	out(BLOCK, 6, 0xf0);
	cr_expect(!ide_line(&st));
	in(BLOCK, 7);
	out(BLOCK, 6, 0xe0);
	cr_expect_eq(rises, 2);
	out(CONTROL, 0, 2);
	in(BLOCK, 7);
	out(CONTROL, 0, 0);
	cr_expect_eq(rises, 2, "it was acknowledged");
}

/* 82371AB 5.2.2, IDEINTS: set by an assertion edge; cleared, it waits for another one. */
Test(ide, bus_master_interrupt_bit)
{
	interrupt();
	expect(BM, 2, 4);
	out(BM, 2, 4);
	expect(BM, 2, 0);
	interrupt();
	expect(BM, 2, 0);
	in(BLOCK, 7);
	interrupt();
	expect(BM, 2, 4);
	out(BM, 2, 0x62);
	expect(BM, 2, 0x64);
	st.bm_status |= 3;
	out(BM, 2, 0);
	expect(BM, 2, 7); /* bits 6:5 are read/write, 2:1 cleared by ones, 0 is read-only */
	out(BM, 2, 0xff);
	expect(BM, 2, 0x61);
}

/* 5.2.1: SSBM and RWCON, and no other bits; 5.2.3: bits 31:2 of the table's address. */
Test(ide, bus_master_registers)
{
	__u64 val;

	out(BM, 0, 0xfe);
	expect(BM, 0, 8);
	out(BM, 0, 1);
	expect(BM, 0, 1);
	expect(BM, 2, 1);
	out(BM, 0, 1);
	out(BM, 0, 0);
	expect(BM, 2, 0);
	cr_expect_eq(try_out(BM, 4, 4, 0x89abcdef), LX_HANDLED);
	cr_expect_eq(ide_read(&st, BM, 4, 4, &val), LX_HANDLED);
	cr_expect_eq(val, 0x89abcdec);
	cr_expect_eq(try_out(BM, 6, 2, 0x1234), LX_HANDLED);
	out(BM, 4, 0xff);
	cr_expect_eq(ide_read(&st, BM, 4, 4, &val), LX_HANDLED);
	cr_expect_eq(val, 0x1234cdfc);
	cr_expect_eq(ide_read(&st, BM, 5, 2, &val), LX_HANDLED);
	cr_expect_eq(val, 0x34cd);
	expect(BM, 7, 0x12);
}

/* ATA-1, 7.2.6: "held reset when this bit is set"; then as after power-on, no interrupt. */
Test(ide, soft_reset)
{
	address(3, 7, false);
	out(BLOCK, 7, 0x30);
	out(CONTROL, 0, 4);
	expect(CONTROL, 0, BSY);
	expect(BLOCK, 7, BSY);
	out(BLOCK, 2, 0x55);
	out(BLOCK, 7, 0xc8);
	out(CONTROL, 0, 6);
	expect(CONTROL, 0, BSY);
	out(CONTROL, 0, 2);
	expect(CONTROL, 0, DRDY | DSC);
	expect(BLOCK, 1, 1);
	expect(BLOCK, 2, 1);
	out(CONTROL, 0, 0x80);
	for (unsigned int i = 2; i < 6; i++)
		expect(BLOCK, i, 0);
	cr_expect_eq(rises, 0);
}

/* A reset under a write passes if there are blocks that the disk was told to have. */
Test(ide, reset_under_a_write)
{
	address(3, 7, false);
	out(BLOCK, 7, 0x30);
	words(256);
	cr_expect_eq(try_out(CONTROL, 0, 1, 4), LX_PASS);
	expect(CONTROL, 0, DRDY | DSC | DRQ);
	out(CONTROL, 0, 2);
	reset();
	address(3, 7, false);
	out(BLOCK, 7, 0x30);
	words(255);
	out(CONTROL, 0, 4);
}

/* A DMA command waits for the bus master with DRQ set, as in QEMU; the start is the VMM's. */
Test(ide, dma_waits)
{
	static const unsigned int commands[] = { 0xc8, 0xc9, 0xca, 0xcb, 0x25, 0x35 };

	for (unsigned int i = 0; i < 6; i++) {
		struct ide_state before;

		reset();
		address(8, 100, commands[i] < 0x40);
		interrupt();
		out(BLOCK, 7, commands[i]);
		expect(CONTROL, 0, DRDY | DSC | DRQ);
		cr_expect_eq(st.pending, 0, "a command acknowledges");
		cr_expect_eq(st.left, 8);
		cr_expect_eq(st.is_write,
			     commands[i] == 0xca || commands[i] == 0xcb || commands[i] == 0x35);
		out(BLOCK, 2, 0x44);
		expect(BLOCK, 2, 8); /* ignored while DRQ: as in QEMU */
		out(BM, 0, 8);
		before = st;
		cr_expect_eq(try_out(BM, 0, 1, 9), LX_PASS);
		cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
	}
}

/* A DMA command that finds the bus master started needs it at once. */
Test(ide, dma_after_start)
{
	address(8, 100, false);
	out(BM, 0, 9);
	cr_expect_eq(try_out(BLOCK, 7, 1, 0xc8), LX_PASS);
	cr_expect_eq(st.phase, IDE_IDLE);
	out(BM, 0, 8);
	out(BLOCK, 7, 0xc8);
	cr_expect_eq(st.phase, IDE_DMA);
}

/* PIO data-out: DRQ without an interrupt for the first block, with one for each further. */
Test(ide, write_sectors)
{
	struct ide_state before;

	address(3, 0x0123456, false);
	out(BLOCK, 7, 0x30);
	expect(BLOCK, 7, DRDY | DSC | DRQ);
	cr_expect_eq(rises, 0);
	words(255);
	expect(BLOCK, 2, 3);
	cr_assert_eq(try_out(BLOCK, 0, 2, 255 ^ 0x5aa5), LX_HANDLED);
	cr_expect_eq(rises, 1);
	expect(BLOCK, 7, DRDY | DSC | DRQ);
	expect(BLOCK, 2, 2);
	expect(BLOCK, 3, 0x57);
	words(256);
	cr_expect_eq(rises, 2);
	words(255);
	before = st;
	cr_expect_eq(try_out(BLOCK, 0, 2, 0x1234), LX_PASS, "the disk is needed");
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
	for (unsigned int i = 0; i < 767; i++)
		cr_assert_eq(st.buf[i], (i % 256) ^ 0x5aa5);
	cr_expect_eq(st.start, 0x123456);
}

/* WRITE MULTIPLE: blocks of as many sectors as SET MULTIPLE MODE said, and a rest. */
Test(ide, write_multiple)
{
	st.multiple = 4;
	address(10, 0, true);
	out(BLOCK, 7, 0x39);
	words(4 * 256 - 1);
	cr_expect_eq(rises, 0);
	words(1);
	cr_expect_eq(rises, 1);
	in(BLOCK, 7);
	words(4 * 256);
	cr_expect_eq(rises, 2);
	expect(BLOCK, 2, 2);
	words(2 * 256 - 1);
	cr_expect_eq(try_out(BLOCK, 0, 2, 0), LX_PASS);
	reset();
	st.multiple = 0;
	cr_expect_eq(try_out(BLOCK, 7, 1, 0xc5), LX_PASS, "it is to be aborted");
}

/* Double words, words that do not fit, and words without a transfer. */
Test(ide, data_port_sizes)
{
	address(1, 0, false);
	out(BLOCK, 7, 0x30);
	cr_expect_eq(try_out(BLOCK, 0, 4, 0x44332211), LX_HANDLED);
	cr_expect_eq(try_out(BLOCK, 0, 2, 0x6655), LX_HANDLED);
	cr_expect_eq(memcmp(st.buf, "\x11\x22\x33\x44\x55\x66", 6), 0);
	words(252);
	cr_expect_eq(try_out(BLOCK, 0, 4, 0), LX_HANDLED, "two words for the last one's place");
	cr_expect_eq(st.pos, 510);
	reset();
	cr_expect_eq(try_out(BLOCK, 0, 2, 0), LX_HANDLED, "no transfer");
	cr_expect_eq(st.pos, 0);
}

/* The buffer's end needs the disk, as does a block that is not the disk's. */
Test(ide, when_writing_needs_the_disk)
{
	unsigned int n = 0;

	address(0, 0, false);
	out(BLOCK, 7, 0x30);
	while (try_out(BLOCK, 0, 2, 0) == LX_HANDLED)
		n++;
	cr_expect_eq(n, IDE_BUF / 2 - 1);
	reset();
	st.sectors = 20;
	address(5, 18, false);
	out(BLOCK, 7, 0x30);
	for (n = 0; try_out(BLOCK, 0, 2, 0) == LX_HANDLED;)
		n++;
	cr_expect_eq(n, 3 * 256 - 1, "%u words", n);
	reset();
	st.sectors = 0;
	cr_expect_eq(try_out(BLOCK, 7, 1, 0x30), LX_PASS, "the disk was removed");
	cr_expect_eq(try_out(BLOCK, 7, 1, 0xca), LX_PASS);
}

/* 28 bits, 48 bits, and cylinder, head, sector; 0 is 256, or 65,536 (6.20). */
Test(ide, addresses)
{
	address(0, 0xabcdef1, false);
	out(BLOCK, 7, 0xc8);
	cr_expect_eq(ide_lba(&st), 0xabcdef1);
	cr_expect_eq(st.left, 256);
	reset();
	address(0, 0x123456789abcULL, true);
	out(BLOCK, 7, 0x25);
	cr_expect_eq(ide_lba(&st), 0x123456789abcULL);
	cr_expect_eq(st.left, 65536);
	ide_advance(&st, 0x5544);
	cr_expect_eq(ide_lba(&st), 0x12345678f000ULL);
	out(CONTROL, 0, 0x80);
	expect(BLOCK, 3, 0x56);
	expect(BLOCK, 4, 0x34);
	expect(BLOCK, 5, 0x12);
	reset();
	/* ((2 * 16) + 15) * 63 + 62: sector 63 of the last head of cylinder 2 */
	address(2, 63 | 2 << 8, false);
	out(BLOCK, 6, 0xaf);
	out(BLOCK, 7, 0xc8);
	cr_expect_eq(ide_lba(&st), 47 * 63 + 62);
	ide_advance(&st, 1);
	expect(BLOCK, 3, 1);
	expect(BLOCK, 4, 3);
	expect(BLOCK, 6, 0xa0);
}

/* A command while BSY or DRQ is set is ignored, as in QEMU. */
Test(ide, commands_while_busy)
{
	address(2, 0, false);
	out(BLOCK, 7, 0x30);
	words(10);
	out(BLOCK, 7, 0xec);
	expect(BLOCK, 7, DRDY | DSC | DRQ);
	cr_expect_eq(st.pos, 20);
	out(CONTROL, 0, 4);
	out(BLOCK, 7, 0xc8);
	expect(CONTROL, 0, BSY);
}

/* Whatever comes: nothing but @buf is written by data, and a pass changes nothing. */
Test(ide, random_accesses)
{
	static const unsigned int commands[] = { 0x30, 0x34, 0xc5, 0x39, 0xc8, 0x35, 0xec, 0x90 };
	struct ide_state *before = malloc(sizeof(*before));
	uint64_t passed = 0, handled = 0, seed = 1;

	cr_assert_not_null(before);
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int region, off, len;
		__u64 val;
		int verdict;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		region = seed >> 60 < 12 ? BLOCK : seed >> 61 & 1 ? BM : CONTROL;
		off = region == CONTROL ? 0 : seed >> 40 & 7;
		len = 1U << (seed >> 34 & 3);
		if (seed >> 36 & 3)
			len = off ? 1 : 2;
		val = region == BLOCK && off == 7 ? commands[seed >> 20 & 7] : seed >> 8 & 0xff;
		if (i % 1000 == 0)
			st.sectors = seed >> 33 & 0xff;
		memcpy(before, &st, sizeof(st));
		if (seed >> 32 & 1)
			verdict = try_out(region, off, len, val);
		else
			verdict = ide_read(&st, region, off, len, &val);
		cr_assert(st.pos <= st.end && st.end <= IDE_BUF);
		if (verdict == LX_PASS) {
			passed++;
			cr_assert_eq(memcmp(before, &st, sizeof(st)), 0,
				     "a pass changed something");
			if (region == BLOCK && !off && len > 1)
				ide_end(&st, DRDY | DSC, 0); /* the VMM's */
		} else {
			handled++;
		}
	}
	cr_expect_gt(passed, 10000);
	cr_expect_gt(handled, 10000);
	free(before);
}
