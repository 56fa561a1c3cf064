// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Linux's first process in examples/attach. For each line "SOURCE CALLS SECONDS" on the console it
 * makes that clock source the current one, calls clock_gettime() so often, lets so many seconds go
 * by, and answers:
 *	clocks: SOURCE CYCLES BACKWARD NS SPAN WIDTH
 * CYCLES of the TSC for all calls, steps BACKWARD, and NS of the clock in SPAN cycles, each end of
 * which is known to WIDTH cycles. "off" powers off.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define CURRENT "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define TRIES 200
#define PAUSE_NS 500000000L

/* The clock was @ns within @width cycles from @tsc on. */
struct point {
	uint64_t tsc;
	uint64_t width;
	uint64_t ns;
};

static uint64_t last_ns;
static unsigned int backward;

/* No NTP: the clock source alone. */
static uint64_t now(void)
{
	struct timespec ts;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	backward += ns < last_ns;
	last_ns = ns;
	return ns;
}

static struct point best_point(void)
{
	struct point best = { .width = UINT64_MAX }, p;

	for (int i = 0; i < TRIES; i++) {
		p.tsc = __rdtsc();
		p.ns = now();
		p.width = __rdtsc() - p.tsc;
		if (p.width < best.width)
			best = p;
	}
	return best;
}

static uint64_t cycles_of(unsigned long calls)
{
	uint64_t start = __rdtsc();

	while (calls--)
		now();
	return __rdtsc() - start;
}

static void let_pass(unsigned int seconds)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t end = now() + seconds * 1000000000ULL;

	while (now() < end)
		nanosleep(&pause, NULL);
}

/* Makes it the current one; what is then the current one is in @is. */
static void choose(const char *source, char *is, int size)
{
	FILE *f = fopen(CURRENT, "r+");

	if (!f)
		return perror(CURRENT);
	fputs(source, f);
	rewind(f);
	if (!fgets(is, size, f))
		perror(CURRENT);
	is[strcspn(is, "\n")] = '\0';
	fclose(f);
}

static void answer(const char *source, unsigned long calls, unsigned int seconds)
{
	struct point from, to;
	char is[32] = "none";
	uint64_t cycles;

	choose(source, is, sizeof(is));
	now();
	backward = 0;
	cycles = cycles_of(calls);
	from = best_point();
	let_pass(seconds);
	to = best_point();
	printf("clocks: %s %lu %u %lu %lu %lu\n", is, cycles, backward, to.ns - from.ns,
	       to.tsc - from.tsc, from.width > to.width ? from.width : to.width);
}

static void set_up(void)
{
	struct termios t;

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	if (!freopen("/dev/console", "r", stdin) || !freopen("/dev/console", "w", stdout))
		exit(1);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	setvbuf(stdout, NULL, _IOLBF, 0);
	tcgetattr(STDIN_FILENO, &t);
	t.c_lflag &= ~ECHO;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

int main(void)
{
	char line[128], source[32];
	unsigned int seconds;
	unsigned long calls;

	set_up();
	puts("clocks: ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "off", 3))
			break;
		if (sscanf(line, "%31s %lu %u", source, &calls, &seconds) == 3)
			answer(source, calls, seconds);
	}
	reboot(RB_POWER_OFF);
	return 1;
}
