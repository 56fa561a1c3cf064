// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * oracle: the same accesses at the same virtual times to QEMU's device models and to
 * ours, value by value. Directed traces, and random ones from seeds that are printed:
 *   oracle --seed N TEST     replays a random trace
 * A value may differ only where the device's table says in which way, with the data
 * sheet's sentence; how often that happened is printed, and never happening is a failure.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rig.h"

/* Steps of a random trace at scale 1. */
#define STEPS 20000U

static struct {
	uint64_t seed;
	bool seeded;
	unsigned int scale;
	char **names;
	unsigned int n_names;
	unsigned int passed;
	unsigned int failed;
} opts = { .scale = 1 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 's':
		opts.seed = strtoull(arg, NULL, 0);
		opts.seeded = true;
		return 0;
	case 'x':
		opts.scale = (unsigned int)strtoul(arg, NULL, 0);
		return opts.scale ? 0 : EINVAL;
	case ARGP_KEY_ARGS:
		opts.names = state->argv + state->next;
		opts.n_names = (unsigned int)(state->argc - state->next);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool wanted(const char *name)
{
	for (unsigned int i = 0; i < opts.n_names; i++) {
		if (!strncmp(name, opts.names[i], strlen(opts.names[i])))
			return true;
	}
	return !opts.n_names;
}

static void result(bool ok, const char *name, const char *why)
{
	printf("%s - %s%s%s\n", ok ? "ok" : "not ok", name, *why ? ": " : "", why);
	if (ok)
		opts.passed++;
	else
		opts.failed++;
	fflush(stdout);
}

static uint64_t fresh_seed(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec << 20 ^ (uint64_t)ts.tv_nsec;
}

static void run(const struct oracle_test *t)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	uint64_t seed = opts.seeded ? opts.seed : fresh_seed();
	char why[160];

	if (!rig)
		abort();
	rig->seed = seed;
	snprintf(qemu_trace, sizeof(qemu_trace), "%s, --seed %#" PRIx64, t->name, seed);
	t->setup(rig);
	t->run(rig, t->random ? STEPS * opts.scale : 0);
	t->teardown(rig);
	snprintf(why, sizeof(why), "%" PRIu64 " compared", rig->reads);
	if (rig->asked)
		snprintf(why + strlen(why), sizeof(why) - strlen(why),
			 ", %" PRIu64 " of %" PRIu64 " accesses replayed", rig->replayed,
			 rig->asked);
	if (t->random)
		snprintf(why + strlen(why), sizeof(why) - strlen(why), ", --seed %#" PRIx64, seed);
	result(!rig->failed && rig->reads, t->name, why);
	free(rig);
}

/*
 * What was met of a device's differences, once all its tests ran. Random traces do not meet
 * each rare one in each run.
 */
static void account(const struct oracle_test *t)
{
	for (struct difference *d = t->differences; d && d->name; d++) {
		if (d->met)
			printf("# %s: %s, met %" PRIu64 " times: %s\n", t->name, d->name, d->met,
			       d->sentence);
		else if (!opts.n_names)
			printf("# %s: %s, not met in this run\n", t->name, d->name);
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "seed", 's', "N", 0, "Seed of the random traces", 0 },
		{ "scale", 'x', "N", 0, "Random traces are N times as long", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "[TEST...]", "Compares device models with QEMU's.", NULL, NULL, NULL
	};
	static const struct oracle_test *const tables[] = { pmtimer_tests, hpet_tests,
							    pit_tests,	   uart_tests,
							    rtc_tests,	   pciconf_tests,
							    ide_tests };

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return 2;
	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct oracle_test *t = tables[i]; t->name; t++) {
			if (wanted(t->name))
				run(t);
		}
		account(tables[i]);
	}
	printf("%u passed, %u failed, 0 skipped\n", opts.passed, opts.failed);
	return opts.failed || !opts.passed;
}
