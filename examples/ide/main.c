// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * ide: boots Linux, whose own driver reads and writes an IDE disk, by DMA and by PIO, and
 * counts the heavy exits of a command, answered by this VMM or by lightexit's program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "linuxopts.h"
#include "params.h"

enum {
	OPT_DISK = 's',
};

struct config {
	struct example_opts common;
	struct linux_opts guest;
	const char *disk;
};

/* A line of the table. */
struct row {
	bool ended;
	struct example_cost cost;
};

/**
 * struct demo - a boot
 * @phase: the one under way, PHASES: none
 * @from:  the costs when it began
 */
struct demo {
	struct vmm_pc pc;
	unsigned int phase;
	struct example_cost from;
	struct row rows[PHASES];
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		state->child_inputs[1] = &c->guest;
		return 0;
	case OPT_DISK:
		c->disk = arg;
		return 0;
	case ARGP_KEY_END:
		if (!c->disk)
			argp_error(state, "give --disk, a file of 2 MiB whose second half is lost");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "disk", OPT_DISK, "FILE", 0,
	  "the disk; of its first 256 KiB the guest makes four copies from 512 KiB on", 0 },
	{ 0 },
};

static const char *mode_of(unsigned int phase)
{
	return phase / 4 ? "pio" : "dma";
}

static const char *operation_of(unsigned int phase)
{
	return phase & 2 ? "write" : "read";
}

static unsigned int bytes_of(unsigned int phase)
{
	return phase & 1 ? PHASE_LARGE : PHASE_SMALL;
}

static void on_mark(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct demo *demo = opaque;
	const struct example_cost now = linux_cost(&demo->pc, VMM_PC_IDE);

	if (val >= MARK_BEGIN && val < MARK_BEGIN + PHASES) {
		demo->phase = (unsigned int)(val - MARK_BEGIN);
		demo->from = now;
	} else if (!val && demo->phase < PHASES) {
		demo->rows[demo->phase] = (struct row){
			.ended = true,
			.cost = example_cost_since(demo->from, now),
		};
		demo->phase = PHASES;
	}
}

static int boot(struct demo *demo, const struct config *c, FILE *console, int disk)
{
	const struct vmm_dev mark = {
		.name = "mark",
		.space = LX_SPACE_PIO,
		.base = MARK_PORT,
		.len = 1,
		.write = on_mark,
		.opaque = demo,
	};
	struct vmm_pc_opts opts = linux_pc(&c->guest, &c->common, console);
	int err;

	opts.disk = disk;
	demo->phase = PHASES;
	err = vmm_pc_create(&demo->pc, &opts);
	if (!err) {
		err = vmm_add_dev(demo->pc.vm, &mark);
		if (err >= 0)
			err = linux_boot(&demo->pc, &c->guest);
	}
	vmm_pc_destroy(&demo->pc);
	for (unsigned int i = 0; i < PHASES && !err; i++) {
		if (!demo->rows[i].ended)
			err = vmm_error(-EIO, "the guest did not end its phase %u", i);
	}
	return err;
}

static void print_table(const struct row *rows)
{
	printf("%-5s %-6s %6s %-5s %9s %12s %14s %15s\n", "MODE", "ACCESS", "BYTES", "PATH",
	       "COMMANDS", "HEAVY EXITS", "EXITS/COMMAND", "ANSWERED BY BPF");
	for (unsigned int i = 0; i < PHASES; i++) {
		const struct example_cost *cost = &rows[i].cost;
		const unsigned int commands = PHASE_BYTES / bytes_of(i);
		char buf[24];

		printf("%-5s %-6s %6u %-5s %9u %12lu %14.2f %15s\n", mode_of(i), operation_of(i),
		       bytes_of(i), example_path(cost), commands, cost->heavy,
		       (double)cost->heavy / commands, example_answered(cost, buf));
	}
}

static int print_json(const struct row *rows)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < PHASES; i++) {
		const struct example_cost *cost = &rows[i].cost;

		array = example_append(
			array, json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:o}", "mode", mode_of(i),
					 "access", operation_of(i), "bytes",
					 (json_int_t)bytes_of(i), "path", example_path(cost),
					 "commands", (json_int_t)(PHASE_BYTES / bytes_of(i)),
					 "heavy_exits", (json_int_t)cost->heavy, "answered",
					 example_answered_json(cost)));
	}
	return example_print_json(array);
}

static int run(void *config)
{
	const struct config *c = config;
	static struct demo demo;
	int disk = open(c->disk, O_RDWR | O_CLOEXEC), err;
	FILE *console;

	if (disk < 0)
		return vmm_error(-errno, "%s", c->disk);
	console = linux_console(&c->guest);
	err = console ? boot(&demo, c, console, disk) : -ENOENT;
	if (console && linux_close(&c->guest, console) && !err)
		err = -EIO;
	close(disk);
	if (err)
		return err;
	if (c->common.json)
		return print_json(demo.rows);
	print_table(demo.rows);
	return 0;
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { *example_argp, *linux_argp, { 0 } };
	const struct argp argp = {
		.options = options,
		.parser = parse_opt,
		.children = children,
		.doc = "Boots Linux, whose own driver reads and writes an IDE disk, and prints the "
		       "heavy exits of its commands.\vExit status: 0; 1: failed, or the guest did "
		       "not power off; 2: usage.",
	};
	struct config config = {
		.common.path = VMM_PATH_AUTO,
		.guest = linux_opts_default(),
	};

	return example_main(argc, argv, &argp, &config, run);
}
