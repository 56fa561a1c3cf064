// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What the examples' command lines share. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum {
	OPT_PATH = 'p',
	OPT_BPF_DIR = 'd',
	OPT_JSON = 'j',
};

int example_word(const char *arg, const char *const *words, struct argp_state *state,
		 const char *option)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(arg, words[i]))
			return i;
	}
	argp_error(state, "--%s %s: see --help for what there is", option, arg);
	return -1;
}

uint64_t example_number(const char *arg, uint64_t min, uint64_t max, struct argp_state *state,
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
	struct example_opts *opts = state->input;

	switch (key) {
	case OPT_PATH:
		opts->path = (enum vmm_path)example_word(arg, paths, state, "path");
		return 0;
	case OPT_BPF_DIR:
		opts->bpf_dir = arg;
		return 0;
	case OPT_JSON:
		opts->json = true;
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
	{ "bpf-dir", OPT_BPF_DIR, "DIR", 0,
	  "where the programs' objects are (default: $LIGHTEXIT_BPF_DIR, else the installed ones)",
	  0 },
	{ "json", OPT_JSON, NULL, 0, "print JSON instead of a table", 0 },
	{ 0 },
};

static const struct argp argp = { .options = options, .parser = parse_opt };

const struct argp_child example_argp[] = { { .argp = &argp }, { 0 } };

int example_main(int argc, char **argv, const struct argp *own, void *config,
		 int (*run)(void *config))
{
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(own, argc, argv, 0, NULL, config))
		return EXIT_USAGE;
	return run(config) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int example_open(const struct example_opts *opts, const char *name, size_t state_size,
		 const struct lx_region *regions, unsigned int n_regions, struct vmm_accel **out)
{
	const struct vmm_accel_opts accel = {
		.path = opts->path,
		.bpf_dir = opts->bpf_dir,
		.regions = regions,
		.n_regions = n_regions,
	};

	return vmm_accel_open(name, state_size, &accel, out);
}

struct example_cost example_cost(struct vmm_count count, const struct vmm_accel *accel)
{
	struct example_cost cost = { .bpf = vmm_accel_active(accel), .heavy = count.exits };
	struct lx_stats stats = { .sz = sizeof(stats) };

	cost.counted = cost.bpf && !lx_device_stats(vmm_accel_device(accel), &stats);
	for (uint32_t i = 0; cost.counted && i < stats.n_regions; i++)
		cost.answered += stats.regions[i].handled;
	return cost;
}

struct example_cost example_cost_since(struct example_cost before, struct example_cost now)
{
	return (struct example_cost){
		.bpf = now.bpf,
		.counted = before.counted && now.counted,
		.heavy = now.heavy - before.heavy,
		.answered = now.answered - before.answered,
	};
}

const char *example_path(const struct example_cost *cost)
{
	return cost->bpf ? "bpf" : "vmm";
}

const char *example_answered(const struct example_cost *cost, char buf[24])
{
	if (!cost->counted)
		return "-";
	snprintf(buf, 24, "%lu", cost->answered);
	return buf;
}

json_t *example_answered_json(const struct example_cost *cost)
{
	return cost->counted ? json_integer((json_int_t)cost->answered) : json_null();
}

json_t *example_append(json_t *array, json_t *row)
{
	if (!json_array_append_new(array, row))
		return array;
	json_decref(array);
	return NULL;
}

int example_print_json(json_t *json)
{
	int err = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(json);
	if (err)
		return vmm_error(-ENOMEM, "JSON");
	putchar('\n');
	return 0;
}
