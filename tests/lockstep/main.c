// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Of both rigs: a trace of each device, from seeds that are printed. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lockstep.h"

#define STEPS 1000000ULL

static struct {
	uint64_t seed;
	uint64_t steps;
	bool verbose;
	char **names;
	int n_names;
} opts = { .steps = STEPS };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 's':
		opts.seed = strtoull(arg, NULL, 0);
		return 0;
	case 'n':
		opts.steps = strtoull(arg, NULL, 0);
		return 0;
	case 'v':
		opts.verbose = true;
		return 0;
	case ARGP_KEY_ARGS:
		opts.names = state->argv + state->next;
		opts.n_names = state->argc - state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool wanted(const char *name)
{
	for (int i = 0; i < opts.n_names; i++) {
		if (!strcmp(name, opts.names[i]))
			return true;
	}
	return !opts.n_names;
}

static uint64_t fresh_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec << 20 ^ (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "seed", 's', "N", 0, "Seed of the traces; another one each time if 0", 0 },
		{ "steps", 'n', "N", 0, "Steps of each trace", 0 },
		{ "verbose", 'v', NULL, 0, "Print each step", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "[DEVICE...]", "The VMM alone and the program in lockstep.",
		NULL,	 NULL,	NULL
	};
	unsigned int passed = 0, failed = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return 2;
	for (unsigned int i = 0; i < LS_DEVICES; i++) {
		uint64_t seed = opts.seed ? opts.seed : fresh_seed();
		bool ok;

		if (!wanted(ls_devices[i]->name))
			continue;
		ok = ls_run(ls_devices[i], seed, opts.steps, opts.verbose);
		printf("%sok - %s: --seed %#" PRIx64 " --steps %" PRIu64 "; %" PRIu64 " of %" PRIu64
		       " accesses by the program\n",
		       ok ? "" : "not ", ls_devices[i]->name, seed, opts.steps, ls_rig.handled,
		       ls_rig.asked);
		fflush(stdout);
		*(ok ? &passed : &failed) += 1;
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed || !passed;
}
