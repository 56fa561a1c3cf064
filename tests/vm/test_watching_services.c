// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What operators see of services: each timer op is traced, with its timer, its time and its
 * verdict; and timer ops, retries, errors, signals and slots that are not there are counted,
 * exactly.
 */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "svc.h"
#include "tracing.h"

#define LINES 64U
#define ERROR 77

/* A line of lx_timer, as trace.h prints it. */
struct line {
	unsigned int dev;
	int64_t timer;
	uint64_t due;
	char word[16];
	int verdict;
};

static struct line lines[LINES];
static unsigned int n_lines;

static void setup(void)
{
	svc_setup(1, VMM_IRQCHIP_NONE);
}

static void teardown(void)
{
	svc_teardown();
	trace_end();
}

TestSuite(watching_services, .init = setup, .fini = teardown, .timeout = 120);

static void add_line(void *arg, const char *text)
{
	struct line *l = &lines[n_lines++];
	int n;

	cr_assert_leq(n_lines, LINES);
	n = sscanf(text, "dev=%u timer=%ld due=%lu verdict=%15[a-z](%d)", &l->dev, &l->timer,
		   &l->due, l->word, &l->verdict);
	cr_assert_eq(n, 5, "cannot read: %s", text);
}

static void read_lines(void)
{
	n_lines = 0;
	trace_each("lx_timer", add_line, NULL);
}

/* The trace and the counters are written after the op's own notes. */
static void wait_counted(const char *key, uint64_t n)
{
	uint64_t end = svc_ns() + SVC_TIMEOUT_MS * MS;

	while (svc_info("timer", key) < n && svc_ns() < end)
		usleep(1000);
}

static void wait_lines(unsigned int n)
{
	uint64_t end = svc_ns() + SVC_TIMEOUT_MS * MS;

	do {
		usleep(20000);
		read_lines();
	} while (n_lines < n && svc_ns() < end);
}

/* One timer, by the guest; waits until its op has run so often. */
static void fire(uint32_t timer, uint32_t runs)
{
	uint64_t before = svc.st->n_runs;

	svc.st->access[0].calls[0].a = timer;
	svc_do(0);
	svc_wait_runs(before + runs);
}

/* Each run of the program's diary is a line, and no other; in their order. */
static void expect_line(unsigned int i, const struct vt_run *run, const char *word, int verdict)
{
	const struct line *l = &lines[i];

	cr_assert_lt(i, n_lines, "%u lines", n_lines);
	cr_expect_eq(l->dev, strtoul(svc_info_text("id"), NULL, 10));
	cr_expect_eq(l->timer, (int64_t)run->which, "line %u: timer %ld", i, l->timer);
	cr_expect_eq(l->due, run->due, "line %u: due at %lu, not %llu", i, l->due, run->due);
	cr_expect_str_eq(l->word, word, "line %u: %s", i, l->word);
	cr_expect_eq(l->verdict, verdict, "line %u: %d", i, l->verdict);
}

Test(watching_services, each_timer_op_is_traced_and_counted)
{
	static const struct {
		const char *word;
		int verdict;
	} want[] = { { "handled", LX_HANDLED }, { "retry", LX_RETRY }, { "retry", LX_RETRY },
		     { "retry", LX_RETRY },	{ "error", ERROR },    { "handled", LX_HANDLED } };
	struct vt_order *timer = &svc.st->timer;

	svc_call(&svc.st->access[0], VT_START, 0, MS, LX_TIMER_REL);
	trace_start();
	svc_attach();
	svc_wait_for((const uint64_t *)&svc.st->kick.runs, 1, "the attach's kick");
	fire(3, 1);
	wait_counted("handled", 2); /* it does not look at its orders any more */
	*timer = (struct vt_order){ .verdict = LX_RETRY, .limit = 3, .then = ERROR };
	fire(1, 4);
	wait_counted("errors", 1);
	*timer = (struct vt_order){ .verdict = LX_HANDLED };
	fire(LX_MAX_TIMERS - 1, 1);
	wait_lines(7);
	wait_counted("handled", 3);
	cr_assert_eq(n_lines, 7, "%u lines", n_lines);
	cr_expect_eq(lines[0].timer, (int64_t)LX_TIMER_KICK, "not a kick: %ld", lines[0].timer);
	cr_expect_str_eq(lines[0].word, "handled");
	for (unsigned int i = 0; i < 6; i++)
		expect_line(i + 1, &svc.st->run[i], want[i].word, want[i].verdict);
	cr_expect_eq(svc_info("timer", "handled"), 3);
	cr_expect_eq(svc_info("timer", "retries"), 3);
	cr_expect_eq(svc_info("timer", "errors"), 1);

	/* With tracing off it is counted, and not traced. */
	trace_write("events/lightexit/enable", "0");
	fire(0, 1);
	wait_counted("handled", 4);
	usleep(20000);
	read_lines();
	cr_expect_eq(n_lines, 7);
	cr_expect_eq(svc_info("timer", "handled"), 4);
}

/* Signals, once a slot and op; those of an op that passes are none; slots that are not there. */
Test(watching_services, signals_are_counted)
{
	struct vt_order *good = &svc.st->access[1], *bad = &svc.st->access[2];
	int fds[2] = { svc_add_slot(), svc_add_slot() };

	svc_call(good, VT_SIGNAL, 0, 0, 0);
	svc_call(good, VT_SIGNAL, 0, 0, 0);
	svc_call(good, VT_SIGNAL, 1, 0, 0);
	svc_call(bad, VT_SIGNAL, 2, 0, 0);
	svc_call(bad, VT_SIGNAL, LX_MAX_SLOTS, 0, 0);
	svc_call(&svc.st->access[3], VT_SIGNAL, 0, 0, 0);
	svc.st->access[3].verdict = LX_PASS;
	svc_attach();
	for (unsigned int i = 0; i < 7; i++)
		svc_do(1);
	for (unsigned int i = 0; i < 5; i++)
		svc_do(2);
	svc_access(3);
	vms_run();
	cr_expect_eq(svc_info("region 0", "signals"), 14);
	cr_expect_eq(svc_info("region 0", "bad_slots"), 10);
	cr_expect_eq(svc_info("region 0", "handled"), 12);
	cr_expect_eq(svc_info("region 0", "passed"), 1);
	cr_expect_eq(svc_info("timer", "signals"), 0);
	cr_expect_eq(svc_count(fds[0]), 7);
	cr_expect_eq(svc_count(fds[1]), 7);
}
