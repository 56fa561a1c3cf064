// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Doorbells and lost wakeups: a guest rings, a thread of the VMM sleeps on the eventfd,
 * at random for longer, and is signalled each time, or only when it needs to be. After a
 * lost wakeup the guest waits for ever.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#include "doorbell_guest.h"
#include "virtio_mmio_model.h"
#include "vmscript.h"

VMM_GUEST(doorbell);

#define BASE 0xd0000000UL
#define AVAIL VMM_HEAP_GPA
#define USED (VMM_HEAP_GPA + 0x1000)
#define ITEMS vmt_scale(1000000)
#define MIN_HANDLED 1000U
/* Between two reads of a test's own time-out; a lost wakeup shows as no progress. */
#define STALL_MS vmt_patience(20000)

/**
 * struct consumer - the thread that is to be woken
 * @signals: counted by the eventfd
 * @wakeups: of the thread
 * @looks:   at the ring
 */
struct consumer {
	pthread_t thread;
	int fd;
	bool stop;
	bool started;
	enum doorbell_mode mode;
	uint64_t signals;
	uint64_t wakeups;
	uint64_t looks;
};

static const struct lx_region region = { BASE, VIRTIO_MMIO_PAGE, LX_SPACE_MMIO, 0 };

static struct lx_device *dev;
static struct vmm *vm;
static struct virtio_mmio_state *st;
static struct consumer consumer;
static unsigned int index_of_dev;

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void wake(int fd)
{
	const uint64_t one = 1;

	cr_assert_eq(write(fd, &one, sizeof(one)), (ssize_t)sizeof(one), "%m");
}

static void stop_consumer(void)
{
	uint64_t rest;

	if (!consumer.started)
		return;
	__atomic_store_n(&consumer.stop, true, __ATOMIC_SEQ_CST);
	wake(consumer.fd);
	pthread_join(consumer.thread, NULL);
	consumer.started = false;
	/* It may have been looking at the ring. */
	fcntl(consumer.fd, F_SETFL, O_NONBLOCK);
	if (read(consumer.fd, &rest, sizeof(rest)) == sizeof(rest))
		consumer.signals += rest;
}

static void teardown(void)
{
	vmm_destroy(vm);
	stop_consumer();
	lx_device_close(dev);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(doorbell, .init = setup, .fini = teardown, .timeout = 900);

static struct vring_avail *avail(void)
{
	return vmm_mem(vm, AVAIL, 0x1000);
}

static struct vring_used *used(void)
{
	return vmm_mem(vm, USED, 0x1000);
}

/* In the middle of things, so that the guest comes in between. */
static void doze(void)
{
	if (rand() % 32 == 0)
		vmt_nap(200);
}

/* All that is there is done, and the driver may see it. */
static uint16_t look(void)
{
	struct doorbell_params *p = vmm_params(vm);
	uint16_t idx = __atomic_load_n(&avail()->idx, __ATOMIC_ACQUIRE);

	consumer.looks++;
	__atomic_store_n(&p->seen, idx, __ATOMIC_RELEASE);
	return idx;
}

/* Return: nothing has come since; what comes from now on signals. */
static bool may_sleep(uint16_t idx)
{
	if (consumer.mode == DOORBELL_FLAGS)
		__atomic_store_n(&used()->flags, 0, __ATOMIC_RELAXED);
	if (consumer.mode == DOORBELL_EVENT)
		__atomic_store_n((uint16_t *)&used()->ring[DOORBELL_NUM], idx, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	doze();
	lx_bell_rearm(&st->queues[0].bell);
	doze();
	return __atomic_load_n(&avail()->idx, __ATOMIC_ACQUIRE) == idx;
}

static void *consume(void *arg)
{
	uint64_t count;
	uint16_t idx;

	while (!__atomic_load_n(&consumer.stop, __ATOMIC_SEQ_CST)) {
		if (read(consumer.fd, &count, sizeof(count)) != sizeof(count))
			break;
		consumer.signals += count;
		consumer.wakeups++;
		do {
			doze();
			if (consumer.mode == DOORBELL_FLAGS)
				__atomic_store_n(&used()->flags, VRING_USED_F_NO_NOTIFY,
						 __ATOMIC_RELAXED);
			idx = look();
			doze();
		} while (!may_sleep(idx));
	}
	return NULL;
}

/* What passes comes here: the same model, the same eventfd. */
static void mmio_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	struct virtio_mmio_ring ring;

	lx_lock(&st->hdr);
	if (virtio_mmio_write(st, off, len, val, &ring) == LX_HANDLED && ring.signal) {
		if (ring.quiet)
			__atomic_store_n(&used()->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
		wake(consumer.fd);
	}
	lx_unlock(&st->hdr);
}

static void set_up_queue(enum doorbell_mode mode)
{
	struct virtio_mmio_queue *q = &st->queues[0];

	lx_lock(&st->hdr);
	*q = (struct virtio_mmio_queue){
		.num_max = DOORBELL_NUM,
		.num = DOORBELL_NUM,
		.ready = 1,
		.doorbell = VIRTIO_MMIO_DOORBELL,
		.driver = AVAIL,
		.device = USED,
	};
	if (mode != DOORBELL_ALWAYS)
		q->doorbell |= VIRTIO_MMIO_DOORBELL_BELL;
	if (mode == DOORBELL_FLAGS)
		q->doorbell |= VIRTIO_MMIO_DOORBELL_QUIET;
	lx_unlock(&st->hdr);
}

static void create(enum doorbell_mode mode)
{
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };
	struct vmm_dev mmio = {
		.name = "doorbell",
		.space = LX_SPACE_MMIO,
		.base = BASE,
		.len = VIRTIO_MMIO_PAGE,
		.write = mmio_write,
	};
	int index;

	dev = vmt_load_at(vmt_bpf_dir(), "virtio_mmio", &region, 1);
	st = lx_device_state(dev, NULL);
	cr_assert_eq(vmm_create(&(struct vmm_opts){ .vcpus = 1 }, &vm), 0);
	index = vmm_add_dev(vm, &mmio);
	cr_assert_geq(index, 0);
	index_of_dev = (unsigned int)index;
	consumer = (struct consumer){ .mode = mode };
	consumer.fd = eventfd(0, EFD_CLOEXEC);
	cr_assert_geq(consumer.fd, 0);
	fds.slots[0] = consumer.fd;
	cr_assert_eq(lx_device_set_eventfds(dev, &fds), 0, "%s", vmt_log());
	set_up_queue(mode);
	cr_assert_eq(pthread_create(&consumer.thread, NULL, consume, NULL), 0);
	consumer.started = true;
}

static struct doorbell_params *start(enum doorbell_mode mode, uint64_t items)
{
	struct doorbell_params *p = vmm_params(vm);

	*p = (struct doorbell_params){
		.mode = mode,
		.items = items,
		.notify = BASE + VIRTIO_MMIO_QUEUE_NOTIFY,
		.avail = AVAIL,
		.used = USED,
		.seed = 0x646f6f72,
	};
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(doorbell)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	return p;
}

static uint64_t made(const struct doorbell_params *p)
{
	return __atomic_load_n(&p->made, __ATOMIC_RELAXED);
}

/* Waits for the guest's end, for as long as it goes on. */
static void finish(const struct doorbell_params *p)
{
	uint64_t last = 0;

	while (made(p) < p->items) {
		for (int ms = 0; made(p) == last && ms < STALL_MS; ms += 10)
			usleep(10000);
		cr_assert_neq(made(p), last,
			      "a wakeup is lost: %lu buffers made, %u seen, %lu wakeups", last,
			      p->seen, consumer.wakeups);
		last = made(p);
	}
	cr_assert_eq(vmm_join(vm, STALL_MS), 0, "the last wakeup is lost");
	stop_consumer();
	consumer.signals--; /* stop_consumer()'s */
}

static uint64_t handled(void)
{
	return vmt_stats(dev).regions[0].handled;
}

static void run(enum doorbell_mode mode)
{
	struct doorbell_params *p;

	create(mode);
	vmt_attach(dev, vm);
	p = start(mode, ITEMS);
	finish(p);
	/* A doorbell that finds the state locked passes; nobody locks it here. */
	cr_expect_eq(handled(), p->rings, "%lu handled, %lu rung", handled(), p->rings);
	cr_expect_eq(vmm_dev_count(vm, index_of_dev).exits, 0);
	cr_expect_eq(st->queues[0].bell.rings, (uint32_t)p->rings);
	cr_expect_geq(p->waits, p->items / DOORBELL_BURST);
	cr_log_info("%lu buffers: %lu doorbells, %lu signals, %lu wakeups: %lu doorbells and %lu "
		    "signals saved",
		    p->items, p->rings, consumer.signals, consumer.wakeups, p->items - p->rings,
		    p->rings - consumer.signals);
}

static const struct doorbell_params *result(void)
{
	return vmm_params(vm);
}

/* Proves: with nothing to save signals each doorbell is one. */
Test(doorbell, always)
{
	run(DOORBELL_ALWAYS);
	cr_expect_eq(result()->rings, ITEMS);
	cr_expect_eq(consumer.signals, ITEMS, "%lu signals", consumer.signals);
}

/* Proves: the bell saves signals and loses no wakeup. */
Test(doorbell, bell)
{
	run(DOORBELL_BELL);
	cr_expect_eq(result()->rings, ITEMS);
	cr_expect_leq(consumer.signals, ITEMS / 2, "%lu signals", consumer.signals);
	cr_expect_geq(consumer.signals, result()->waits / 2);
}

/* Proves: NO_NOTIFY, which program and consumer write, saves doorbells and loses no wakeup. */
Test(doorbell, flags)
{
	run(DOORBELL_FLAGS);
	cr_expect_leq(result()->rings, ITEMS / 2, "%lu doorbells", result()->rings);
	cr_expect_geq(handled(), MIN_HANDLED);
}

/* Proves: so does avail_event. */
Test(doorbell, event)
{
	run(DOORBELL_EVENT);
	cr_expect_leq(result()->rings, ITEMS / 2, "%lu doorbells", result()->rings);
	cr_expect_geq(handled(), MIN_HANDLED);
}

static void check_come_and_go(enum doorbell_mode mode, uint64_t items)
{
	struct doorbell_params *p;
	uint64_t n = 0;

	create(mode);
	p = start(mode, items);
	while (made(p) < p->items) {
		uint64_t before = made(p);

		vmt_attach(dev, vm);
		vmt_stay(20000);
		n += handled();
		cr_assert_eq(lx_device_detach(dev), 0);
		vmt_nap(10000);
		for (int ms = 0; made(p) == before && ms < STALL_MS; ms += 10)
			usleep(10000);
		cr_assert_neq(made(p), before, "a wakeup is lost after %lu buffers", before);
	}
	finish(p);
	cr_expect(n >= MIN_HANDLED && n >= p->rings / 5, "%lu of %lu handled", n, p->rings);
	cr_expect_leq(n + vmm_dev_count(vm, index_of_dev).exits, p->rings);
	cr_expect_geq(p->rings - n, 200);
}

/* Proves: the same while doorbells are answered by program and VMM in turns. */
Test(doorbell, bell_attached_and_detached_at_random)
{
	check_come_and_go(DOORBELL_BELL, ITEMS / 5);
}

Test(doorbell, flags_attached_and_detached_at_random)
{
	check_come_and_go(DOORBELL_FLAGS, 2 * ITEMS);
}
