// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit record: writes a trace of a running VM's accesses to a device. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pciconf.h>
#include <lightexit/dev/pit.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/dev/rtc.h>
#include <lightexit/dev/uart.h>

#include "cmd.h"
#include "json.h"
#include "recorder.h"
#include "trace.h"

/* The buffer is looked at so often. */
#define TICK_MS 20

static const struct {
	const char *name;
	struct record_range range;
} devices[] = {
	{ "pmtimer", { PMTIMER_PORT, PMTIMER_LEN, LX_SPACE_PIO } },
	{ "pmtimer", { PMTIMER_PORT_PC, PMTIMER_LEN, LX_SPACE_PIO } },
	{ "hpet", { HPET_BASE, HPET_LEN, LX_SPACE_MMIO } },
	{ "pit", { PIT_PORT, PIT_LEN, LX_SPACE_PIO } },
	{ "pit", { PIT_PORT_B, PIT_PORT_B_LEN, LX_SPACE_PIO } },
	{ "rtc", { RTC_PORT, RTC_LEN, LX_SPACE_PIO } },
	{ "uart", { UART_PORT, UART_LEN, LX_SPACE_PIO } },
	{ "pciconf", { PCICONF_PORT, PCICONF_LEN, LX_SPACE_PIO } },
};

#define N_DEVICES (sizeof(devices) / sizeof(devices[0]))

enum {
	OPT_BUFFER = 256,
};

struct args {
	bool json; /* first: the child's input */
	pid_t pid;
	const char *name, *output;
	uint64_t seconds, count, interval, buffer_kb;
	struct record_filter filter;
};

struct recording {
	const struct vm *vm;
	struct recorder *r;
	struct trace trace;
	uint64_t start_ms, shown_ms, shown;
};

static void add_range(struct args *a, const struct record_range *r, struct argp_state *state)
{
	if (a->filter.n_ranges == RECORD_RANGES)
		argp_error(state, "at most %u ranges are recorded at a time", RECORD_RANGES);
	a->filter.ranges[a->filter.n_ranges++] = *r;
}

/* pio:ADDR+LEN or mmio:ADDR+LEN */
static bool parse_range(const char *s, struct record_range *r)
{
	uint64_t addr, len, end = 0x10000;
	char number[32];
	size_t n;

	*r = (struct record_range){ .space = LX_SPACE_PIO };
	if (!strncmp(s, "mmio:", 5)) {
		r->space = LX_SPACE_MMIO;
		end = UINT64_MAX;
	} else if (strncmp(s, "pio:", 4)) {
		return false;
	}
	s = strchr(s, ':') + 1;
	n = strcspn(s, "+");
	if (!s[n] || n >= sizeof(number))
		return false;
	memcpy(number, s, n);
	number[n] = '\0';
	if (!parse_number(number, 0, end - 1, &addr) ||
	    !parse_number(s + n + 1, 1, UINT32_MAX, &len) || len > end - addr)
		return false;
	r->addr = addr;
	r->len = len;
	return true;
}

static void parse_what(struct args *a, const char *arg, struct argp_state *state)
{
	struct record_range r;
	bool found = false;
	size_t i;

	for (i = 0; i < N_DEVICES; i++) {
		if (strcmp(arg, devices[i].name))
			continue;
		add_range(a, &devices[i].range, state);
		found = true;
	}
	if (found)
		return;
	if (!parse_range(arg, &r))
		argp_error(
			state,
			"'%s' is neither a device (pmtimer, hpet, pit, rtc, uart, pciconf) nor a range "
			"like pio:0x608+4 or mmio:0xfed00000+0x400",
			arg);
	add_range(a, &r, state);
}

static error_t parse_end(struct args *a, struct argp_state *state)
{
	if (!a->filter.n_ranges)
		argp_error(state, "a DEVICE or range is missing");
	if (!a->pid == !a->name)
		argp_error(state, "one of --pid and --name is needed");
	if (!a->output)
		argp_error(state, "--output is missing; - is stdout");
	if (a->json && !strcmp(a->output, "-"))
		argp_error(state, "the trace and JSON cannot both go to stdout");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

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
	case 'o':
		a->output = arg;
		return 0;
	case 's':
		a->seconds = arg_number(state, "--seconds", arg, 1, 86400);
		return 0;
	case 'c':
		a->count = arg_number(state, "--count", arg, 1, UINT32_MAX);
		return 0;
	case 'i':
		a->interval = arg_number(state, "--interval", arg, 1, 86400);
		return 0;
	case OPT_BUFFER:
		a->buffer_kb = arg_number(state, "--buffer", arg, 1, RECORD_BUFFER_MAX >> 10);
		return 0;
	case ARGP_KEY_ARG:
		parse_what(a, arg, state);
		return 0;
	case ARGP_KEY_END:
		return parse_end(a, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "The VM of this process", 0 },
	{ "name", 'n', "NAME", 0, "The VM of this name: QEMU's -name, else the process's name", 0 },
	{ "output", 'o', "FILE", 0, "Write the trace there; -: to stdout, without numbers", 0 },
	{ "seconds", 's', "N", 0, "End after so many seconds", 0 },
	{ "count", 'c', "N", 0, "End after so many accesses", 0 },
	{ "interval", 'i', "SECONDS", 0, "Show the numbers every so many seconds (1)", 0 },
	{ "buffer", OPT_BUFFER, "KB", 0, "Room for what comes at once (8192)", 0 },
	{ 0 },
};

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "DEVICE|RANGE...",
	.children = children,
	.doc = "Writes a trace of a running VM's accesses to DEVICEs (pmtimer, hpet, pit, rtc, uart, pciconf) "
	       "or RANGEs (pio:ADDR+LEN, mmio:ADDR+LEN): what was read and written, when, how long it took, "
	       "and who answered. The VM is not touched. Ends with the VM, or with Ctrl-C."
	       "\vThe trace is text; docs/trace-format.md says how. LOST counts accesses that came too fast "
	       "to be recorded; the trace says where.",
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void on_event(void *ctx, const struct record_event *e)
{
	struct recording *rec = ctx;

	trace_event(&rec->trace, e);
}

static void print_table(const struct recording *rec, uint64_t rate)
{
	static const char *const head[] = { "PID",   "VM",	"SECONDS", "RECORDED",
					    "REC/s", "THREADS", "LOST" };
	struct table *t = table_new(7, head);

	table_add(t, "%d", rec->vm->pid);
	table_add(t, "%s", rec->vm->name);
	table_add(t, "%" PRIu64, (rec->shown_ms - rec->start_ms) / 1000);
	table_add(t, "%" PRIu64, rec->trace.records);
	table_add(t, "%" PRIu64, rate);
	table_add(t, "%u", rec->trace.n_tids);
	table_add(t, "%" PRIu64, recorder_lost(rec->r));
	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	table_print(t);
}

static int show(const struct args *a, struct recording *rec)
{
	uint64_t now = now_ms(), n = rec->trace.records - rec->shown;
	uint64_t rate = now > rec->shown_ms ? n * 1000 / (now - rec->shown_ms) : 0;

	rec->shown = rec->trace.records;
	rec->shown_ms = now;
	if (!strcmp(a->output, "-"))
		return RC_OK;
	if (a->json)
		return json_print(json_pack("{s:f, s:i, s:o, s:o, s:I, s:I, s:i, s:I}", "monotonic",
					    now / 1e3, "pid", (int)rec->vm->pid, "vm",
					    json_text(rec->vm->name), "output",
					    json_text(a->output), "recorded",
					    (json_int_t)rec->trace.records, "per_second",
					    (json_int_t)rate, "threads", (int)rec->trace.n_tids,
					    "lost", (json_int_t)recorder_lost(rec->r)),
				  JSON_COMPACT);
	print_table(rec, rate);
	return flush_output();
}

static bool is_over(const struct args *a, const struct recording *rec)
{
	return trace_is_full(&rec->trace) ||
	       (a->seconds && now_ms() - rec->start_ms >= a->seconds * 1000);
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* The first SIGINT or SIGTERM ends the recording and any wait; the second, the process. */
static void catch_signals(void)
{
	const struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

/* Until a signal, the VM's end, or as many seconds or accesses as were asked for. */
static int listen(const struct args *a, struct recording *rec)
{
	struct pollfd p = { .fd = rec->vm->pidfd, .events = POLLIN };
	bool gone = false;
	int rc = RC_OK;

	while (rc == RC_OK && !gone && !interrupted && !is_over(a, rec)) {
		gone = poll(&p, 1, TICK_MS) > 0;
		recorder_take(rec->r);
		if (!trace_flush(&rec->trace))
			break;
		if (now_ms() - rec->shown_ms >= a->interval * 1000)
			rc = show(a, rec);
	}
	recorder_stop(rec->r);
	recorder_take(rec->r);
	return rc == RC_OK ? show(a, rec) : rc;
}

static int record_to(const struct args *a, struct recording *rec)
{
	uint64_t lost;
	int rc, err;

	rec->start_ms = now_ms();
	rec->shown_ms = rec->start_ms;
	rc = show(a, rec);
	if (rc == RC_OK)
		rc = listen(a, rec);
	lost = recorder_lost(rec->r);
	err = trace_close(&rec->trace, lost);
	if (lost)
		complain("%" PRIu64 " accesses came too fast and were lost; the trace says where",
			 lost);
	return rc == RC_OK ? err : rc;
}

/*
 * The file is made, which ends a trace that was there, only when all else has been had. That may
 * wait, for somebody to read a pipe: signals have to end it.
 */
static int record(const struct args *a, const struct vm *vm)
{
	struct recording rec = { .vm = vm, .trace = { .limit = a->count } };
	struct record_filter filter = a->filter;
	int rc;

	filter.tgid = vm->pid;
	rc = recorder_start(&filter, a->buffer_kb << 10, on_event, &rec, &rec.r);
	if (rc != RC_OK)
		return rc;
	rc = trace_open(&rec.trace, a->output, vm, &filter);
	catch_signals();
	if (rc == RC_OK)
		rc = record_to(a, &rec);
	recorder_free(rec.r);
	return rc;
}

static int find_vm(const struct args *a, struct vms *vms)
{
	int rc = a->pid ? vms_of_pid(a->pid, -1, vms) : vms_by_name(a->name, NULL, vms);

	if (rc == RC_OK && vms->n > 1)
		return complain(
			"%zu VMs have the name '%s', processes %d and %d among them; choose by "
			"--pid",
			vms->n, a->name, vms->v[0].pid, vms->v[1].pid);
	return rc;
}

int cmd_record(int argc, char **argv)
{
	struct args a = { .interval = 1, .buffer_kb = RECORD_BUFFER >> 10 };
	struct vms vms = { 0 };
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	rc = find_vm(&a, &vms);
	if (rc == RC_OK) {
		vm_release(&vms.v[0]);
		rc = record(&a, &vms.v[0]);
	}
	vms_free(&vms);
	return rc;
}
