// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * boot: boots Linux on a PC whose timers, RTC, UART and PCI configuration are answered by
 * this VMM or by lightexit's programs in the kernel, and counts the heavy exits.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "count.h"
#include "linuxopts.h"

/* Those without a disk. */
#define DEVICES VMM_PC_IDE

enum {
	OPT_COMPARE = 'c',
};

struct config {
	struct example_opts common;
	struct linux_opts guest;
	bool compare;
};

/* A boot. @cpu: the guest's time of the CPU, the VMM's, and what the kernel did for both. */
struct run {
	bool bpf;
	uint64_t heavy;
	double seconds;
	double cpu;
	struct example_cost costs[DEVICES];
	struct counts counts;
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		state->child_inputs[1] = &c->guest;
		return 0;
	case OPT_COMPARE:
		c->compare = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "compare", OPT_COMPARE, NULL, 0, "boot by this VMM alone before", 0 },
	{ 0 },
};

static void take_counts(struct run *r, const struct vmm_pc *pc)
{
	r->heavy = vmm_exits(pc->vm);
	for (unsigned int i = 0; i < DEVICES; i++) {
		r->costs[i] = linux_cost(pc, i);
		r->bpf |= r->costs[i].bpf;
	}
}

static double clock_seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int measure(const struct config *c, enum vmm_path path, FILE *console, struct run *r)
{
	struct vmm_pc_opts opts = linux_pc(&c->guest, &c->common, console);
	struct vmm_pc pc;
	double start, cpu;
	int err;

	opts.path = path;
	err = vmm_pc_create(&pc, &opts);
	if (!err) {
		counts_attach(&r->counts, pc.vm);
		start = clock_seconds(CLOCK_MONOTONIC);
		cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
		err = linux_boot(&pc, &c->guest);
		r->seconds = clock_seconds(CLOCK_MONOTONIC) - start;
		r->cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		take_counts(r, &pc);
	}
	vmm_pc_destroy(&pc);
	return err;
}

static const char *path_name(const struct run *r)
{
	return r->bpf ? "bpf" : "vmm";
}

static uint64_t exits_of(const struct run *r, const struct count_row *row)
{
	for (size_t i = 0; i < r->counts.n; i++) {
		const struct count_row *o = &r->counts.rows[i];

		if (o->addr == row->addr && o->write == row->write)
			return o->exits;
	}
	return 0;
}

static void print_row(const struct run *runs, unsigned int n, const struct count_row *row)
{
	char buf[24];

	printf("%-9s %-14s %-6s", row->device, counts_register(row, buf),
	       row->write ? "write" : "read");
	for (unsigned int i = 0; i < n; i++)
		printf(" %12lu", exits_of(&runs[i], row));
	putchar('\n');
}

/* All registers that any run accessed. */
static void print_registers(const struct run *runs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		for (size_t j = 0; j < runs[i].counts.n; j++) {
			const struct count_row *row = &runs[i].counts.rows[j];

			if (!i || !exits_of(&runs[0], row))
				print_row(runs, n, row);
		}
		if (runs[i].counts.others)
			printf("%-9s %lu accesses of further registers, %s\n", "",
			       runs[i].counts.others, path_name(&runs[i]));
	}
}

static void print_table(const struct run *runs, unsigned int n)
{
	char buf[24];

	printf("%-9s %-14s %-6s", "DEVICE", "REGISTER", "ACCESS");
	for (unsigned int i = 0; i < n; i++)
		printf(" %8s %s", "HEAVY,", path_name(&runs[i]));
	putchar('\n');
	print_registers(runs, n);
	printf("%-31s", "all heavy exits");
	for (unsigned int i = 0; i < n; i++)
		printf(" %12lu", runs[i].heavy);
	printf("\n%-31s", "CPU time, s");
	for (unsigned int i = 0; i < n; i++)
		printf(" %12.3f", runs[i].cpu);
	putchar('\n');
	for (unsigned int d = 0; d < DEVICES; d++) {
		printf("%-9s %-21s", vmm_pc_names[d], "answered by BPF");
		for (unsigned int i = 0; i < n; i++)
			printf(" %12s", example_answered(&runs[i].costs[d], buf));
		putchar('\n');
	}
}

static json_t *devices_json(const struct run *r)
{
	json_t *array = json_array();

	for (unsigned int d = 0; d < DEVICES; d++) {
		const struct example_cost *cost = &r->costs[d];

		array = example_append(array, json_pack("{s:s, s:s, s:I, s:o}", "device",
							vmm_pc_names[d], "path", example_path(cost),
							"heavy_exits", (json_int_t)cost->heavy,
							"answered", example_answered_json(cost)));
	}
	return array;
}

static json_t *registers_json(const struct run *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->counts.n; i++) {
		const struct count_row *row = &r->counts.rows[i];
		char buf[24];

		array = example_append(array,
				       json_pack("{s:s, s:s, s:s, s:I}", "device", row->device,
						 "register", counts_register(row, buf), "access",
						 row->write ? "write" : "read", "heavy_exits",
						 (json_int_t)row->exits));
	}
	return array;
}

static int print_json(const struct run *runs, unsigned int n)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < n; i++) {
		const struct run *r = &runs[i];

		array = example_append(
			array, json_pack("{s:s, s:I, s:f, s:f, s:o, s:o}", "path", path_name(r),
					 "heavy_exits", (json_int_t)r->heavy, "seconds", r->seconds,
					 "cpu_seconds", r->cpu, "devices", devices_json(r),
					 "registers", registers_json(r)));
	}
	return example_print_json(array);
}

static int measure_all(const struct config *c, FILE *console, struct run *runs, unsigned int *n)
{
	int err = 0;

	if (c->compare)
		err = measure(c, VMM_PATH_VMM, console, &runs[(*n)++]);
	if (!err)
		err = measure(c, c->common.path, console, &runs[(*n)++]);
	return err;
}

static int run(void *config)
{
	const struct config *c = config;
	FILE *console = linux_console(&c->guest);
	static struct run runs[2];
	unsigned int n = 0;
	int err;

	if (!console)
		return -ENOENT;
	err = measure_all(c, console, runs, &n);
	if (!err)
		err = linux_close(&c->guest, console);
	if (err)
		return err;
	if (c->common.json)
		return print_json(runs, n);
	print_table(runs, n);
	return 0;
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { *example_argp, *linux_argp, { 0 } };
	const struct argp argp = {
		.options = options,
		.parser = parse_opt,
		.children = children,
		.doc = "Boots Linux, and prints its heavy exits by register.\vExit status: 0; 1: "
		       "failed, or the guest did not power off; 2: usage.",
	};
	struct config config = {
		.common.path = VMM_PATH_AUTO,
		.guest = linux_opts_default(),
	};

	return example_main(argc, argv, &argp, &config, run);
}
