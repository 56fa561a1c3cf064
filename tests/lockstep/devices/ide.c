// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The IDE channel: commands of all kinds with the data that they ask for, registers at any
 * time, resets, and a disk that shrinks or goes. Its bus master has memory of its own, not the
 * guest's, so that a table may be anywhere.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"
#include "lockstep.h"

#define CMD IDE_COMMAND_PORT
#define BM IDE_BM_PORT
#define SECTORS 96U
#define MEM 0x10000U
#define TABLE(_i) ((_i) * 0x40U)
#define TABLES 8U
#define DATA 0x1000U
/* Of so many steps one looks at memory and disk. */
#define LOOK_EACH 2048U

struct channel {
	struct vmm vm; /* memory, and ports that the machine's have the callbacks of */
	struct vmm_ide *ide;
	int disk;
	unsigned int steps;
};

/* Tables of one to four descriptors, for up to 32 sectors in all. */
static void write_tables(struct channel *c, uint64_t seed)
{
	struct ls_gen g = { .random = seed };

	for (uint32_t i = 0; i < TABLES; i++) {
		uint32_t *prd = (uint32_t *)(c->vm.mem + TABLE(i));
		uint32_t n = 1 + (uint32_t)ls_below(&g, 4);

		for (uint32_t k = 0; k < n; k++) {
			prd[2 * k] = DATA + (uint32_t)ls_below(&g, 0x6000);
			prd[2 * k + 1] = 2 * (1 + (uint32_t)ls_below(&g, 0x800));
		}
		prd[2 * n - 1] |= 1U << 31;
	}
}

static void write_disk(int disk)
{
	uint8_t data[IDE_SECTOR];

	for (unsigned int s = 0; s < SECTORS; s++) {
		for (unsigned int i = 0; i < IDE_SECTOR; i++)
			data[i] = (uint8_t)(s * 7 + i);
		if (pwrite(disk, data, IDE_SECTOR, (off_t)s * IDE_SECTOR) != IDE_SECTOR)
			ls_die("no disk");
	}
}

static void make(struct ls_side *side, uint64_t seed)
{
	struct vmm_ide_opts opts = { .state = (struct ide_state *)side->st };
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		ls_die("no memory");
	side->be = c;
	c->vm.mem_size = MEM;
	c->vm.mem = calloc(1, MEM);
	c->disk = memfd_create("disk", MFD_CLOEXEC);
	if (!c->vm.mem || c->disk < 0)
		ls_die("no memory");
	write_disk(c->disk);
	write_tables(c, seed);
	side->fds = (struct lx_eventfds){ .sz = sizeof(side->fds), .n = 1 };
	side->fds.slots[IDE_SLOT_IRQ] = ls_irqfd(side, IDE_IRQ);
	opts.fd = c->disk;
	opts.irq_fd = side->fds.slots[IDE_SLOT_IRQ];
	if (vmm_ide_new(&c->vm, &opts, &c->ide))
		ls_die("no IDE");
	for (unsigned int i = 0; i < c->vm.n_devs; i++) {
		if (vmm_add_dev(side->vm, &c->vm.devs[i]) < 0)
			ls_die("no ports");
	}
}

static void unmake(struct ls_side *side)
{
	struct channel *c = side->be;

	vmm_ide_free(c->ide);
	close(c->disk);
	free(c->vm.mem);
	free(c);
	ls_close_fds(side);
}

/* A disk that shrinks, one that is whole again, one that is pulled; other tables. */
static void extra(struct ls_side *side, const struct ls_access *a)
{
	struct ide_state *st = (struct ide_state *)side->st;
	struct channel *c = side->be;
	bool shrinks = a->addr == 0;

	if (a->addr == 1)
		vmm_ide_remove(c->ide);
	if (a->addr == 2)
		write_tables(c, a->val);
	if (a->addr < 2 && ftruncate(c->disk, (off_t)(shrinks ? a->val % SECTORS : 0) * IDE_SECTOR))
		ls_die("no disk");
	if (a->addr > 2) {
		write_disk(c->disk);
		lx_lock(&st->hdr);
		st->sectors = SECTORS;
		lx_unlock(&st->hdr);
	}
}

static void put_sum(struct ls_side *side, const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + p[i];
	for (unsigned int i = 0; i < 4 && side->n_out < LS_LOG; i++)
		side->out[side->n_out++] = (uint8_t)(sum >> 8 * i);
}

/* What left the device: memory and disk, as sums. */
static void settle(struct ls_side *side)
{
	static uint8_t data[SECTORS * IDE_SECTOR];
	struct channel *c = side->be;
	ssize_t n;

	if (c->steps++ % LOOK_EACH)
		return;
	n = pread(c->disk, data, sizeof(data), 0);
	put_sum(side, data, n > 0 ? (size_t)n : 0);
	put_sum(side, c->vm.mem, MEM);
}

/* All but what is behind the data that is under way. */
static bool same(const void *a, const void *b)
{
	const struct ide_state *p = a, *q = b;
	size_t hdr = sizeof(struct lx_state), end = offsetof(struct ide_state, buf) + p->end;

	return p->end == q->end &&
	       !memcmp((const uint8_t *)a + hdr, (const uint8_t *)b + hdr, end - hdr);
}

static void task_file(struct ls_gen *g)
{
	uint64_t lba = ls_below(g, SECTORS + 4), count = 1 + ls_below(g, 20);

	if (ls_below(g, 2)) {
		for (unsigned int i = IDE_COUNT; i <= IDE_LBA_HIGH; i++)
			ls_out(g, CMD + i, ls_below(g, 16) ? 0 : ls_random(g));
	}
	ls_out(g, CMD + IDE_COUNT, ls_below(g, 32) ? count : ls_random(g));
	ls_out(g, CMD + IDE_LBA_LOW, lba);
	ls_out(g, CMD + IDE_LBA_MID, 0);
	ls_out(g, CMD + IDE_LBA_HIGH, 0);
	ls_out(g, CMD + IDE_DEVICE, ls_below(g, 8) ? 0xe0 : ls_random(g) & 0xef);
}

static void command(struct ls_gen *g)
{
	static const uint8_t codes[] = { 0x20, 0x21, 0x24, 0x29, 0xc4, 0x30, 0x31, 0x34, 0x39,
					 0xc5, 0xc8, 0xc9, 0x25, 0xca, 0xcb, 0x35, 0xec, 0xef,
					 0xc6, 0x40, 0x42, 0x90, 0x91, 0xe5, 0xe7, 0x10 };

	task_file(g);
	ls_out(g, CMD + IDE_FEATURES, ls_below(g, 2) ? 3 : ls_random(g));
	if (!ls_below(g, 16))
		ls_out(g, CMD + IDE_COUNT, 1U << ls_below(g, 6));
	ls_out(g, CMD + IDE_COMMAND,
	       ls_below(g, 16) ? codes[ls_below(g, sizeof(codes))] : ls_random(g));
}

/* What the guest has to do for the command that is under way: some of it, or all. */
static void go_on(struct ls_gen *g, const struct ide_state *st)
{
	uint32_t len = ls_below(g, 4) ? 2 : 4, left = (st->end - st->pos) / len;
	uint32_t n = left < LS_STRING ? left : LS_STRING;

	if (st->phase == IDE_DMA) {
		ls_push(g, LS_OUT, 4, BM + IDE_BM_TABLE, TABLE(ls_below(g, TABLES)));
		ls_out(g, BM + IDE_BM_COMMAND, 8);
		ls_out(g, BM + IDE_BM_COMMAND, 9);
		ls_in(g, BM + IDE_BM_STATUS);
		ls_in(g, CMD + IDE_STATUS);
		ls_out(g, BM + IDE_BM_COMMAND, 8);
		ls_out(g, BM + IDE_BM_STATUS, 0x66);
		return;
	}
	if (n > 1 && !ls_below(g, 8))
		n = 1 + (uint32_t)ls_below(g, n);
	if (!ls_below(g, 8))
		ls_push(g, st->phase == IDE_PIO_IN ? LS_IN : LS_OUT, len, CMD, ls_random(g));
	else if (n)
		ls_string(g, st->phase == IDE_PIO_IN ? LS_INS : LS_OUTS, len, CMD, n);
	if (ls_below(g, 2))
		ls_in(g, CMD + IDE_STATUS);
}

/* A register, of its own length or another. */
static void touch(struct ls_gen *g)
{
	uint32_t len = ls_below(g, 8) ? 1 : 1U << ls_below(g, 3);
	uint64_t reg = CMD + ls_below(g, IDE_COMMAND_LEN + 1 - len);

	switch (ls_below(g, 16)) {
	case 0:
		ls_out(g, IDE_CONTROL_PORT, ls_below(g, 4) ? 0 : ls_random(g) & 0x86);
		break;
	case 1:
		ls_out(g, CMD + IDE_DEVICE, ls_below(g, 2) ? 0xe0 : ls_random(g));
		break;
	case 2:
	case 3:
		ls_push(g, LS_OUT, len, BM + ls_below(g, IDE_BM_LEN + 1 - len), ls_random(g));
		break;
	case 4:
	case 5:
		ls_push(g, LS_IN, len, BM + ls_below(g, IDE_BM_LEN + 1 - len), 0);
		break;
	case 6:
		ls_in(g, IDE_CONTROL_PORT);
		break;
	case 7:
		ls_push(g, LS_OUT, len, reg, ls_random(g));
		break;
	default:
		ls_push(g, LS_IN, len, reg, 0);
		break;
	}
}

static void next(struct ls_gen *g, const void *state)
{
	const struct ide_state *st = state;
	uint64_t what = ls_below(g, 16);

	if (st->control & IDE_CONTROL_SRST && what < 8)
		ls_out(g, IDE_CONTROL_PORT, 0);
	else if (!ls_below(g, 1000))
		ls_push(g, LS_EXTRA, 0, ls_below(g, 5), ls_random(g));
	else if (what < 9 && st->phase != IDE_IDLE)
		go_on(g, st);
	else if (what < 9)
		command(g);
	else
		touch(g);
}

static const struct lx_region regions[] = {
	{ .addr = IDE_COMMAND_PORT, .len = IDE_COMMAND_LEN },
	{ .addr = IDE_CONTROL_PORT, .len = IDE_CONTROL_LEN },
	{ .addr = IDE_BM_PORT, .len = IDE_BM_LEN },
};

const struct ls_device ls_ide = {
	.name = "ide",
	.regions = regions,
	.n_regions = 3,
	.state_size = sizeof(struct ide_state),
	.irq_slots = 1U << IDE_SLOT_IRQ,
	.make = make,
	.free = unmake,
	.next = next,
	.extra = extra,
	.settle = settle,
	.same = same,
};
