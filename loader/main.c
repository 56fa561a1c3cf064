// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The command `lightexit`: finds the sub-command and runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const struct command commands[] = {
	{ "doctor", "say what this host lacks to use lightexit", cmd_doctor },
	{ "list", "show the attached devices", cmd_list },
	{ "stats", "show the devices' counters, or their rates", cmd_stats },
	{ "attach", "answer counters of VMs that know nothing of lightexit", cmd_attach },
	{ "detach", "take a device off its VM", cmd_detach },
	{ "record", "write a trace of a VM's accesses to a device", cmd_record },
	{ "save", "save a device's state to a file", cmd_save },
	{ "restore", "restore a device's state from a file", cmd_restore },
	{ "new", "write a new accelerator to start from", cmd_new },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* However the command ends, by argp's own exits too: what it said has got there. */
static void check_output(void)
{
	if (flush_output() != RC_OK)
		_exit(RC_FAILED);
}

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON, for programs", 0 },
	{ 0 },
};

const struct argp json_argp = { .options = json_options, .parser = parse_json };

static void on_log(void *ctx, enum lx_log_level level, const char *msg)
{
	if (level == LX_LOG_WARN)
		complain("%s", msg);
}

static void version(FILE *f, struct argp_state *state)
{
	fprintf(f, "lightexit %s\n", lx_version());
}

static int usage(FILE *f, int rc)
{
	size_t i;

	fprintf(f,
		"Usage: lightexit COMMAND [OPTION...]\n\n"
		"eBPF programs that answer a KVM guest's trapped I/O inside the host kernel.\n\n");
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(f, "  %-8s %s\n\n", "help", "explain a command: lightexit help COMMAND");
	fprintf(f, "Every command takes --json and --help. See also: man lightexit\n");
	return rc;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "help") || !strcmp(arg, "--help") || !strcmp(arg, "-h") ||
	       !strcmp(arg, "-?");
}

static int run(const char *name, int argc, char **argv)
{
	char prog[64];
	size_t i;

	for (i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		snprintf(prog, sizeof(prog), "lightexit %s", name);
		argv[0] = prog;
		return commands[i].run(argc, argv);
	}
	complain("there is no command '%s'; see lightexit help", name);
	return RC_USAGE;
}

int main(int argc, char **argv)
{
	char option[] = "--help", *help[3] = { NULL, option };

	argp_program_version_hook = version;
	argp_err_exit_status = RC_USAGE;
	lx_set_log(on_log, NULL);
	atexit(check_output);
	if (argc < 2)
		return usage(stderr, RC_USAGE);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		version(stdout, NULL);
		return RC_OK;
	}
	if (!is_help(argv[1]))
		return run(argv[1], argc - 1, argv + 1);
	if (strcmp(argv[1], "help") || argc == 2 || is_help(argv[2]))
		return usage(stdout, RC_OK);
	return run(argv[2], 2, help);
}
