// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit stats: counters, or with --watch their rates. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

#define MAX_IDS 64

struct args {
	bool json;	  /* first: the child's input */
	double watch;	  /* seconds; 0: once */
	bool watch_alone; /* without a number */
	unsigned int n_ids;
	uint32_t ids[MAX_IDS];
};

static double parse_seconds(const char *s, struct argp_state *state)
{
	double v;
	char *end;

	if (!s)
		return 1;
	v = strtod(s, &end);
	if (end == s || *end || !(v >= 0.1 && v <= 86400))
		argp_error(state, "--watch takes 0.1 to 86400 seconds, not '%s'", s);
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case 'w':
		a->watch = parse_seconds(arg, state);
		a->watch_alone = !arg;
		return 0;
	case ARGP_KEY_ARG:
		if (a->n_ids == MAX_IDS)
			argp_error(state, "at most %d IDs", MAX_IDS);
		if (!parse_id(arg, &a->ids[a->n_ids++]))
			argp_error(state, "'%s' is not the ID of a device; see lightexit list",
				   arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL,
	  "Show rates per second, again and again (every second by default)", 0 },
	{ 0 },
};

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[ID...]",
	.children = children,
	.doc = "Shows what happened in the regions of all devices, or of those with the given IDs.",
};

static bool wanted(const struct args *a, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < a->n_ids; i++) {
		if (a->ids[i] == id)
			return true;
	}
	return !a->n_ids;
}

static int check_ids(const struct args *a, const struct devices *d)
{
	unsigned int i;

	for (i = 0; i < a->n_ids; i++) {
		if (devices_find(d, a->ids[i]))
			continue;
		if (a->watch_alone)
			return complain(
				"no device has ID %u; see lightexit list, or is --watch=%u meant?",
				a->ids[i], a->ids[i]);
		return complain("no device has ID %u; see lightexit list", a->ids[i]);
	}
	return RC_OK;
}

static void print_none(void)
{
	printf("No device is attached.\n");
}

static void add_region(struct table *t, const struct lx_stats *s, unsigned int i)
{
	const struct lx_region *r = &s->regions[i].region;

	table_add(t, "%u", s->id);
	table_add(t, "%s", s->name);
	table_add(t, "%s 0x%" PRIx64, r->space == LX_SPACE_PIO ? "pio" : "mmio", (uint64_t)r->addr);
}

static void print_counters(const struct args *a, const struct devices *d)
{
	static const char *const head[] = { "ID",     "NAME",	"REGION",   "HANDLED", "PASSED",
					    "ERRORS", "SPLITS", "OVERRUNS", "MAX ns" };
	struct table *t = table_new(9, head);
	unsigned int i;
	size_t n;

	for (n = 0; n < d->n; n++) {
		const struct lx_stats *s = &d->v[n];

		for (i = 0; wanted(a, s->id) && i < s->n_regions; i++) {
			add_region(t, s, i);
			table_add(t, "%" PRIu64, s->regions[i].handled);
			table_add(t, "%" PRIu64, s->regions[i].passed);
			table_add(t, "%" PRIu64, s->regions[i].errors);
			table_add(t, "%" PRIu64, s->regions[i].string_splits);
			table_add(t, "%" PRIu64, s->overruns);
			table_add(t, "%" PRIu64, s->max_ns);
		}
	}
	table_print(t);
}

/* A region's counter starts anew when the region moves. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before ? (now - before) / seconds : 0;
}

static void print_rates(const struct args *a, const struct devices *d, const struct devices *old,
			double seconds)
{
	static const char *const head[] = { "ID",	"NAME",	    "REGION", "HANDLED/s",
					    "PASSED/s", "ERRORS/s", "FAST %" };
	struct table *t = table_new(7, head);
	unsigned int i;
	size_t n;

	for (n = 0; n < d->n; n++) {
		const struct lx_stats *s = &d->v[n], *o = devices_find(old, s->id);

		for (i = 0; o && wanted(a, s->id) && i < s->n_regions && i < o->n_regions; i++) {
			const struct lx_region_stats *r = &s->regions[i], *b = &o->regions[i];
			double handled = rate(r->handled, b->handled, seconds);
			double passed = rate(r->passed, b->passed, seconds);

			add_region(t, s, i);
			table_add(t, "%.0f", handled);
			table_add(t, "%.0f", passed);
			table_add(t, "%.0f", rate(r->errors, b->errors, seconds));
			if (handled + passed > 0)
				table_add(t, "%.1f", 100 * handled / (handled + passed));
			else
				table_add(t, "-");
		}
	}
	table_print(t);
}

static json_t *to_json(const struct args *a, const struct devices *d)
{
	json_t *all = json_array();
	size_t n;

	for (n = 0; n < d->n; n++) {
		if (wanted(a, d->v[n].id))
			json_array_append_new(all, json_stats(&d->v[n]));
	}
	return all;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* One JSON object a line: the time and the counters, of which rates can be made. */
static int print_json_line(const struct args *a, const struct devices *d)
{
	json_t *line = json_pack("{s:f, s:o}", "monotonic", now(), "devices", to_json(a, d));

	return json_print(line, JSON_COMPACT);
}

static void pause_for(double seconds)
{
	struct timespec ts = { .tv_sec = seconds, .tv_nsec = (seconds - (time_t)seconds) * 1e9 };

	nanosleep(&ts, NULL);
}

/* Ends with an error, a wanted device's end, or with a signal of the user's. */
static int watch(const struct args *a, struct devices *d)
{
	bool terminal = isatty(STDOUT_FILENO);
	struct devices old;
	double then, t;
	int rc = RC_OK;

	while (rc == RC_OK) {
		if (a->json)
			rc = print_json_line(a, d);
		then = now();
		old = *d;
		pause_for(a->watch);
		if (devices_read(d))
			rc = RC_FAILED;
		else if (rc == RC_OK)
			rc = check_ids(a, d);
		t = now();
		if (rc == RC_OK && !a->json) {
			if (terminal)
				printf("\033[H\033[J");
			if (d->n)
				print_rates(a, d, &old, t - then);
			else
				print_none();
			printf(terminal ? "" : "\n");
			rc = flush_output();
		}
		devices_free(&old);
	}
	return rc;
}

int cmd_stats(int argc, char **argv)
{
	struct args a = { 0 };
	struct devices d;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (devices_read(&d))
		return RC_FAILED;
	rc = check_ids(&a, &d);
	if (rc == RC_OK && a.watch > 0)
		rc = watch(&a, &d);
	else if (rc == RC_OK && a.json)
		rc = json_print(to_json(&a, &d), JSON_INDENT(2));
	else if (rc == RC_OK && d.n)
		print_counters(&a, &d);
	else if (rc == RC_OK)
		print_none();
	devices_free(&d);
	return rc;
}
