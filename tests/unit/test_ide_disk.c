// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The VMM's IDE back end and its disk, by port accesses alone: commands, data, bus master,
 * and every way in which a disk can fail. ATA/ATAPI-6 and 82371AB as in test_ide.c; the
 * values that they leave open are QEMU's, and said to be.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"

#define CMD 0x1f0U
#define CTL 0x3f6U
#define BM 0xc000U
#define READY 0x50
#define DATA 0x58
#define FAILED 0x41
#define ABRT 4
#define UNC 0x40

#define SECTORS 1000U
#define MEM 0x40000U
#define TABLE 0x1000U
#define PAGES 0x2000U

static struct vmm vm;
static struct vmm_ide *ide;
static int disk, irq;
static bool read_only;

static void start(int fd)
{
	struct vmm_ide_opts opts = { .fd = fd, .read_only = read_only, .irq_fd = irq };

	memset(&vm, 0, sizeof(vm));
	vm.mem_size = MEM;
	vm.mem = calloc(1, MEM);
	cr_assert_not_null(vm.mem);
	cr_assert_eq(vmm_ide_new(&vm, &opts, &ide), 0);
}

static uint8_t content(uint64_t sector, unsigned int byte)
{
	return (uint8_t)(sector * 31 + byte * 7 + (byte >> 8));
}

static void setup(void)
{
	uint8_t data[512];

	read_only = false;
	disk = memfd_create("disk", 0);
	irq = eventfd(0, EFD_NONBLOCK);
	cr_assert(disk >= 0 && irq >= 0);
	for (unsigned int s = 0; s < SECTORS; s++) {
		for (unsigned int i = 0; i < 512; i++)
			data[i] = content(s, i);
		cr_assert_eq(pwrite(disk, data, 512, s * 512), 512);
	}
	start(disk);
}

static void stop(void)
{
	vmm_ide_free(ide);
	free(vm.mem);
}

static void teardown(void)
{
	stop();
	close(disk);
	close(irq);
}

TestSuite(ide_disk, .init = setup, .fini = teardown);

static const struct vmm_dev *find(uint64_t port)
{
	unsigned int i = 0;

	while (i < vm.n_devs && port - vm.devs[i].base >= vm.devs[i].len)
		i++;
	cr_assert_lt(i, vm.n_devs, "nothing at port %#lx", port);
	return &vm.devs[i];
}

static uint64_t in(unsigned int len, uint64_t port)
{
	const struct vmm_dev *d = find(port);

	return d->read(d->opaque, NULL, port - d->base, len);
}

static void out(unsigned int len, uint64_t port, uint64_t val)
{
	const struct vmm_dev *d = find(port);

	d->write(d->opaque, NULL, port - d->base, len, val);
}

/* Interrupts since the last call. */
static uint64_t irqs(void)
{
	eventfd_t n = 0;

	return eventfd_read(irq, &n) ? 0 : n;
}

static void command(uint8_t cmd, unsigned int count, uint64_t lba, bool ext)
{
	if (ext) {
		out(1, CMD + 2, count >> 8);
		for (unsigned int i = 0; i < 3; i++)
			out(1, CMD + 3 + i, lba >> (24 + 8 * i) & 0xff);
	}
	out(1, CMD + 2, count & 0xff);
	for (unsigned int i = 0; i < 3; i++)
		out(1, CMD + 3 + i, lba >> 8 * i & 0xff);
	out(1, CMD + 6, 0xe0 | (ext ? 0 : lba >> 24));
	out(1, CMD + 7, cmd);
}

/* The end of a command: Status, Error, and interrupts on the way to it. */
static void expect_end(unsigned int status, unsigned int error, unsigned int n)
{
	uint64_t got = irqs();

	cr_expect_eq(got, n, "%lu interrupts, not %u", got, n);
	got = in(1, CMD + 7);
	cr_expect_eq(got, status, "Status %#lx, not %#x", got, status);
	got = in(1, CMD + 1);
	cr_expect_eq(got, error, "Error %#lx, not %#x", got, error);
}

static uint64_t lba_now(void)
{
	return in(1, CMD + 3) | in(1, CMD + 4) << 8 | in(1, CMD + 5) << 16 |
	       (in(1, CMD + 6) & 0xf) << 24;
}

static void expect_sectors(uint64_t lba, unsigned int n)
{
	for (unsigned int i = 0; i < n * 512; i += 2) {
		uint64_t s = lba + i / 512;
		unsigned int want = content(s, i % 512) | content(s, i % 512 + 1) << 8;

		cr_assert_eq(in(2, CMD), want, "word %u", i / 2);
	}
}

static uint8_t written(uint64_t i)
{
	return (uint8_t)(i * 13 + 5);
}

static void write_words(uint64_t from, unsigned int n)
{
	for (uint64_t i = from; i < from + n; i++)
		out(2, CMD, written(2 * i) | written(2 * i + 1) << 8);
}

static void expect_written(uint64_t lba, unsigned int sectors, uint64_t from)
{
	uint8_t *data = malloc(sectors * 512);

	cr_assert_eq(pread(disk, data, sectors * 512, (off_t)lba * 512), sectors * 512);
	for (unsigned int i = 0; i < sectors * 512; i++)
		cr_assert_eq(data[i], written(from + i), "byte %u of the disk", i);
	free(data);
}

static void prd(unsigned int i, uint32_t base, uint32_t len, bool last)
{
	uint32_t *p = (uint32_t *)(vm.mem + TABLE) + 2 * (size_t)i;

	p[0] = base;
	p[1] = (len & 0xffff) | (last ? 1U << 31 : 0);
}

/* A DMA command as drivers give it: table, direction, status, command, start. */
static void dma(uint8_t cmd, unsigned int count, uint64_t lba, bool ext)
{
	bool to_memory = cmd == 0xc8 || cmd == 0x25;

	out(4, BM + 4, TABLE);
	out(1, BM, to_memory ? 8 : 0);
	out(1, BM + 2, 0x66);
	command(cmd, count, lba, ext);
	cr_expect_eq(in(1, CTL), DATA);
	out(1, BM, to_memory ? 9 : 1);
}

/* The bus master's status, and its stop. */
static void expect_bm(unsigned int status)
{
	uint64_t got = in(1, BM + 2);

	cr_expect_eq(got, status | 0x60, "bus master's status %#lx, not %#x", got, status | 0x60);
	out(1, BM, 0);
}

/* IDENTIFY DEVICE, table 27: what drivers look at. */
Test(ide_disk, identify)
{
	uint16_t w[256];

	command(0xec, 0, 0, false);
	cr_expect_eq(irqs(), 1);
	cr_expect_eq(in(1, CMD + 7), DATA);
	for (unsigned int i = 0; i < 256; i++)
		w[i] = (uint16_t)in(2, CMD);
	expect_end(READY, 0, 0);
	cr_expect_eq(in(2, CMD), 0, "nothing is left");
	cr_expect_eq(w[0] & 0x8000, 0, "an ATA device");
	cr_expect_eq(w[47], 0x8010);
	cr_expect_eq(w[49] & 0x0300, 0x0300, "LBA and DMA");
	cr_expect_eq(w[53] & 7, 7);
	cr_expect_eq(w[59], 0x0110);
	cr_expect_eq(w[60] | w[61] << 16, SECTORS);
	cr_expect_eq(w[83] & 0xf400, 0x7400, "48 bits, FLUSH CACHE (EXT)");
	cr_expect_eq(w[86] & 0x3400, 0x3400);
	cr_expect_eq(w[88], 0x203f, "Ultra DMA 5 of 0 to 5");
	cr_expect_eq(w[100] | w[101] << 16, SECTORS);
	cr_expect_eq(memcmp(&w[27], "ilhgetix tidks  ", 16), 0, "words have the first byte on top");
}

Test(ide_disk, read_sectors)
{
	command(0x20, 3, 5, false);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_eq(irqs(), 1);
		cr_expect_eq(in(1, CMD + 7), DATA);
		cr_expect_eq(in(1, CMD + 2), 2 - i);
		expect_sectors(5 + i, 1);
	}
	expect_end(READY, 0, 0);
	cr_expect_eq(lba_now(), 8); /* as in QEMU */
	command(0x24, 300, 600, true);
	expect_sectors(600, 300);
	expect_end(READY, 0, 1); /* the line was up: one edge */
	command(0x20, 0, 700, false);
	expect_sectors(700, 256);
	expect_end(READY, 0, 1);
}

/* An interrupt for each block, the last one smaller; aborted while it is switched off. */
Test(ide_disk, multiple)
{
	out(1, CMD + 2, 8);
	out(1, CMD + 7, 0xc6);
	expect_end(READY, 0, 1);
	command(0xc4, 19, 100, false);
	for (unsigned int n = 19, lba = 100; n;) {
		unsigned int block = n < 8 ? n : 8;

		cr_expect_eq(irqs(), 1);
		cr_expect_eq(in(1, CMD + 7), DATA);
		expect_sectors(lba, block);
		lba += block;
		n -= block;
	}
	expect_end(READY, 0, 0);
	command(0x39, 19, 200, true);
	for (unsigned int n = 0; n < 3; n++) {
		cr_expect_eq(irqs(), n ? 1 : 0);
		cr_expect_eq(in(1, CMD + 7), DATA);
		write_words(n * 2048, n < 2 ? 2048 : 768);
	}
	expect_end(READY, 0, 1);
	expect_written(200, 19, 0);
	for (unsigned int n = 0; n < 256; n++) {
		out(1, CMD + 2, n);
		out(1, CMD + 7, 0xc6);
		if (n <= 16 && !(n & (n - 1)))
			expect_end(READY, 0, 1);
		else
			expect_end(FAILED, ABRT, 1);
	}
	out(1, CMD + 2, 0);
	out(1, CMD + 7, 0xc6);
	irqs();
	command(0xc4, 1, 0, false);
	expect_end(FAILED, ABRT, 1); /* 5.2.9: Command has negated the line */
	command(0xc5, 1, 0, false);
	expect_end(FAILED, ABRT, 1);
}

/* More than the buffer holds: the disk gets it in parts, the guest sees no difference. */
Test(ide_disk, write_sectors)
{
	command(0x30, 0, 300, false);
	for (unsigned int i = 0; i < 256; i++) {
		cr_assert_eq(irqs(), i ? 1 : 0, "block %u", i);
		cr_assert_eq(in(1, CMD + 7), DATA);
		cr_assert_eq(in(1, CMD + 2), (256 - i) & 0xff);
		write_words(i * 256, 256);
	}
	expect_end(READY, 0, 1);
	expect_written(300, 256, 0);
	cr_expect_eq(lba_now(), 556); /* as in QEMU */
	command(0x34, 2, 10, true);
	for (unsigned int i = 0; i < 256; i++)
		out(4, CMD,
		    written(4 * i) | written(4 * i + 1) << 8 | written(4 * i + 2) << 16 |
			    (uint64_t)written(4 * i + 3) << 24);
	expect_end(READY, 0, 1); /* its two interrupts were one edge, without Status */
	expect_written(10, 2, 0);
}

/* A reset ends a write; the blocks that were complete are written, the last one is not. */
Test(ide_disk, reset_under_a_write)
{
	command(0x34, 4, 20, true);
	write_words(0, 2 * 256 + 100);
	out(1, CTL, 4);
	out(1, CTL, 0);
	expect_end(READY, 1, 1);
	expect_written(20, 2, 0);
	command(0x20, 1, 22, false);
	expect_sectors(22, 1);
}

/* 82371AB, table 15: interrupt, not active: all is done. One PRD, and several. */
Test(ide_disk, dma)
{
	prd(0, PAGES, 0x1000, true);
	dma(0xc8, 8, 3, false);
	expect_bm(4);
	expect_end(READY, 0, 1);
	for (unsigned int i = 0; i < 4096; i++)
		cr_assert_eq(vm.mem[PAGES + i], content(3 + i / 512, i % 512), "byte %u", i);
	cr_expect_eq(lba_now(), 11); /* as in QEMU */
	for (unsigned int i = 0; i < 0x10000; i++)
		vm.mem[PAGES + i] = written(i);
	prd(0, PAGES, 0x202, false);
	prd(1, PAGES + 0x202, 0xffe, false);
	prd(2, PAGES + 0x1200, 0xee00, true);
	dma(0x35, 128, 800, true);
	expect_bm(4);
	expect_end(READY, 0, 1);
	expect_written(800, 128, 0);
	prd(0, PAGES + 0x10000, 0, true); /* 0: 64 KiB */
	dma(0x25, 128, 800, true);
	expect_bm(4);
	cr_expect_eq(memcmp(vm.mem + PAGES, vm.mem + PAGES + 0x10000, 0x10000), 0);
}

/* Table 15: a larger table leaves it active; a smaller one is an error without interrupt. */
Test(ide_disk, descriptor_tables)
{
	prd(0, PAGES, 0x400, false);
	prd(1, PAGES + 0x400, 0x400, true);
	dma(0xc8, 3, 0, false);
	expect_bm(5);
	expect_end(READY, 0, 1);
	cr_expect_eq(vm.mem[PAGES + 3 * 512], 0, "written behind the transfer");
	dma(0xc8, 5, 0, false);
	expect_bm(0);
	expect_end(READY, 0, 0); /* Status: as in QEMU */
	dma(0xca, 4, 0, false);
	expect_bm(4);
	expect_end(READY, 0, 1);
}

/* What is not memory is a master abort: the error bit. The guest does not wait for ever. */
Test(ide_disk, dma_outside_memory)
{
	prd(0, MEM - 0x200, 0x1000, true);
	dma(0xc8, 8, 0, false);
	expect_bm(2 | 4);
	expect_end(FAILED, ABRT, 1);
	out(4, BM + 4, MEM + 0x1000);
	command(0xc8, 8, 0, false);
	out(1, BM + 2, 0x66);
	out(1, BM, 9);
	expect_bm(2 | 4);
	expect_end(FAILED, ABRT, 1);
}

/* The bus master is started first, and the command finds it so. */
Test(ide_disk, dma_started_before)
{
	prd(0, PAGES, 0x200, true);
	out(4, BM + 4, TABLE);
	out(1, BM + 2, 0x66);
	out(1, BM, 9);
	cr_expect_eq(in(1, BM + 2), 0x61);
	command(0xc8, 1, 9, false);
	expect_bm(4);
	expect_end(READY, 0, 1);
	cr_expect_eq(vm.mem[PAGES + 100], content(9, 100));
}

/* An address outside of the disk: IDNF or ABRT; ABRT as in QEMU. */
Test(ide_disk, outside_the_disk)
{
	static const uint8_t reads[] = { 0x20, 0x24, 0xc4, 0x29 };

	for (unsigned int i = 0; i < 4; i++) {
		command(reads[i], 1, SECTORS, reads[i] < 0x30 && reads[i] != 0x20);
		expect_end(FAILED, ABRT, 1);
	}
	command(0x20, 2, SECTORS - 1, false);
	cr_expect_eq(in(1, CMD + 7), DATA);
	expect_sectors(SECTORS - 1, 1);
	expect_end(FAILED, ABRT, 2);
	command(0x30, 3, SECTORS - 2, false);
	write_words(0, 3 * 256);
	expect_end(FAILED, ABRT, 1);
	expect_written(SECTORS - 2, 2, 0); /* what was inside is there */
	cr_expect_eq(lseek(disk, 0, SEEK_END), SECTORS * 512, "written behind the end");
	prd(0, PAGES, 0x400, true);
	dma(0xc8, 2, SECTORS - 1, false);
	expect_bm(4);
	expect_end(FAILED, ABRT, 1);
	dma(0x35, 2, 1ULL << 40, true);
	expect_bm(4);
	expect_end(FAILED, ABRT, 1);
	command(0x40, 2, SECTORS - 1, false);
	expect_end(FAILED, ABRT, 1);
	command(0x40, 2, SECTORS - 2, false);
	expect_end(READY, 0, 1);
}

/* A disk that is shorter than it was: reads say which sector could not be read. */
Test(ide_disk, short_disk)
{
	cr_assert_eq(ftruncate(disk, 500 * 512 + 100), 0);
	prd(0, PAGES, 0x1000, true);
	dma(0xc8, 8, 496, false);
	expect_bm(4);
	expect_end(FAILED, UNC, 1);
	cr_expect_eq(lba_now(), 500);
	command(0x20, 2, 499, false);
	expect_sectors(499, 1);
	expect_end(FAILED, UNC, 1);
	cr_expect_eq(lba_now(), 500);
	command(0xc4, 16, 490, false);
	expect_end(FAILED, UNC, 1);
	cr_expect_eq(lba_now(), 500);
	command(0x42, 200, 400, true);
	expect_end(FAILED, UNC, 1);
	cr_expect_eq(lba_now() & 0xffffff, 500);
}

/* Writes that fail, in the file or by decree. */
Test(ide_disk, disk_that_cannot_be_written)
{
	char path[64];
	int fd;

	for (unsigned int i = 0; i < 2; i++) {
		stop();
		snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
		read_only = i;
		fd = open(path, i ? O_RDWR : O_RDONLY);
		cr_assert_geq(fd, 0);
		start(fd);
		command(0x30, 1, 7, false);
		cr_expect_eq(in(1, CMD + 7), DATA);
		write_words(0, 256);
		expect_end(FAILED, ABRT, 1);
		prd(0, PAGES, 0x200, true);
		dma(0xca, 1, 7, false);
		expect_bm(4);
		expect_end(FAILED, ABRT, 1);
		command(0x20, 1, 7, false);
		expect_sectors(7, 1);
		expect_end(READY, 0, 1);
		close(fd);
	}
}

/* Pulled while a command waits for the guest: the guest's next step ends it. */
Test(ide_disk, disk_removed)
{
	prd(0, PAGES, 0x400, true);
	out(4, BM + 4, TABLE);
	out(1, BM + 2, 0x66);
	command(0xc8, 2, 0, false);
	vmm_ide_remove(ide);
	out(1, BM, 9);
	expect_bm(4);
	expect_end(FAILED, ABRT, 1);
	stop();
	start(disk);
	command(0x20, 2, 0, false);
	vmm_ide_remove(ide);
	expect_sectors(0, 1);
	expect_end(FAILED, ABRT, 1);
	stop();
	start(disk);
	command(0x30, 2, 0, false);
	write_words(0, 100);
	vmm_ide_remove(ide);
	write_words(100, 156);
	expect_end(FAILED, ABRT, 1);
	for (unsigned int cmd = 0; cmd < 256; cmd++) {
		if (cmd == 0x90)
			continue;
		command((uint8_t)cmd, 1, 0, false);
		expect_end(FAILED, ABRT, 1);
	}
}

/* Every command code: done, or a transfer, or aborted. 8: what this disk implements. */
Test(ide_disk, every_command)
{
	static const uint8_t done[] = { 0x10, 0x40, 0x41, 0x42, 0x70, 0x91, 0x94,
					0x95, 0x96, 0x97, 0x98, 0x99, 0xc6, 0xe0,
					0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0xe7, 0xea };
	static const uint8_t moves[] = { 0x20, 0x21, 0x24, 0x25, 0x29, 0x30, 0x31, 0x34, 0x35,
					 0x39, 0xc4, 0xc5, 0xc8, 0xc9, 0xca, 0xcb, 0xec };

	for (unsigned int cmd = 0; cmd < 256; cmd++) {
		out(1, CTL, 4);
		out(1, CTL, 0);
		irqs();
		command((uint8_t)cmd, 1, 0, true);
		if (cmd == 0x90) {
			expect_end(READY, 1, 1);
			cr_expect_eq(lba_now(), 1);
		} else if (memchr(done, (int)cmd, sizeof(done))) {
			expect_end(READY, 0, 1);
		} else if (memchr(moves, (int)cmd, sizeof(moves))) {
			cr_expect_eq(in(1, CTL), DATA, "command %#x", cmd);
		} else {
			expect_end(FAILED, ABRT, 1);
		}
	}
	command(0xe5, 0, 0, false);
	cr_expect_eq(in(1, CMD + 2), 0xff, "active or idle");
}

/* SET FEATURES: subcommands that IDENTIFY DEVICE shows; what is unknown is aborted. */
Test(ide_disk, set_features)
{
	static const struct {
		uint8_t mode;
		uint16_t w63;
		uint16_t w88;
	} modes[] = {
		{ 0x20, 0x0107, 0x003f }, { 0x22, 0x0407, 0x003f }, { 0x40, 0x0007, 0x013f },
		{ 0x45, 0x0007, 0x203f }, { 0x0c, 0x0007, 0x203f }, { 0x00, 0x0007, 0x203f }
	};
	static const uint8_t bad[] = { 0x02, 0x0d, 0x10, 0x23, 0x46, 0x80, 0xff };

	for (unsigned int i = 0; i < 6; i++) {
		out(1, CMD + 1, 0x03);
		command(0xef, modes[i].mode, 0, false);
		expect_end(READY, 0, 1);
		command(0xec, 0, 0, false);
		for (unsigned int w = 0; w < 256; w++) {
			uint64_t val = in(2, CMD);

			if (w == 63)
				cr_expect_eq(val, modes[i].w63, "mode %#x: %#lx", modes[i].mode,
					     val);
			if (w == 88)
				cr_expect_eq(val, modes[i].w88, "mode %#x: %#lx", modes[i].mode,
					     val);
		}
		irqs();
		in(1, CMD + 7);
	}
	for (unsigned int i = 0; i < sizeof(bad); i++) {
		out(1, CMD + 1, 0x03);
		command(0xef, bad[i], 0, false);
		expect_end(FAILED, ABRT, 1);
	}
	out(1, CMD + 1, 0x77);
	command(0xef, 0, 0, false);
	expect_end(FAILED, ABRT, 1);
}

/* Longer accesses are their bytes; a byte of the data port takes a word, as in QEMU. */
Test(ide_disk, longer_accesses)
{
	out(2, CMD + 2, 0x3344);
	cr_expect_eq(in(1, CMD + 2), 0x44);
	cr_expect_eq(in(4, CMD + 2), 0x00003344);
	cr_expect_eq(in(1, CMD), 0);
	command(0x20, 1, 3, false);
	cr_expect_eq(in(1, CMD), content(3, 0));
	cr_expect_eq(in(4, CMD), content(3, 2) | content(3, 3) << 8 | content(3, 4) << 16 |
					 (uint64_t)content(3, 5) << 24);
	out(4, BM, 0x00640008);
	cr_expect_eq(in(4, BM), 0xff60ff08);
	cr_expect_eq(in(2, BM + 2), 0xff60);
	cr_expect_eq(in(4, BM + 8), 0, "the secondary channel");
	out(4, BM + 8, ~0U);
	cr_expect_eq(in(4, BM + 8), 0);
}

/* A guest that polls with nIEN set: no interrupt, all the same else. */
Test(ide_disk, polled)
{
	out(1, CTL, 2);
	command(0x20, 2, 30, false);
	expect_sectors(30, 2);
	prd(0, PAGES, 0x200, true);
	dma(0xc8, 1, 0, false);
	expect_bm(0);
	expect_end(READY, 0, 0);
	out(1, CTL, 0);
	cr_expect_eq(irqs(), 0, "Status has acknowledged it");
}

/*
 * 5.2.9: INTRQ is negated by the write of Command. Who has not read Status since the command
 * before gets an edge for the end of the next one all the same, and so does the bus master.
 */
Test(ide_disk, command_with_interrupt_pending)
{
	static const uint8_t codes[] = { 0xe7, 0x20, 0x90, 0xec };

	for (unsigned int i = 0; i < sizeof(codes); i++) {
		out(1, BM + 2, 4);
		command(codes[i], 1, 30, false);
		cr_expect_eq(irqs(), 1, "command %#x interrupts", codes[i]);
		cr_expect_eq(in(1, BM + 2) & 4, 4, "command %#x", codes[i]);
		if (codes[i] == 0x20)
			expect_sectors(30, 1);
	}
}
