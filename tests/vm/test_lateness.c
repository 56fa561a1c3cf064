// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How late timers are: one of a program, and one of the VMM by its timerfd path (irqtimer.h),
 * in turns, half a period apart. None is early; the program's are no later, for 99 of 100.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "irqtimer.h"
#include "svc.h"

#define PERIOD (MS / 2)
/* At a time: of so many runs vt_svc keeps a diary. */
#define ROUND 1000U

/* @n of @late are known; in nanoseconds. */
struct series {
	uint64_t n;
	int64_t *late;
};

/* The VMM's timer. @expired: in this round */
static struct {
	struct lx_state hdr;
	struct lx_timer timer;
	struct vmm_irqtimer irq;
	struct vmm_loop *loop;
	uint64_t expired;
	struct series series;
} vmm;

static void setup(void)
{
	svc_setup(1, VMM_IRQCHIP_NONE);
	memset(&vmm, 0, sizeof(vmm));
}

static void teardown(void)
{
	vmm_irqtimer_fini(&vmm.irq);
	vmm_loop_free(vmm.loop);
	svc_teardown();
}

TestSuite(lateness, .init = setup, .fini = teardown, .timeout = 600);

/* On the loop's thread. What is missed is left out, as the kernel does it. */
static bool expire(void *opaque, uint64_t ns)
{
	uint64_t due = vmm.timer.due_ns;

	if (!vmm.timer.armed)
		return false;
	vmm.series.late[vmm.series.n] = (int64_t)(ns - due);
	if (!lx_timer_claim(&vmm.timer, ns))
		return false;
	vmm.series.n++;
	if (++vmm.expired < ROUND)
		lx_timer_arm(&vmm.timer, due + ((ns - due) / PERIOD + 1) * PERIOD);
	__atomic_store_n(&vmm.expired, vmm.expired, __ATOMIC_RELEASE);
	return true;
}

static void make_vmm_timer(void)
{
	lx_state_init(&vmm.hdr, sizeof(vmm.hdr));
	lx_state_start(&vmm.hdr, LX_CLOCK_MONOTONIC, svc_ns());
	vmm.irq = (struct vmm_irqtimer){
		.vm = vms.vm,
		.name = "timer",
		.hdr = &vmm.hdr,
		.timer = &vmm.timer,
		.irq_fd = svc_eventfd(),
		.kick_fd = -1,
		.handover_fd = -1,
		.expire = expire,
	};
	cr_assert_eq(vmm_loop_new(&vmm.loop), 0);
	cr_assert_eq(vmm_irqtimer_init(&vmm.irq, vmm.loop), 0);
}

/* Has the program's kick make one call, and waits for it. */
static void kick(enum vt_what what)
{
	uint64_t runs = svc.st->kick.runs;

	svc.st->kick.calls[0].what = what;
	cr_assert_eq(eventfd_write(svc.ops.kick_fd, 1), 0, "%m");
	svc_wait_for((const uint64_t *)&svc.st->kick.runs, runs + 1, "kicks");
}

static void start_round(void)
{
	svc_forget_runs();
	kick(VT_START);
	svc_wait_runs(1);
	lx_lock(&vmm.hdr);
	vmm.expired = 0;
	lx_timer_arm(&vmm.timer, svc.st->run[0].due + 5 * PERIOD / 2 - vmm.hdr.epoch_ns);
	vmm_irqtimer_changed(&vmm.irq);
	lx_unlock(&vmm.hdr);
}

static void end_round(struct series *program)
{
	svc_wait_runs(ROUND);
	svc_wait_for(&vmm.expired, ROUND, "the VMM's timers");
	kick(VT_CANCEL);
	for (unsigned int i = 0; i < ROUND; i++) {
		const struct vt_run *run = &svc.st->run[i];

		program->late[program->n++] = (int64_t)(run->mono - run->due);
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts; none is less than 0. */
static void judge(struct series *s, const char *who)
{
	qsort(s->late, s->n, sizeof(s->late[0]), compare);
	cr_expect_geq(s->late[0], 0, "%s: early by %ld ns", who, -s->late[0]);
	cr_log_info("%s: %lu expiries, late by %ld ns (median), %ld (p99), %ld (max)", who, s->n,
		    s->late[s->n / 2], s->late[s->n * 99 / 100], s->late[s->n - 1]);
}

static void attach(void)
{
	make_vmm_timer();
	svc.ops.kick_fd = svc_eventfd();
	svc_add_slot();
	svc_call(&svc.st->kick, VT_CANCEL, 0, PERIOD, LX_TIMER_PERIODIC);
	svc_call(&svc.st->timer, VT_SIGNAL, 0, 0, 0);
	svc_attach();
	svc_wait_for((const uint64_t *)&svc.st->kick.runs, 1, "the attach's kick");
}

/* Whether the program's are not above the VMM's. @least: of each; whole rounds */
static bool measure(uint64_t least)
{
	const uint64_t expiries = (least + ROUND - 1) / ROUND * ROUND;
	struct series program = { 0 };
	bool not_above;

	vmm.series.n = 0;
	program.late = calloc(expiries, sizeof(*program.late));
	vmm.series.late = calloc(expiries, sizeof(*program.late));
	cr_assert(program.late && vmm.series.late);
	while (program.n < expiries) {
		start_round();
		end_round(&program);
	}
	judge(&program, "program");
	judge(&vmm.series, "VMM");
	not_above = program.late[expiries * 99 / 100] <= vmm.series.late[expiries * 99 / 100];
	free(program.late);
	free(vmm.series.late);
	return not_above;
}

/* Where the whole machine stands still at times it is chance whom that hits more. */
static void measure_fairly(uint64_t expiries)
{
	unsigned int tries = 5;

	while (!measure(expiries) && --tries)
		cr_log_info("once more");
	cr_expect(tries, "the program's p99 is above the VMM's, each time");
}

/* While no vCPU runs. */
Test(lateness, while_idle)
{
	attach();
	measure_fairly(vmt_scale(100000));
}

/* While one is in and out of the program all the time. */
Test(lateness, while_a_vcpu_is_busy)
{
	attach();
	vms_add(0, SCRIPT_OUT, 4, VMS_PORT + 4, 0, ~0ULL);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
	measure_fairly(vmt_scale(10000));
	vmm_stop(vms.vm);
	vmm_join(vms.vm, SVC_TIMEOUT_MS);
}
