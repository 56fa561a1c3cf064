// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * hpet: a guest that reads the HPET's counter and the ACPI PM timer, answered
 * by this VMM or by lightexit's programs in the kernel.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "hpet.h"
#include "params.h"
#include "pmtimer.h"
#include "vmm.h"

#define EXIT_USAGE 2
#define READS_DEFAULT 100000
#define READS_MAX 1000000000UL

VMM_GUEST(hpet);

enum {
	OPT_PATH = 'p',
	OPT_VCPUS = 'c',
	OPT_READS = 'n',
	OPT_JSON = 'j',
	OPT_REGISTER = 'r',
	OPT_CLOCK = 't',
	OPT_BPF_DIR = 'd'
};

struct config {
	enum vmm_path path;
	unsigned int vcpus;
	uint64_t reads;
	bool json;
	bool hpet;
	bool pmtimer;
	enum lx_clock clock;
	const char *bpf_dir;
};

/* One device of the machine: its back end's index and its accelerator. */
struct device {
	struct vmm_accel *accel;
	unsigned int index;
};

struct demo {
	const struct config *config;
	struct vmm *vm;
	struct vmm_hpet *hpet;
	struct vmm_pmtimer *pmtimer;
	struct device devices[2]; /* HPET, PM timer */
};

/* A line of the table. */
struct row {
	const char *name;
	bool bpf;
	bool counted; /* answered is known */
	uint64_t accesses;
	uint64_t exits;	   /* heavy ones, to the device's back end */
	uint64_t answered; /* by the program */
	uint64_t backward;
	int64_t min_step;
	int64_t max_step;
	double ns;
};

static const char *const reg_names[REG_COUNT] = { "hpet.counter", "hpet.counter32", "pmtimer" };

static int parse_word(const char *arg, const char *const *words, struct argp_state *state,
		      const char *option)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(arg, words[i]))
			return i;
	}
	argp_error(state, "--%s %s: see --help for what there is", option, arg);
	return -1;
}

static uint64_t parse_number(const char *arg, uint64_t min, uint64_t max, struct argp_state *state,
			     const char *option)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || n < min || n > max)
		argp_error(state, "--%s %s: give a number, %lu to %lu", option, arg, min, max);
	return n;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const paths[] = { "vmm", "bpf", "auto", NULL };
	static const char *const clocks[] = { "monotonic", "kvm", NULL };
	static const char *const registers[] = { "hpet", "pmtimer", "all", NULL };
	struct config *c = state->input;
	int i;

	switch (key) {
	case OPT_PATH:
		c->path = (enum vmm_path)parse_word(arg, paths, state, "path");
		return 0;
	case OPT_VCPUS:
		c->vcpus = (unsigned int)parse_number(arg, 1, VMM_MAX_VCPUS, state, "vcpus");
		return 0;
	case OPT_READS:
		c->reads = parse_number(arg, 2, READS_MAX, state, "reads");
		return 0;
	case OPT_JSON:
		c->json = true;
		return 0;
	case OPT_REGISTER:
		i = parse_word(arg, registers, state, "register");
		c->hpet = i != 1;
		c->pmtimer = i != 0;
		return 0;
	case OPT_CLOCK:
		c->clock = (enum lx_clock)parse_word(arg, clocks, state, "clock");
		return 0;
	case OPT_BPF_DIR:
		c->bpf_dir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "path", OPT_PATH, "vmm|bpf|auto", 0,
	  "who answers: this VMM; programs in the kernel, or fail; programs if this host can "
	  "(default)",
	  0 },
	{ "vcpus", OPT_VCPUS, "N", 0, "vCPUs that read at once (default: 1)", 0 },
	{ "reads", OPT_READS, "N", 0, "reads of each register by each vCPU (default: 100000)", 0 },
	{ "register", OPT_REGISTER, "hpet|pmtimer|all", 0, "what is read (default: all)", 0 },
	{ "clock", OPT_CLOCK, "monotonic|kvm", 0,
	  "what the counters count by: CLOCK_MONOTONIC (default) or the VM's kvmclock", 0 },
	{ "bpf-dir", OPT_BPF_DIR, "DIR", 0,
	  "where hpet.bpf.o and pmtimer.bpf.o are (default: $LIGHTEXIT_BPF_DIR, else the "
	  "installed ones)",
	  0 },
	{ "json", OPT_JSON, NULL, 0, "print JSON instead of a table", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "Runs a guest that reads the HPET's main counter and the ACPI PM timer, and prints "
	       "what each read cost.\vExit status: 0; 1: failed, or a counter took a backward "
	       "step; 2: usage.",
};

static int open_accel(const struct config *c, const char *name, size_t size, struct vmm_accel **out)
{
	const struct vmm_accel_opts opts = { .path = c->path, .bpf_dir = c->bpf_dir };

	return vmm_accel_open(name, size, &opts, out);
}

static int add_hpet(struct demo *demo)
{
	struct device *dev = &demo->devices[0];
	int err;

	if (!demo->config->hpet)
		return 0;
	err = open_accel(demo->config, "hpet", sizeof(struct hpet_state), &dev->accel);
	if (!err)
		err = vmm_hpet_new(demo->vm, HPET_BASE, demo->config->clock,
				   vmm_accel_state(dev->accel), &demo->hpet);
	if (err)
		return err;
	dev->index = vmm_hpet_index(demo->hpet);
	return vmm_accel_attach(dev->accel, demo->vm);
}

static int add_pmtimer(struct demo *demo)
{
	struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = 32,
		.clock = demo->config->clock,
	};
	struct device *dev = &demo->devices[1];
	int err;

	if (!demo->config->pmtimer)
		return 0;
	err = open_accel(demo->config, "pmtimer", sizeof(struct pmtimer_state), &dev->accel);
	if (err)
		return err;
	opts.state = vmm_accel_state(dev->accel);
	err = vmm_pmtimer_new(demo->vm, &opts, &demo->pmtimer);
	if (err)
		return err;
	dev->index = vmm_pmtimer_index(demo->pmtimer);
	return vmm_accel_attach(dev->accel, demo->vm);
}

static int demo_create(struct demo *demo, const struct config *c)
{
	const struct vmm_opts opts = { .vcpus = c->vcpus };
	int err;

	demo->config = c;
	err = vmm_create(&opts, &demo->vm);
	if (!err)
		err = add_hpet(demo);
	if (!err)
		err = add_pmtimer(demo);
	return err;
}

static void demo_destroy(struct demo *demo)
{
	vmm_destroy(demo->vm);
	vmm_hpet_free(demo->hpet);
	vmm_pmtimer_free(demo->pmtimer);
	vmm_accel_close(demo->devices[0].accel);
	vmm_accel_close(demo->devices[1].accel);
}

/* Reads that the device's program answered so far; false: not known. */
static bool answered(const struct device *dev, uint64_t *n)
{
	struct lx_stats stats = { .sz = sizeof(stats) };

	*n = 0;
	if (!vmm_accel_active(dev->accel) || lx_device_stats(vmm_accel_device(dev->accel), &stats))
		return false;
	for (uint32_t i = 0; i < stats.n_regions; i++)
		*n += stats.regions[i].handled;
	return true;
}

static void sum_results(const struct hpet_params *p, struct row *row)
{
	row->min_step = INT64_MAX;
	row->max_step = INT64_MIN;
	for (unsigned int i = 0; i < p->vcpus; i++) {
		const struct reg_result *r = &p->results[i];

		row->accesses += r->accesses;
		row->backward += r->backward;
		if (r->min_step < row->min_step)
			row->min_step = r->min_step;
		if (r->max_step > row->max_step)
			row->max_step = r->max_step;
	}
}

static int run_guest(struct demo *demo, enum hpet_reg reg, double *ns)
{
	const struct config *c = demo->config;
	struct hpet_params *p = vmm_params(demo->vm);
	uint64_t start;
	int err;

	memset(p, 0, VMM_PARAMS_SIZE);
	p->reg = reg;
	p->vcpus = c->vcpus;
	p->reads = c->reads;
	p->hpet = HPET_BASE;
	p->pmtimer = PMTIMER_PORT;
	err = vmm_load(demo->vm, VMM_GUEST_ARGS(hpet));
	if (err)
		return err;
	start = vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC);
	err = vmm_run(demo->vm, -1);
	*ns = (double)(vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC) - start) / (double)c->reads;
	return err;
}

static int measure(struct demo *demo, enum hpet_reg reg, struct row *row)
{
	const struct device *dev = &demo->devices[reg == REG_PMTIMER];
	uint64_t before, after;
	int err;

	*row = (struct row){ .name = reg_names[reg], .bpf = vmm_accel_active(dev->accel) };
	row->exits = vmm_dev_count(demo->vm, dev->index).exits;
	row->counted = answered(dev, &before);
	err = run_guest(demo, reg, &row->ns);
	if (err)
		return err;
	row->exits = vmm_dev_count(demo->vm, dev->index).exits - row->exits;
	row->counted = answered(dev, &after) && row->counted;
	row->answered = after - before;
	sum_results(vmm_params(demo->vm), row);
	return 0;
}

static void print_table(const struct config *c, const struct row *rows, unsigned int n)
{
	printf("%-15s %-5s %5s %11s %12s %15s %10s %9s\n", "REGISTER", "PATH", "VCPUS", "ACCESSES",
	       "HEAVY EXITS", "ANSWERED BY BPF", "NS/ACCESS", "BACKWARD");
	for (unsigned int i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		char answer[24] = "-";

		if (r->counted)
			snprintf(answer, sizeof(answer), "%lu", r->answered);
		printf("%-15s %-5s %5u %11lu %12lu %15s %10.0f %9lu\n", r->name,
		       r->bpf ? "bpf" : "vmm", c->vcpus, r->accesses, r->exits, answer, r->ns,
		       r->backward);
	}
}

static json_t *row_json(const struct config *c, const struct row *r)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:f, s:I, s:I, s:I}", "register", r->name,
			 "path", r->bpf ? "bpf" : "vmm", "vcpus", (json_int_t)c->vcpus, "accesses",
			 (json_int_t)r->accesses, "heavy_exits", (json_int_t)r->exits, "answered",
			 r->counted ? json_integer((json_int_t)r->answered) : json_null(),
			 "ns_per_access", r->ns, "backward_steps", (json_int_t)r->backward,
			 "min_step", (json_int_t)r->min_step, "max_step", (json_int_t)r->max_step);
}

static int print_json(const struct config *c, const struct row *rows, unsigned int n)
{
	json_t *array = json_array();
	int err = array ? 0 : -ENOMEM;

	for (unsigned int i = 0; !err && i < n; i++)
		err = json_array_append_new(array, row_json(c, &rows[i]));
	if (!err)
		err = json_dumpf(array, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(array);
	if (err)
		return vmm_error(-ENOMEM, "JSON of %u rows", n);
	putchar('\n');
	return 0;
}

static int report(const struct config *c, const struct row *rows, unsigned int n)
{
	int err = 0;

	if (c->json)
		err = print_json(c, rows, n);
	else
		print_table(c, rows, n);
	for (unsigned int i = 0; i < n; i++) {
		if (!rows[i].backward)
			continue;
		fprintf(stderr, "hpet: %s took %lu backward steps, the largest of %ld ticks\n",
			rows[i].name, rows[i].backward, rows[i].min_step);
		err = -ERANGE;
	}
	return err;
}

static int run_demo(const struct config *c)
{
	struct row rows[REG_COUNT];
	struct demo demo = { 0 };
	unsigned int n = 0;
	int err;

	err = demo_create(&demo, c);
	for (enum hpet_reg reg = 0; !err && reg < REG_COUNT; reg++) {
		if (reg == REG_PMTIMER ? c->pmtimer : c->hpet)
			err = measure(&demo, reg, &rows[n++]);
	}
	if (!err)
		err = report(c, rows, n);
	demo_destroy(&demo);
	return err;
}

int main(int argc, char **argv)
{
	struct config config = {
		.path = VMM_PATH_AUTO,
		.vcpus = 1,
		.reads = READS_DEFAULT,
		.hpet = true,
		.pmtimer = true,
		.clock = LX_CLOCK_MONOTONIC,
	};

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &config))
		return EXIT_USAGE;
	return run_demo(&config) ? EXIT_FAILURE : EXIT_SUCCESS;
}
