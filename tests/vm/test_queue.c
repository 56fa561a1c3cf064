// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Queued writes: the VMM sees each vCPU's writes in that vCPU's order, whether they were
 * queued or passed, on both buses; those of several vCPUs in an order that the guest's
 * own synchronisation allows; all before any later exit; none lost or doubled; and the
 * doorbell alone brings the last ones.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "loop.h"
#include "queue.h"
#include "vmscript.h"

VMM_GUEST(queue);

#define TIMEOUT_MS vmt_patience(120000)
#define MIN_HANDLED 1000U

/**
 * What arrived, in its order. The lock is outside the state's: who holds it takes what is
 * queued, then does its own access.
 */
static struct {
	pthread_mutex_t lock;
	uint64_t arrived[VT_QUEUE_VCPUS];
	uint64_t tickets;
	uint64_t queued;
	uint64_t exited;
	uint64_t bad;
	struct lx_queued first_bad;
	uint64_t due;
} q = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct vmm *vm;
static struct lx_device *dev;
static struct vt_queue_state *st;
static struct queue_params *params;
static struct vmm_loop *loop;
static int bell_fd;

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	dev = vmt_load(vmt_test_bpf_dir(), "vt_queue");
	st = lx_device_state(dev, NULL);
	bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_assert_geq(bell_fd, 0);
	cr_assert_eq(vmm_loop_new(&loop), 0);
}

static void teardown(void)
{
	vmm_destroy(vm);
	vmm_loop_free(loop);
	lx_device_close(dev);
	close(bell_fd);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(queue, .init = setup, .fini = teardown, .timeout = 240);

static void expect(const struct lx_queued *w, uint64_t got, uint64_t due)
{
	if (got == due || q.bad++)
		return;
	q.first_bad = *w;
	q.due = due;
}

static void arrive(const struct lx_queued *w)
{
	unsigned int vcpu = VT_QUEUE_VCPU(w->addr);
	uint64_t n = ++q.arrived[vcpu];

	if (VT_QUEUE_IS_TICKET(w->addr))
		expect(w, w->data, (++q.tickets << 16 | (n & 0xffff)) & 0xffffffff);
	else
		expect(w, w->data, n & ~0ULL >> (64 - 8 * w->len));
	__atomic_store_n(&params->vcpu[vcpu].arrived, n, __ATOMIC_RELEASE);
}

static void begin(void)
{
	struct lx_queued w;

	pthread_mutex_lock(&q.lock);
	lx_lock(&st->hdr);
	while (lx_queue_pop(&st->queue, &w)) {
		arrive(&w);
		q.queued++;
	}
}

static void end(void)
{
	lx_unlock(&st->hdr);
	pthread_mutex_unlock(&q.lock);
}

static void dev_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	const struct lx_queued w = { .addr = off, .data = val, .len = len };

	begin();
	arrive(&w);
	q.exited++;
	end();
}

static uint64_t dev_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	uint64_t n;

	begin();
	n = VT_QUEUE_IS_TICKET(off) ? q.tickets : q.arrived[VT_QUEUE_VCPU(off)];
	end();
	return n;
}

static void on_bell(void *opaque)
{
	begin();
	lx_bell_rearm(&st->bell);
	end();
}

static void watch_bell(void)
{
	struct lx_eventfds e = { .sz = sizeof(e), .n = 1, .slots = { bell_fd } };
	struct vmm_watch *watch;

	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "eventfds: %s", vmt_log());
	cr_assert_eq(vmm_watch_new(loop, bell_fd, on_bell, NULL, &watch), 0);
}

static void create(uint64_t rounds, uint32_t read_of, uint32_t pass_of)
{
	static const struct {
		uint32_t space;
		uint64_t base;
	} ranges[] = { { LX_SPACE_PIO, VT_QUEUE_PORT }, { LX_SPACE_MMIO, VT_QUEUE_MMIO } };

	cr_assert_eq(vmm_create(&(struct vmm_opts){ .vcpus = VT_QUEUE_VCPUS }, &vm), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const struct vmm_dev d = {
			.name = "queue",
			.space = ranges[i].space,
			.base = ranges[i].base,
			.len = VT_QUEUE_LEN,
			.read = dev_read,
			.write = dev_write,
		};

		cr_assert_geq(vmm_add_dev(vm, &d), 0);
	}
	params = vmm_params(vm);
	params->rounds = rounds;
	params->read_of = read_of;
	params->seed = (uint64_t)getpid() << 32 | (uint64_t)rand();
	st->pass_of = pass_of;
}

static void start(void)
{
	cr_log_info("seed %#lx", params->seed);
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(queue)), 0);
	cr_assert_eq(vmm_start(vm), 0);
}

/* The guest ended: all arrived, in order, and by both ways. */
static void expect_order(void)
{
	uint64_t writes;

	cr_assert_eq(vmm_join(vm, TIMEOUT_MS), 0, "the guest did not end by itself");
	begin();
	end();
	writes = params->vcpu[0].writes + params->vcpu[1].writes;
	cr_log_info("%lu writes: %lu queued, %lu exited; %u times full", writes, q.queued, q.exited,
		    st->full);
	cr_expect_eq(q.bad, 0, "%lu out of order; the first: %#llx at %#llx, not %#lx", q.bad,
		     q.first_bad.data, q.first_bad.addr, q.due);
	cr_expect_eq(q.tickets, params->tickets);
	for (unsigned int i = 0; i < VT_QUEUE_VCPUS; i++) {
		const struct queue_vcpu *v = &params->vcpu[i];

		cr_expect_eq(q.arrived[i], v->writes, "vCPU %u: %lu arrived of %lu", i,
			     q.arrived[i], v->writes);
		cr_expect_eq(v->bad, 0, "vCPU %u: %lu reads missed writes; the first %lu of %lu", i,
			     v->bad, v->got, v->due);
	}
	cr_expect_eq(q.queued + q.exited, writes);
	cr_expect(q.queued >= MIN_HANDLED && q.queued * 5 >= writes, "only %lu of %lu queued",
		  q.queued, writes);
}

static bool running(void)
{
	for (unsigned int i = 0; i < VT_QUEUE_VCPUS; i++) {
		if (__atomic_load_n(&params->vcpu[i].writes, __ATOMIC_RELAXED) < params->rounds)
			return true;
	}
	return false;
}

/* No doorbell, few reads: the queue is full most of the time, and each pass empties it. */
Test(queue, full)
{
	create(vmt_scale(200000), 10000, 0);
	vmt_attach(dev, vm);
	start();
	expect_order();
	cr_expect_geq(st->full, q.queued / LX_QUEUE_LEN / 2, "full only %u times", st->full);
	cr_expect_geq(q.exited, 20);
}

Test(queue, passes_at_random)
{
	create(vmt_scale(100000), 8, 3);
	watch_bell();
	vmt_attach(dev, vm);
	start();
	expect_order();
	cr_expect_geq(q.exited, MIN_HANDLED);
}

/* Programs meet a state that somebody else has locked, and pass. */
Test(queue, vmm_holds_the_lock)
{
	create(vmt_scale(100000), 16, 0);
	watch_bell();
	vmt_attach(dev, vm);
	start();
	do {
		lx_lock(&st->hdr);
		vmt_nap(100);
		lx_unlock(&st->hdr);
		vmt_nap(300);
	} while (running());
	expect_order();
	cr_expect_geq(q.exited, 100);
}

#define TIMES 20U

/* So many writes, and until both ways have had their part: an attach takes its time. */
static bool enough(uint64_t rounds, unsigned int times)
{
	uint64_t queued = __atomic_load_n(&q.queued, __ATOMIC_RELAXED);
	uint64_t exited = __atomic_load_n(&q.exited, __ATOMIC_RELAXED);

	return queued + exited >= VT_QUEUE_VCPUS * rounds && times >= TIMES &&
	       exited >= MIN_HANDLED && queued >= MIN_HANDLED && queued * 4 >= queued + exited;
}

Test(queue, attached_and_detached)
{
	const uint64_t rounds = vmt_scale(400000);
	unsigned int times = 0;

	create(20 * rounds, 16, 16);
	watch_bell();
	start();
	do {
		vmt_attach(dev, vm);
		vmt_stay(20000);
		cr_assert_eq(lx_device_detach(dev), 0);
		vmt_nap(5000);
		times++;
	} while (running() && !enough(rounds, times));
	__atomic_store_n(&params->rounds, 0, __ATOMIC_RELAXED);
	expect_order();
	cr_expect_geq(times, TIMES);
	cr_expect_geq(q.exited, MIN_HANDLED);
}

/* Nothing but the doorbell tells the VMM; a ring that is lost would stop the guest. */
Test(queue, bell_alone)
{
	create(vmt_scale(50000), 0, 0);
	params->alone = 1;
	watch_bell();
	vmt_attach(dev, vm);
	start();
	expect_order();
	cr_expect_leq(q.exited * 20, q.queued);
}
