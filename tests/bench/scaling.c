// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * scaling: how many reads of the HPET's counter 1, 2 and 4 vCPUs get done together in a
 * second, without a lock (hpet), under a reader-writer lock (bench_rwlock), and in the VMM.
 * Times vary with the machine; what counts is the ratio of two paths of one run, so each
 * round measures all paths one after the other, and the median of the rounds' ratios is
 * shown. Each read must have been answered by who is measured.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "bench_rwlock.h"
#include "hpet.h"
#include "script.h"

VMM_GUEST(script);

#define TIMEOUT_MS 120000
#define ROUNDS 5
#define EXIT_USAGE 2

enum path {
	PATH_LOCK_FREE,
	PATH_RWLOCK,
	PATH_VMM,
	PATHS
};

static const char *const path_names[PATHS] = { "lock-free", "rwlock", "vmm" };
static const char *const programs[PATHS] = { "hpet", "bench_rwlock", NULL };
static const unsigned int vcpus[] = { 1, 2, 4 };
#define N_VCPUS (sizeof(vcpus) / sizeof(vcpus[0]))

struct config {
	const char *build;
	const char *output;
	unsigned long reads;
};

struct run {
	struct vmm *vm;
	struct vmm_accel *accel;
	struct vmm_hpet *hpet;
};

static int open_program(struct run *r, const struct config *c, enum path which)
{
	char dir[512];
	const struct vmm_accel_opts opts = { .path = VMM_PATH_BPF, .bpf_dir = dir };

	if (!programs[which])
		return 0;
	snprintf(dir, sizeof(dir), "%s/%s", c->build, which == PATH_RWLOCK ? "tests/bench" : "bpf");
	return vmm_accel_open(programs[which],
			      which == PATH_RWLOCK ? sizeof(struct rwlock_state) :
						     sizeof(struct hpet_state),
			      &opts, &r->accel);
}

static int set_up(struct run *r, const struct config *c, enum path which, unsigned int n)
{
	const struct vmm_opts opts = { .vcpus = n };
	struct script_params *p;
	int err = open_program(r, c, which);

	err = err ?: vmm_create(&opts, &r->vm);
	err = err   ?:
		      vmm_hpet_new(r->vm, HPET_BASE, LX_CLOCK_MONOTONIC, vmm_accel_state(r->accel),
				   &r->hpet);
	if (err)
		return err;
	vmm_hpet_write(r->hpet, NULL, HPET_CONFIG, 4, HPET_CONFIG_ENABLE);
	p = vmm_params(r->vm);
	for (unsigned int i = 0; i < n; i++) {
		p->vcpu[i].vcpus = n;
		p->vcpu[i].n = 2;
		p->vcpu[i].ops[0] = (struct script_op){ .kind = SCRIPT_BARRIER, .count = 1 };
		p->vcpu[i].ops[1] =
			(struct script_op){ SCRIPT_READ, 8, c->reads, HPET_BASE + HPET_COUNTER, 0 };
	}
	err = vmm_accel_attach(r->accel, r->vm);
	return err ?: vmm_load(r->vm, VMM_GUEST_ARGS(script));
}

/* A program must have answered all but those few that met somebody else's lock. */
static int check(const struct run *r, enum path which, uint64_t reads)
{
	uint64_t heavy = vmm_dev_count(r->vm, vmm_hpet_index(r->hpet)).accesses;

	if (which == PATH_VMM ? heavy == reads : heavy <= reads / 100)
		return 0;
	return vmm_error(-EIO, "%s: the VMM answered %lu of %lu reads", path_names[which], heavy,
			 reads);
}

/* Reads a second, of all vCPUs together; or a negative errno. */
static double measure(const struct config *c, enum path which, unsigned int n)
{
	struct run r = { 0 };
	uint64_t start = 0, end = 0;
	int err = set_up(&r, c, which, n);

	if (!err) {
		start = vmm_clock_ns(r.vm, LX_CLOCK_MONOTONIC);
		err = vmm_run(r.vm, TIMEOUT_MS);
		end = vmm_clock_ns(r.vm, LX_CLOCK_MONOTONIC);
	}
	if (!err)
		err = check(&r, which, c->reads * n);
	vmm_destroy(r.vm);
	vmm_hpet_free(r.hpet);
	vmm_accel_close(r.accel);
	return err ? -1 : (double)(c->reads * n) * 1e9 / (double)(end - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

/* One line of the table. */
static int measure_vcpus(const struct config *c, unsigned int n, json_t *out)
{
	double rate[PATHS][ROUNDS], ratio[PATHS][ROUNDS];

	for (unsigned int i = 0; i < ROUNDS; i++) {
		for (unsigned int p = 0; p < PATHS; p++) {
			rate[p][i] = measure(c, (enum path)p, n);
			if (rate[p][i] < 0)
				return -EIO;
			ratio[p][i] = rate[PATH_LOCK_FREE][i] / rate[p][i];
		}
		fprintf(stderr, "scaling: %u vCPUs, round %u of %u\n", n, i + 1, ROUNDS);
	}
	for (unsigned int p = 0; p < PATHS; p++) {
		double reads = median(rate[p]), by = median(ratio[p]);

		printf("%5u  %-10s %12.0f %22.3f\n", n, path_names[p], reads, by);
		json_array_append_new(out, json_pack("{s:i, s:s, s:f, s:f}", "vcpus", (int)n,
						     "path", path_names[p], "reads_per_second",
						     reads, "lock_free_over_this", by));
	}
	return 0;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;
	char *end;

	switch (key) {
	case 'b':
		c->build = arg;
		return 0;
	case 'o':
		c->output = arg;
		return 0;
	case 'n':
		c->reads = strtoul(arg, &end, 10);
		if (*end || !c->reads || c->reads > 100000000)
			argp_error(state, "--reads %s: give a number, 1 to 100000000", arg);
		return 0;
	case ARGP_KEY_END:
		if (!c->build)
			argp_error(state, "--build is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "build", 'b', "DIR", 0, "where bpf/ and tests/bench/ with the programs are", 0 },
	{ "output", 'o', "FILE", 0, "write the results there as JSON", 0 },
	{ "reads", 'n', "N", 0, "reads of each vCPU (default: 10000)", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "Counter reads of 1, 2 and 4 vCPUs: without a lock, under a reader-writer lock, in the "
	       "VMM. Needs root and the module lightexit.",
};

int main(int argc, char **argv)
{
	struct config c = { .reads = 10000 };
	json_t *out = json_array();

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	printf("VCPUS  PATH       READS/SECOND   LOCK-FREE / THIS\n");
	for (unsigned int i = 0; i < N_VCPUS; i++) {
		if (measure_vcpus(&c, vcpus[i], out))
			return EXIT_FAILURE;
	}
	if (c.output && json_dump_file(out, c.output, JSON_INDENT(1))) {
		fprintf(stderr, "scaling: cannot write %s\n", c.output);
		return EXIT_FAILURE;
	}
	json_decref(out);
	return EXIT_SUCCESS;
}
