// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An HPET's timer that cannot interrupt (2.3.5, 2.3.8 of the IA-PC HPET specification: it is
 * masked, has no route, or the counter is halted) costs nothing: neither the program nor the
 * VMM waits for it, whoever has answered the guest.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hpetvm.h"

#define MS_TICKS 100000U
#define CONFIG 0x10U
#define TIMER0_CONFIG 0x100U
#define TIMER0_COMPARATOR 0x108U
#define TIMER1_CONFIG 0x120U
#define TIMER1_COMPARATOR 0x128U
#define RUN 1U

TestSuite(hpet_idle, .init = hpetvm_setup, .fini = hpetvm_teardown, .timeout = 120);

/* Runs of the device's timer op, by debugfs. */
static uint64_t timer_ops(void)
{
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/sys/kernel/debug/lightexit/%u/info",
		 vmt_stats(hpetvm.dev).id);
	at = strstr(vmt_read_file(path), "\ntimer: handled=");
	cr_assert_not_null(at, "%s has no line of timers", path);
	return strtoull(strchr(at, '=') + 1, NULL, 10);
}

/* This process's timerfds that wait for something: the VMM's own timers. */
static unsigned int armed_timerfds(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	unsigned int n = 0;
	struct dirent *e;

	cr_assert_not_null(dir);
	while ((e = readdir(dir))) {
		char path[300];
		const char *at;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		at = strstr(vmt_read_file(path), "it_value: (");
		n += at && strncmp(at, "it_value: (0, 0)", 16);
	}
	closedir(dir);
	return n;
}

static void put(uint32_t reg, uint64_t val)
{
	vms_write(8, BASE + reg, val);
}

/*
 * Timer 0, each millisecond, or as often as the kernel can; and timer 1, once, after as long. The
 * VMM's half a second is longer than a look at all timerfds takes.
 */
static void set_timers(enum path path, uint32_t config0, uint32_t config1, uint32_t general)
{
	const uint64_t period = (uint64_t)vmt_patience(path == BY_VMM ? 500 * MS_TICKS : MS_TICKS);

	put(CONFIG, 0);
	put(0xf0, 0);
	put(TIMER0_CONFIG, config0 | PERIODIC | VAL_SET);
	put(TIMER0_COMPARATOR, period);
	put(TIMER1_CONFIG, config1);
	put(TIMER1_COMPARATOR, period);
	put(CONFIG, general);
	vms_run();
}

/*
 * In a tenth of a second no timer op runs; the first look may be too early for a kick that
 * the VMM has sent.
 */
static bool program_waits(void)
{
	uint64_t before;

	for (int i = 0; i < 20; i++) {
		before = timer_ops();
		usleep(100000);
		if (timer_ops() == before)
			return false;
	}
	return true;
}

/* Its timer op runs, soon. */
static bool program_runs(void)
{
	uint64_t before = timer_ops();

	for (int ms = 0; ms < VMS_TIMEOUT_MS; ms += 10) {
		if (timer_ops() >= before + 3)
			return true;
		usleep(10000);
	}
	return false;
}

/* One look may fall between a timer's expiry and its next time. */
static bool vmm_waits(void)
{
	uint64_t end =
		vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) + (uint64_t)vmt_patience(100) * 1000000;

	do {
		if (armed_timerfds())
			return true;
		usleep(1000);
	} while (vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) < end);
	return armed_timerfds();
}

static bool state_waits(void)
{
	bool armed = false;

	lx_lock(&hpetvm.st->hdr);
	for (unsigned int n = 0; n < HPET_TIMERS; n++)
		armed |= hpetvm.st->timers[n].timer.armed;
	lx_unlock(&hpetvm.st->hdr);
	return armed;
}

static void idle(enum path path)
{
	static const struct {
		const char *what;
		uint32_t config0, config1, general;
	} cases[] = {
		{ "masked", ROUTE(21), ROUTE(22), RUN },
		{ "masked, level-triggered", ROUTE(21) | LEVEL, ROUTE(22) | LEVEL, RUN },
		{ "unrouted", ENB, ENB | LEVEL, RUN },
		{ "halted", ENB | ROUTE(21), ENB | ROUTE(22), 0 },
	};

	hpetvm_make(path, 1, LX_CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_timers(path, cases[i].config0, cases[i].config1, cases[i].general);
		cr_expect(!state_waits(), "%s: a timer is armed", cases[i].what);
		cr_expect(!vmm_waits(), "%s: the VMM waits", cases[i].what);
		if (path == BY_PROGRAM)
			cr_expect(!program_waits(), "%s: the program waits", cases[i].what);
		/* The same timer, were it not for that. */
		set_timers(path, ENB | ROUTE(21), 0, RUN);
		cr_expect(state_waits(), "no timer is armed that interrupts");
		cr_expect_eq(vmm_waits(), path == BY_VMM);
		if (path == BY_PROGRAM)
			cr_expect(program_runs(), "no timer op runs");
	}
}

Test(hpet_idle, by_the_vmm)
{
	idle(BY_VMM);
}

Test(hpet_idle, by_the_program)
{
	idle(BY_PROGRAM);
}
