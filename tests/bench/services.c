// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The devices that use the kernel's services: doorbells, queued writes, mirror pages, a
 * UART; and what KVM has of that kind.
 *
 * But for bench_wake's nobody waits for a doorbell's or the queue's eventfd: an ioeventfd's, a
 * program's and the VMM's signals are counted alike. The guest never halts, so that the CPU
 * is never idle, who else may sleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench_model.h"
#include "bench_queue.h"
#include "machine.h"
#include "uart.h"
#include "virtio_mmio.h"
#include "virtio_mmio_model.h"

#define PAGE_SIZE 4096U
/* The same registers, at ports. */
#define DOORBELL_PORTS 0xd000U
/* The machine's own is 0. */
#define MIRROR_SLOT 9U

/* A state that no program knows. */
static void *own_state(size_t size)
{
	struct lx_state *st = aligned_alloc(VIRTIO_MMIO_PAGE, (size + 4095) & ~4095UL);

	if (!st)
		return NULL;
	memset(st, 0, size);
	lx_state_init(st, (uint32_t)size);
	return st;
}

static int set_eventfd(const struct machine *m, int fd)
{
	struct lx_eventfds e = { .sz = sizeof(e), .n = 1, .slots = { fd } };
	int err = lx_device_set_eventfds(vmm_accel_device(m->accel), &e);

	return err ? vmm_error(err, "eventfds of %s", m->dev->program) : 0;
}

static int add_range(struct machine *m, struct vmm_dev dev)
{
	int index;

	dev.name = m->what->name;
	dev.space = m->region.space;
	dev.base = m->region.addr;
	dev.len = m->region.len;
	index = vmm_add_dev(m->vm, &dev);
	if (index < 0)
		return index;
	m->index = (unsigned int)index;
	return 0;
}

/*
 * Doorbells
 */

/**
 * struct doorbell - a queue's doorbell
 * @consumer: of bench_wake: sleeps until it rings
 * @started:  there is one
 * @stop:     it is to end
 * @signals:  that it has seen
 */
struct doorbell {
	struct virtio_mmio_state *st;
	void *own;
	int fd;
	pthread_t consumer;
	bool started;
	bool stop;
	uint64_t signals;
};

/* What passes: the same model, the same eventfd. */
static void doorbell_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			   uint64_t val)
{
	struct doorbell *d = opaque;
	struct virtio_mmio_ring ring;

	lx_lock(&d->st->hdr);
	if (virtio_mmio_write(d->st, off, len, val, &ring) == LX_HANDLED && ring.signal)
		eventfd_write(d->fd, 1);
	lx_unlock(&d->st->hdr);
}

static int add_doorbell(struct machine *m)
{
	struct vmm_dev dev = { .write = doorbell_write };
	struct doorbell *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	m->back = d;
	d->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->fd < 0)
		return vmm_error(-errno, "eventfd");
	d->own = own_state(sizeof(*d->st));
	if (!d->own)
		return -ENOMEM;
	d->st = m->accel ? vmm_accel_state(m->accel) : d->own;
	d->st->queues[0].ready = 1;
	d->st->queues[0].doorbell = m->dev->doorbell;
	dev.opaque = d;
	m->addr = m->region.addr + VIRTIO_MMIO_QUEUE_NOTIFY;
	return add_range(m, dev);
}

static int attach_doorbell(struct machine *m)
{
	struct doorbell *d = m->back;
	const uint32_t pio = m->region.space == LX_SPACE_PIO ? KVM_IOEVENTFD_FLAG_PIO : 0;
	const struct kvm_ioeventfd arg = {
		.datamatch = 0,
		.addr = m->addr,
		.len = 4,
		.fd = d->fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | pio,
	};

	if (m->accel)
		return set_eventfd(m, d->fd);
	if (m->path == PATH_IOEVENTFD && ioctl(m->vm->fd, KVM_IOEVENTFD, &arg))
		return vmm_error(-errno, "KVM_IOEVENTFD");
	return 0;
}

static int prepare_doorbell(struct machine *m)
{
	struct doorbell *d = m->back;
	eventfd_t count;

	eventfd_read(d->fd, &count);
	lx_bell_rearm(&d->st->queues[0].bell);
	return 0;
}

/* With the bell, which nobody rearms, one signal; else one for each doorbell. */
static int check_doorbell(struct machine *m, const struct bench_params *warm,
			  const struct bench_params *p)
{
	const bool bell = m->dev->doorbell & VIRTIO_MMIO_DOORBELL_BELL;
	struct doorbell *d = m->back;
	eventfd_t count = 0, due = bell ? 1 : p->n;

	eventfd_read(d->fd, &count);
	if (count == due)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu signals, not %lu", m->what->name,
			 bench_path_names[m->path], count, due);
}

static void *consume(void *arg)
{
	struct doorbell *d = arg;
	eventfd_t count;

	while (!eventfd_read(d->fd, &count)) {
		if (__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE))
			break;
		__atomic_fetch_add(&d->signals, count, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Of a higher priority than the vCPU, so that each signal wakes it before the next one. */
static int start_consumer(struct doorbell *d)
{
	const struct sched_param param = { .sched_priority = 1 };
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(&d->consumer, &attr, consume, d);
	pthread_attr_destroy(&attr);
	if (err)
		return vmm_error(-err, "the doorbell's thread");
	d->started = true;
	return 0;
}

static int add_wake(struct machine *m)
{
	int err = add_doorbell(m);
	struct doorbell *d = m->back;

	if (err)
		return err;
	if (fcntl(d->fd, F_SETFL, 0))
		return vmm_error(-errno, "eventfd");
	return start_consumer(d);
}

/* That each doorbell was heard; on a machine of several CPUs the last one perhaps a bit later. */
static int check_wake(struct machine *m, const struct bench_params *warm,
		      const struct bench_params *p)
{
	const struct doorbell *d = m->back;
	uint64_t due = warm->n + p->n, heard = 0;

	for (int ms = 0; heard != due && ms < 1000; ms++) {
		heard = __atomic_load_n(&d->signals, __ATOMIC_ACQUIRE);
		if (heard != due)
			usleep(1000);
	}
	if (heard == due)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu doorbells heard, not %lu", m->what->name,
			 bench_path_names[m->path], heard, due);
}

static void stop_consumer(struct doorbell *d)
{
	if (!d->started)
		return;
	__atomic_store_n(&d->stop, true, __ATOMIC_RELEASE);
	eventfd_write(d->fd, 1);
	pthread_join(d->consumer, NULL);
}

static void free_doorbell(struct machine *m)
{
	struct doorbell *d = m->back;

	stop_consumer(d);
	if (d->fd >= 0)
		close(d->fd);
	free(d->own);
	free(d);
}

/*
 * Queued writes. Whoever queues them, the VMM does them at the next exit, which comes
 * when the queue is full.
 */

struct queue {
	struct bench_state reg;
	struct bench_queue_state *st;
	struct kvm_coalesced_mmio_ring *ring;
	uint64_t base;
	int fd;
};

/* The lock is held: include/lightexit/queue.h. */
static void drain_queue(struct queue *q)
{
	struct lx_queued w;

	while (lx_queue_pop(&q->st->queue, &w))
		bench_write(&q->reg, w.addr, w.len, w.data);
	lx_bell_rearm(&q->st->bell);
}

/* Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO */
static void drain_ring(struct queue *q)
{
	struct kvm_coalesced_mmio_ring *r = q->ring;
	uint32_t first = r->first;

	while (first != __atomic_load_n(&r->last, __ATOMIC_ACQUIRE)) {
		const struct kvm_coalesced_mmio *w = &r->coalesced_mmio[first];
		uint64_t val = 0;

		memcpy(&val, w->data, sizeof(val));
		bench_write(&q->reg, w->phys_addr - q->base, w->len, val);
		first = (first + 1) % KVM_COALESCED_MMIO_MAX;
		__atomic_store_n(&r->first, first, __ATOMIC_RELEASE);
	}
}

static void queue_begin(struct queue *q)
{
	if (q->ring)
		drain_ring(q);
	if (!q->st)
		return;
	lx_lock(&q->st->hdr);
	drain_queue(q);
}

static void queue_end(struct queue *q)
{
	if (q->st)
		lx_unlock(&q->st->hdr);
}

static void queue_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			uint64_t val)
{
	struct queue *q = opaque;

	queue_begin(q);
	bench_write(&q->reg, off, len, val);
	queue_end(q);
}

static uint64_t queue_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct queue *q = opaque;
	__u64 val = 0;

	queue_begin(q);
	bench_read(&q->reg, off, len, &val);
	queue_end(q);
	return val;
}

static int add_queue(struct machine *m)
{
	struct vmm_dev dev = { .read = queue_read, .write = queue_write };
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	m->back = q;
	q->base = m->region.addr;
	q->st = vmm_accel_state(m->accel);
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0)
		return vmm_error(-errno, "eventfd");
	dev.opaque = q;
	m->addr = m->region.addr + BENCH_VALUE;
	return add_range(m, dev);
}

static int attach_queue(struct machine *m)
{
	const bool pio = m->region.space == LX_SPACE_PIO;
	const struct kvm_coalesced_mmio_zone zone = { .addr = m->addr, .size = 4, { pio } };
	struct queue *q = m->back;
	int page;

	if (m->accel)
		return set_eventfd(m, q->fd);
	if (m->path != PATH_COALESCED)
		return 0;
	page = ioctl(m->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	if (page <= 0)
		return vmm_error(-EOPNOTSUPP, "KVM without coalesced MMIO");
	if (ioctl(m->vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone))
		return vmm_error(-errno, "KVM_REGISTER_COALESCED_MMIO");
	q->ring = (void *)((char *)m->vm->vcpus[0].run + (size_t)page * PAGE_SIZE);
	return 0;
}

/* That all writes came. */
static int check_queue(struct machine *m, const struct bench_params *warm,
		       const struct bench_params *p)
{
	struct queue *q = m->back;
	uint64_t count = queue_read(q, NULL, BENCH_COUNT, 4);

	if (count == warm->n + p->n)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu writes came, not %lu", m->what->name,
			 bench_path_names[m->path], count, warm->n + p->n);
}

static void free_queue(struct machine *m)
{
	struct queue *q = m->back;

	if (q->fd >= 0)
		close(q->fd);
	free(q);
}

/*
 * virtio over MMIO: the VMM's back end. No queue is set up, so its thread sleeps.
 */

struct virtio {
	struct vmm_loop *loop;
	struct vmm_virtio *v;
	struct virtio_mmio_state *st;
	void *own;
};

static int add_virtio(struct machine *m)
{
	struct virtio *v = calloc(1, sizeof(*v));
	struct vmm_virtio_opts opts = {
		.base = m->region.addr,
		.gsi = 5,
		.num_max = 128,
		.queues = 1,
	};
	int err;

	if (!v)
		return -ENOMEM;
	m->back = v;
	v->own = own_state(sizeof(*v->st));
	if (!v->own)
		return -ENOMEM;
	v->st = m->accel ? vmm_accel_state(m->accel) : v->own;
	err = vmm_loop_new(&v->loop);
	if (err)
		return err;
	opts.loop = v->loop;
	opts.state = v->st;
	err = vmm_virtio_new(m->vm, &opts, &v->v);
	if (err)
		return err;
	m->index = vmm_virtio_index(v->v);
	m->addr = m->region.addr + (m->what->access == BENCH_INTERRUPT ?
					    VIRTIO_MMIO_INTERRUPT_STATUS :
					    VIRTIO_MMIO_MAGIC_VALUE);
	return 0;
}

static int mirror(struct machine *m)
{
	int err;

	if (m->path != PATH_MIRROR)
		return 0;
	err = lx_device_mirror(vmm_accel_device(m->accel), m->vm->fd, MIRROR_SLOT, m->region.addr,
			       VIRTIO_MMIO_PAGE, VIRTIO_MMIO_PAGE);
	return err ? vmm_error(err, "mirror page of %s", m->what->name) : 0;
}

static int prepare_virtio(struct machine *m)
{
	struct virtio *v = m->back;

	lx_lock(&v->st->hdr);
	v->st->page.interrupt_status = VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG;
	lx_unlock(&v->st->hdr);
	return 0;
}

/* That the guest read what there was, and that what it acknowledged is gone. */
static int check_virtio(struct machine *m, const struct bench_params *warm,
			const struct bench_params *p)
{
	const bool irq = m->what->access == BENCH_INTERRUPT;
	const struct virtio *v = m->back;
	uint32_t last = irq ? 0 : VIRTIO_MMIO_MAGIC;

	if (p->last == last && (!irq || !v->st->page.interrupt_status))
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: read %#lx; InterruptStatus is %#x", m->what->name,
			 bench_path_names[m->path], p->last, v->st->page.interrupt_status);
}

static void free_virtio(struct machine *m)
{
	struct virtio *v = m->back;

	vmm_virtio_free(v->v);
	vmm_loop_free(v->loop);
	free(v->own);
	free(v);
}

/*
 * UART: the VMM's back end, whose thread takes what is queued while the guest goes on.
 */

struct uart {
	struct vmm_loop *loop;
	struct vmm_uart *uart;
	uint64_t n;
	uint64_t sum;
};

static void uart_sent_by_guest(void *opaque, const uint8_t *c, size_t n)
{
	struct uart *u = opaque;

	u->n += n;
	for (size_t i = 0; i < n; i++)
		u->sum += c[i];
}

static int add_uart(struct machine *m)
{
	struct uart *u = calloc(1, sizeof(*u));
	struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = LX_CLOCK_MONOTONIC,
		.state = vmm_accel_state(m->accel),
		.sent = uart_sent_by_guest,
		.opaque = u,
	};
	int err;

	if (!u)
		return -ENOMEM;
	m->back = u;
	err = vmm_loop_new(&u->loop);
	if (err)
		return err;
	opts.loop = u->loop;
	err = vmm_uart_new(m->vm, &opts, &u->uart);
	if (err)
		return err;
	m->index = vmm_uart_index(u->uart);
	m->addr = UART_PORT;
	return 0;
}

static int attach_uart(struct machine *m)
{
	struct uart *u = m->back;
	struct lx_eventfds e;

	if (!m->accel)
		return 0;
	vmm_uart_eventfds(u->uart, &e);
	return lx_device_set_eventfds(vmm_accel_device(m->accel), &e);
}

static int attached_uart(struct machine *m)
{
	struct uart *u = m->back;

	vmm_uart_attached(u->uart);
	return 0;
}

/* Of the bytes that BENCH_UART_* sends. */
static uint64_t sum_of(uint64_t n)
{
	uint64_t sum = 0;

	while (n)
		sum += (uint8_t)n--;
	return sum;
}

static int check_uart(struct machine *m, const struct bench_params *warm,
		      const struct bench_params *p)
{
	struct uart *u = m->back;

	vmm_uart_count(u->uart); /* takes what is queued */
	if (u->n == warm->n + p->n && u->sum == sum_of(warm->n) + sum_of(p->n))
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu bytes came, not %lu, or wrong ones",
			 m->what->name, bench_path_names[m->path], u->n, warm->n + p->n);
}

static void free_uart(struct machine *m)
{
	struct uart *u = m->back;

	vmm_uart_free(u->uart);
	vmm_loop_free(u->loop);
	free(u);
}

#define DOORBELL_DEV(_doorbell)                                 \
	{                                                       \
		.program = "virtio_mmio",                       \
		.dir = "bpf",                                   \
		.state_size = sizeof(struct virtio_mmio_state), \
		.doorbell = _doorbell,                          \
		.base = { DOORBELL_PORTS, VIRTIO_MMIO_BASE },   \
		.len = VIRTIO_MMIO_PAGE,                        \
		.add = add_doorbell,                            \
		.attach = attach_doorbell,                      \
		.prepare = prepare_doorbell,                    \
		.check = check_doorbell,                        \
		.free = free_doorbell,                          \
	}

const struct bench_dev bench_doorbell = DOORBELL_DEV(VIRTIO_MMIO_DOORBELL);
const struct bench_dev bench_bell = DOORBELL_DEV(VIRTIO_MMIO_DOORBELL | VIRTIO_MMIO_DOORBELL_BELL);

const struct bench_dev bench_wake = {
	.program = "virtio_mmio",
	.dir = "bpf",
	.state_size = sizeof(struct virtio_mmio_state),
	.doorbell = VIRTIO_MMIO_DOORBELL,
	.base = { [LX_SPACE_MMIO] = VIRTIO_MMIO_BASE },
	.len = VIRTIO_MMIO_PAGE,
	.add = add_wake,
	.attach = attach_doorbell,
	.check = check_wake,
	.free = free_doorbell,
};

const struct bench_dev bench_queue = {
	.program = "bench_queue",
	.dir = "tests/bench",
	.state_size = sizeof(struct bench_queue_state),
	.base = { BENCH_PORT, BENCH_GPA },
	.len = BENCH_LEN,
	.add = add_queue,
	.attach = attach_queue,
	.check = check_queue,
	.free = free_queue,
};

const struct bench_dev bench_virtio = {
	.program = "virtio_mmio",
	.dir = "bpf",
	.state_size = sizeof(struct virtio_mmio_state),
	.irqchip = VMM_IRQCHIP_KERNEL,
	.base = { [LX_SPACE_MMIO] = VIRTIO_MMIO_BASE },
	.len = VIRTIO_MMIO_PAGE,
	.add = add_virtio,
	.attached = mirror,
	.prepare = prepare_virtio,
	.check = check_virtio,
	.free = free_virtio,
};

const struct bench_dev bench_uart = {
	.program = "uart",
	.dir = "bpf",
	.state_size = sizeof(struct uart16550_state),
	.base = { [LX_SPACE_PIO] = UART_PORT },
	.len = UART_LEN,
	.add = add_uart,
	.attach = attach_uart,
	.attached = attached_uart,
	.check = check_uart,
	.free = free_uart,
};
