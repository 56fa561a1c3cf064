// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * regtable: a guest that reads an IDE drive by programmed I/O. The task file and the
 * alternate status are a table of registers, answered by this VMM or by lightexit's
 * program for tables; no program was written for IDE. Commands, data and resets are
 * the VMM's, and so is the drive, which takes its time for a command.
 */
#include <errno.h>
#include <stdio.h>

#include "common.h"
#include "loop.h"
#include "params.h"
#include "regtable.h"
#include "regtable_model.h"

#define COMMANDS_DEFAULT 1000
#define COMMANDS_MAX 100000000UL
#define LATENCY_DEFAULT 100
#define LATENCY_MAX 1000000UL
/* 128 MiB, of which nothing is stored */
#define SECTORS 0x40000U

VMM_GUEST(regtable);

enum {
	OPT_COMMANDS = 'n',
	OPT_LATENCY = 'l',
};

struct config {
	struct example_opts common;
	uint64_t commands;
	uint64_t latency_us;
};

/* The table's registers, in the order in which they are added. */
enum ide_reg {
	REG_ERROR = 0,
	REG_FEATURES,
	REG_COUNT,
	REG_LBA_LOW,
	REG_LBA_MID,
	REG_LBA_HIGH,
	REG_DEVICE,
	REG_STATUS,
	REG_ALT_STATUS,
	N_REGS,
};

enum {
	REGION_TASK_FILE = 0,
	REGION_CONTROL,
};

static const struct lx_region regions[] = {
	[REGION_TASK_FILE] = { IDE_DATA, 8, LX_SPACE_PIO, 0 },
	[REGION_CONTROL] = { IDE_ALT_STATUS, 1, LX_SPACE_PIO, 0 },
};

/* A register of a byte, at a port of the task file. */
#define TASK_FILE(_port, _access, _name) \
	{ .region = REGION_TASK_FILE,    \
	  .offset = (_port) - IDE_DATA,  \
	  .width = 1,                    \
	  .sizes = 1,                    \
	  .read_mask = 0xff,             \
	  .write_mask = 0xff,            \
	  .access = (_access),           \
	  .name = (_name) }

/*
 * What is not here passes: data, the command and the control register. Whoever selects the
 * other drive passes as well, since the VMM then has to exchange what can be read.
 */
static const struct regtable_reg ide_regs[N_REGS] = {
	[REG_ERROR] = TASK_FILE(IDE_ERROR, REGTABLE_READ, "error"),
	[REG_FEATURES] = TASK_FILE(IDE_FEATURES, REGTABLE_WRITE, "features"),
	[REG_COUNT] = TASK_FILE(IDE_COUNT, REGTABLE_READ | REGTABLE_WRITE, "count"),
	[REG_LBA_LOW] = TASK_FILE(IDE_LBA_LOW, REGTABLE_READ | REGTABLE_WRITE, "lba low"),
	[REG_LBA_MID] = TASK_FILE(IDE_LBA_MID, REGTABLE_READ | REGTABLE_WRITE, "lba mid"),
	[REG_LBA_HIGH] = TASK_FILE(IDE_LBA_HIGH, REGTABLE_READ | REGTABLE_WRITE, "lba high"),
	[REG_DEVICE] = { .region = REGION_TASK_FILE,
			 .offset = IDE_DEVICE - IDE_DATA,
			 .width = 1,
			 .sizes = 1,
			 .read_mask = 0xff,
			 .write_mask = 0xff,
			 .pass_change = IDE_DEV,
			 .access = REGTABLE_READ | REGTABLE_WRITE,
			 .name = "device" },
	[REG_STATUS] = TASK_FILE(IDE_STATUS, REGTABLE_READ, "status"),
	[REG_ALT_STATUS] = { .region = REGION_CONTROL,
			     .width = 1,
			     .sizes = 1,
			     .read_mask = 0xff,
			     .access = REGTABLE_READ,
			     .name = "alt status" },
};

/**
 * struct ide - the channel, with one drive
 * @regs:     the table's. Its lock protects all of this, too
 * @status:   of the drive; read as 0 while the other one, which is not there, is selected
 * @interrupt_off: nIEN. (There is no interrupt controller here: INTRQ is only kept.)
 * @intrq:    set by the end of a command, cleared by a read of the status, which
 *            therefore passes meanwhile
 * @sector:   the one that is being transferred
 * @byte:     how far; SECTOR_SIZE: none is
 */
struct ide {
	struct vmm_regtable *table;
	struct regtable_reg *regs;
	struct vmm_loop *loop;
	struct vmm_watch *ready;
	struct vmm *vm;
	uint64_t latency_ns;
	uint32_t sector;
	uint32_t byte;
	uint8_t status;
	bool interrupt_off;
	bool intrq;
};

struct demo {
	struct vmm *vm;
	struct vmm_accel *accel;
	struct ide ide;
	struct regtable_params params;
	struct example_cost cost;
	double ns; /* a command */
};

/* Puts into the table what the guest may read, and who answers. The lock is held. */
static void ide_publish(struct ide *ide)
{
	struct regtable_reg *regs = ide->regs;
	bool selected = !(regs[REG_DEVICE].value & IDE_DEV);
	bool busy = ide->status & (IDE_BSY | IDE_DRQ);

	regs[REG_STATUS].value = selected ? ide->status : 0;
	regs[REG_ALT_STATUS].value = regs[REG_STATUS].value;
	regs[REG_STATUS].pass_read = ide->intrq ? 0xff : 0;
	/* Writes do nothing while the drive has the task file: that is the VMM's to know. */
	for (enum ide_reg i = REG_FEATURES; i <= REG_DEVICE; i++)
		regs[i].pass_write = busy ? 0xff : 0;
}

/* The drive has done what it was told to, or refused. The lock is held. */
static void ide_complete(struct ide *ide, uint8_t status, uint8_t error)
{
	ide->status = IDE_DRDY | status;
	ide->regs[REG_ERROR].value = error;
	ide->intrq = !ide->interrupt_off;
	ide_publish(ide);
}

static void ide_ready(void *opaque)
{
	struct ide *ide = opaque;
	struct lx_state *hdr = &vmm_regtable_state(ide->table)->hdr;

	lx_lock(hdr);
	if (ide->status & IDE_BSY) {
		ide->byte = 0;
		ide_complete(ide, IDE_DRQ, 0);
	}
	lx_unlock(hdr);
}

static void ide_command(struct ide *ide, uint8_t command)
{
	const struct regtable_reg *regs = ide->regs;
	uint32_t lba =
		(uint32_t)(regs[REG_LBA_LOW].value | regs[REG_LBA_MID].value << 8 |
			   regs[REG_LBA_HIGH].value << 16 | (regs[REG_DEVICE].value & 0xf) << 24);

	if (ide->status & (IDE_BSY | IDE_DRQ) || regs[REG_DEVICE].value & IDE_DEV)
		return;
	ide->intrq = false;
	if (command != IDE_READ_SECTORS || regs[REG_COUNT].value != 1 || lba >= SECTORS) {
		ide_complete(ide, IDE_ERR, IDE_ABORTED);
		return;
	}
	ide->sector = lba;
	ide->status = IDE_BSY;
	ide_publish(ide);
	vmm_timer_set(ide->ready, vmm_clock_ns(ide->vm, LX_CLOCK_MONOTONIC) + ide->latency_ns);
}

static void ide_control(struct ide *ide, uint8_t control)
{
	ide->interrupt_off = control & IDE_NO_INTERRUPT;
	if (control & IDE_RESET) {
		ide->intrq = false;
		ide->byte = SECTOR_SIZE;
		ide->regs[REG_DEVICE].value = 0;
		ide->status = IDE_DRDY;
		/* The reset's own result: the first drive has passed its tests. */
		ide->regs[REG_ERROR].value = 1;
	}
	ide_publish(ide);
}

/* The data port: the sector, a byte after the other. */
static uint64_t ide_data(struct ide *ide, uint32_t len)
{
	uint64_t val = 0;

	for (uint32_t i = 0; i < len && ide->status & IDE_DRQ; i++) {
		val |= (uint64_t)medium_byte(ide->sector, ide->byte) << 8 * i;
		if (++ide->byte < SECTOR_SIZE)
			continue;
		ide->status = IDE_DRDY;
		ide_publish(ide);
	}
	return val;
}

/* What the table passed; the lock is held. Ports that are not there read as all ones. */
static uint64_t ide_read(void *opaque, uint32_t region, uint64_t off, uint32_t len)
{
	struct ide *ide = opaque;

	if (region == REGION_TASK_FILE && !off)
		return ide_data(ide, len);
	if (region != REGION_TASK_FILE || off != IDE_STATUS - IDE_DATA || len != 1)
		return ~0ULL;
	ide->intrq = false;
	ide_publish(ide);
	return ide->regs[REG_STATUS].value;
}

static void ide_write(void *opaque, uint32_t region, uint64_t off, uint32_t len, uint64_t val)
{
	struct ide *ide = opaque;

	if (len != 1)
		return;
	if (region == REGION_CONTROL) {
		ide_control(ide, (uint8_t)val);
	} else if (off == IDE_COMMAND - IDE_DATA) {
		ide_command(ide, (uint8_t)val);
	} else if (off == IDE_DEVICE - IDE_DATA && !(ide->status & (IDE_BSY | IDE_DRQ))) {
		ide->regs[REG_DEVICE].value = val;
		ide_publish(ide);
	}
}

static int ide_create(struct demo *demo, const struct config *c)
{
	struct ide *ide = &demo->ide;
	const struct vmm_regtable_opts opts = {
		.name = "ide",
		.regions = regions,
		.n_regions = 2,
		.state = vmm_accel_state(demo->accel),
		.read = ide_read,
		.write = ide_write,
		.opaque = ide,
	};
	int err = vmm_regtable_new(demo->vm, &opts, &ide->table);

	if (err)
		return err;
	*ide = (struct ide){
		.table = ide->table,
		.regs = vmm_regtable_state(ide->table)->regs,
		.vm = demo->vm,
		.latency_ns = c->latency_us * 1000,
		.byte = SECTOR_SIZE,
		.status = IDE_DRDY,
	};
	err = vmm_loop_new(&ide->loop);
	return err ?: vmm_timer_new(ide->loop, ide_ready, ide, &ide->ready);
}

/* This is all that a device needs to be answered in the kernel. */
static int ide_fill(struct ide *ide)
{
	struct regtable_state *st = vmm_regtable_state(ide->table);
	int err = 0;

	for (uint32_t i = 0; i < 2 && !err; i++)
		err = regtable_add_region(st, i, regions[i].len, 0);
	for (enum ide_reg i = 0; i < N_REGS && !err; i++) {
		int n = regtable_add(st, &ide_regs[i]);

		err = n < 0 ? n : 0;
	}
	if (err)
		return vmm_error(err, "table");
	lx_lock(&st->hdr);
	ide_publish(ide);
	lx_unlock(&st->hdr);
	return 0;
}

static int demo_create(struct demo *demo, const struct config *c)
{
	int err;

	err = vmm_create(&(struct vmm_opts){ .vcpus = 1 }, &demo->vm);
	if (!err)
		err = example_open(&c->common, "regtable", sizeof(struct regtable_state), regions,
				   2, &demo->accel);
	if (!err)
		err = ide_create(demo, c);
	if (!err)
		err = ide_fill(&demo->ide);
	return err ?: vmm_accel_attach(demo->accel, demo->vm);
}

static void demo_destroy(struct demo *demo)
{
	vmm_destroy(demo->vm);
	vmm_loop_free(demo->ide.loop);
	vmm_regtable_free(demo->ide.table);
	vmm_accel_close(demo->accel);
}

static int demo_run(struct demo *demo, const struct config *c)
{
	struct regtable_params *p = vmm_params(demo->vm);
	uint64_t start;
	int err;

	*p = (struct regtable_params){ .commands = c->commands, .sectors = SECTORS };
	err = vmm_load(demo->vm, VMM_GUEST_ARGS(regtable));
	if (err)
		return err;
	start = vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC);
	err = vmm_run(demo->vm, -1);
	demo->ns =
		(double)(vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC) - start) / (double)c->commands;
	demo->params = *p;
	demo->cost = example_cost(vmm_regtable_count(demo->ide.table), demo->accel);
	return err;
}

static json_t *row_json(const struct demo *demo)
{
	const struct regtable_params *p = &demo->params;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:f, s:I}", "path",
			 example_path(&demo->cost), "commands", (json_int_t)p->commands, "accesses",
			 (json_int_t)p->accesses, "polls", (json_int_t)p->polls, "heavy_exits",
			 (json_int_t)demo->cost.heavy, "answered",
			 example_answered_json(&demo->cost), "ns_per_command", demo->ns, "errors",
			 (json_int_t)p->errors);
}

static void print_table(const struct demo *demo)
{
	const struct regtable_params *p = &demo->params;
	char buf[24];

	printf("%-5s %9s %9s %9s %12s %15s %12s\n", "PATH", "COMMANDS", "ACCESSES", "POLLS",
	       "HEAVY EXITS", "ANSWERED BY BPF", "NS/COMMAND");
	printf("%-5s %9lu %9lu %9lu %12lu %15s %12.0f\n", example_path(&demo->cost), p->commands,
	       p->accesses, p->polls, demo->cost.heavy, example_answered(&demo->cost, buf),
	       demo->ns);
}

static int run_demo(void *config)
{
	const struct config *c = config;
	struct demo demo = { 0 };
	int err = demo_create(&demo, c);

	if (!err)
		err = demo_run(&demo, c);
	if (!err && c->common.json)
		err = example_print_json(row_json(&demo));
	else if (!err)
		print_table(&demo);
	if (!err && demo.params.errors)
		err = vmm_error(-EIO, "%lu sectors were read wrongly", demo.params.errors);
	demo_destroy(&demo);
	return err;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		return 0;
	case OPT_COMMANDS:
		c->commands = example_number(arg, 1, COMMANDS_MAX, state, "commands");
		return 0;
	case OPT_LATENCY:
		c->latency_us = example_number(arg, 0, LATENCY_MAX, state, "latency");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "commands", OPT_COMMANDS, "N", 0, "sectors to read, one a command (default: 1000)", 0 },
	{ "latency", OPT_LATENCY, "US", 0,
	  "microseconds that the drive takes for a command (default: 100)", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.children = example_argp,
	.doc = "Runs a guest that reads an IDE drive by programmed I/O; its registers are a table "
	       "that the VMM or lightexit answers from.\vExit status: 0; 1: failed, or a sector "
	       "was read wrongly; 2: usage.",
};

int main(int argc, char **argv)
{
	struct config config = {
		.common.path = VMM_PATH_AUTO,
		.commands = COMMANDS_DEFAULT,
		.latency_us = LATENCY_DEFAULT,
	};

	return example_main(argc, argv, &argp, &config, run_demo);
}
