// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A state shared by programs and VMM: its lock under all who take it, its death and
 * recovery, its timers; and that the kernel never waits for user space.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lightexit/timer.h>

#include "bpf/vt_lock.h"
#include "bpf/vt_race.h"
#include "bpf/vt_svc.h"
#include "vmscript.h"

VMM_GUEST(lock);

#define VMM_ANSWER 0x5eed0000U /* a VMM that answers without the lock */
#define MIN_HANDLED 1000U

static struct lx_device *dev, *other;
static struct vt_lock_state *st;
static bool locking; /* the VMM's back end takes the lock */

static uint64_t now_ns(void)
{
	return vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
}

static uint64_t take_ticket(unsigned int actor)
{
	uint64_t ticket;

	lx_lock(&st->hdr);
	ticket = vt_lock_take(st, actor, now_ns());
	lx_unlock(&st->hdr);
	return ticket;
}

static uint64_t lock_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	return locking ? take_ticket(vcpu->index) : VMM_ANSWER;
}

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	lx_device_close(other);
	lx_device_close(dev);
	dev = NULL;
	other = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(state, .init = vms_setup, .fini = teardown, .timeout = 600);

/* The lock device, attached, with the VMM's behind it. */
static void make(unsigned int vcpus)
{
	const struct vmm_dev back_end = {
		.name = "lock",
		.space = LX_SPACE_PIO,
		.base = VT_LOCK_PORT,
		.len = VT_LOCK_LEN,
		.read = lock_read,
	};

	vms_teardown();
	vms_create(&(struct vmm_opts){ .vcpus = vcpus, .mem_size = 16UL << 20 });
	cr_assert_geq(vmm_add_dev(vms.vm, &back_end), 0);
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	dev = vmt_load(vmt_test_bpf_dir(), "vt_lock");
	st = lx_device_state(dev, NULL);
	vmt_attach(dev, vms.vm);
}

static void wait_for(const volatile __u64 *n, uint64_t want)
{
	for (int i = 0; i < vmt_patience(5000) && *n < want; i++)
		usleep(1000);
	cr_expect_geq(*n, want, "%llu runs, not %lu", *n, want);
}

/* ---- the history of many tickets */

#define MAP_BYTES (2UL << 20) /* 2^24 tickets for each actor */

/* @bits: a bit for each ticket that the thread took. */
struct hammer {
	pthread_t thread;
	uint64_t n;
	uint64_t back;
	unsigned int seed;
	uint64_t *bits;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	uint64_t last = 0, ticket;

	while (!__atomic_load_n(&st->by[VT_VCPU0], __ATOMIC_ACQUIRE))
		usleep(100); /* together with the vCPUs, however long they take to begin */
	for (uint64_t i = 0; i < h->n; i++) {
		ticket = take_ticket(VT_THREAD);
		h->back += ticket <= last;
		h->bits[ticket / 64] |= 1ULL << ticket % 64;
		last = ticket;
		for (volatile int pause = rand_r(&h->seed) % 100; pause; pause--)
			;
	}
	return NULL;
}

static bool has(const uint64_t *bits, uint64_t ticket)
{
	return bits[ticket / 64] >> ticket % 64 & 1;
}

/* Each ticket from 1 to the last was given once, to one actor. */
static void expect_all_tickets(const uint64_t *const bits[VT_ACTORS], uint64_t total)
{
	uint64_t lost = 0, twice = 0;

	for (uint64_t t = 1; t <= total; t++) {
		unsigned int n = has(bits[0], t) + has(bits[1], t) + has(bits[2], t);

		lost += !n;
		twice += n > 1;
	}
	cr_expect_eq(lost, 0, "%lu tickets were given to nobody", lost);
	cr_expect_eq(twice, 0, "%lu tickets were given twice", twice);
}

/*
 * Two vCPUs, by the program or by the VMM, and a thread of the VMM's. The history is
 * linearizable: each ticket is given once; those of an actor increase; the clock, read
 * with the lock held, increases with the tickets, so that whoever began after another one
 * had ended has the higher one.
 */
Test(state, one_at_a_time)
{
	static const uint64_t gpa[2] = { VMM_HEAP_GPA, VMM_HEAP_GPA + MAP_BYTES };
	const uint64_t *bits[VT_ACTORS];
	struct hammer h = { .n = vmt_scale(9000000), .seed = 1, .bits = calloc(1, MAP_BYTES) };
	uint64_t reads = vmt_scale(500000), total = 2 * reads + h.n;
	struct vt_lock_params *p;
	struct lx_stats s;

	make(2);
	locking = true;
	p = vmm_params(vms.vm);
	*p = (struct vt_lock_params){ .reads = reads, .vcpus = 2, .map = { gpa[0], gpa[1] } };
	cr_assert(total < MAP_BYTES * 8 && h.bits);
	for (unsigned int i = 0; i < 2; i++) {
		bits[i] = vmm_mem(vms.vm, gpa[i], MAP_BYTES);
		cr_assert_not_null(bits[i]);
	}
	bits[VT_THREAD] = h.bits;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(lock)), 0);
	cr_assert_eq(pthread_create(&h.thread, NULL, hammer, &h), 0);
	cr_assert_eq(vmm_run(vms.vm, 540000), 0);
	pthread_join(h.thread, NULL);

	expect_all_tickets(bits, total);
	cr_expect_eq(st->ticket, total);
	cr_expect_eq(st->overlaps, 0, "%u times somebody else was inside", st->overlaps);
	cr_expect_eq(st->torn, 0, "%u times a ticket was half taken", st->torn);
	cr_expect_eq(st->backward, 0, "%u tickets were out of time's order", st->backward);
	cr_expect(!p->back[0] && !p->back[1] && !h.back, "an actor's own tickets go back");
	cr_expect(!p->twice[0] && !p->twice[1], "a vCPU got a ticket twice");
	cr_expect(st->by[VT_VCPU0] == reads && st->by[VT_VCPU1] == reads);
	cr_expect_eq(st->by[VT_THREAD], h.n);
	s = vmt_stats(dev);
	cr_expect_eq(s.regions[0].handled, st->handled);
	cr_expect_eq(s.regions[0].handled + s.regions[0].passed, 2 * reads);
	cr_expect(st->handled >= MIN_HANDLED && st->handled >= 2 * reads / 5, "%llu of %lu handled",
		  st->handled, 2 * reads);
	cr_expect_geq(s.regions[0].passed, 10, "%lu passed", s.regions[0].passed);
	free(h.bits);
}

/* ---- nobody waits for user space in the kernel */

/* The access ends, by the VMM, while this very thread has the lock all the time. */
Test(state, held_lock_passes)
{
	const struct script_op *op;

	make(1);
	lx_lock(&st->hdr);
	for (unsigned int i = 0; i < 20; i++) {
		op = vms_in(4, VT_LOCK_PORT);
		vms_run();
		cr_assert_eq(op->data, VMM_ANSWER);
	}
	cr_expect_eq(vmt_stats(dev).regions[0].passed, 20);
	cr_expect_eq(st->ticket, 0);
	lx_unlock(&st->hdr);
	op = vms_in(4, VT_LOCK_PORT);
	vms_run();
	cr_expect_eq(op->data, 1, "free again, the program answers");
}

/* A state whose time stands still passes too, and is handled again when it goes on. */
Test(state, frozen_passes)
{
	const struct script_op *op;

	make(1);
	lx_state_freeze(&st->hdr, now_ns());
	op = vms_in(4, VT_LOCK_PORT);
	vms_run();
	cr_expect_eq(op->data, VMM_ANSWER);
	cr_expect_eq(st->hdr.lock, LX_LOCK_FREE, "the program gave the lock back");
	lx_state_thaw(&st->hdr, now_ns());
	op = vms_in(4, VT_LOCK_PORT);
	vms_run();
	cr_expect_eq(op->data, 1);
}

/* ---- a thread of the highest priority */

/* It meets the lock held so often; in so many rounds at the most. */
#define FIFO_MET 100U
#define FIFO_ROUNDS 30000U

static uint32_t fifo_met, low_stop;

static void busy(uint64_t ns)
{
	for (uint64_t end = now_ns() + ns; now_ns() < end;)
		;
}

/* Has the lock most of the time, and is preempted with it. */
static void *low(void *unused)
{
	while (!__atomic_load_n(&low_stop, __ATOMIC_RELAXED)) {
		lx_lock(&st->hdr);
		busy(300000);
		lx_unlock(&st->hdr);
		busy(50000);
	}
	return NULL;
}

static void *fifo(void *unused)
{
	const struct sched_param param = { .sched_priority = 50 };
	struct timespec ts = { .tv_nsec = 200000 };

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param))
		return (void *)1;
	for (unsigned int i = 0; i < FIFO_ROUNDS && fifo_met < FIFO_MET; i++) {
		nanosleep(&ts, NULL);
		if (lx_trylock(&st->hdr)) {
			lx_unlock(&st->hdr);
			continue;
		}
		fifo_met++;
		take_ticket(VT_THREAD);
	}
	return NULL;
}

/*
 * On one CPU: a vCPU whose program takes the lock, a thread that is preempted with it, and
 * one of SCHED_FIFO that wants it. Whoever only spun would keep the holder off the CPU, for
 * a second each time on kernels that then let others run.
 */
Test(state, fifo_thread_on_the_vcpus_cpu)
{
	pthread_t threads[2];
	cpu_set_t cpus;
	void *failed;
	uint64_t start;

	make(1);
	locking = true;
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	cr_assert_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0, "threads inherit it");
	vms_add(0, SCRIPT_IN, 4, VT_LOCK_PORT, 0, 1000000);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
	start = now_ns();
	cr_assert_eq(pthread_create(&threads[0], NULL, low, NULL), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, fifo, NULL), 0);
	pthread_join(threads[1], &failed);
	__atomic_store_n(&low_stop, 1, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	cr_expect_null(failed, "no SCHED_FIFO");
	cr_expect_geq(fifo_met, FIFO_MET, "it met the lock held %u times only", fifo_met);
	cr_expect_lt(now_ns() - start, 60ULL * 1000000000, "%lu ms", (now_ns() - start) / 1000000);
	wait_for(&st->handled, 1); /* the program takes the lock, too */
	vmm_stop(vms.vm);
	vmm_join(vms.vm, VMS_TIMEOUT_MS);
	cr_expect_eq(st->overlaps, 0);
}

/* ---- death and recovery */

static void die_locked(void)
{
	struct vt_lock_state *s;
	struct lx_device *d;

	if (lx_device_from_fds(lx_device_fd(dev, LX_FD_STATE), -1, &d))
		_exit(1);
	s = lx_device_state(d, NULL);
	lx_lock(&s->hdr);
	lx_write_begin(&s->hdr);
	s->inside = 1;
	kill(getpid(), SIGKILL);
}

/* The VMM dies in the middle; programs pass; the next VMM is told, and recovers. */
Test(state, vmm_killed_with_the_lock)
{
	const struct script_op *op;
	int status;
	pid_t pid;

	make(1);
	pid = fork();
	if (!pid)
		die_locked();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
	op = vms_in(4, VT_LOCK_PORT);
	vms_run();
	cr_expect_eq(op->data, VMM_ANSWER);
	vmt_log_clear();
	cr_assert_eq(lx_device_from_fds(lx_device_fd(dev, LX_FD_STATE), -1, &other), 0, "%s",
		     vmt_log());
	cr_expect(strstr(vmt_log(), "generation 2 of its VMM ended while it had the lock"), "%s",
		  vmt_log());
	cr_expect(strstr(vmt_log(), "reset or restore the device"), "%s", vmt_log());
	cr_expect_eq(st->hdr.owner, 3);
	cr_expect_eq(st->inside, 1, "what it was changing is as it left it");
	st->inside = 0;
	op = vms_in(4, VT_LOCK_PORT);
	vms_run();
	cr_expect_eq(op->data, 1, "programs answer again");
}

/* A VMM that dies without the lock is followed in silence. */
Test(state, vmm_killed_in_peace)
{
	int status;
	pid_t pid;

	make(1);
	pid = fork();
	if (!pid) {
		if (!lx_device_from_fds(lx_device_fd(dev, LX_FD_STATE), -1, &other))
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFSIGNALED(status));
	vmt_log_clear();
	cr_assert_eq(lx_device_from_fds(lx_device_fd(dev, LX_FD_STATE), -1, &other), 0);
	cr_expect_str_empty(vmt_log());
	cr_expect_eq(st->hdr.owner, 3);
}

/* ---- eventfds by the library */

static int efd[3]; /* slot 3, handover, kick */

static uint64_t count(int fd)
{
	eventfd_t n;

	return eventfd_read(fd, &n) ? 0 : n;
}

static void signal_once(const struct vt_svc_state *svc, int64_t ret, uint64_t signals)
{
	vms_out(4, VMS_PORT, 0);
	vms_run();
	cr_expect_eq(svc->access[0].calls[0].ret, ret, "lx_signal(): %lld",
		     svc->access[0].calls[0].ret);
	cr_expect_eq(count(efd[0]), signals);
}

/* What lx_device_set_eventfds() was given reaches slot, kick and handover; a move keeps it. */
Test(state, eventfds_by_the_library)
{
	const struct lx_region moved = { .addr = VMS_PORT, .len = 8, .space = LX_SPACE_PIO };
	struct lx_eventfds e = { .sz = sizeof(e), .n = 4 };
	struct vt_svc_state *svc;
	uint64_t runs;

	for (unsigned int i = 0; i < 3; i++)
		efd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dev = vmt_load(vmt_test_bpf_dir(), "vt_svc");
	svc = lx_device_state(dev, NULL);
	svc->access[0].n = 1;
	svc->access[0].calls[0] = (struct vt_call){ .what = VT_SIGNAL, .a = 3 };
	e.slots[3] = efd[0];
	e.handover_fd = efd[1];
	e.kick_fd = efd[2];
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "%s", vmt_log());
	vmt_attach(dev, vms.vm);
	wait_for(&svc->kick.runs, 1);
	signal_once(svc, 0, 1);
	runs = svc->kick.runs;
	eventfd_write(efd[2], 1);
	wait_for(&svc->kick.runs, runs + 1);
	cr_assert_eq(lx_device_move(dev, vms.vm->fd, &moved, 1), 0, "%s", vmt_log());
	signal_once(svc, 0, 1);
	cr_expect_eq(count(efd[1]), 0, "a move hands nothing over");
	cr_assert_eq(lx_device_detach(dev), 0);
	cr_expect_eq(count(efd[1]), 1, "a detach does");

	/* Attached again with none. */
	cr_assert_eq(lx_device_set_eventfds(dev, NULL), 0);
	vmt_attach(dev, vms.vm);
	signal_once(svc, -ENOENT, 0);
}

/* ---- timers that fire once, whoever looks first */

static struct vt_race_state *race;

static bool race_claim(void)
{
	bool claimed;
	int64_t now;

	lx_lock(&race->hdr);
	now = lx_device_time(&race->hdr, now_ns());
	claimed = now >= 0 && lx_timer_claim(&race->timer, (uint64_t)now);
	race->by_vmm += claimed;
	lx_unlock(&race->hdr);
	return claimed;
}

/* So many rounds, and until each has fired its part: who is faster depends on the machine. */
static bool race_over(uint64_t done, uint64_t rounds)
{
	bool both = race->by_program >= rounds / 20 && race->by_vmm >= rounds / 20;

	return done >= rounds && (both || done >= 20 * rounds);
}

/* Armed again and again; program and VMM both watch it, and one of them fires it each time. */
Test(state, timer_fires_once)
{
	struct lx_eventfds e = { .sz = sizeof(e) };
	uint64_t rounds = vmt_scale(10000), i, due;
	unsigned int seed = 1;

	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	e.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dev = vmt_load(vmt_test_bpf_dir(), "vt_race");
	race = lx_device_state(dev, NULL);
	lx_state_start(&race->hdr, LX_CLOCK_MONOTONIC, now_ns());
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "%s", vmt_log());
	vmt_attach(dev, vms.vm);
	for (i = 0; !race_over(i, rounds); i++) {
		lx_lock(&race->hdr);
		due = (uint64_t)lx_device_time(&race->hdr, now_ns()) + rand_r(&seed) % 400000;
		lx_timer_arm(&race->timer, due);
		lx_unlock(&race->hdr);
		eventfd_write(e.kick_fd, 1);
		/* The VMM looks at the due time, or somewhat later. */
		due += race->hdr.epoch_ns + rand_r(&seed) % 400000;
		while (now_ns() < due)
			;
		race_claim();
		lx_lock(&race->hdr);
		cr_assert_eq(race->timer.armed, 0, "round %lu: nobody fired it", i);
		cr_assert_eq(race->timer.fired, i + 1, "round %lu: fired %u times", i,
			     race->timer.fired);
		lx_unlock(&race->hdr);
	}
	cr_expect_eq(race->by_program + race->by_vmm, i);
	cr_expect_geq(race->by_program, rounds / 20, "%llu by the program", race->by_program);
	cr_expect_geq(race->by_vmm, rounds / 20, "%llu by the VMM", race->by_vmm);
	cr_expect_eq(race->early, 0, "%llu too early", race->early);
}
