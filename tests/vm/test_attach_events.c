// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lightexit attach to an unmodified QEMU, and what ends a calibration: stopped, saved, loaded,
 * migrated, reset, with and without kvmclock, of an old machine type, under a storm. QEMU alone
 * shows its guest no backward step. Attached, the guest may see its clock behind, by at most the
 * time from QEMU's freezing it to its having paused all vCPUs (docs/attach.md), which is less than
 * from the command to the event STOP; and for no longer than that after it continues.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>

#include "qemu/attached.h"
#include "vmtest.h"

#define PM_MASK 0xffffff
#define HPET_MASK 0xffffffff
#define HPET_HZ 100000000U /* QEMU's */

struct guest {
	const char *machine, *cpu, *device;
	unsigned int vcpus;
	enum torture_kind kind;
	uint32_t addr, mask, hz;
};

static const struct guest pm_guest = {
	"q35", "host", "pmtimer", 2, TORTURE_PMTIMER, PMTIMER_PORT, PM_MASK, PMTIMER_HZ,
};

static struct qemu q, second; /* of a migration */
static const struct guest *guest;
static const volatile struct watch_state *st; /* of @q */
static uint64_t window_us;		      /* the longest in which QEMU paused its vCPUs */

static void teardown(void)
{
	if (q.pid)
		qemu_end(&q);
	if (second.pid)
		qemu_end(&second);
}

TestSuite(attach_events, .init = vmt_init, .fini = teardown, .timeout = 900);

/* If @attached, from before the guest's first instruction on; then it runs and reads. */
static void start(const struct guest *g, bool attached)
{
	const char *const more[] = { "-cpu", g->cpu, NULL };
	const char *const args[] = { g->device, NULL };

	guest = g;
	qemu_start(&q, g->machine, g->vcpus, more);
	q.addr = g->addr;
	if (attached) {
		attach_start(&q, args);
		attached_stats(&q);
	}
	qemu_go(&q, g->kind, g->addr, g->mask);
	if (attached) {
		attached_wait_answered(&q, 100);
		st = attached_state(&q);
	}
	cr_expect_eq(q.t->online, g->vcpus);
}

static void stopped_for(uint64_t us)
{
	if (us > window_us)
		window_us = us;
}

/* All steps so far are of QEMU's window. */
static void expect_bounded(const struct qemu *of)
{
	uint64_t most = window_us * guest->hz / 1000000 + 2;

	cr_expect_leq(of->t->worst, most, "%u steps, worst %u ticks; QEMU's window has %lu",
		      of->t->steps, of->t->worst, most);
}

/* Once the clock has passed where it was before the last event, there are no further steps. */
static void expect_forward_now(const struct qemu *of)
{
	uint32_t steps;

	usleep(window_us);
	qemu_wait_each(of); /* and what began before is checked */
	attached_wait_answered(of, 50);
	steps = of->t->steps;
	attached_wait_answered(of, 200);
	cr_expect_eq(of->t->steps, steps, "%u backward steps out of any event",
		     of->t->steps - steps);
	expect_bounded(of);
}

/* Something that stops the VM: each vCPU's stop ends a calibration, and is counted. */
static void happens(void (*event)(void))
{
	uint64_t before, ended;

	expect_forward_now(&q);
	before = st->ends[WATCH_END_STOPPED];
	event();
	ended = st->ends[WATCH_END_STOPPED] - before;
	cr_expect_geq(ended, guest->vcpus, "%lu calibrations ended, %u vCPUs", ended, guest->vcpus);
}

static void stop_and_cont(void)
{
	qemu_qmp(&q, "stop", NULL);
	stopped_for(qemu_stop_us(&q));
	usleep(1000 + rand() % 20000);
	qemu_qmp(&q, "cont", NULL);
}

static void stop_for_1_ms(void)
{
	qemu_qmp(&q, "stop", NULL);
	stopped_for(qemu_stop_us(&q));
	usleep(1000);
	qemu_qmp(&q, "cont", NULL);
}

/* QEMU pauses one vCPU after the other: others read its frozen clock meanwhile. */
static void stops(void)
{
	unsigned int i;

	for (i = 0; i < vmt_scale(100); i++) {
		qemu_qmp(&q, "stop", NULL);
		stopped_for(qemu_stop_us(&q));
		qemu_qmp(&q, "cont", NULL);
	}
}

static void save(void)
{
	qemu_hmp(&q, "savevm lx");
	stopped_for(qemu_stop_us(&q));
}

/* What the guest has seen goes back with the guest. */
static void load(void)
{
	q.t->log[0].pad = 1;
	qemu_hmp(&q, "loadvm lx");
	stopped_for(qemu_stop_us(&q));
	cr_expect_eq(q.t->log[0].pad, 0, "the guest's memory was not loaded");
}

static void wait_status(const char *status)
{
	const char *is = "";
	json_t *o = NULL;

	while (strcmp(is, status)) {
		json_decref(o);
		o = qemu_ask(&q, "query-status", NULL);
		is = json_string_value(json_object_get(o, "status"));
	}
	json_decref(o);
}

/* It starts anew: so does its clock, if it is the HPET. */
static void reset(void)
{
	qemu_qmp(&q, "stop", NULL);
	stopped_for(qemu_stop_us(&q));
	qemu_qmp(&q, "system_reset", NULL);
	wait_status("prelaunch");
	q.t->magic = 0;
	qemu_go(&q, guest->kind, guest->addr, guest->mask);
}

static void job(const char *command, const char *options)
{
	char args[256];
	size_t n = 1;

	snprintf(args, sizeof(args), "{\"job-id\": \"job\", \"options\": %s}", options);
	qemu_qmp(&q, command, args);
	while (n) {
		json_t *jobs = qemu_ask(&q, "query-jobs", NULL), *j = json_array_get(jobs, 0);
		const char *status = json_string_value(json_object_get(j, "status"));
		const char *why = json_string_value(json_object_get(j, "error"));

		cr_assert_null(why, "%s %s: %s", command, options, why);
		if (status && !strcmp(status, "concluded"))
			qemu_qmp(&q, "job-dismiss", "{\"id\": \"job\"}");
		n = json_array_size(jobs);
		json_decref(jobs);
		usleep(1000);
	}
}

/* A disk for snapshots, that the guest does not see. */
static void add_disk(void)
{
	char args[256];

	snprintf(args, sizeof(args),
		 "{\"driver\": \"file\", \"filename\": \"%s/disk\", \"size\": 0}", q.dir);
	job("blockdev-create", args);
	snprintf(args, sizeof(args),
		 "{\"driver\": \"file\", \"filename\": \"%s/disk\", \"node-name\": \"file\"}",
		 q.dir);
	qemu_qmp(&q, "blockdev-add", args);
	job("blockdev-create", "{\"driver\": \"qcow2\", \"file\": \"file\", \"size\": 1048576}");
	qemu_qmp(&q, "blockdev-add",
		 "{\"driver\": \"qcow2\", \"file\": \"file\", \"node-name\": \"disk\"}");
}

static void report(void)
{
	cr_log_info("%u backward steps, worst %u ticks, QEMU's window up to %lu us", q.t->steps,
		    q.t->worst, window_us);
}

/* Proves: QEMU alone shows its guest no backward step: what the others see is lightexit's. */
Test(attach_events, without_lightexit)
{
	static void (*const events[])(void) = { save, stop_and_cont, load, reset };
	unsigned int i;

	start(&pm_guest, false);
	add_disk();
	for (i = 0; i < vmt_scale(40); i++) {
		events[i % 4]();
		qemu_wait_reads(&q, 500, 60);
		attached_expect_forward(&q, "without lightexit");
	}
}

/* Proves: saved, and put back to what was saved, again and again, the guest's clock is right. */
Test(attach_events, savevm_and_loadvm)
{
	unsigned int i;

	start(&pm_guest, true);
	add_disk();
	for (i = 0; i < vmt_scale(10); i++) {
		happens(save);
		happens(load);
		happens(load);
	}
	expect_forward_now(&q);
	report();
}

/* Proves: so is an HPET, whose count is a part of what is saved, and which a reset clears. */
Test(attach_events, hpet)
{
	static const struct guest g = {
		"q35,hpet=on", "host", "hpet", 2, TORTURE_HPET, HPET_BASE, HPET_MASK, HPET_HZ,
	};
	unsigned int i;

	start(&g, true);
	add_disk();
	for (i = 0; i < vmt_scale(10); i++) {
		happens(save);
		happens(stop_and_cont);
		happens(load);
		happens(reset);
	}
	expect_forward_now(&q);
	report();
}

/* The oldest machine type of this kind that any QEMU of the lab has: stable's, not backports'. */
static const char *oldest(const char *kind)
{
	static char name[64];
	char cmd[160];
	FILE *f;

	qemu_binary = "/usr/bin/qemu-system-x86_64";
	snprintf(cmd, sizeof(cmd), "%s -machine help | grep -o '^%s-[0-9.]*' | sort -V | head -n 1",
		 qemu_binary, kind);
	f = popen(cmd, "r");
	cr_assert(f && fscanf(f, "%63s", name) == 1);
	pclose(f);
	return name;
}

/*
 * Proves: four vCPUs whose VMM never sets kvmclock: newer machine types have it even where the
 * guest has not. Then nothing but the vCPUs' own exits tells that they were stopped.
 */
Test(attach_events, without_kvmclock)
{
	struct guest g = pm_guest;
	unsigned int i;
	uint64_t set;

	g.machine = oldest("pc-q35");
	g.cpu = "host,-kvmclock";
	g.vcpus = 4;
	start(&g, true);
	set = st->ends[WATCH_END_CLOCK];
	for (i = 0; i < vmt_scale(30); i++) {
		happens(stop_for_1_ms);
		happens(stop_and_cont);
	}
	happens(stops);
	expect_forward_now(&q);
	cr_expect_eq(st->ends[WATCH_END_CLOCK], set, "kvmclock was set");
	report();
}

/* Proves: a machine type of long ago, whose PM timer is at another port. */
Test(attach_events, old_machine_type)
{
	struct guest g = pm_guest;
	unsigned int i;

	g.machine = oldest("pc-i440fx");
	g.addr = PMTIMER_PORT_PC;
	start(&g, true);
	add_disk();
	for (i = 0; i < vmt_scale(10); i++) {
		happens(stop_and_cont);
		happens(save);
		happens(reset);
		happens(load);
	}
	expect_forward_now(&q);
	report();
}

static void migrate(void)
{
	const char *status = NULL;
	json_t *o = NULL;
	char args[128];
	json_int_t ms;

	snprintf(args, sizeof(args), "{\"uri\": \"unix:%s/migration\"}", q.dir);
	qemu_qmp(&q, "migrate", args);
	do {
		usleep(10000);
		json_decref(o);
		o = qemu_ask(&q, "query-migrate", NULL);
		status = json_string_value(json_object_get(o, "status"));
		cr_assert(status && strcmp(status, "failed"), "the migration failed");
	} while (strcmp(status, "completed"));
	cr_assert_eq(json_unpack(o, "{s:I}", "downtime", &ms), 0);
	json_decref(o);
	stopped_for((ms + 1) * 1000);
}

/* Proves: a guest that goes on in another QEMU is right in both. */
Test(attach_events, migration)
{
	static const char *const args[] = { "pmtimer", NULL };
	char uri[96];
	const char *const more[] = { "-incoming", uri, NULL };
	uint32_t steps;

	start(&pm_guest, true);
	snprintf(uri, sizeof(uri), "unix:%s/migration", q.dir);
	qemu_start(&second, guest->machine, guest->vcpus, more);
	attach_start(&second, args);
	second.addr = guest->addr;
	happens(migrate);
	attached_stats(&second);
	steps = second.t->steps;
	qemu_qmp(&second, "cont", NULL);
	expect_forward_now(&second);
	cr_log_info("%u backward steps, worst %u ticks, downtime up to %lu us",
		    second.t->steps - steps, second.t->worst, window_us);
}

/* Proves: an iothread that never rests, and vCPUs that are signalled for something else. */
Test(attach_events, iothread_storm)
{
	static const char *const nodes[] = { "a", "b" };
	uint64_t handled, before;
	unsigned int i;
	char args[128];

	start(&pm_guest, true);
	qemu_qmp(&q, "object-add", "{\"qom-type\": \"iothread\", \"id\": \"io\"}");
	for (i = 0; i < 2; i++) {
		snprintf(
			args, sizeof(args),
			"{\"driver\": \"null-co\", \"node-name\": \"%s\", \"size\": 1099511627776}",
			nodes[i]);
		qemu_qmp(&q, "blockdev-add", args);
		snprintf(args, sizeof(args), "{\"node-name\": \"%s\", \"iothread\": \"io\"}",
			 nodes[i]);
		qemu_qmp(&q, "x-blockdev-set-iothread", args);
	}
	qemu_qmp(
		&q, "blockdev-mirror",
		"{\"job-id\": \"storm\", \"device\": \"a\", \"target\": \"b\", \"sync\": \"full\"}");
	before = st->ends[WATCH_END_STOPPED];
	handled = attached_stats(&q).regions[0].handled;
	for (i = 0; attached_stats(&q).regions[0].handled - handled < vmt_scale(20000); i++) {
		json_decref(qemu_ask(&q, "human-monitor-command",
				     "{\"command-line\": \"info registers -a\"}"));
		qemu_wait_each(&q); /* who is out of the kernel still is not signalled */
		usleep(rand() % 50000);
	}
	cr_expect_geq(st->ends[WATCH_END_STOPPED] - before, i, "%u signals", i);
	attached_expect_forward(&q, "in a storm");
}

/* The one vCPU moves its PM block, and reads on at the port that it did. */
static void move_pmbase(uint32_t base)
{
	q.t->pmbase = base;
	qemu_wait_reads(&q, 10, 60);
	cr_assert_eq(q.t->pmbase, 0, "not moved");
}

/* Proves: where the PM timer is not, is not yet, or no more, nothing is answered. */
Test(attach_events, pm_base_moves)
{
	static const char *const args[] = { "--port", "0x708", "pmtimer", NULL };
	uint64_t handled;
	unsigned int i;

	qemu_start(&q, "q35", 1, NULL);
	q.addr = 0x708;
	attach_start(&q, args);
	attached_stats(&q);
	qemu_go(&q, TORTURE_PMTIMER, 0x708, PM_MASK);
	for (i = 0; i < vmt_scale(20); i++) {
		handled = attached_stats(&q).regions[0].handled;
		qemu_wait_reads(&q, 1000, 60);
		cr_expect_eq(attached_stats(&q).regions[0].handled, handled,
			     "answered; moved %u times", i);
		move_pmbase(0x700);
		attached_wait_answered(&q, 1000);
		attached_expect_forward(&q, "moved to where it is watched");
		move_pmbase(0x600);
	}
}
