// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The IDE channel of QEMU's i440fx machine (PIIX3) and ours, each with a disk of the same
 * content, and memory for the bus masters. Sections: ATA/ATAPI-6 (T13/1410D), or Intel's
 * 82371AB data sheet (PIIX4).
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"
#include "iderig.h"

#define IRQ 14U
#define MEM 0x40000U
#define TABLE 0x10000U
#define SETTLES 100000

struct difference ide_differences[] = {
	[POWER_ON] = { .name = "Error after power-on",
		       .sentence = "8.11, table 26: the diagnostic's code is 01h. QEMU has it with "
				   "SRST, and not with power-on." },
	[SRST_BUSY] = { .name = "SRST",
			.sentence =
				"ATA-1, 7.2.6: \"The drive is held reset when this bit is set.\" "
				"QEMU resets at once, when it is set." },
	[SRST_IRQ] = { .name = "interrupt after SRST",
		       .sentence =
			       "Seagate, ATA Interface Reference Manual, 3.2: \"Resets do not "
			       "generate an interrupt.\" QEMU does the diagnostic command, whose "
			       "interrupt comes with it." },
	[SLAVE_REGISTERS] = { .name = "registers of device 1",
			      .sentence = "9.16.1: reads but of Status are device 0's. QEMU has "
					  "registers of its own for device 1, and an Error of 0." },
	[SLAVE_STATUS] = { .name = "Status of device 1",
			   .sentence =
				   "9.16.1: it is 00h; device 0, whose interrupt is pending, is "
				   "not selected. QEMU clears INTRQ." },
	[NIEN] = { .name = "nIEN, DEV and a pending interrupt",
		   .sentence =
			   "5.2.9: \"When the nIEN bit is set to one or the device is not "
			   "selected, the INTRQ signal shall be released.\" QEMU leaves it up." },
	[PENDING] = { .name = "interrupt pending while nIEN",
		      .sentence =
			      "Device Control: with nIEN cleared INTRQ \"shall be asserted or "
			      "negated by the device as appropriate\". QEMU has forgotten it." },
	[EDGE] = { .name = "bus master's interrupt bit",
		   .sentence = "82371AB 5.2.2: cleared while the line is active \"this bit remains "
			       "0 until another assertion edge is detected\". QEMU sets it for "
			       "each block." },
	[IDENTIFY] = { .name = "IDENTIFY DEVICE",
		       .sentence = "8.15: names, retired words, and optional features are the "
				   "device's own. unit/ide_disk has what they are." },
	[DSC] = { .name = "bit 4 of Status",
		  .sentence = "ATA-6 leaves it to the command. QEMU clears it after IDLE, STANDBY, "
			      "SLEEP." },
	[WIDTHS] = { .name = "bus master by words",
		     .sentence = "82371AB 5.2: \"All bus master IDE I/O space registers can be "
				 "accessed as byte, word, or DWord quantities.\" QEMU has bytes "
				 "alone." },
	[DWORDS] = { .name = "four registers at once",
		     .sentence = "Registers are bytes on an ISA bus, which converts longer cycles. "
				 "QEMU does so with words, and reads double words as ones." },
	[VERIFY] = { .name = "READ VERIFY outside the disk",
		     .sentence = "It reads as READ SECTOR(S) does, 8.34, and aborts as that does. "
				 "QEMU does not look." },
	[MODES] = { .name = "SET FEATURES with modes that are not there",
		    .sentence =
			    "Words 63 and 88 (8.15) say which there are. QEMU takes any mode of "
			    "a kind." },
	[OPTIONAL] = { .name = "optional commands",
		       .sentence = "Words 82 to 84 (8.15) say what is supported; the rest is "
				   "aborted. QEMU has more of them." },
	[DIAGNOSTIC_1] = { .name = "EXECUTE DEVICE DIAGNOSTIC with device 1 selected",
			   .sentence = "9.16.1: commands to device 1 are ignored, \"except for "
				       "EXECUTE DEVICE DIAGNOSTIC\". QEMU ignores that, too." },
	[TRANSLATION] = { .name = "words 54 to 59 of IDENTIFY DEVICE",
			  .sentence = "They are the current translation, and SET MULTIPLE MODE's "
				      "current setting. QEMU keeps what the first IDENTIFY DEVICE "
				      "said." },
	[NO_SECTORS] = { .name = "INITIALIZE DEVICE PARAMETERS with 0 sectors",
			 .sentence = "No such translation can be; QEMU takes it." },
	[WAITING] = { .name = "SRST under a DMA command that waits",
		      .sentence = "ATA-1, 7.2.6: \"The drive is held reset when this bit is set.\" "
				  "QEMU does the command with the bus master's next start." },
	[SELECTED] = { .name = "device that is selected after SRST",
		       .sentence =
			       "9.12: with the signature Device is 00h, device 0. QEMU says so, and "
			       "keeps device 1 selected." },
	[ACTIVE] = { .name = "DMA command while the bus master is active",
		     .sentence =
			     "82371AB 5.2.1: \"Bus master operation begins when this bit is detected "
			     "changing from a zero to a one\", with the table's first descriptor. "
			     "QEMU goes on behind those of the command before." },
	{ 0 },
};

struct context {
	struct vmm_ide *ide;
	struct ide_state st;
	char path[512];
	int disk;
	int irq;
	uint64_t rises;
	bool translated;	/* not by 16 and 63 */
	struct difference *now; /* the difference of this very access */
};

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	return ((struct context *)rig->ctx)->now;
}

/* From here on the accesses of a trace differ in this way; NULL: they do not. */
void differ(struct rig *rig, enum ide_difference which)
{
	((struct context *)rig->ctx)->now = which == SAME ? NULL : &ide_differences[which];
}

/* Without a partition table, from which QEMU would guess another translation. */
static uint8_t content(unsigned int i)
{
	if (i < 512)
		return (uint8_t)(i < 440 ? i : 0);
	return (uint8_t)(i * 37 + i / 512 * 11 + (i >> 13));
}

static void make_disks(struct context *x)
{
	static uint8_t data[SECTORS * 512];
	int fd;

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = content(i);
	snprintf(x->path, sizeof(x->path), "%s/disk", getenv("ORACLE_DIR"));
	fd = open(x->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	x->disk = memfd_create("disk", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data) ||
	    write(x->disk, data, sizeof(data)) != sizeof(data))
		err(1, "%s", x->path);
	close(fd);
}

/* What firmware does: BAR 4, ports and bus master of 0:1.1. QEMU's alone. */
static void enable_function(struct rig *rig)
{
	static const uint32_t writes[][2] = { { 0x80000920, BM | 1 }, { 0x80000904, 5 } };

	for (unsigned int i = 0; i < 2; i++) {
		qemu_access(&rig->qemu, LX_SPACE_PIO, true, 0xcf8, 4, writes[i][0]);
		qemu_access(&rig->qemu, LX_SPACE_PIO, true, 0xcfc, 4, writes[i][1]);
	}
}

const struct ide_state *ide_state(const struct rig *rig)
{
	return &((const struct context *)rig->ctx)->st;
}

void ide_setup(struct rig *rig)
{
	struct context *x = calloc(1, sizeof(*x));
	struct vmm_ide_opts opts = { 0 };

	if (!x)
		abort();
	make_disks(x);
	rig->disk = x->path;
	rig_start(rig, "pc", true);
	enable_function(rig);
	rig->vm.mem_size = MEM;
	rig->vm.mem = calloc(1, MEM);
	x->irq = eventfd(0, EFD_NONBLOCK);
	opts.fd = x->disk;
	opts.irq_fd = x->irq;
	opts.state = &x->st;
	lx_state_init(&x->st.hdr, sizeof(x->st));
	if (!rig->vm.mem || vmm_ide_new(&rig->vm, &opts, &x->ide))
		exit(1);
	rig->ctx = x;
	rig->excuse = excuse;
}

/* What QEMU left in its image. */
static void same_disks(struct rig *rig)
{
	static uint8_t a[SECTORS * 512], b[SECTORS * 512];
	struct context *x = rig->ctx;
	int fd = open(x->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, a, sizeof(a), 0) != sizeof(a) ||
	    pread(x->disk, b, sizeof(b), 0) != sizeof(b))
		err(1, "%s", x->path);
	close(fd);
	for (unsigned int i = 0; i < SECTORS; i++)
		rig_same(rig, "sector", i, 0,
			 (uint64_t)(memcmp(a + i * 512, b + i * 512, 512) != 0));
}

void ide_teardown(struct rig *rig)
{
	struct context *x = rig->ctx;

	same_disks(rig);
	vmm_ide_free(x->ide);
	close(x->disk);
	close(x->irq);
	unlink(x->path);
	free(x);
	free(rig->vm.mem);
	rig_stop(rig);
}

void put(struct rig *rig, unsigned int port, unsigned int val)
{
	rig_out(rig, 1, port, val);
}

unsigned int get(struct rig *rig, unsigned int port)
{
	return (unsigned int)rig_in(rig, 1, port);
}

/* QEMU does its disk's work in the background: until it has. */
void settle(struct rig *rig, unsigned int bits)
{
	for (unsigned int i = 0; i < SETTLES; i++) {
		if (!(qemu_access(&rig->qemu, LX_SPACE_PIO, false, CTL, 1, 0) & bits))
			return;
		usleep(50);
	}
	errx(1, "QEMU's disk stays busy");
}

/* IRQ14's rises since it was last looked at. */
void interrupts(struct rig *rig)
{
	struct context *x = rig->ctx;
	eventfd_t n = 0;

	if (eventfd_read(x->irq, &n))
		n = 0;
	rig_same(rig, "IRQ14", IRQ, rig->qemu.rises[IRQ] - x->rises, n);
	x->rises = rig->qemu.rises[IRQ];
}

/* All that can be read without a side effect. */
void registers(struct rig *rig)
{
	get(rig, CTL);
	for (unsigned int i = 1; i < 7; i++)
		get(rig, CMD + i);
	for (unsigned int i = 0; i < 4; i++)
		get(rig, BM + i);
	rig_in(rig, 4, BM + 4);
	interrupts(rig);
}

/* The end of a command, as a driver's handler sees it. */
void acknowledge(struct rig *rig)
{
	settle(rig, 0x80);
	registers(rig);
	get(rig, CMD + 7);
	put(rig, BM + 2, 0x66);
	get(rig, BM + 2);
}

void task_file(struct rig *rig, unsigned int count, uint64_t lba, bool ext)
{
	if (ext) {
		put(rig, CMD + 2, count >> 8);
		for (unsigned int i = 0; i < 3; i++)
			put(rig, CMD + 3 + i, lba >> (24 + 8 * i) & 0xff);
	}
	put(rig, CMD + 2, count & 0xff);
	for (unsigned int i = 0; i < 3; i++)
		put(rig, CMD + 3 + i, lba >> 8 * i & 0xff);
	put(rig, CMD + 6, 0xe0 | (ext ? 0 : lba >> 24 & 0xf));
}

void plain(struct rig *rig, uint8_t command)
{
	put(rig, CMD + 7, command);
	acknowledge(rig);
}

void write_memory(struct rig *rig, uint64_t addr, uint64_t val)
{
	qemu_access(&rig->qemu, LX_SPACE_MMIO, true, addr, 8, val);
	memcpy(rig->vm.mem + addr, &val, 8);
}

void same_memory(struct rig *rig, uint64_t addr, uint64_t len)
{
	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t ours;

		memcpy(&ours, rig->vm.mem + addr + i, 8);
		rig_same(rig, "memory", addr + i,
			 qemu_access(&rig->qemu, LX_SPACE_MMIO, false, addr + i, 8, 0), ours);
	}
}

void prd(struct rig *rig, unsigned int i, uint64_t base, uint64_t len, bool last)
{
	write_memory(rig, TABLE + 8 * i, base | (len & 0xffff) << 32 | (uint64_t)last << 63);
}

/* A DMA command; its table is there. */
void dma(struct rig *rig, uint8_t command, unsigned int count, uint64_t lba, bool ext)
{
	bool to_memory = command == 0xc8 || command == 0x25;

	rig_out(rig, 4, BM + 4, TABLE);
	put(rig, BM, to_memory ? 8 : 0);
	put(rig, BM + 2, 0x66);
	task_file(rig, count, lba, ext);
	put(rig, CMD + 7, command);
	registers(rig);
	put(rig, BM, to_memory ? 9 : 1);
	settle(rig, 0x88);
	acknowledge(rig);
	put(rig, BM, 0);
	registers(rig);
}

/* Data of a PIO command, block by block, each with its interrupt. */
void pio(struct rig *rig, uint8_t command, unsigned int count, uint64_t lba, bool ext,
	 unsigned int block)
{
	bool in = command == 0x20 || command == 0x24 || command == 0xc4 || command == 0x29;

	task_file(rig, count, lba, ext);
	put(rig, CMD + 7, command);
	acknowledge(rig);
	for (unsigned int n; count && get(rig, CTL) & 8; count -= n) {
		n = count < block ? count : block;
		for (unsigned int i = 0; i < n * 128; i++) {
			if (in)
				rig_in(rig, 4, CMD);
			else
				rig_out(rig, 4, CMD, rig_random(rig) & 0xffffffff);
		}
		acknowledge(rig);
	}
	registers(rig);
}

void release(struct rig *rig, enum ide_difference which)
{
	put(rig, CTL, 0);
	differ(rig, which);
	interrupts(rig);
	get(rig, BM + 2);
	differ(rig, SAME);
	get(rig, CMD + 7);
	put(rig, BM + 2, 0x66);
}

void soft_reset(struct rig *rig)
{
	put(rig, CTL, 4);
	settle(rig, 0x80);
	release(rig, SRST_IRQ);
	registers(rig);
}

bool own_word(unsigned int i)
{
	static const uint8_t own[][2] = { { 2, 2 },	{ 4, 5 },     { 10, 46 },  { 48, 52 },
					  { 62, 62 },	{ 64, 76 },   { 80, 82 },  { 84, 87 },
					  { 106, 111 }, { 169, 169 }, { 217, 217 } };

	for (unsigned int k = 0; k < sizeof(own) / sizeof(own[0]); k++) {
		if (i >= own[k][0] && i <= own[k][1])
			return true;
	}
	return false;
}
