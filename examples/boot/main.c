// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * boot: boots Linux on a PC whose timers, RTC, UART and PCI configuration are answered by
 * this VMM or by lightexit's programs in the kernel, and counts the heavy exits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "machine.h"

#define CMDLINE "console=ttyS0 panic=-1"
#define MEM_DEFAULT 256U
#define MEM_MIN 64U
#define MEM_MAX 3072U
#define TIMEOUT_MS 600000

enum {
	OPT_KERNEL = 'k',
	OPT_INITRD = 'i',
	OPT_APPEND = 'a',
	OPT_MEM = 'm',
	OPT_OUTPUT = 'o',
	OPT_COMPARE = 'c',
};

struct config {
	struct example_opts common;
	char kernel[512];
	const char *initrd;
	const char *append;
	uint64_t mem;
	const char *output;
	bool compare;
};

/* A boot. */
struct run {
	bool bpf;
	uint64_t heavy;
	double seconds;
	struct example_cost costs[DEV_COUNT];
	struct counts counts;
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		return 0;
	case OPT_KERNEL:
		snprintf(c->kernel, sizeof(c->kernel), "%s", arg);
		return 0;
	case OPT_INITRD:
		c->initrd = arg;
		return 0;
	case OPT_APPEND:
		c->append = arg;
		return 0;
	case OPT_MEM:
		c->mem = example_number(arg, MEM_MIN, MEM_MAX, state, "mem");
		return 0;
	case OPT_OUTPUT:
		c->output = arg;
		return 0;
	case OPT_COMPARE:
		c->compare = true;
		return 0;
	case ARGP_KEY_END:
		if (!c->initrd)
			argp_error(state, "give --initrd; initrd.sh of this example makes one");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "kernel", OPT_KERNEL, "FILE", 0, "a bzImage (default: this host's, in /boot)", 0 },
	{ "initrd", OPT_INITRD, "FILE", 0, "an initramfs that powers off", 0 },
	{ "append", OPT_APPEND, "ARGS", 0, "add ARGS to the kernel's command line, " CMDLINE, 0 },
	{ "mem", OPT_MEM, "MB", 0, "the guest's memory (default: 256)", 0 },
	{ "output", OPT_OUTPUT, "FILE", 0,
	  "write what the guest prints to FILE, not to standard error", 0 },
	{ "compare", OPT_COMPARE, NULL, 0, "boot by this VMM alone before", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.children = example_argp,
	.doc = "Boots Linux, and prints its heavy exits by register."
	       "\vExit status: 0; 1: failed, or the guest did not power off; 2: usage.",
};

static int boot(struct machine *m, const struct config *c)
{
	char cmdline[2048];
	const struct vmm_linux l = {
		.kernel = c->kernel,
		.initrd = c->initrd,
		.cmdline = cmdline,
		.rsdp = VMM_ACPI_GPA,
	};
	int n = snprintf(cmdline, sizeof(cmdline), "%s%s%s", CMDLINE, c->append ? " " : "",
			 c->append ? c->append : "");
	int err;

	if (n >= (int)sizeof(cmdline))
		return vmm_error(-EINVAL, "--append: a command line of %d bytes", n);
	err = vmm_linux_load(m->vm, &l);
	if (!err)
		err = vmm_run(m->vm, TIMEOUT_MS);
	return err > 0 ? vmm_error(-EIO, "the guest's exit code is %d", err) : err;
}

static void take_counts(struct run *r, const struct machine *m)
{
	r->heavy = vmm_exits(m->vm);
	r->counts = m->counts;
	for (unsigned int i = 0; i < DEV_COUNT; i++) {
		r->costs[i] = machine_cost(m, i);
		r->bpf |= r->costs[i].bpf;
	}
}

static int measure(const struct config *c, enum vmm_path path, FILE *console, struct run *r)
{
	const struct example_opts common = { .path = path, .bpf_dir = c->common.bpf_dir };
	const struct machine_opts opts = { &common, c->mem << 20, console };
	static struct machine m;
	uint64_t start;
	int err = machine_create(&m, &opts);

	if (!err) {
		start = vmm_clock_ns(m.vm, LX_CLOCK_MONOTONIC);
		err = boot(&m, c);
		vmm_uart_count(m.uart); /* takes what is queued */
		r->seconds = (double)(vmm_clock_ns(m.vm, LX_CLOCK_MONOTONIC) - start) / 1e9;
		take_counts(r, &m);
	}
	machine_destroy(&m);
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
	putchar('\n');
	for (unsigned int d = 0; d < DEV_COUNT; d++) {
		printf("%-9s %-21s", machine_devices[d], "answered by BPF");
		for (unsigned int i = 0; i < n; i++)
			printf(" %12s", example_answered(&runs[i].costs[d], buf));
		putchar('\n');
	}
}

static json_t *devices_json(const struct run *r)
{
	json_t *array = json_array();

	for (unsigned int d = 0; d < DEV_COUNT; d++) {
		const struct example_cost *cost = &r->costs[d];

		array = example_append(array,
				       json_pack("{s:s, s:s, s:I, s:o}", "device",
						 machine_devices[d], "path", example_path(cost),
						 "heavy_exits", (json_int_t)cost->heavy, "answered",
						 example_answered_json(cost)));
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

		array = example_append(array,
				       json_pack("{s:s, s:I, s:f, s:o, s:o}", "path", path_name(r),
						 "heavy_exits", (json_int_t)r->heavy, "seconds",
						 r->seconds, "devices", devices_json(r),
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
	FILE *console = c->output ? fopen(c->output, "w") : stderr;
	static struct run runs[2];
	unsigned int n = 0;
	int err;

	if (!console)
		return vmm_error(-errno, "%s", c->output);
	err = measure_all(c, console, runs, &n);
	if (c->output && fclose(console) && !err)
		err = vmm_error(-EIO, "%s", c->output);
	if (err)
		return err;
	if (c->common.json)
		return print_json(runs, n);
	print_table(runs, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct config config = { .common.path = VMM_PATH_AUTO, .mem = MEM_DEFAULT };
	struct utsname uts;

	if (!uname(&uts))
		snprintf(config.kernel, sizeof(config.kernel), "/boot/vmlinuz-%s", uts.release);
	return example_main(argc, argv, &argp, &config, run);
}
