// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Split virtqueues, 2.7. Who writes what: descriptors and the avail ring, its flags and
 * used_event are the driver's; the used ring, its flags and avail_event the device's.
 * What is read from guest memory is read once, and trusted for nothing.
 */
#include <errno.h>
#include <unistd.h>

#include "virtio_priv.h"

static void *map(const struct vmm_virtio *v, uint64_t gpa, size_t len, uint64_t align)
{
	return gpa % align ? NULL : vmm_mem(v->vm, gpa, len);
}

/* 2.7: sizes and alignment; the rings with their event words. */
bool vmm_virtq_map(struct vmm_virtio *v, unsigned int queue)
{
	const struct virtio_mmio_queue *q = &v->st->queues[queue];
	struct vmm_virtq r = { .num = q->num };

	if (!r.num || r.num > q->num_max || r.num & (r.num - 1))
		return false;
	r.desc = map(v, q->desc, r.num * sizeof(*r.desc), VRING_DESC_ALIGN_SIZE);
	r.avail = map(v, q->driver, sizeof(*r.avail) + (r.num + 1) * 2, VRING_AVAIL_ALIGN_SIZE);
	r.used = map(v, q->device, sizeof(*r.used) + r.num * sizeof(r.used->ring[0]) + 2,
		     VRING_USED_ALIGN_SIZE);
	if (!r.desc || !r.avail || !r.used)
		return false;
	r.event_idx = v->st->driver_features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	v->rings[queue] = r;
	return true;
}

/* 2.7.7: behind the avail ring, the driver's. */
static uint16_t *used_event(const struct vmm_virtq *r)
{
	return &r->avail->ring[r->num];
}

/* 2.7.10: behind the used ring, the device's. */
static uint16_t *avail_event(const struct vmm_virtq *r)
{
	return (uint16_t *)&r->used->ring[r->num];
}

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* 2.7.5: one descriptor into the chain. Return: false if it breaks the rules. */
static bool add_segment(const struct vmm_virtio *v, const struct vring_desc *d,
			struct vmm_virtq_chain *chain)
{
	unsigned int n = chain->n_out + chain->n_in;
	uint8_t *addr = vmm_mem(v->vm, d->addr, d->len);

	if (n == VMM_VIRTQ_SEGMENTS || !addr || d->flags & VRING_DESC_F_INDIRECT ||
	    (chain->n_in && !(d->flags & VRING_DESC_F_WRITE)))
		return false;
	chain->segments[n] = (struct vmm_virtq_segment){ addr, d->len };
	if (d->flags & VRING_DESC_F_WRITE)
		chain->n_in++;
	else
		chain->n_out++;
	return true;
}

static bool walk(const struct vmm_virtio *v, const struct vmm_virtq *r,
		 struct vmm_virtq_chain *chain)
{
	uint16_t i = chain->head;
	struct vring_desc d;

	do {
		if (i >= r->num)
			return false;
		d = *(volatile struct vring_desc *)&r->desc[i];
		if (!add_segment(v, &d, chain))
			return false;
		i = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return true;
}

bool vmm_virtq_take(struct vmm_virtio *v, unsigned int queue, struct vmm_virtq_chain *chain)
{
	struct vmm_virtq *r = &v->rings[queue];
	uint16_t waiting;

	if (!r->num || r->taken == VMM_VIRTQ_BUDGET)
		return false;
	waiting = load16(&r->avail->idx) - r->last_avail;
	if (!waiting)
		return false;
	*chain = (struct vmm_virtq_chain){
		.head = load16(&r->avail->ring[r->last_avail % r->num]),
	};
	if (waiting > r->num || !walk(v, r, chain)) {
		r->num = 0;
		vmm_virtio_fail(v, "a descriptor chain makes no sense");
		return false;
	}
	if (!r->taken++ && !r->event_idx)
		__atomic_store_n(&r->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	r->last_avail++;
	return true;
}

/* 2.7.8: the entry, then the index. */
void vmm_virtq_put(struct vmm_virtio *v, unsigned int queue, const struct vmm_virtq_chain *chain,
		   uint32_t len)
{
	struct vmm_virtq *r = &v->rings[queue];

	r->used->ring[r->last_used % r->num] = (struct vring_used_elem){ chain->head, len };
	__atomic_store_n(&r->used->idx, ++r->last_used, __ATOMIC_RELEASE);
}

/* 2.7.7: whether the driver wants to hear of what was put since the last time. */
static bool wants_interrupt(struct vmm_virtq *r)
{
	uint16_t from = r->signalled;

	if (r->last_used == from)
		return false;
	/* The index before the driver's wish: the driver does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->signalled = r->last_used;
	if (!r->event_idx)
		return !(load16(&r->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(load16(used_event(r)), r->last_used, from);
}

/* 2.7.10: the wish before a last look at the index. The bell is a fence, too. */
static bool sleep_until_notified(struct vmm_virtq *r, struct lx_bell *bell)
{
	if (r->event_idx)
		__atomic_store_n(avail_event(r), r->last_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->used->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	lx_bell_rearm(bell);
	return load16(&r->avail->idx) == r->last_avail;
}

bool vmm_virtq_end(struct vmm_virtio *v, unsigned int queue)
{
	struct virtio_mmio_queue *q = &v->st->queues[queue];
	struct vmm_virtq *r = &v->rings[queue];
	const bool more = r->taken == VMM_VIRTQ_BUDGET, interrupt = r->num && wants_interrupt(r);
	const uint64_t one = 1;

	if (!r->num)
		return true;
	r->taken = 0;
	lx_lock(&v->st->hdr);
	q->last_avail = r->last_avail;
	q->last_used = r->last_used;
	if (interrupt)
		v->st->page.interrupt_status |= VIRTIO_MMIO_INT_VRING;
	lx_unlock(&v->st->hdr);
	if (interrupt)
		vmm_virtio_interrupt(v);
	if (!more)
		return sleep_until_notified(r, &q->bell);
	if (write(v->doorbells[queue].fd, &one, sizeof(one)) < 0)
		vmm_error(-errno, "virtio: doorbell %u", queue);
	return true;
}
