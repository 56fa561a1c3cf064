// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit attach: has counters of running VMs answered that know nothing of it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>

#include "cmd.h"
#include "rules.h"
#include "watchdev.h"

/* PMBASE + 8 as firmware places it: q35, Cloud Hypervisor and crosvm; QEMU's pc. */
static const uint64_t pmtimer_ports[] = { PMTIMER_PORT, PMTIMER_PORT_PC };
#define N_PORTS (sizeof(pmtimer_ports) / sizeof(pmtimer_ports[0]))
/* QEMU's HPET counts 100 MHz. */
#define QEMU_HPET_PERIOD_FS 10000000U

enum {
	OPT_VM_FD = 256,
	OPT_PORT,
	OPT_PERIOD,
};

struct args {
	bool json; /* first: the child's input */
	bool all, daemon;
	struct rule rule;   /* for all VMs, if there is no file of rules */
	bool ruled;	    /* something of @rule was given */
	struct rules rules; /* those of the file */
	pid_t pid;
	int vm_fd;
	const char *name, *match, *file;
	regex_t re; /* of @match */
	double interval;
};

struct attached {
	struct watchdev *w;
	size_t n;
	int sigfd; /* SIGINT and SIGTERM, from the first attach on; -1 before */
};

static void parse_match(struct args *a, struct argp_state *state)
{
	char why[128];
	int err;

	if (!a->all)
		argp_error(state, "--match goes with --all");
	err = regcomp(&a->re, a->match, REG_EXTENDED | REG_NOSUB);
	if (!err)
		return;
	regerror(err, &a->re, why, sizeof(why));
	argp_error(state, "--match '%s': %s", a->match, why);
}

static error_t parse_end(struct args *a, struct argp_state *state)
{
	const char *fault = rule_fault(&a->rule);
	bool any = a->rule.wanted[COUNTER_PMTIMER] || a->rule.wanted[COUNTER_HPET];

	if (a->file && a->ruled)
		argp_error(state, "with --rules the file has the devices and their options");
	if (!any && !a->file)
		argp_error(state, "a DEVICE is missing: pmtimer or hpet");
	if (!a->file && fault)
		argp_error(state, "%s", fault);
	if (!!a->pid + !!a->name + a->all != 1)
		argp_error(state, "one of --pid, --name and --all is needed");
	if (a->vm_fd >= 0 && !a->pid)
		argp_error(state, "--vm-fd goes with --pid");
	if (a->daemon && a->json)
		argp_error(state, "--daemon prints nothing: not with --json");
	if (a->match)
		parse_match(a, state);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	enum counter c;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case 'p':
		a->pid = arg_number(state, "--pid", arg, 1, INT32_MAX);
		return 0;
	case 'n':
		a->name = arg;
		return 0;
	case 'a':
		a->all = true;
		return 0;
	case 'm':
		a->match = arg;
		return 0;
	case 'd':
		a->daemon = true;
		return 0;
	case 'D':
		a->rule.dry_run = true;
		a->ruled = true;
		return 0;
	case 'r':
		a->file = arg;
		return 0;
	case 'i':
		a->interval = arg_number(state, "--interval", arg, 1, 86400);
		return 0;
	case OPT_VM_FD:
		a->vm_fd = arg_number(state, "--vm-fd", arg, 0, INT32_MAX);
		return 0;
	case OPT_PORT:
		a->rule.port = arg_number(state, "--port", arg, 0, RULE_PORT_MAX);
		a->ruled = true;
		return 0;
	case OPT_PERIOD:
		a->rule.period_fs = arg_number(state, "--hpet-period", arg, 1, HPET_PERIOD_MAX);
		a->ruled = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!counter_parse(arg, &c))
			argp_error(state,
				   "'%s' is no device that can be watched; pmtimer and hpet are",
				   arg);
		a->rule.wanted[c] = true;
		a->ruled = true;
		return 0;
	case ARGP_KEY_END:
		return parse_end(a, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "The VM of this process", 0 },
	{ "vm-fd", OPT_VM_FD, "FD", 0, "Of its VMs, the one that is its file descriptor FD", 0 },
	{ "name", 'n', "NAME", 0, "The VM of this name: QEMU's -name, else the process's name", 0 },
	{ "all", 'a', NULL, 0, "All VMs of this host", 0 },
	{ "match", 'm', "REGEX", 0, "With --all: those whose name matches", 0 },
	{ "rules", 'r', "FILE", 0, "Devices and options by VM name, from this file", 0 },
	{ "dry-run", 'D', NULL, 0, "Answer nothing; compare what would have been answered", 0 },
	{ "daemon", 'd', NULL, 0, "Go to the background once all is attached", 0 },
	{ "interval", 'i', "SECONDS", 0, "Show the numbers every so many seconds (1)", 0 },
	{ "port", OPT_PORT, "PORT", 0, "The PM timer's port; else 0x608 and 0xb008 are tried", 0 },
	{ "hpet-period", OPT_PERIOD, "FS", 0, "The HPET's tick in femtoseconds (10000000, QEMU's)",
	  0 },
	{ 0 },
};

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "DEVICE...\n--rules=FILE",
	.children = children,
	.doc = "Has the DEVICEs (pmtimer, hpet) of running VMs answered in the kernel, whose VMM knows nothing "
	       "of lightexit: learns its clock from the answers that it gives, and verifies it all the time. "
	       "Ends with the VMs, or with Ctrl-C; the VMs go on as before."
	       "\vBEHIND is by how much an answer lags the VMM's own at most: for half of them, and for 99 %.",
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int find_vms(const struct args *a, struct vms *vms)
{
	if (a->pid)
		return vms_of_pid(a->pid, a->vm_fd, vms);
	return vms_by_name(a->name, a->match ? &a->re : NULL, vms);
}

static bool interrupted(const struct attached *all)
{
	struct pollfd p = { .fd = all->sigfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Does nothing once it is interrupted: each attach may wait for 3 s, and there may be many. */
static int attach_one(const struct rule *r, const struct vm *vm, struct attached *all,
		      enum counter c, uint64_t addr)
{
	struct watchdev_opts o = {
		.addr = addr,
		.period_fs = r->period_fs ?: QEMU_HPET_PERIOD_FS,
		.dry_run = r->dry_run,
	};
	int rc;

	if (interrupted(all))
		return RC_OK;
	rc = watchdev_attach(&all->w[all->n], vm, c, &o);
	all->n += rc == RC_OK;
	return rc;
}

static int attach_by(const struct rule *r, const struct vm *vm, struct attached *all)
{
	int rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && r->wanted[COUNTER_PMTIMER] && i < N_PORTS; i++) {
		if (r->port < 0)
			rc = attach_one(r, vm, all, COUNTER_PMTIMER, pmtimer_ports[i]);
		else if (i == 0)
			rc = attach_one(r, vm, all, COUNTER_PMTIMER, r->port);
	}
	if (rc == RC_OK && r->wanted[COUNTER_HPET])
		rc = attach_one(r, vm, all, COUNTER_HPET, HPET_BASE);
	return rc;
}

/* All that is wanted of a VM, or nothing. */
static int attach_vm(const struct args *a, const struct vm *vm, struct attached *all)
{
	const struct rule *r = a->file ? rules_find(&a->rules, vm->name) : &a->rule;
	char name[PLAIN_SIZE(VM_NAME_LEN)];
	size_t before = all->n;
	int rc;

	if (!r) {
		complain("%s has no rule for '%s': it goes on as it is", a->file,
			 plain_text(vm->name, name, sizeof(name)));
		return RC_OK;
	}
	rc = attach_by(r, vm, all);
	while (rc != RC_OK && all->n > before)
		watchdev_detach(&all->w[--all->n]);
	return rc;
}

/* With --all it is enough if one VM takes it; else each must. */
static int attach_all(const struct args *a, struct vms *vms, struct attached *all)
{
	int rc = RC_OK;
	size_t i;

	all->w = calloc(vms->n, (N_PORTS + 1) * sizeof(*all->w));
	if (!all->w)
		return complain("out of memory");
	all->sigfd = open_end_signals();
	if (all->sigfd < 0)
		return RC_FAILED;
	for (i = 0; i < vms->n && (rc == RC_OK || a->all); i++) {
		if (attach_vm(a, &vms->v[i], all) != RC_OK)
			rc = RC_FAILED;
		vm_release(&vms->v[i]);
	}
	return a->all && all->n ? RC_OK : rc;
}

static int update_all(struct attached *all, double seconds)
{
	int live = 0;
	size_t i;

	for (i = 0; i < all->n; i++) {
		if (watchdev_update(&all->w[i], seconds))
			live++;
		else
			watchdev_detach(&all->w[i]);
	}
	return live;
}

static void print_table(const struct attached *all)
{
	static const char *const head[] = { "PID",	"VM",	      "DEVICE",
					    "ADDR",	"STATE",      "ANSWERED/s",
					    "PASSED/s", "BEHIND 50%", "BEHIND 99%" };
	struct table *t = table_new(9, head);
	size_t i;

	for (i = 0; i < all->n; i++) {
		const struct watchdev *w = &all->w[i];

		if (!w->dev)
			continue;
		table_add(t, "%d", w->vm->pid);
		table_add(t, "%s", w->vm->name);
		table_add(t, "%s", counter_name(w->counter));
		table_add(t, "0x%" PRIx64, w->addr);
		table_add(t, "%s", watchdev_state(w));
		table_add(t, "%" PRIu64, w->handled);
		table_add(t, "%" PRIu64, w->passed);
		table_add(t, "%" PRIu64, watchdev_quantile(w, 0.5));
		table_add(t, "%" PRIu64, watchdev_quantile(w, 0.99));
	}
	table_print(t);
}

static int print_json(const struct attached *all)
{
	json_t *devices = json_array();
	size_t i;

	for (i = 0; i < all->n; i++)
		json_array_append_new(devices, watchdev_json(&all->w[i]));
	return json_print(json_pack("{s:f, s:o}", "monotonic", now(), "devices", devices),
			  JSON_COMPACT);
}

static int show(const struct args *a, const struct attached *all)
{
	if (a->daemon)
		return RC_OK;
	if (a->json)
		return print_json(all);
	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	print_table(all);
	return flush_output();
}

/* Waits for a signal (1), the end of a VM, or the interval (0). */
static int wait_for(const struct args *a, int sigfd, const struct vms *vms)
{
	struct pollfd p[1 + vms->n];
	size_t i;

	p[0] = (struct pollfd){ .fd = sigfd, .events = POLLIN };
	for (i = 0; i < vms->n; i++)
		p[1 + i] = (struct pollfd){ .fd = vms->v[i].pidfd, .events = POLLIN };
	if (poll(p, 1 + vms->n, a->interval * 1000) < 0 && errno != EINTR)
		return 1;
	for (i = 0; i < vms->n; i++) {
		if (p[1 + i].revents) {
			close(vms->v[i].pidfd);
			vms->v[i].pidfd = -1;
		}
	}
	return p[0].revents ? 1 : 0;
}

static int go_to_background(const struct attached *all)
{
	/* A signal that has come is not inherited. */
	if (interrupted(all))
		return complain("interrupted: nothing stays attached");
	if (daemon(0, 0))
		return complain("cannot go to the background: %s", strerror(errno));
	return RC_OK;
}

static int watch(const struct args *a, struct vms *vms, struct attached *all)
{
	double then = now(), t;
	int rc = RC_OK, done = 0;

	while (rc == RC_OK && !done && update_all(all, 0)) {
		done = wait_for(a, all->sigfd, vms);
		t = now();
		update_all(all, t - then);
		then = t;
		rc = show(a, all);
	}
	return rc;
}

int cmd_attach(int argc, char **argv)
{
	struct args a = { .vm_fd = -1, .rule.port = -1, .interval = 1 };
	struct attached all = { .sigfd = -1 };
	struct vms vms = { 0 };
	size_t i;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	rc = a.file ? rules_read(a.file, &a.rules) : RC_OK;
	if (rc == RC_OK)
		rc = find_vms(&a, &vms);
	if (rc == RC_OK)
		rc = attach_all(&a, &vms, &all);
	if (rc == RC_OK && a.daemon)
		rc = go_to_background(&all);
	if (rc == RC_OK)
		rc = watch(&a, &vms, &all);
	for (i = 0; i < all.n; i++)
		watchdev_detach(&all.w[i]);
	free(all.w);
	vms_free(&vms);
	rules_free(&a.rules);
	if (a.match)
		regfree(&a.re);
	close(all.sigfd);
	return rc;
}
