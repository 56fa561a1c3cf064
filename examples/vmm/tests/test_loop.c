// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The machine's own thread: calls what is due, once, never early, and never after the end. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "vmm.h"

static struct vmm_loop *loop;
static struct vmm_watch *watch;
static atomic_uint calls;
static uint64_t called_ns;
static int fd;

static void count(void *opaque)
{
	cr_expect_eq(opaque, &fd);
	called_ns = vmm_clock_ns(NULL, LX_CLOCK_MONOTONIC);
	calls++;
}

static void free_itself(void *opaque)
{
	vmm_watch_free(watch);
	calls++;
}

static void wait_calls(unsigned int n)
{
	for (int i = 0; i < 5000 && calls < n; i++)
		usleep(1000);
	cr_assert_eq(calls, n, "%u calls, not %u", calls, n);
}

static void setup(void)
{
	cr_assert_eq(vmm_loop_new(&loop), 0);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void teardown(void)
{
	vmm_loop_free(loop);
	close(fd);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 60);

Test(loop, eventfds_are_emptied_and_answered)
{
	eventfd_t v;

	cr_assert_eq(vmm_watch_new(loop, fd, count, &fd, &watch), 0);
	eventfd_write(fd, 3);
	wait_calls(1);
	cr_assert_lt(eventfd_read(fd, &v), 0, "the eventfd is still signalled");
	eventfd_write(fd, 1);
	wait_calls(2);
	vmm_watch_free(watch);
	eventfd_write(fd, 1);
	usleep(20000);
	wait_calls(2);
}

Test(loop, timers_are_not_early)
{
	uint64_t due = vmm_clock_ns(NULL, LX_CLOCK_MONOTONIC) + 30000000;

	cr_assert_eq(vmm_timer_new(loop, count, &fd, &watch), 0);
	vmm_timer_set(watch, due);
	wait_calls(1);
	cr_assert_geq(called_ns, due);
	vmm_timer_set(watch, 1); /* long past */
	wait_calls(2);
	vmm_timer_set(watch, vmm_clock_ns(NULL, LX_CLOCK_MONOTONIC) + 30000000);
	vmm_timer_set(watch, 0);
	usleep(60000);
	wait_calls(2);
}

Test(loop, a_function_frees_its_watch)
{
	cr_assert_eq(vmm_watch_new(loop, fd, free_itself, NULL, &watch), 0);
	eventfd_write(fd, 1);
	wait_calls(1);
	eventfd_write(fd, 1);
	usleep(20000);
	wait_calls(1);
}

Test(loop, an_fd_that_is_none)
{
	cr_assert_lt(vmm_watch_new(loop, -1, count, &fd, &watch), 0);
	cr_assert_null(watch);
}
