// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* virtio over MMIO: registers, negotiation, interrupts. The rings are in virtq.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "irqfd.h"
#include "virtio_priv.h"

static void reset_queue(struct vmm_virtio *v, unsigned int i)
{
	struct virtio_mmio_queue *q = &v->st->queues[i];

	*q = (struct virtio_mmio_queue){ .num_max = q->num_max };
	v->rings[i] = (struct vmm_virtq){ 0 };
}

/* 2.1, 4.2.2.1: as after power-on; @io is held: nobody uses the rings. */
static void reset(struct vmm_virtio *v)
{
	struct virtio_mmio_state *st = v->st;

	for (unsigned int i = 0; i < v->opts.queues; i++)
		reset_queue(v, i);
	st->driver_features = 0;
	st->driver_features_sel = 0;
	st->page.interrupt_status = 0;
	st->page.status = 0;
	virtio_mmio_select(st, 0);
	virtio_mmio_select_features(st, 0);
}

/* Who may notify: 3.1.1, after DRIVER_OK; 2.1.2: not a device that needs a reset. */
static void update_doorbells(struct vmm_virtio *v)
{
	struct virtio_mmio_state *st = v->st;
	const uint32_t status = st->page.status;
	uint32_t doorbell = VIRTIO_MMIO_DOORBELL | VIRTIO_MMIO_DOORBELL_BELL;

	if (!(st->driver_features & 1ULL << VIRTIO_RING_F_EVENT_IDX))
		doorbell |= VIRTIO_MMIO_DOORBELL_QUIET;
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK) || status & VIRTIO_CONFIG_S_NEEDS_RESET)
		doorbell = 0;
	for (unsigned int i = 0; i < v->opts.queues; i++)
		st->queues[i].doorbell = st->queues[i].ready ? doorbell : 0;
}

void vmm_virtio_interrupt(struct vmm_virtio *v)
{
	const uint64_t one = 1;

	if (write(v->irqfd, &one, sizeof(one)) < 0)
		vmm_error(-errno, "virtio: interrupt");
}

/* 2.1.2: the driver did what makes no sense; it has to reset the device. @io is held. */
void vmm_virtio_fail(struct vmm_virtio *v, const char *why)
{
	struct virtio_mmio_state *st = v->st;

	vmm_error(-EPROTO, "virtio at %#lx: %s", v->opts.base, why);
	lx_lock(&st->hdr);
	st->page.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	st->page.interrupt_status |= VIRTIO_MMIO_INT_CONFIG;
	update_doorbells(v);
	lx_unlock(&st->hdr);
	vmm_virtio_interrupt(v);
}

/* 2.2.2, 6.2: a subset of what is offered, and not a legacy driver's. */
static bool features_ok(const struct virtio_mmio_state *st)
{
	return !(st->driver_features & ~st->device_features) &&
	       st->driver_features & 1ULL << VIRTIO_F_VERSION_1;
}

static void write_status(struct vmm_virtio *v, uint32_t val)
{
	struct virtio_mmio_state *st = v->st;

	if (!val) {
		reset(v);
		return;
	}
	if (!(st->page.status & VIRTIO_CONFIG_S_FEATURES_OK) && !features_ok(st))
		val &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	st->page.status = val | (st->page.status & VIRTIO_CONFIG_S_NEEDS_RESET);
	update_doorbells(v);
}

static void write_ready(struct vmm_virtio *v, uint32_t val)
{
	struct virtio_mmio_state *st = v->st;
	struct virtio_mmio_queue *q;

	if (st->queue_sel >= v->opts.queues)
		return;
	q = &st->queues[st->queue_sel];
	if (!(val & 1))
		reset_queue(v, st->queue_sel);
	else if (!q->ready && vmm_virtq_map(v, st->queue_sel))
		q->ready = 1;
	update_doorbells(v);
	virtio_mmio_select(st, st->queue_sel);
}

static void set_half(__u64 *reg, bool high, uint32_t val)
{
	*reg = high ? (uint32_t)*reg | (uint64_t)val << 32 : (*reg & ~0xffffffffULL) | val;
}

/* 4.2.2.2: not while the queue is ready. */
static void write_queue(struct vmm_virtio *v, uint64_t off, uint32_t val)
{
	struct virtio_mmio_state *st = v->st;
	struct virtio_mmio_queue *q;

	if (st->queue_sel >= v->opts.queues || st->queues[st->queue_sel].ready)
		return;
	q = &st->queues[st->queue_sel];
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->num = val;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc, off & 4, val);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->driver, off & 4, val);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->device, off & 4, val);
		break;
	default:
		break;
	}
}

/* What the model leaves to the VMM. The state's lock is held, and @io if needs_io(). */
static void write_register(struct vmm_virtio *v, uint64_t off, uint32_t val)
{
	struct virtio_mmio_state *st = v->st;

	switch (off) {
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		st->driver_features_sel = val;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		/* 3.1.1: the driver takes no new ones after FEATURES_OK. */
		if (st->driver_features_sel < 2 && !(st->page.status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&st->driver_features, st->driver_features_sel, val);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(v, val);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		write_ready(v, val);
		break;
	default:
		write_queue(v, off, val);
		break;
	}
}

/* A write that may take the rings away from the loop's thread, or give them to it. */
static bool needs_io(uint64_t off)
{
	return off == VIRTIO_MMIO_STATUS || off == VIRTIO_MMIO_QUEUE_READY;
}

/* What the program does with lx_guest_write() and lx_signal(). */
static void signal_queue(struct vmm_virtio *v, const struct virtio_mmio_ring *ring)
{
	const uint64_t one = 1;

	if (ring->quiet)
		__atomic_store_n(&v->rings[ring->queue].used->flags, VRING_USED_F_NO_NOTIFY,
				 __ATOMIC_RELAXED);
	if (ring->signal && write(v->doorbells[ring->queue].fd, &one, sizeof(one)) < 0)
		vmm_error(-errno, "virtio: doorbell %u", ring->queue);
}

static void mmio_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	struct vmm_virtio *v = opaque;
	struct virtio_mmio_ring ring;

	if (needs_io(off))
		pthread_mutex_lock(&v->io);
	lx_lock(&v->st->hdr);
	if (virtio_mmio_write(v->st, off, len, val, &ring) == LX_HANDLED)
		signal_queue(v, &ring);
	else if (len == 4)
		write_register(v, off, (uint32_t)val);
	lx_unlock(&v->st->hdr);
	if (needs_io(off))
		pthread_mutex_unlock(&v->io);
}

/* What is not aligned reads as memory does, too. */
static uint64_t mmio_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_virtio *v = opaque;
	__u64 val = 0;

	lx_lock(&v->st->hdr);
	if (virtio_mmio_read(v->st, off, len, &val) != LX_HANDLED)
		memcpy(&val, (const uint8_t *)&v->st->page + off, len);
	lx_unlock(&v->st->hdr);
	return val;
}

void vmm_virtio_set_config(struct vmm_virtio *v, size_t off, const void *buf, size_t len)
{
	struct virtio_mmio_state *st = v->st;

	lx_lock(&st->hdr);
	memcpy(st->page.config + off, buf, len);
	st->page.config_generation++;
	st->page.interrupt_status |= VIRTIO_MMIO_INT_CONFIG;
	lx_unlock(&st->hdr);
	vmm_virtio_interrupt(v);
}

static void on_doorbell(void *opaque)
{
	struct doorbell *d = opaque;
	struct vmm_virtio *v = d->v;

	pthread_mutex_lock(&v->io);
	/*
	 * 3.1.1: nothing is taken before DRIVER_OK. Both locks are needed to change it. And what is
	 * frozen is saved: nothing but the guest changes it.
	 */
	if (v->st->queues[d->queue].doorbell && lx_state_live(&v->st->hdr))
		v->opts.notify(v->opts.opaque, d->queue);
	pthread_mutex_unlock(&v->io);
}

void vmm_virtio_settle(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->io);
	pthread_mutex_unlock(&v->io);
}

void vmm_virtio_kick(struct vmm_virtio *v)
{
	for (unsigned int i = 0; i < v->opts.queues; i++)
		eventfd_write(v->doorbells[i].fd, 1);
}

/* 4.2.2, and what the device says of itself. */
static void publish(struct vmm_virtio *v)
{
	struct virtio_mmio_state *st = v->st;
	struct virtio_mmio_page *page = &st->page;

	lx_lock(&st->hdr);
	st->device_features =
		v->opts.features | 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX;
	for (unsigned int i = 0; i < v->opts.queues; i++)
		st->queues[i].num_max = v->opts.num_max;
	page->magic = VIRTIO_MMIO_MAGIC;
	page->version = VIRTIO_MMIO_V2;
	page->device_id = v->opts.id;
	/* 4.2.2, SHMSel: -1 for a region that is not there */
	page->shm_len_low = ~0U;
	page->shm_len_high = ~0U;
	page->shm_base_low = ~0U;
	page->shm_base_high = ~0U;
	memcpy(page->config, v->opts.config, v->opts.config_len);
	reset(v);
	lx_unlock(&st->hdr);
}

static int open_fds(struct vmm_virtio *v)
{
	v->irqfd = vmm_irqfd(v->vm, v->opts.gsi, -1);
	if (v->irqfd < 0)
		return v->irqfd;
	for (unsigned int i = 0; i < v->opts.queues; i++) {
		struct doorbell *d = &v->doorbells[i];
		int err;

		*d = (struct doorbell){ .v = v, .queue = i };
		d->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (d->fd < 0)
			return vmm_error(-errno, "virtio: eventfd");
		err = vmm_watch_new(v->opts.loop, d->fd, on_doorbell, d, &d->watch);
		if (err)
			return err;
	}
	return 0;
}

int vmm_virtio_new(struct vmm *vm, const struct vmm_virtio_opts *opts, struct vmm_virtio **out)
{
	struct vmm_dev dev = {
		.name = "virtio",
		.space = LX_SPACE_MMIO,
		.base = opts->base,
		.len = VIRTIO_MMIO_PAGE,
		.read = mmio_read,
		.write = mmio_write,
	};
	struct vmm_virtio *v;
	int err;

	if (!opts->queues || opts->queues > VIRTIO_MMIO_QUEUES || opts->base % VIRTIO_MMIO_PAGE ||
	    opts->config_len > sizeof(v->st->page.config))
		return vmm_error(-EINVAL, "virtio at %#lx, %u queues, %zu bytes of configuration",
				 opts->base, opts->queues, opts->config_len);
	v = aligned_alloc(VIRTIO_MMIO_PAGE, sizeof(*v));
	if (!v)
		return vmm_error(-ENOMEM, "virtio");
	memset(v, 0, sizeof(*v));
	v->vm = vm;
	v->opts = *opts;
	v->irqfd = -1;
	v->st = opts->state ? opts->state : &v->own;
	pthread_mutex_init(&v->io, NULL);
	if (!opts->state)
		lx_state_init(&v->own.hdr, sizeof(v->own));
	publish(v);
	dev.opaque = v;
	err = open_fds(v);
	if (!err)
		err = vmm_add_dev(vm, &dev);
	if (err < 0) {
		vmm_virtio_free(v);
		return err;
	}
	v->index = (unsigned int)err;
	*out = v;
	return 0;
}

void vmm_virtio_free(struct vmm_virtio *v)
{
	if (!v)
		return;
	for (unsigned int i = 0; i < v->opts.queues; i++) {
		vmm_watch_free(v->doorbells[i].watch);
		if (v->doorbells[i].fd > 0)
			close(v->doorbells[i].fd);
	}
	if (v->irqfd >= 0)
		close(v->irqfd);
	pthread_mutex_destroy(&v->io);
	free(v);
}

int vmm_virtio_doorbell(const struct vmm_virtio *v, unsigned int queue)
{
	return v->doorbells[queue].fd;
}

unsigned int vmm_virtio_index(const struct vmm_virtio *v)
{
	return v->index;
}
