// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * hpet: a guest that reads the HPET's counter and the ACPI PM timer, answered
 * by this VMM or by lightexit's programs in the kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "hpet.h"
#include "params.h"
#include "pmtimer.h"
#include "timer.h"
#include "vmm.h"

#define READS_DEFAULT 100000
#define READS_MAX 1000000000UL
#define INTERRUPTS_DEFAULT 1000
/* Microseconds: what timers of the kernel do, and less than the counter's lower half. */
#define PERIOD_DEFAULT 1000
#define PERIOD_MIN 200
#define PERIOD_MAX 10000000

VMM_GUEST(hpet);

enum {
	OPT_VCPUS = 'c',
	OPT_READS = 'n',
	OPT_REGISTER = 'r',
	OPT_CLOCK = 't',
	OPT_TIMER = 'i',
	OPT_INTERRUPTS = 'm',
	OPT_PERIOD = 'u',
};

struct config {
	struct example_opts common;
	unsigned int vcpus;
	uint64_t reads;
	bool hpet;
	bool pmtimer;
	enum lx_clock clock;
	bool timer;
	struct timer_config timers;
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
	struct example_cost cost;
	uint64_t accesses;
	uint64_t backward;
	int64_t min_step;
	int64_t max_step;
	double ns;
};

static const char *const reg_names[REG_COUNT] = { "hpet.counter", "hpet.counter32", "pmtimer" };

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	static const char *const clocks[] = { "monotonic", "kvm", NULL };
	static const char *const timers[] = { "one-shot", "periodic", "all", NULL };
	static const char *const registers[] = { "hpet", "pmtimer", "all", NULL };
	struct config *c = state->input;
	int i;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		return 0;
	case OPT_VCPUS:
		c->vcpus = (unsigned int)example_number(arg, 1, VMM_MAX_VCPUS, state, "vcpus");
		return 0;
	case OPT_READS:
		c->reads = example_number(arg, 2, READS_MAX, state, "reads");
		return 0;
	case OPT_REGISTER:
		i = example_word(arg, registers, state, "register");
		c->hpet = i != 1;
		c->pmtimer = i != 0;
		return 0;
	case OPT_CLOCK:
		c->clock = (enum lx_clock)example_word(arg, clocks, state, "clock");
		return 0;
	case OPT_TIMER:
		i = example_word(arg, timers, state, "timer");
		c->timer = true;
		c->timers.kinds[TIMER_ONE_SHOT] = i != TIMER_PERIODIC;
		c->timers.kinds[TIMER_PERIODIC] = i != TIMER_ONE_SHOT;
		return 0;
	case OPT_INTERRUPTS:
		c->timers.interrupts = example_number(arg, 1, READS_MAX, state, "interrupts");
		return 0;
	case OPT_PERIOD:
		c->timers.period_us = example_number(arg, PERIOD_MIN, PERIOD_MAX, state, "period");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "vcpus", OPT_VCPUS, "N", 0, "vCPUs that read at once (default: 1)", 0 },
	{ "reads", OPT_READS, "N", 0, "reads of each register by each vCPU (default: 100000)", 0 },
	{ "register", OPT_REGISTER, "hpet|pmtimer|all", 0, "what is read (default: all)", 0 },
	{ "clock", OPT_CLOCK, "monotonic|kvm", 0,
	  "what the counters count by: CLOCK_MONOTONIC (default) or the VM's kvmclock", 0 },
	{ "timer", OPT_TIMER, "one-shot|periodic|all", 0,
	  "do not read: have the HPET's comparators interrupt the guest", 0 },
	{ "interrupts", OPT_INTERRUPTS, "N", 0, "of each timer (default: 1000)", 0 },
	{ "period", OPT_PERIOD, "US", 0, "microseconds between two of them (default: 1000)", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.children = example_argp,
	.doc = "Runs a guest that reads the HPET's main counter and the ACPI PM timer, and prints "
	       "what each read cost; with --timer, has the HPET interrupt it, and prints what "
	       "each interrupt cost.\vExit status: 0; 1: failed, or a counter took a backward "
	       "step; 2: usage.",
};

static int add_hpet(struct demo *demo)
{
	struct device *dev = &demo->devices[0];
	int err;

	if (!demo->config->hpet)
		return 0;
	err = example_open(&demo->config->common, "hpet", sizeof(struct hpet_state), NULL, 0,
			   &dev->accel);
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
	err = example_open(&demo->config->common, "pmtimer", sizeof(struct pmtimer_state), NULL, 0,
			   &dev->accel);
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

static struct example_cost cost_of(const struct demo *demo, const struct device *dev)
{
	return example_cost(vmm_dev_count(demo->vm, dev->index), dev->accel);
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
	struct example_cost before = cost_of(demo, dev);
	int err;

	*row = (struct row){ .name = reg_names[reg] };
	err = run_guest(demo, reg, &row->ns);
	if (err)
		return err;
	row->cost = example_cost_since(before, cost_of(demo, dev));
	sum_results(vmm_params(demo->vm), row);
	return 0;
}

static void print_table(const struct config *c, const struct row *rows, unsigned int n)
{
	printf("%-15s %-5s %5s %11s %12s %15s %10s %9s\n", "REGISTER", "PATH", "VCPUS", "ACCESSES",
	       "HEAVY EXITS", "ANSWERED BY BPF", "NS/ACCESS", "BACKWARD");
	for (unsigned int i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		char buf[24];

		printf("%-15s %-5s %5u %11lu %12lu %15s %10.0f %9lu\n", r->name,
		       example_path(&r->cost), c->vcpus, r->accesses, r->cost.heavy,
		       example_answered(&r->cost, buf), r->ns, r->backward);
	}
}

static json_t *row_json(const struct config *c, const struct row *r)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:f, s:I, s:I, s:I}", "register", r->name,
			 "path", example_path(&r->cost), "vcpus", (json_int_t)c->vcpus, "accesses",
			 (json_int_t)r->accesses, "heavy_exits", (json_int_t)r->cost.heavy,
			 "answered", example_answered_json(&r->cost), "ns_per_access", r->ns,
			 "backward_steps", (json_int_t)r->backward, "min_step",
			 (json_int_t)r->min_step, "max_step", (json_int_t)r->max_step);
}

static int print_json(const struct config *c, const struct row *rows, unsigned int n)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < n; i++)
		array = example_append(array, row_json(c, &rows[i]));
	return example_print_json(array);
}

static int report(const struct config *c, const struct row *rows, unsigned int n)
{
	int err = 0;

	if (c->common.json)
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

static int run_demo(void *config)
{
	struct config *c = config;
	struct row rows[REG_COUNT];
	struct demo demo = { 0 };
	unsigned int n = 0;
	int err;

	c->timers.common = &c->common;
	c->timers.clock = c->clock;
	if (c->timer)
		return timer_run(&c->timers);
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
		.common.path = VMM_PATH_AUTO,
		.vcpus = 1,
		.reads = READS_DEFAULT,
		.hpet = true,
		.pmtimer = true,
		.clock = LX_CLOCK_MONOTONIC,
		.timers = { .interrupts = INTERRUPTS_DEFAULT, .period_us = PERIOD_DEFAULT },
	};

	return example_main(argc, argv, &argp, &config, run_demo);
}
