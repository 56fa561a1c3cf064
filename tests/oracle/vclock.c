// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Preloaded into QEMU: its CLOCK_MONOTONIC, and with it the virtual clock of a
 * running machine, is the number in the file that ORACLE_CLOCK names. It moves only
 * when the test writes there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile uint64_t *now_ns;

__attribute__((constructor)) static void map_clock(void)
{
	int fd = open(getenv("ORACLE_CLOCK"), O_RDONLY | O_CLOEXEC);
	void *p;

	if (fd < 0)
		abort();
	p = mmap(NULL, sizeof(*now_ns), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	close(fd);
	now_ns = p;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t ns;

	if (id != CLOCK_MONOTONIC || !now_ns)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ns = *now_ns;
	ts->tv_sec = (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return 0;
}
