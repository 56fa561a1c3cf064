// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit doctor: what this host lacks, and what to do. */
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = state->input;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "no argument is wanted: '%s'", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.parser = parse,
	.children = children,
	.doc = "Says what this host lacks to use lightexit, and what to do about it."
	       "\vExits with 0 if nothing is missing, with 3 if something is.",
};

static void print(const struct lx_probe *p, unsigned int bad)
{
	const char *red = isatty(STDOUT_FILENO) ? "\033[31m" : "";
	const char *off = isatty(STDOUT_FILENO) ? "\033[0m" : "";
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		const struct lx_check *c = &p->checks[i];

		printf("%-13s %s%-8s%s %s\n", c->name, c->ok ? "" : red, c->ok ? "ok" : "missing",
		       c->ok ? "" : off, c->detail);
		if (!c->ok)
			printf("%-13s %-8s -> %s\n", "", "", c->remedy);
	}
	if (bad)
		printf("\n%u of %u checks found something missing; without it VMs run as ever, only no "
		       "faster.\n",
		       bad, p->n);
	else
		printf("\nNothing is missing.\n");
}

int cmd_doctor(int argc, char **argv)
{
	struct lx_probe p = { .sz = sizeof(p) };
	unsigned int i, bad = 0;
	bool json = false;
	int result, rc = RC_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	lx_set_log(NULL, NULL); /* the table says it */
	result = lx_probe(&p);
	for (i = 0; i < p.n; i++)
		bad += !p.checks[i].ok;
	if (json)
		rc = json_print(json_checks(&p, result), JSON_INDENT(2));
	else
		print(&p, bad);
	return rc ?: bad ? RC_MISSING : RC_OK;
}
