// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kick eventfd: it has the timer op look at the state again, soon and seldom enough;
 * attach and the off switch do the same; and it is the VMM's when no program answers.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "svc.h"

static void setup(void)
{
	svc_setup(2, VMM_IRQCHIP_NONE);
}

TestSuite(kicks, .init = setup, .fini = svc_teardown, .timeout = 120);

/* The attach, an update, a move, and the eventfd. */
Test(kicks, reach_the_op)
{
	const uint64_t *kicks = (const uint64_t *)&svc.st->kick.runs;

	svc.ops.kick_fd = svc_eventfd();
	svc_call(&svc.st->kick, VT_MONOTONIC, 0, 0, 0);
	svc_attach();
	svc_wait_for(kicks, 1, "kicks by attach");
	cr_assert_eq(svc_update(), 0);
	svc_wait_for(kicks, 2, "kicks by update");
	svc.ops.flags = LX_OPS_MOVE;
	svc.ops.regions[0].len = 8;
	cr_assert_eq(svc_update(), 0);
	svc_wait_for(kicks, 3, "kicks by move");
	for (unsigned int i = 0; i < 10; i++) {
		cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1 + i), 0);
		svc_wait_for(kicks, 4 + i, "kicks by eventfd");
	}
	usleep(20000);
	cr_expect_eq(*kicks, 13);
	cr_expect_eq(svc_count(svc.ops.kick_fd), 0, "the device left something in its eventfd");
	cr_expect_eq(svc.st->n_runs, 0);
}

/* Kick coalescing: as few runs as the minimum interval allows, and one after the last kick. */
Test(kicks, coalesce)
{
	uint64_t start, last, took, runs;

	svc.ops.kick_fd = svc_eventfd();
	svc_call(&svc.st->kick, VT_MONOTONIC, 0, 0, 0);
	svc_attach();
	svc_wait_for((const uint64_t *)&svc.st->kick.runs, 1, "kicks");
	runs = svc.st->kick.runs;
	start = svc_ns();
	for (unsigned int i = 0; i < 5000; i++) {
		last = svc_ns();
		cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1), 0);
	}
	took = svc_ns() - start;
	svc_wait_for((const uint64_t *)&svc.st->kick.calls[0].ret, last, "the last kick's run");
	usleep(50000);
	runs = svc.st->kick.runs - runs;
	cr_expect_leq(runs, took / LX_TIMER_MIN_NS + 2, "%lu runs in %lu us", runs, took / 1000);
	cr_expect_lt(runs, 5000);
	cr_expect_geq(svc.st->kick.calls[0].ret, (int64_t)last, "no run after the last kick");
}

struct kicker {
	int fd;
	bool stop;
};

static void *kick_on(void *arg)
{
	struct kicker *k = arg;

	while (!__atomic_load_n(&k->stop, __ATOMIC_ACQUIRE))
		eventfd_write(k->fd, 1);
	return NULL;
}

/* An attach that fails has called no program, however much it is kicked. */
Test(kicks, no_op_runs_for_an_attach_that_fails)
{
	struct kicker k = { .fd = svc_eventfd() };
	struct lightexit_ops first = svc.ops;
	unsigned long n = vmt_scale(500);
	int link;
	pthread_t thread;

	first.timer = NULL;
	link = vmr_attach(&first);
	cr_assert_geq(link, 0);
	svc.ops.kick_fd = k.fd;
	cr_assert_eq(pthread_create(&thread, NULL, kick_on, &k), 0);
	for (unsigned long i = 0; i < n; i++)
		cr_assert_eq(vmr_attach(&svc.ops), -EEXIST);
	__atomic_store_n(&k.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	cr_expect_eq(svc.st->kick.runs, 0, "%llu runs", svc.st->kick.runs);
	svc.link = link;
}

/* The off switch hands over, on kicks; meanwhile no timer op runs. */
Test(kicks, off_switch)
{
	const uint64_t *kicks = (const uint64_t *)&svc.st->kick.runs;

	svc.ops.kick_fd = svc_eventfd();
	svc.ops.handover_fd = svc_eventfd();
	svc_call(&svc.st->access[0], VT_START, 0, 50 * MS, LX_TIMER_REL);
	svc_call(&svc.st->access[0], VT_START, 1, 10 * MS, LX_TIMER_PERIODIC);
	svc_attach();
	svc_wait_for(kicks, 1, "kicks by attach");
	svc_do(0);
	svc_wait_runs(1);
	cr_expect_eq(svc_count(svc.ops.handover_fd), 0);
	vmt_set_param("enable", "N");
	svc.st->n_runs = 0;
	cr_expect_geq(svc_count(svc.ops.handover_fd), 1, "switched off, and not handed over");
	/* Both timers' times pass, and they hand over, too. */
	svc_expect_runs(0, (unsigned int)vmt_patience(100));
	svc_settle();
	/* A kick's place is taken by a handover: whoever looks after the device looks. */
	svc_count(svc.ops.handover_fd);
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1), 0);
	svc_wait(svc.ops.handover_fd, "handover by a kick while off");
	/* What was a period is none any more: its expiry hands over once. */
	usleep(50000);
	cr_expect_eq(svc_count(svc.ops.handover_fd), 0);
	cr_expect_eq(*kicks, 1);
	vmt_set_param("enable", "Y");
	svc_wait_for(kicks, 2, "kicks by the switch");
	cr_expect_eq(svc.st->n_runs, 0);
}

/* From the handover on, what is in the kick eventfd is the VMM's. */
Test(kicks, eventfd_after_the_handover)
{
	struct vt_order *order = &svc.st->access[0];

	svc.ops.kick_fd = svc_eventfd();
	svc.ops.handover_fd = svc_eventfd();
	svc_call(order, VT_EJECT, 1, 0, 0);
	svc_attach();
	svc_do(0);
	svc_wait(svc.ops.handover_fd, "handover");
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 3), 0);
	usleep(10000);
	cr_expect_eq(svc_count(svc.ops.kick_fd), 3, "an ejected device takes kicks");
	svc_detach();
	svc_wait(svc.ops.handover_fd, "handover");
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 4), 0);
	cr_expect_eq(svc_count(svc.ops.kick_fd), 4, "a detached device takes kicks");
	order->n = 0;
	svc_attach();
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 5), 0);
	usleep(10000);
	cr_expect_eq(svc_count(svc.ops.kick_fd), 0, "the new device takes none");
	vms_teardown();
	svc_wait(svc.ops.handover_fd, "handover at the VM's end");
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 6), 0);
	cr_expect_eq(svc_count(svc.ops.kick_fd), 6, "a device without a VM takes kicks");
}
