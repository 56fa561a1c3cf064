// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A device's timers: the timer op is called for each expiry, never early, by either
 * clock; starts, cancels and re-arms from any op hold; retries, errors, the off
 * switch and ejections end as documented. Kicks are in test_kicks.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "svc.h"

static void setup(void)
{
	svc_setup(2, VMM_IRQCHIP_NONE);
}

TestSuite(timer, .init = setup, .fini = svc_teardown, .timeout = 120);

/* A kvmclock timer is never early by the kvmclock, any other by CLOCK_MONOTONIC. */
static void expect_not_early(unsigned int i, bool kvmclock)
{
	const struct vt_run *run = &svc.st->run[i];
	uint64_t now = kvmclock ? run->kvm : run->mono;

	cr_expect_geq(now, run->due, "run %u is %llu ns early", i, run->due - now);
}

/* What the timer op is told, and when; due is what lx_timer_start() said. */
Test(timer, relative_one_shot)
{
	struct vt_order *order = &svc.st->access[0];
	struct vt_call *before = svc_call(order, VT_MONOTONIC, 0, 0, 0);
	struct vt_call *start = svc_call(order, VT_START, 3, 5 * MS, LX_TIMER_REL);
	struct vt_call *after = svc_call(order, VT_MONOTONIC, 0, 0, 0);
	const struct vt_run *run = svc.st->run;

	svc_attach_quietly();
	svc_do(0);
	cr_assert_eq(start->ret, 0);
	svc_wait_runs(1);
	svc_settle();
	cr_expect_eq(run->which, 3);
	cr_expect(run->due >= before->ret + 5 * MS && run->due <= after->ret + 5 * MS,
		  "due at %llu, started between %lld and %lld", run->due, before->ret, after->ret);
	expect_not_early(0, false);
	cr_expect_eq(run->flags, LX_IO_TIMER);
	cr_expect_eq(run->vcpu, LX_NO_VCPU);
	cr_expect_eq(run->len, 0);
	svc_expect_runs(1, 30);
	cr_expect_eq(svc_info("timer", "handled"), 2, "one timer and the attach's kick");
	cr_expect_eq(svc_info("timer", "retries"), 0);
	cr_expect_eq(svc_info("timer", "errors"), 0);
}

Test(timer, absolute)
{
	struct vt_call *start = svc_call(&svc.st->access[0], VT_START, 0, svc_ns() + 20 * MS, 0);

	svc_attach();
	svc_do(0);
	svc_wait_runs(1);
	cr_expect_eq(svc.st->run[0].due, start->b);
	expect_not_early(0, false);
}

Test(timer, a_past_time_is_at_once)
{
	struct vt_order *order = &svc.st->access[0];

	svc_call(order, VT_START, 0, 0, 0);
	svc_call(order, VT_START, 1, svc_ns() - MS, 0);
	svc_call(order, VT_START, 2, 1, LX_TIMER_KVMCLOCK);
	svc_call(order, VT_START, 3, 0, LX_TIMER_REL);
	svc_attach();
	svc_do(0);
	svc_wait_runs(4);
	for (unsigned int i = 0; i < 4; i++) {
		const struct vt_run *run = &svc.st->run[i];

		cr_expect(run->which == 3 || run->due == order->calls[run->which].b,
			  "timer %llu is due at %llu", run->which, run->due);
		expect_not_early(i, run->which == 2);
	}
}

/* Times that no clock will show: the timer is set, never fires, and can be cancelled. */
Test(timer, the_end_of_time)
{
	static const uint64_t times[] = { ~0ULL, 1ULL << 63, (1ULL << 63) - 1 };
	static const uint32_t flags[] = { 0,
					  LX_TIMER_REL,
					  LX_TIMER_PERIODIC,
					  LX_TIMER_KVMCLOCK,
					  LX_TIMER_KVMCLOCK | LX_TIMER_REL,
					  LX_TIMER_KVMCLOCK | LX_TIMER_PERIODIC };
	struct vt_order *order = &svc.st->access[0];
	unsigned int n = 0;

	svc_attach();
	for (unsigned int f = 0; f < 6; f++) {
		order->n = 0;
		for (unsigned int i = 0; i < 3; i++)
			svc_call(order, VT_START, i, times[i], flags[f]);
		svc_do(0);
		usleep(20000);
		order->n = 0;
		for (unsigned int i = 0; i < 3; i++)
			svc_call(order, VT_CANCEL, i, 0, 0);
		svc_do(0);
		for (unsigned int i = 0; i < 3; i++)
			n += order->calls[i].ret == 1;
	}
	cr_expect_eq(n, 18, "%u of 18 timers were set still", n);
	svc_expect_runs(0, 10);
}

Test(timer, kvmclock)
{
	struct vt_order *order = &svc.st->access[0];
	struct vt_call *before = svc_call(order, VT_KVMCLOCK, 0, 0, 0);
	struct vt_call *start =
		svc_call(order, VT_START, 1, 5 * MS, LX_TIMER_KVMCLOCK | LX_TIMER_REL);
	struct vt_call *after = svc_call(order, VT_KVMCLOCK, 0, 0, 0);
	__s64 started;

	svc_attach();
	svc_do(0);
	svc_wait_runs(1);
	expect_not_early(0, true);
	started = (__s64)(svc.st->run[0].due - 5 * MS);
	cr_expect(started >= before->ret && started <= after->ret,
		  "started at %lld, not between %lld and %lld", started, before->ret, after->ret);
	start->b = svc.st->run[0].kvm + 20 * MS;
	start->c = LX_TIMER_KVMCLOCK;
	svc_do(0);
	svc_wait_runs(2);
	expect_not_early(1, true);
	cr_expect_eq(svc.st->run[1].due, start->b);
}

static void set_clock(int64_t by)
{
	struct kvm_clock_data data = { 0 };

	cr_assert_eq(ioctl(vms.vm->fd, KVM_GET_CLOCK, &data), 0, "%m");
	data = (struct kvm_clock_data){ .clock = data.clock + (uint64_t)by };
	cr_assert_eq(ioctl(vms.vm->fd, KVM_SET_CLOCK, &data), 0, "%m");
}

/* A clock set back delays; one set forward does not hasten, unless the device is kicked. */
Test(timer, kvmclock_that_is_set)
{
	const uint64_t back = (uint64_t)vmt_patience(200) * MS; /* it is set before that is over */
	struct vt_order *order = &svc.st->access[0];
	struct vt_call *began = svc_call(order, VT_MONOTONIC, 0, 0, 0);
	struct vt_call *start =
		svc_call(order, VT_START, 0, back, LX_TIMER_KVMCLOCK | LX_TIMER_REL);
	uint64_t took;

	svc.ops.kick_fd = svc_eventfd();
	svc_attach();
	set_clock(25 * (int64_t)back);
	svc_do(0);
	set_clock(-(int64_t)back);
	svc_wait_runs(1);
	expect_not_early(0, true);
	took = svc.st->run[0].mono - (uint64_t)began->ret;
	cr_expect_geq(took, 2 * back - 10 * MS, "set back by %lu ms, it took %lu ms", back / MS,
		      took / MS);

	start->b = 600 * MS;
	svc_do(0);
	set_clock(5000 * (int64_t)MS);
	svc_wait_runs(2);
	took = svc.st->run[1].mono - (uint64_t)began->ret;
	cr_expect_geq(took, 590 * MS, "hastened: it took %lu ms", took / MS);

	start->b = 600000 * MS;
	svc_do(0);
	set_clock(600000 * (int64_t)MS);
	svc_call(&svc.st->kick, VT_START, 0, svc.st->run[1].kvm + 600000 * MS, LX_TIMER_KVMCLOCK);
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1), 0);
	svc_wait_runs(3);
	expect_not_early(2, true);
}

/* Each period once, at its time, until it is cancelled. */
Test(timer, periodic)
{
	const uint64_t period = 3 * MS;
	struct vt_call *cancel = svc_call(&svc.st->access[1], VT_CANCEL, 2, 0, 0);
	const struct vt_run *run = svc.st->run;
	unsigned int tries = 20;
	uint64_t n;

	svc_call(&svc.st->access[0], VT_START, 2, period, LX_TIMER_PERIODIC);
	svc_attach();
	do { /* a timer whose op runs is not set: such a cancel is of no account here */
		svc_forget_runs();
		svc_do(0);
		svc_wait_runs(50);
		svc_do(1);
		svc_settle();
	} while (cancel->ret != 1 && --tries);
	cr_expect_eq(cancel->ret, 1);
	n = svc.st->n_runs;
	svc_expect_runs(n, 30);
	for (unsigned int i = 0; i < n && i < VT_RUNS; i++) {
		expect_not_early(i, false);
		cr_expect_eq((run[i].due - run[0].due) % period, 0, "run %u is between periods", i);
		cr_expect(!i || run[i].due > run[i - 1].due, "run %u is not after the one before",
			  i);
	}
}

/* Minimum period (<= 200 us) enforced: none is shorter, and some are as short as the kernel can. */
Test(timer, periods_have_a_minimum)
{
	const struct vt_run *run = svc.st->run;
	const uint64_t as_short = (uint64_t)vmt_patience(LX_TIMER_MIN_NS);
	unsigned int short_ones = 0, i;

	cr_assert_leq(LX_TIMER_MIN_NS, 200000);
	svc_call(&svc.st->access[0], VT_START, 0, 1, LX_TIMER_PERIODIC);
	svc_call(&svc.st->access[1], VT_CANCEL, 0, 0, 0);
	svc_attach();
	svc_do(0);
	for (i = 1; i < VT_RUNS && (i < 200 || !short_ones); i++) {
		svc_wait_runs(i + 1);
		expect_not_early(i, false);
		cr_expect_gt(run[i].due, run[i - 1].due);
		cr_expect_eq((run[i].due - run[0].due) % LX_TIMER_MIN_NS, 0);
		short_ones += run[i].due - run[i - 1].due <= as_short;
	}
	svc_do(1);
	cr_expect_gt(short_ones, 0, "no period of %u was as short as it may be", i);
}

/* A one-shot that the op starts anew each time for at once still comes only so often. */
Test(timer, rearmed_from_the_op)
{
	const struct vt_run *run = svc.st->run;
	unsigned int too_soon = 0;
	bool kept = false;

	svc.st->level = 300;
	svc_call(&svc.st->timer, VT_START_COUNTED, 5, 0, 0);
	svc_call(&svc.st->access[0], VT_START, 5, 0, 0);
	svc_attach();
	svc_do(0);
	svc_wait_runs(301);
	svc_expect_runs(301, 10);
	/*
	 * The clock is read after the time that counts; if the CPU stood still between, the gap
	 * before is as much longer.
	 */
	for (unsigned int i = 2; i < 301; i++)
		too_soon += run[i].mono - run[i - 1].mono < LX_TIMER_MIN_NS / 2 &&
			    run[i].mono - run[i - 2].mono < LX_TIMER_MIN_NS * 3 / 2;
	for (unsigned int i = 0; i < 10; i++)
		kept |= run[300].mono - run[i].mono >= (299ULL - i) * LX_TIMER_MIN_NS;
	cr_expect_leq(too_soon, (unsigned int)vmt_patience(1) / 2,
		      "%u of 300 came too soon after the one before", too_soon);
	cr_expect(kept, "300 came within %llu us", (run[300].mono - run[0].mono) / 1000);
}

Test(timer, eight_at_once)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		svc_call(&svc.st->access[0], VT_START, i, (10 - i) * MS, LX_TIMER_REL);
	svc_attach();
	svc_do(0);
	svc_wait_runs(LX_MAX_TIMERS);
	svc_expect_runs(LX_MAX_TIMERS, 20);
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++) {
		seen |= 1U << svc.st->run[i].which;
		expect_not_early(i, false);
	}
	cr_expect_eq(seen, (1U << LX_MAX_TIMERS) - 1);
}

Test(timer, cancel_pending_and_unset)
{
	struct vt_order *order = &svc.st->access[0];

	svc_call(order, VT_CANCEL, 0, 0, 0);
	svc_call(order, VT_START, 0, (uint64_t)vmt_patience(20) * MS, LX_TIMER_REL);
	svc_call(order, VT_CANCEL, 0, 0, 0);
	svc_call(order, VT_CANCEL, 0, 0, 0);
	svc_attach();
	svc_do(0);
	cr_expect_eq(order->calls[0].ret, 0, "never set");
	cr_expect_eq(order->calls[2].ret, 1, "pending");
	cr_expect_eq(order->calls[3].ret, 0, "cancelled");
	svc_expect_runs(0, (unsigned int)vmt_patience(50));
	order->n = 2;
	order->calls[1].b = MS;
	svc_do(0);
	svc_wait_runs(1);
	svc_do(0);
	cr_expect_eq(order->calls[0].ret, 0, "expired");
	svc_wait_runs(2);
}

/* While its op runs a timer is not set: it cannot be cancelled, but a period after it can. */
Test(timer, cancel_while_it_runs)
{
	struct vt_call *cancel = svc_call(&svc.st->access[1], VT_CANCEL, 0, 0, 0);
	uint64_t n, ended = 0, running = 0;

	svc_call(&svc.st->timer, VT_SPIN, 0, 200000, 0);
	svc_call(&svc.st->access[0], VT_START, 0, 1, LX_TIMER_PERIODIC);
	svc_attach();
	for (unsigned int i = 0; i < 20; i++) {
		n = svc.st->n_runs;
		svc_do(0);
		svc_wait_runs(n + 1 + i % 3);
		svc_do(1);
		running += cancel->ret == 0;
		ended += cancel->ret == 1;
		svc_settle();
		n = svc.st->n_runs;
		svc_expect_runs(n, 20);
	}
	cr_expect_eq(running + ended, 20);
	cr_expect_gt(running, 0, "no cancel met a running op");
}

Test(timer, restarted)
{
	const uint64_t soon = (uint64_t)vmt_patience(10) * MS; /* not over before the next call */
	struct vt_order *order = &svc.st->access[0];

	svc_call(order, VT_START, 0, 1000 * soon, LX_TIMER_REL);
	svc_call(order, VT_START, 0, soon, LX_TIMER_REL);
	svc_call(&svc.st->access[1], VT_START, 0, soon, LX_TIMER_REL);
	svc_call(&svc.st->access[1], VT_START, 0, 3 * soon, LX_TIMER_REL);
	svc_attach();
	svc_do(0);
	svc_wait_runs(1);
	svc_do(1);
	svc_wait_runs(2);
	svc_expect_runs(2, (unsigned int)vmt_patience(30));
	expect_not_early(0, false);
	expect_not_early(1, false);
	/* A period becomes a single shot. */
	order->calls[0].c = LX_TIMER_PERIODIC;
	order->calls[0].b = soon;
	svc_do(0);
	svc_wait_runs(3);
	svc_expect_runs(3, (unsigned int)vmt_patience(30));
}

/* Two vCPUs start and cancel one timer while it fires: afterwards it does what came last. */
Test(timer, started_and_cancelled_by_all)
{
	unsigned long n = vmt_scale(50000);

	svc_call(&svc.st->access[0], VT_START, 0, 100000, LX_TIMER_REL);
	svc_call(&svc.st->access[1], VT_START, 0, 300000, LX_TIMER_PERIODIC);
	svc_call(&svc.st->access[2], VT_CANCEL, 0, 0, 0);
	svc_attach();
	for (unsigned int i = 0; i < n; i += 200) {
		for (unsigned int v = 0; v < 2; v++) {
			vms_add(v, SCRIPT_OUT, 4, VMS_PORT, 0, 40);
			vms_add(v, SCRIPT_OUT, 4, VMS_PORT + 4, 0, 20);
			vms_add(v, SCRIPT_OUT, 4, VMS_PORT + 8, 0, 40);
		}
		vms_run();
	}
	cr_expect_gt(svc.st->n_runs, 0, "it never fired");
	svc_do(2);
	svc_settle();
	svc_expect_runs(svc.st->n_runs, 20);
	svc.st->n_runs = 0;
	svc_do(0);
	svc_wait_runs(1);
	svc_expect_runs(1, 10);
}

Test(timer, errors_of_arguments)
{
	struct vt_order *order = &svc.st->access[0];

	svc_call(order, VT_START, LX_MAX_TIMERS, MS, LX_TIMER_REL);
	svc_call(order, VT_START, ~0U, MS, LX_TIMER_REL);
	svc_call(order, VT_START, 0, MS, LX_TIMER_FLAGS + 1);
	svc_call(order, VT_START, 0, MS, 1U << 31 | LX_TIMER_REL);
	svc_call(order, VT_CANCEL, LX_MAX_TIMERS, 0, 0);
	svc_call(order, VT_CANCEL, ~0U, 0, 0);
	svc_attach();
	svc_do(0);
	for (unsigned int i = 0; i < order->n; i++)
		cr_expect_eq(order->calls[i].ret, -EINVAL, "call %u: %lld", i, order->calls[i].ret);
	svc_expect_runs(0, 20);
}

Test(timer, without_a_timer_op)
{
	struct vt_order *order = &svc.st->access[0];

	svc.ops.timer = NULL;
	svc.ops.kick_fd = svc_eventfd();
	svc_call(order, VT_START, 0, MS, LX_TIMER_REL);
	svc_call(order, VT_CANCEL, 0, 0, 0);
	svc_attach();
	svc_do(0);
	cr_expect_eq(order->calls[0].ret, -EOPNOTSUPP);
	cr_expect_eq(order->calls[1].ret, 0);
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1), 0);
	svc_expect_runs(0, 20);
	cr_expect_eq(svc.st->kick.runs, 0);
}

Test(timer, after_an_ejection)
{
	struct vt_order *order = &svc.st->access[0];

	svc.ops.handover_fd = svc_eventfd();
	svc_call(order, VT_START, 0, (uint64_t)vmt_patience(30) * MS, LX_TIMER_REL);
	svc_call(order, VT_EJECT, 5, 0, 0);
	svc_call(order, VT_START, 1, MS, LX_TIMER_REL);
	svc_attach_quietly();
	svc_do(0);
	cr_expect_eq(order->calls[0].ret, 0);
	cr_expect_eq(order->calls[2].ret, -ESHUTDOWN);
	svc_wait(svc.ops.handover_fd, "handover after an ejection");
	svc_expect_runs(0, (unsigned int)vmt_patience(60));
	/* An update does not revive it. */
	cr_assert_eq(svc_update(), 0);
	svc_expect_runs(0, 20);
	cr_expect_eq(svc.st->kick.runs, 1, "only the attach's");
}

/* LX_RETRY: called again, soon and with the same time. */
Test(timer, retries)
{
	const struct vt_run *run = svc.st->run;

	svc.st->timer.verdict = LX_RETRY;
	svc.st->timer.limit = 30;
	svc.st->timer.then = LX_HANDLED;
	svc_call(&svc.st->access[0], VT_START, 1, MS, LX_TIMER_REL);
	svc_attach_quietly();
	svc_do(0);
	svc_wait_runs(31);
	svc_settle();
	svc_expect_runs(31, 30);
	for (unsigned int i = 1; i < 31; i++)
		cr_expect(run[i].due == run[0].due && run[i].which == 1);
	cr_expect_eq(svc_info("timer", "retries"), 30);
	cr_expect_eq(svc_info("timer", "handled"), 2);
	cr_expect_eq(svc_info("timer", "errors"), 0);
	cr_expect_str_eq(svc_info_text("eject"), "0");
}

/* A period's retries do not move it. */
Test(timer, retries_of_a_period)
{
	const struct vt_run *run = svc.st->run;

	svc.st->timer.verdict = LX_RETRY;
	svc.st->timer.limit = 3;
	svc.st->timer.then = LX_HANDLED;
	svc_call(&svc.st->access[0], VT_START, 1, 5 * MS, LX_TIMER_PERIODIC);
	svc_attach();
	svc_do(0);
	svc_wait_runs(10);
	for (unsigned int i = 1; i < 10; i++) {
		cr_expect_eq((run[i].due - run[0].due) % (5 * MS), 0, "run %u", i);
		cr_expect(i > 3 || run[i].due == run[0].due, "retry %u is for another time", i);
	}
}

/* LX_RETRY bounded, then ejection with a readable reason, and handover. */
Test(timer, retries_are_bounded)
{
	uint64_t start, took;

	svc.ops.handover_fd = svc_eventfd();
	svc.st->timer.verdict = LX_RETRY;
	svc_call(&svc.st->access[0], VT_START, 6, MS, LX_TIMER_REL);
	svc_attach();
	start = svc_ns();
	svc_do(0);
	svc_wait(svc.ops.handover_fd, "handover after the last retry");
	took = svc_ns() - start;
	cr_expect_eq(svc.st->n_runs, LX_RETRY_LIMIT);
	cr_expect_geq(took, 500 * MS, "gave up after %lu ms", took / MS);
	cr_expect_eq(strtoul(svc_info_text("eject"), NULL, 10), LX_EJECT_RETRY);
	cr_expect_eq(strtoul(svc_info_text("eject_detail"), NULL, 10), 6);
	cr_expect_str_eq(svc_info_text("reason"),
			 "the timer op (6) asked for a retry 1000 times in a row");
	svc_expect_runs(LX_RETRY_LIMIT, 20);
	svc_access(0);
	vms_run();
	cr_expect_eq(vms_count().accesses, 1, "the program is still asked");
}

/* As many errors in a row as anywhere else. LX_PASS is one: there is nobody to pass to. */
Test(timer, errors_in_a_row_eject)
{
	svc.ops.handover_fd = svc_eventfd();
	svc.st->timer.verdict = LX_PASS;
	svc_call(&svc.st->access[0], VT_START, 0, (uint64_t)vmt_patience(10) * MS,
		 LX_TIMER_PERIODIC);
	svc_attach_quietly(); /* an op without an error ends the row */
	svc_do(0);
	svc_wait(svc.ops.handover_fd, "handover after errors");
	svc_expect_runs(LX_ERROR_LIMIT, 10);
	cr_expect_eq(svc_info("timer", "errors"), LX_ERROR_LIMIT);
	cr_expect_eq(strtoul(svc_info_text("eject"), NULL, 10), LX_EJECT_ERRORS);
}

Test(timer, overruns_in_a_row_eject)
{
	svc.ops.handover_fd = svc_eventfd();
	svc_call(&svc.st->timer, VT_SPIN, 0, 100000, 0);
	svc_call(&svc.st->access[0], VT_START, 0, 5 * MS, LX_TIMER_PERIODIC);
	svc_attach();
	vmt_set_param("budget_us", "1");
	svc_do(0);
	svc_wait(svc.ops.handover_fd, "handover after overruns");
	cr_expect_eq(strtoul(svc_info_text("eject"), NULL, 10), LX_EJECT_OVERRUN);
	cr_expect_geq(strtoul(svc_info_text("overruns"), NULL, 10), LX_OVERRUN_LIMIT);
}

/* A timer op's signals go the way of any op's. */
Test(timer, signals)
{
	int fd = svc_add_slot();

	svc_call(&svc.st->timer, VT_SIGNAL, 0, 0, 0);
	svc_call(&svc.st->timer, VT_SIGNAL, 9, 0, 0);
	svc_call(&svc.st->access[0], VT_START, 0, MS, LX_TIMER_REL);
	svc_attach();
	svc_do(0);
	svc_wait(fd, "of the timer op");
	svc_settle();
	cr_expect_eq(svc.st->timer.calls[1].ret, -ENOENT);
	cr_expect_eq(svc_info("timer", "signals"), 1);
	cr_expect_eq(svc_info("timer", "bad_slots"), 1);
	cr_expect_eq(svc_info("region 0", "signals"), 0);
	svc.st->timer.verdict = LX_RETRY;
	svc.st->timer.limit = 5;
	svc.st->timer.then = LX_PASS;
	svc_do(0);
	svc_wait_runs(6);
	svc_settle();
	cr_expect_eq(svc_count(fd), 0, "a retry or an error signalled");
}

/* Lx_guest_* in the timer op. */
Test(timer, no_guest_memory)
{
	svc_call(&svc.st->timer, VT_GUEST_READ, 0, VMM_HEAP_GPA, 4);
	svc_call(&svc.st->timer, VT_GUEST_WRITE, 0, VMM_HEAP_GPA, 4);
	svc_call(&svc.st->access[0], VT_START, 0, MS, LX_TIMER_REL);
	memset(svc.st->buf, 0x55, 8);
	svc_attach();
	svc_do(0);
	svc_wait_runs(1);
	svc_settle();
	cr_expect_eq(svc.st->timer.calls[0].ret, -EPERM);
	cr_expect_eq(svc.st->timer.calls[1].ret, -EPERM);
	cr_expect_eq(svc.st->buf[3], 0, "a read that failed left the buffer as it was");
	cr_expect_eq(svc.st->buf[4], 0x55, "it wrote past its end");
}

/* Ends with timers armed: of the link, of the VM, of both; nothing fires or stays afterwards. */
Test(timer, ends_with_timers_armed)
{
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		svc_call(&svc.st->access[0], VT_START, i, i * MS / 2 + 1,
			 i % 2 ? LX_TIMER_PERIODIC : LX_TIMER_KVMCLOCK | LX_TIMER_PERIODIC);
	for (unsigned int i = 0; i < 30; i++) {
		svc_attach();
		svc_do(0);
		usleep(i * 300);
		if (i % 3) {
			vms_teardown();
			usleep(1000);
		}
		svc_detach();
		svc.st->n_runs = 0;
		svc_expect_runs(0, 5);
		if (i % 3)
			vms_create(&(struct vmm_opts){ .vcpus = 2 });
		svc.ops.vm_fd = vms.vm->fd;
	}
}
