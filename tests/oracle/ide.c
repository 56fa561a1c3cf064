// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Traces of the IDE channel: each register, command, failure; then drivers at random. */
#include <string.h>

#include "iderig.h"

static void power_on(struct rig *rig)
{
	get(rig, CTL);
	get(rig, CMD + 7);
	for (unsigned int i = 2; i < 7; i++)
		get(rig, CMD + i);
	differ(rig, POWER_ON);
	get(rig, CMD + 1);
	differ(rig, SAME);
	plain(rig, 0xe7);
}

/* Two bytes deep; HOB; Device's obsolete bits; what a write to a register does to HOB. */
static void task_files(struct rig *rig)
{
	for (unsigned int i = 1; i < 6; i++) {
		put(rig, CMD + i, 0x10 + i);
		put(rig, CMD + i, 0x20 + i);
	}
	registers(rig);
	put(rig, CTL, 0x80);
	registers(rig);
	for (unsigned int i = 1; i < 7; i++) {
		put(rig, CTL, 0x80);
		put(rig, CMD + i, 0x60 + i);
		registers(rig);
	}
	for (unsigned int val = 0; val < 256; val += 15) {
		put(rig, CMD + 6, val & 0xef);
		get(rig, CMD + 6);
	}
	rig_out(rig, 2, CMD + 2, 0x1234);
	rig_in(rig, 2, CMD + 1);
	differ(rig, DWORDS);
	rig_in(rig, 4, CMD + 4);
	differ(rig, SAME);
	rig_in(rig, 1, CMD);
	rig_in(rig, 2, CMD);
	rig_in(rig, 4, CMD);
	registers(rig);
}

static void bus_master(struct rig *rig)
{
	for (unsigned int val = 0; val < 256; val++) {
		put(rig, BM, val);
		put(rig, BM + 1, val);
		put(rig, BM + 2, val);
		put(rig, BM + 4 + val % 4, val);
		registers(rig);
	}
	put(rig, BM, 0);
	rig_out(rig, 4, BM + 4, 0xffffffff);
	rig_out(rig, 2, BM + 5, 0x1234);
	for (unsigned int i = 0; i < 3; i++)
		rig_in(rig, 2, BM + 4 + i);
	put(rig, BM + 2, 0x60);
	differ(rig, WIDTHS);
	rig_in(rig, 2, BM);
	rig_in(rig, 4, BM);
	rig_in(rig, 2, BM + 2);
	differ(rig, SAME);
}

/* Device 1: 9.16.1. Its registers are QEMU's own, so after this both are written again. */
static void device_1(struct rig *rig)
{
	task_file(rig, 3, 0x123456, false);
	plain(rig, 0xe5);
	put(rig, CMD + 6, 0xf0);
	get(rig, CTL);
	get(rig, CMD + 6);
	put(rig, CMD + 7, 0xec);
	put(rig, CMD + 7, 0xc8);
	interrupts(rig);
	differ(rig, SLAVE_REGISTERS);
	get(rig, CMD + 1);
	get(rig, CMD + 2);
	differ(rig, SAME);
	task_file(rig, 1, 5, false);
	put(rig, CMD + 7, 0xe7);
	settle(rig, 0x80);
	put(rig, CMD + 6, 0xf0);
	differ(rig, SLAVE_STATUS);
	interrupts(rig);
	get(rig, CMD + 7);
	put(rig, CMD + 6, 0xe0);
	interrupts(rig);
	differ(rig, SAME);
	get(rig, CMD + 7);
	put(rig, CMD + 6, 0xf0);
	put(rig, CMD + 7, 0x90);
	put(rig, CMD + 6, 0xe0);
	differ(rig, DIAGNOSTIC_1);
	interrupts(rig);
	get(rig, CMD + 7);
	get(rig, BM + 2);
	get(rig, CMD + 1);
	get(rig, CMD + 2);
	differ(rig, SAME);
	put(rig, BM + 2, 0x66);
	put(rig, CMD + 6, 0xe3);
	put(rig, CMD + 7, 0x90);
	get(rig, CMD + 6);
	put(rig, CMD + 6, 0xe0);
	acknowledge(rig);
}

static void masked(struct rig *rig)
{
	task_file(rig, 1, 9, false);
	put(rig, CTL, 2);
	plain(rig, 0xe7);
	pio(rig, 0x20, 2, 9, false, 1);
	prd(rig, 0, BUFFER, 512, true);
	dma(rig, 0xc8, 1, 7, false);
	put(rig, CMD + 7, 0xe7);
	settle(rig, 0x80);
	release(rig, PENDING);
	put(rig, CMD + 7, 0xe7);
	settle(rig, 0x80);
	interrupts(rig);
	put(rig, CTL, 2);
	put(rig, CTL, 0);
	differ(rig, NIEN);
	interrupts(rig);
	differ(rig, SAME);
	get(rig, CMD + 7);
	put(rig, BM + 2, 0x66);
	registers(rig);
}

static void soft_resets(struct rig *rig)
{
	task_file(rig, 7, 0x654321, true);
	put(rig, CTL, 4);
	settle(rig, 0x80);
	differ(rig, SRST_BUSY);
	get(rig, CTL);
	differ(rig, SAME);
	put(rig, CTL, 0);
	get(rig, CTL);
	soft_reset(rig);
	task_file(rig, 4, 100, false);
	put(rig, CMD + 7, 0x30);
	for (unsigned int i = 0; i < 300; i++)
		rig_out(rig, 2, CMD, i);
	soft_reset(rig);
	task_file(rig, 4, 100, false);
	put(rig, CMD + 7, 0xc8);
	soft_reset(rig);
}

/* Each command code once, on sector 0; what moves data is reset away. */
static void every_command(struct rig *rig)
{
	static const uint8_t optional[] = { 0x27, 0x3c, 0xf5, 0xf8 };
	static const uint8_t power[] = {
		0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6
	};

	for (unsigned int cmd = 0; cmd < 256; cmd++) {
		soft_reset(rig);
		task_file(rig, 1, 0, true);
		if (memchr(optional, (int)cmd, sizeof(optional)))
			differ(rig, OPTIONAL);
		if (memchr(power, (int)cmd, sizeof(power)))
			differ(rig, DSC);
		put(rig, CMD + 7, cmd);
		acknowledge(rig);
		differ(rig, SAME);
	}
	soft_reset(rig);
}

/* @translated: not by 16 and 63 */
static void identify(struct rig *rig, bool translated)
{
	put(rig, CMD + 7, 0xec);
	acknowledge(rig);
	for (unsigned int i = 0; i < 256; i++) {
		differ(rig, own_word(i)			     ? IDENTIFY :
			    translated && i >= 54 && i <= 58 ? TRANSLATION :
							       SAME);
		rig_in(rig, 2, CMD);
	}
	differ(rig, SAME);
	rig_in(rig, 2, CMD);
	acknowledge(rig);
}

static void features(struct rig *rig)
{
	static const uint8_t codes[] = { 0x02, 0x82, 0x55, 0xaa, 0x66, 0x00, 0x77, 0xff };
	static const uint8_t modes[] = { 0x20, 0x21, 0x22, 0x40, 0x41, 0x44, 0x45, 0x60, 0xff };
	static const uint8_t optional[] = { 0x05, 0x85, 0x42, 0xc2, 0x67, 0x69, 0x96, 0x9a, 0xcc };
	static const uint8_t missing[] = { 0x0d, 0x23, 0x46 };

	for (unsigned int i = 0; i < sizeof(codes); i++) {
		put(rig, CMD + 1, codes[i]);
		plain(rig, 0xef);
	}
	for (unsigned int i = 0; i < sizeof(modes); i++) {
		put(rig, CMD + 1, 3);
		put(rig, CMD + 2, modes[i]);
		plain(rig, 0xef);
		identify(rig, false);
	}
	for (unsigned int i = 0; i < sizeof(optional); i++) {
		put(rig, CMD + 1, optional[i]);
		differ(rig, OPTIONAL);
		plain(rig, 0xef);
		differ(rig, SAME);
	}
	for (unsigned int i = 0; i < sizeof(missing); i++) {
		put(rig, CMD + 1, 3);
		put(rig, CMD + 2, missing[i]);
		differ(rig, MODES);
		plain(rig, 0xef);
		differ(rig, SAME);
	}
	put(rig, CMD + 1, 0x66);
	plain(rig, 0xef);
	put(rig, CMD + 1, 3);
	put(rig, CMD + 2, 0x45);
	plain(rig, 0xef);
	for (unsigned int i = 0; i < 256; i++) {
		put(rig, CMD + 2, i);
		plain(rig, 0xc6);
	}
	put(rig, CMD + 2, 16);
	plain(rig, 0xc6);
	identify(rig, false);
}

/* Two sectors by cylinder 2, the last head, its last sector, and over that. */
static void translate(struct rig *rig, unsigned int heads, unsigned int track)
{
	put(rig, CMD + 2, track);
	put(rig, CMD + 6, 0xa0 | (heads - 1));
	plain(rig, 0x91);
	put(rig, CMD + 2, 2);
	put(rig, CMD + 3, track);
	put(rig, CMD + 4, 2);
	put(rig, CMD + 5, 0);
	put(rig, CMD + 7, 0x20);
	for (unsigned int n = 0; n < 2; n++) {
		acknowledge(rig);
		for (unsigned int i = 0; i < 256; i++)
			rig_in(rig, 2, CMD);
	}
	acknowledge(rig);
}

/* Another translation, which a reset leaves. */
static void translations(struct rig *rig)
{
	translate(rig, 4, 17);
	soft_reset(rig);
	identify(rig, true);
	put(rig, CMD + 2, 0);
	differ(rig, NO_SECTORS);
	plain(rig, 0x91);
	differ(rig, SAME);
	translate(rig, 16, 63);
}

/* Sectors in all ways, and those that are not there. */
static void transfers(struct rig *rig)
{
	static const uint8_t pios[] = { 0x20, 0x24, 0xc4, 0x29, 0x30, 0x34, 0xc5, 0x39 };
	static const uint8_t dmas[] = { 0xc8, 0x25, 0xca, 0x35 };

	for (unsigned int i = 0; i < 8; i++) {
		bool ext = i % 2;
		unsigned int block = i % 4 < 2 ? 1 : 16;

		pio(rig, pios[i], 1, 5, ext, block);
		pio(rig, pios[i], 19, 900, ext, block);
		pio(rig, pios[i], 3, SECTORS - 2, ext, block);
		pio(rig, pios[i], 1, SECTORS, ext, block);
	}
	put(rig, CMD + 2, 0);
	plain(rig, 0xc6);
	pio(rig, 0xc4, 1, 5, false, 1);
	pio(rig, 0x39, 1, 5, true, 1);
	put(rig, CMD + 2, 16);
	plain(rig, 0xc6);
	prd(rig, 0, BUFFER, 0x1002, false);
	prd(rig, 1, BUFFER + 0x1002, 0x2ffe, true);
	for (unsigned int i = 0; i < 4; i++) {
		dma(rig, dmas[i], 32, 77, i % 2);
		dma(rig, dmas[i], 31, 77, i % 2);
		dma(rig, dmas[i], 33, 77, i % 2);
		dma(rig, dmas[i], 32, SECTORS - 31, i % 2);
		same_memory(rig, BUFFER, BUFFER_SECTORS * 512);
	}
	dma(rig, 0x25, 32, 1ULL << 45, true);
	task_file(rig, 2, SECTORS - 2, false);
	plain(rig, 0x40);
	task_file(rig, 3, SECTORS - 2, false);
	differ(rig, VERIFY);
	plain(rig, 0x40);
	differ(rig, SAME);
	task_file(rig, 1, 0, false);
	plain(rig, 0x70);
	translate(rig, 16, 63);
}

/* A driver that clears the bus master's bit while the line is up. */
static void edges(struct rig *rig)
{
	task_file(rig, 2, 50, false);
	put(rig, CMD + 7, 0x20);
	settle(rig, 0x80);
	put(rig, BM + 2, 0x66);
	get(rig, BM + 2);
	for (unsigned int i = 0; i < 256; i++)
		rig_in(rig, 2, CMD);
	settle(rig, 0x80);
	differ(rig, EDGE);
	get(rig, BM + 2);
	differ(rig, SAME);
	put(rig, BM + 2, 0x66);
	for (unsigned int i = 0; i < 256; i++)
		rig_in(rig, 2, CMD);
	acknowledge(rig);
}

static void directed(struct rig *rig, unsigned int n)
{
	power_on(rig);
	task_files(rig);
	bus_master(rig);
	transfers(rig);
	device_1(rig);
	masked(rig);
	soft_resets(rig);
	identify(rig, false);
	every_command(rig);
	translations(rig);
	features(rig);
	transfers(rig);
	edges(rig);
}

static void random_table(struct rig *rig, unsigned int bytes)
{
	uint64_t base = BUFFER;

	for (unsigned int i = 0; bytes; i++) {
		unsigned int len = 2 + 2 * (unsigned int)rig_below(rig, bytes / 2);

		if (i == 7)
			len = bytes;
		prd(rig, i, base, len, len == bytes);
		base += len;
		bytes -= len;
	}
}

static void random_dma(struct rig *rig)
{
	static const uint8_t codes[] = { 0xc8, 0x25, 0xca, 0x35 };
	unsigned int k = (unsigned int)rig_below(rig, 4);
	unsigned int count = 1 + (unsigned int)rig_below(rig, BUFFER_SECTORS);
	unsigned int bytes = rig_below(rig, 8) ? count : 1 + (unsigned int)rig_below(rig, 32);

	random_table(rig, bytes * 512);
	for (unsigned int i = 0; i < 4; i++)
		write_memory(rig, BUFFER + 8 * rig_below(rig, 64ULL * BUFFER_SECTORS),
			     rig_random(rig));
	dma(rig, codes[k], count, rig_below(rig, SECTORS + 10), k % 2);
	same_memory(rig, BUFFER + 512 * rig_below(rig, BUFFER_SECTORS), 512);
}

static void random_pio(struct rig *rig)
{
	static const uint8_t codes[] = { 0x20, 0x24, 0xc4, 0x29, 0x30, 0x34, 0xc5, 0x39 };
	unsigned int k = (unsigned int)rig_below(rig, 8);

	pio(rig, codes[k], 1 + (unsigned int)rig_below(rig, 5), rig_below(rig, SECTORS + 2), k % 2,
	    k % 4 < 2 ? 1 : 16);
}

/* Registers while nothing is under way, commands without data. */
static void random_registers(struct rig *rig)
{
	static const uint8_t codes[] = { 0x10, 0x70, 0xe5, 0xe7, 0xea, 0x00, 0xa0, 0xff, 0xc3 };

	for (unsigned int i = 0; i < 20; i++) {
		unsigned int reg = 1 + (unsigned int)rig_below(rig, 5);

		switch (rig_below(rig, 8)) {
		case 0:
			put(rig, CTL, rig_below(rig, 2) ? 0x80 : 0);
			break;
		case 1:
			put(rig, CMD + 6, rig_random(rig) & 0xef);
			break;
		case 2:
			put(rig, BM, rig_random(rig) & 0xff);
			put(rig, BM, 0);
			put(rig, BM + 2, 0x60);
			break;
		case 3:
			plain(rig, codes[rig_below(rig, sizeof(codes))]);
			break;
		case 4:
			registers(rig);
			break;
		default:
			put(rig, CMD + reg, rig_random(rig) & 0xff);
			break;
		}
	}
	put(rig, CTL, 0);
	registers(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	differ(rig, POWER_ON);
	get(rig, CMD + 1);
	differ(rig, SAME);
	plain(rig, 0xe7);
	for (n /= 100; n && !rig->failed; n--) {
		switch (rig_below(rig, 8)) {
		case 0:
		case 1:
		case 2:
			random_dma(rig);
			break;
		case 3:
			random_pio(rig);
			break;
		case 4:
			soft_reset(rig);
			break;
		default:
			random_registers(rig);
			break;
		}
	}
}

const struct oracle_test ide_tests[] = {
	{ "ide.directed", false, ide_setup, directed, ide_teardown, ide_differences },
	{ "ide.random", true, ide_setup, at_random, ide_teardown, ide_differences },
	{ "ide.lockstep", true, ide_setup, ide_by_lockstep, ide_teardown, ide_differences },
	{ 0 },
};
