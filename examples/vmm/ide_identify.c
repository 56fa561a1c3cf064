// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What an ATA disk says of itself, and what of that can be set: ATA/ATAPI-6, 8.15. */
#include <string.h>

#include "ide_priv.h"

#define LBA28_MAX 0x0fffffffU
#define CYLINDERS_MAX 16383U

/* SET FEATURES: kinds of transfer modes, and the modes of each that there are */
#define MODE_KIND(_mode) ((_mode) >> 3)
#define MODE_DEFAULT 0U
#define MODE_PIO 1U
#define MODE_MULTIWORD 4U
#define MODE_ULTRA 8U
#define PIO_MODES 5U
#define MULTIWORD_MODES 3U
#define ULTRA_MODES 6U

/* Two characters a word, the first in the upper byte; spaces after the last. */
static void put_text(uint16_t *words, unsigned int n, const char *text)
{
	for (unsigned int i = 0; i < n * 2; i++) {
		uint16_t c = (uint16_t)(*text ? *text++ : ' ');

		words[i / 2] |= (uint16_t)(i % 2 ? c : c << 8);
	}
}

static void put_number(uint16_t *words, unsigned int n, uint64_t val)
{
	for (unsigned int i = 0; i < n; i++)
		words[i] = (uint16_t)(val >> 16 * i);
}

/* The modes of a kind that there are, and which is selected. */
static uint16_t modes(const struct ide_state *st, uint32_t kind, unsigned int n)
{
	uint16_t val = (uint16_t)((1U << n) - 1);

	if (MODE_KIND(st->mode) == kind)
		val |= (uint16_t)(0x100U << (st->mode & 7));
	return val;
}

static uint16_t cylinders(uint64_t sectors, uint32_t heads, uint32_t track)
{
	uint64_t n = heads && track ? sectors / (heads * track) : 0;

	return (uint16_t)(n < CYLINDERS_MAX ? n : CYLINDERS_MAX);
}

static void put_size(const struct ide_state *st, uint16_t *words)
{
	uint64_t sectors = st->sectors;

	words[1] = cylinders(sectors, IDE_HEADS, IDE_TRACK);
	words[3] = IDE_HEADS;
	words[6] = IDE_TRACK;
	words[54] = cylinders(sectors, st->heads, st->track); /* the translation in force */
	words[55] = (uint16_t)st->heads;
	words[56] = (uint16_t)st->track;
	put_number(words + 57, 2, (uint64_t)words[54] * st->heads * st->track);
	put_number(words + 60, 2, sectors < LBA28_MAX ? sectors : LBA28_MAX);
	put_number(words + 100, 4, sectors);
}

void vmm_ide_identify(const struct ide_state *st, uint16_t *words)
{
	memset(words, 0, IDE_SECTOR);
	put_size(st, words);
	put_text(words + 10, 10, "LX00001");
	put_text(words + 23, 4, "1.0");
	put_text(words + 27, 20, "lightexit disk");
	words[0] = 0x0040;		       /* ATA, not removable */
	words[2] = 0xc837;		       /* needs no SET FEATURES to spin up */
	words[47] = 0x8000 | IDE_MULTIPLE_MAX; /* sectors of a DRQ block at most */
	words[49] = 0x0f00;		       /* IORDY, which can be disabled; LBA; DMA */
	words[50] = 0x4000;
	words[51] = 0x0200; /* PIO mode 2 without flow control */
	words[53] = 0x0007; /* words 54-58, 64-70, 88 are valid */
	words[59] = st->multiple ? (uint16_t)(0x0100 | st->multiple) : 0;
	words[63] = modes(st, MODE_MULTIWORD, MULTIWORD_MODES);
	words[64] = 0x0003; /* PIO modes 3 and 4 */
	for (unsigned int i = 65; i <= 68; i++)
		words[i] = 120; /* ns: cycles of PIO mode 4 and Multiword DMA mode 2 */
	words[80] = 0x0070;	/* ATA/ATAPI-4 to 6 */
	words[82] = 0x0020;	/* write cache */
	words[83] = 0x7400;	/* FLUSH CACHE (EXT), 48 bits */
	words[84] = 0x4000;
	words[85] = st->cache ? 0x0020 : 0;
	words[86] = 0x3400;
	words[87] = 0x4000;
	words[88] = modes(st, MODE_ULTRA, ULTRA_MODES);
	words[93] = 0x6001; /* 80 conductors; device 0 */
}

static bool set_mode(struct ide_state *st, uint32_t mode)
{
	uint32_t n = mode & 7;

	switch (MODE_KIND(mode)) {
	case MODE_DEFAULT:
		return n < 2;
	case MODE_PIO: /* beside which the DMA mode stays */
		return n < PIO_MODES;
	case MODE_MULTIWORD:
		if (n >= MULTIWORD_MODES)
			return false;
		break;
	case MODE_ULTRA:
		if (n >= ULTRA_MODES)
			return false;
		break;
	default:
		return false;
	}
	st->mode = mode;
	return true;
}

bool vmm_ide_set_features(struct ide_state *st)
{
	switch (st->file[IDE_FEATURES][0]) {
	case 0x02:
	case 0x82:
		st->cache = st->file[IDE_FEATURES][0] == 0x02;
		return true;
	case 0x03:
		return set_mode(st, st->file[IDE_COUNT][0]);
	case 0x55: /* read look-ahead, */
	case 0xaa:
	case 0x66: /* settings stay after a soft reset */
		return true;
	default:
		return false;
	}
}
