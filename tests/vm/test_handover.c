// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A timer that a program promised the guest outlives the program: whoever ends it,
 * and wherever, the VMM takes over on the handover eventfd, and the program again when
 * it is attached; the timer fires exactly once. And nothing is left of those that were
 * killed with timers armed.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "bpf/vt_once.h"
#include "svc.h"

/* How a device's programs end. */
enum manner {
	DETACH,
	EJECT,
	KILL_LOADER,
	SWITCH_OFF,
	UPDATE,
	MANNERS,
};

/* The device. @timer_fd, @stop_fd: the back end's, whose thread is @back_end. */
static struct {
	struct vt_once_state *st;
	struct vmr_prog prog;
	struct lightexit_ops ops;
	int link;
	pid_t loader;
	int timer_fd;
	int stop_fd;
	pthread_t back_end;
	uint64_t handovers;
} once;

static int64_t device_ns(void)
{
	return lx_device_time(&once.st->hdr, svc_ns());
}

/* The state's lock is held. */
static void back_end_arm(void)
{
	uint64_t at = once.st->hdr.epoch_ns + once.st->timer.due_ns;
	const struct itimerspec its = {
		.it_value = { (time_t)(at / 1000000000), (long)(at % 1000000000) },
	};

	cr_assert_eq(timerfd_settime(once.timer_fd, TFD_TIMER_ABSTIME, &its, NULL), 0, "%m");
}

/* What the VMM does when it is told to take over, and when its own timer expires. */
static void *back_end(void *arg)
{
	struct pollfd p[] = {
		{ .fd = once.ops.handover_fd, .events = POLLIN },
		{ .fd = once.timer_fd, .events = POLLIN },
		{ .fd = once.stop_fd, .events = POLLIN },
	};
	struct vt_once_state *st = once.st;
	uint64_t expired;

	while (poll(p, 3, -1) > 0 && !p[2].revents) {
		lx_lock(&st->hdr);
		if (p[0].revents && svc_count(p[0].fd)) {
			once.handovers++;
			if (st->timer.armed)
				back_end_arm();
		}
		if (p[1].revents && read(p[1].fd, &expired, sizeof(expired)) > 0 &&
		    lx_timer_claim(&st->timer, (uint64_t)device_ns()))
			st->by_vmm++;
		lx_unlock(&st->hdr);
	}
	return NULL;
}

/*
 * The guest's write reached the VMM: it does what the program would. If no program is
 * attached nobody else looks after the timer, so it is the VMM's, too.
 */
static void back_end_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			   uint64_t val)
{
	struct vt_once_state *st = once.st;
	bool armed;

	lx_lock(&st->hdr);
	armed = st->timer.armed;
	if (!armed) {
		lx_timer_arm(&st->timer, (uint64_t)device_ns() + st->delay_ns);
		st->armed++;
		back_end_arm();
	}
	lx_unlock(&st->hdr);
	if (!armed)
		eventfd_write(once.ops.kick_fd, 1);
}

static void setup(void)
{
	const struct vmm_dev dev = {
		.name = "once",
		.space = LX_SPACE_PIO,
		.base = VMS_PORT + VMS_PORTS,
		.len = 4,
		.write = back_end_write,
	};

	vmt_init();
	vms_create(&(struct vmm_opts){ .vcpus = 1 });
	cr_assert_geq(vmm_add_dev(vms.vm, &dev), 0);
	vmr_init();
	vmr_load(&once.prog, "vt_once", sizeof(*once.st));
	once.st = once.prog.state;
	lx_state_start(&once.st->hdr, LX_CLOCK_MONOTONIC, svc_ns());
	once.link = -1;
	once.ops = vmr_ops(vms.vm->fd);
	once.ops.regions[0].addr = dev.base;
	once.ops.regions[0].len = dev.len;
	vmr_set_ops(&once.ops, &once.prog);
	once.ops.handover_fd = svc_eventfd();
	once.ops.kick_fd = svc_eventfd();
	once.stop_fd = svc_eventfd();
	once.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	cr_assert_geq(once.timer_fd, 0, "%m");
	cr_assert_eq(pthread_create(&once.back_end, NULL, back_end, NULL), 0);
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	if (vms.vm) {
		vmm_stop(vms.vm);
		vmm_join(vms.vm, -1);
	}
	eventfd_write(once.stop_fd, 1);
	pthread_join(once.back_end, NULL);
	if (once.link >= 0)
		close(once.link);
	vms_teardown();
	vmr_unload(&once.prog);
	vmr_exit();
	vmt_set_param("enable", "Y");
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
	vmt_wait_module_refs(0);
}

TestSuite(handover, .init = setup, .fini = teardown, .timeout = 900);

static void kill_child(pid_t pid)
{
	int status;

	cr_assert_eq(kill(pid, SIGKILL), 0, "%m");
	cr_assert_eq(waitpid(pid, &status, 0), pid, "%m");
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended with %#x",
		  status);
}

/* A process whose link this is. */
static void attach_in_child(void)
{
	char ok = 0;
	int fds[2];

	cr_assert_eq(pipe(fds), 0, "%m");
	once.loader = fork();
	cr_assert_geq(once.loader, 0, "%m");
	if (!once.loader) {
		int link = vmr_attach(&once.ops);

		if (link < 0)
			fprintf(stderr, "loader: attach: %d\n", link);
		else if (write(fds[1], "1", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	cr_assert_eq(read(fds[0], &ok, 1), 1, "the loader did not attach");
	close(fds[0]);
}

static void attach(enum manner manner)
{
	if (manner == KILL_LOADER) {
		attach_in_child();
		return;
	}
	once.link = vmr_attach(&once.ops);
	cr_assert_geq(once.link, 0, "attach: %d", once.link);
}

static void detach(void)
{
	if (once.loader) {
		kill_child(once.loader);
		once.loader = 0;
		/* Its link goes when the kernel has cleared it away. */
		return;
	}
	close(once.link);
	once.link = -1;
}

static void random_delay(unsigned int us)
{
	usleep((unsigned int)random() % us);
}

/* Ends what @manner ends; the device is detached afterwards, whoever did it. */
static void end_device(enum manner manner)
{
	struct lightexit_ops ops = once.ops;

	switch (manner) {
	case EJECT:
		__atomic_store_n(&once.st->eject, 1, __ATOMIC_SEQ_CST);
		eventfd_write(once.ops.kick_fd, 1);
		random_delay(2000);
		break;
	case SWITCH_OFF:
		vmt_set_param("enable", "N");
		random_delay(2000);
		if (random() % 2) {
			vmt_set_param("enable", "Y");
			random_delay(2000);
		}
		break;
	case UPDATE:
		ops.handover_fd = 0;
		ops.kick_fd = 0;
		cr_assert_eq(vmr_update(once.link, &ops), 0);
		random_delay(2000);
		break;
	default:
		break;
	}
	detach();
	__atomic_store_n(&once.st->eject, 0, __ATOMIC_SEQ_CST);
	if (manner == SWITCH_OFF)
		vmt_set_param("enable", "Y");
}

/* As a VMM that changes the state's timers: under the lock, then a kick. */
static void arm(uint64_t delay_ns)
{
	struct vt_once_state *st = once.st;

	lx_lock(&st->hdr);
	cr_assert_eq(st->timer.armed, 0);
	lx_timer_arm(&st->timer, (uint64_t)device_ns() + delay_ns);
	st->armed++;
	lx_unlock(&st->hdr);
	eventfd_write(once.ops.kick_fd, 1);
}

static uint64_t fired(void)
{
	return __atomic_load_n(&once.st->timer.fired, __ATOMIC_ACQUIRE);
}

static void expect_fired(uint64_t want, enum manner manner)
{
	uint64_t end = svc_ns() + SVC_TIMEOUT_MS * MS, by;
	struct vt_once_state *st = once.st;
	uint32_t armed;

	while (fired() < want && svc_ns() < end)
		usleep(200);
	lx_lock(&st->hdr); /* whoever fired it has counted it */
	armed = st->timer.armed;
	by = st->by_program + st->by_vmm;
	lx_unlock(&st->hdr);
	cr_assert_eq(fired(), want, "fired %lu times, armed %lu times; the program was ended by %d",
		     fired(), want, manner);
	cr_assert_eq(armed, 0);
	cr_assert_eq(by, want);
}

static void seed_random(void)
{
	unsigned int seed = (unsigned int)svc_ns();

	cr_log_info("seed %u", seed);
	srandom(seed);
}

/*
 * One point. The programs are ended about when the timer is due; half of the time they
 * are back before the VMM has looked, or before it is due.
 */
static void at_a_random_point(uint64_t n)
{
	enum manner manner = (enum manner)((unsigned int)random() % MANNERS);

	attach(manner);
	arm((uint64_t)random() % ((uint64_t)vmt_patience(8) * MS));
	random_delay(vmt_patience(4000));
	end_device(manner);
	if (random() % 2) {
		random_delay(2000);
		attach(DETACH);
		expect_fired(n, manner);
		detach();
	} else {
		expect_fired(n, manner);
	}
}

/* Exactly once, at 1,000 random detach, eject, SIGKILL-of-loader points. */
Test(handover, exactly_once)
{
	unsigned long n = vmt_scale(1000);

	seed_random();
	for (unsigned long i = 1; i <= n; i++)
		at_a_random_point(i);
	cr_log_info("%llu by the program, %llu by the VMM, %lu handovers", once.st->by_program,
		    once.st->by_vmm, once.handovers);
	usleep(20000);
	cr_expect_eq(fired(), n);
	cr_expect_gt(once.st->by_program, n / 20, "the program fired %llu", once.st->by_program);
	cr_expect_gt(once.st->by_vmm, n / 20, "the VMM fired %llu", once.st->by_vmm);
	cr_expect_geq(once.handovers, n / 2);
}

/* The same with a guest that arms the timer whenever it is not armed. */
Test(handover, exactly_once_under_load)
{
	unsigned long n = vmt_scale(500);
	struct vt_once_state *st = once.st;
	uint64_t armed = 0;

	seed_random();
	st->delay_ns = MS;
	vms_add(0, SCRIPT_OUT, 4, once.ops.regions[0].addr, 0, ~0ULL);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
	for (unsigned long i = 0; i < n; i++) {
		enum manner manner = (enum manner)((unsigned int)random() % MANNERS);

		attach(manner);
		random_delay(8000);
		end_device(manner);
		armed = __atomic_load_n(&st->armed, __ATOMIC_ACQUIRE);
		svc_wait_for((const uint64_t *)&st->armed, armed + 1, "arms: a timer was lost");
	}
	vmm_stop(vms.vm);
	cr_assert_eq(vmm_join(vms.vm, SVC_TIMEOUT_MS), -ECANCELED);
	attach(DETACH);
	expect_fired(st->armed, DETACH);
	detach();
	cr_log_info("%llu arms, %llu by the program, %llu by the VMM", st->armed, st->by_program,
		    st->by_vmm);
	cr_expect_gt(st->by_program, 0);
	cr_expect_gt(st->by_vmm, 0);
}

/* When detach returns, the handover is there and no timer op runs any more. */
Test(handover, detach_is_over_when_it_returns)
{
	unsigned long n = vmt_scale(300);
	struct vt_once_state *st = once.st;
	uint64_t ops;

	for (unsigned long i = 0; i < n; i++) {
		uint64_t before = __atomic_load_n(&once.handovers, __ATOMIC_ACQUIRE);

		attach(DETACH);
		arm((uint64_t)random() % MS);
		random_delay(1000);
		detach();
		ops = __atomic_load_n(&st->ops, __ATOMIC_ACQUIRE);
		svc_wait_for(&once.handovers, before + 1, "handovers");
		expect_fired(i + 1, DETACH);
		cr_assert_eq(st->ops, ops, "a timer op ran after the detach");
	}
}

/* The VM's end hands over, too: a VMM may keep the state for its next VM. */
Test(handover, end_of_the_vm)
{
	attach(DETACH);
	arm(4000 * MS); /* far longer than the end takes */
	usleep(10000);
	vms_teardown();
	svc_wait_for(&once.handovers, 1, "handovers");
	expect_fired(1, DETACH);
	cr_expect_eq(once.st->by_vmm, 1);
}

/*
 * Processes with timers armed, for the tests below: what they do until they are killed.
 * access[1] is for guests of them that have a second vCPU.
 */
static void arm_all(void)
{
	struct vt_svc_state *st = svc.st;

	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		svc_call(&st->access[0], VT_START, i, 100000 + i * 70000,
			 i % 2 ? LX_TIMER_PERIODIC : LX_TIMER_REL | LX_TIMER_KVMCLOCK);
	svc_call(&st->kick, VT_START, 0, 200000, LX_TIMER_PERIODIC);
	svc_call(&st->timer, VT_SIGNAL, 0, 0, 0);
	svc_call(&st->timer, VT_START, 2, MS / 2, LX_TIMER_REL);
	svc_call(&st->access[1], VT_GUEST_READ, 0, VMM_PARAMS_GPA, 8);
	svc_call(&st->access[1], VT_GUEST_WRITE, 0, VMM_PARAMS_GPA + 8, 8);
	svc_call(&st->access[1], VT_SIGNAL, 0, 0, 0);
}

/* Attaches, over and over, to the VM that it was born with. */
static void loader(void)
{
	for (unsigned int i = 0;; i++) {
		int link = vmr_attach(&svc.ops);

		if (link < 0)
			_exit(2);
		usleep(1000 + i % 7 * 3000);
		close(link);
	}
}

/* Until the program has run for both vCPUs once more. Asserts nothing. */
static bool is_running(void)
{
	uint64_t end = svc_ns() + SVC_TIMEOUT_MS * MS;

	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t *runs = (const uint64_t *)&svc.st->access[i].runs;
		uint64_t before = __atomic_load_n(runs, __ATOMIC_ACQUIRE);

		while (__atomic_load_n(runs, __ATOMIC_ACQUIRE) == before && svc_ns() < end)
			usleep(500);
	}
	return svc_ns() < end;
}

static void vmm(int pids)
{
	pid_t pid;

	svc_machine(2, VMM_IRQCHIP_KERNEL);
	svc_irqfd(svc_add_slot(), 21, -1);
	svc.ops.kick_fd = svc_eventfd();
	svc.ops.handover_fd = svc_eventfd();
	pid = fork();
	if (!pid)
		loader();
	if (pid < 0)
		_exit(1);
	/* No assertion from here on: a message of Criterion's that is cut short ends its runner. */
	vms_add(0, SCRIPT_OUT, 4, VMS_PORT, 0, ~0ULL);
	vms_add(1, SCRIPT_OUT, 4, VMS_PORT + 4, 1, ~0ULL);
	vms_load();
	if (vmm_start(vms.vm) || !is_running() || write(pids, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;) {
		eventfd_write(svc.ops.kick_fd, 1);
		usleep(700);
	}
}

static void wait_killed(pid_t pid, const char *who)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid, "%s: %m", who);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the %s ended with %#x", who,
		  status);
}

static void kill_both_somewhere(void)
{
	pid_t vmm_pid, loader_pid = 0;
	bool first;
	int fds[2];

	cr_assert_eq(pipe(fds), 0, "%m");
	vmm_pid = fork();
	cr_assert_geq(vmm_pid, 0, "%m");
	if (!vmm_pid) {
		close(fds[0]);
		vmm(fds[1]);
	}
	close(fds[1]);
	cr_assert_eq(read(fds[0], &loader_pid, sizeof(loader_pid)), sizeof(loader_pid),
		     "the VMM did not come up");
	random_delay(40000);
	first = random() % 2;
	cr_assert_eq(kill(first ? loader_pid : vmm_pid, SIGKILL), 0, "%m");
	random_delay(5000);
	cr_assert_eq(kill(first ? vmm_pid : loader_pid, SIGKILL), 0, "%m");
	wait_killed(vmm_pid, "VMM");
	wait_killed(loader_pid, "loader");
	close(fds[0]);
}

static void kill_setup(void)
{
	svc_load();
	arm_all();
	/* The loader is the VMM's child; who inherits it waits for it. */
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0, "%m");
}

TestSuite(killed, .init = kill_setup, .fini = svc_teardown, .timeout = 900);

/*
 * SIGKILL of VMM and of loader at random points with timers armed, an irqfd signalled and
 * guest memory read and written: nothing is left.
 */
Test(killed, with_services_in_use)
{
	unsigned long n = vmt_scale(200);

	seed_random();
	for (unsigned long i = 0; i < n; i++) {
		kill_both_somewhere();
		if (i % 10 == 9) /* maps are freed after several grace periods */
			vmt_wait_module_refs(svc.refs);
	}
	cr_expect_gt(svc.st->n_runs, 0, "no timer fired");
	cr_expect_gt(svc.st->access[1].runs, n, "%llu accesses of memory", svc.st->access[1].runs);
	for (unsigned int i = 0; i < svc.st->access[1].n; i++)
		cr_expect_eq(svc.st->access[1].calls[i].ret, 0, "call %u: %lld", i,
			     svc.st->access[1].calls[i].ret);
}

/* Tests of the module's end; the device is attached past the library. */
static void unload_setup(void)
{
	svc_setup(1, VMM_IRQCHIP_NONE);
	arm_all();
	svc_attach();
	svc_do(0);
}

TestSuite(unload_armed, .init = unload_setup, .timeout = 120);

/* Module unload with timers armed: refused while attached, clean afterwards. */
Test(unload_armed, refused_and_clean)
{
	svc_wait_runs(1);
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "attached, with timers that fire");
	svc_teardown();
	cr_assert_eq(vmt_unload(), 0);
	vmt_reload();
}
