/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A guest's driver for a virtio block device over MMIO: one queue, one vCPU, requests of
 * one segment of data. Section numbers are those of the Virtual I/O Device
 * specification 1.2. Included by one file of a guest, behind irq.h.
 *
 *   vblk_init(&d, base, memory, 16, true)
 *   vblk_interrupts(&d, pin, vector);  irq_enable();
 *   slot = vblk_submit(&d, VIRTIO_BLK_T_IN, sector, buf, 512);
 *   vblk_kick(&d);
 *   vblk_wait(&d, slot)                halts until it is done; the status
 */
#ifndef GUEST_VBLK_H
#define GUEST_VBLK_H

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "irq.h"

#define VBLK_SLOTS 16U
/* Three descriptors a slot, rounded up to a power of two. */
#define VBLK_NUM 64U
#define VBLK_MAGIC 0x74726976U
#define VBLK_SECTOR 512U

/* Memory that the rings take: whole pages, so that their alignment is right. */
#define VBLK_MEMORY 0x3000UL

enum vblk_state {
	VBLK_FREE = 0,
	VBLK_BUSY, /* the device has it */
	VBLK_DONE, /* until vblk_wait() */
};

struct vblk_slot {
	struct virtio_blk_outhdr hdr;
	uint8_t status;
	uint32_t state; /* enum vblk_state */
};

/**
 * struct vblk - a disk and its queue
 * @event_idx:  VIRTIO_F_EVENT_IDX is negotiated
 * @notify:     writes of QueueNotify; @avail_idx less @kicked requests need none yet
 * @interrupts: taken; @acks: with something to acknowledge
 * @done:       requests
 */
struct vblk {
	uintptr_t base;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	bool event_idx;
	uint16_t avail_idx;
	uint16_t kicked;
	uint16_t last_used;
	struct vblk_slot slots[VBLK_SLOTS];
	uint64_t notify;
	uint64_t interrupts;
	uint64_t acks;
	uint64_t config_changes;
	uint64_t done;
};

static struct vblk *vblk_irq_dev;

static inline uint32_t vblk_get(const struct vblk *d, uint32_t reg)
{
	return mmio_read32(d->base + reg);
}

static inline void vblk_put(const struct vblk *d, uint32_t reg, uint32_t val)
{
	mmio_write32(d->base + reg, val);
}

static inline uint16_t vblk_load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* 3.1.1, steps 4 to 6. Return: false if the device does not take these. */
static inline bool vblk_negotiate(struct vblk *d)
{
	uint64_t want =
		1ULL << VIRTIO_F_VERSION_1 | (d->event_idx ? 1ULL << VIRTIO_RING_F_EVENT_IDX : 0);
	uint64_t have;

	vblk_put(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	have = (uint64_t)vblk_get(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	vblk_put(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	have |= vblk_get(d, VIRTIO_MMIO_DEVICE_FEATURES);
	if (want & ~have)
		return false;
	vblk_put(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vblk_put(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(want >> 32));
	vblk_put(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vblk_put(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)want);
	vblk_put(d, VIRTIO_MMIO_STATUS,
		 vblk_get(d, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_FEATURES_OK);
	return vblk_get(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* 4.2.3.2 */
static inline bool vblk_set_up_queue(struct vblk *d)
{
	vblk_put(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	if (vblk_get(d, VIRTIO_MMIO_QUEUE_READY) ||
	    vblk_get(d, VIRTIO_MMIO_QUEUE_NUM_MAX) < VBLK_NUM)
		return false;
	vblk_put(d, VIRTIO_MMIO_QUEUE_NUM, VBLK_NUM);
	vblk_put(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)(uintptr_t)d->desc);
	vblk_put(d, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)((uintptr_t)d->desc >> 32));
	vblk_put(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)(uintptr_t)d->avail);
	vblk_put(d, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)((uintptr_t)d->avail >> 32));
	vblk_put(d, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)(uintptr_t)d->used);
	vblk_put(d, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)((uintptr_t)d->used >> 32));
	vblk_put(d, VIRTIO_MMIO_QUEUE_READY, 1);
	return vblk_get(d, VIRTIO_MMIO_QUEUE_READY);
}

/**
 * vblk_init() - reset the device and start it, 3.1.1
 * @d:      counts stay
 * @memory: VBLK_MEMORY bytes, page-aligned
 * Return: false if it is no such device or does not do as it should
 */
static inline bool vblk_init(struct vblk *d, uintptr_t base, void *memory, bool event_idx)
{
	uint8_t *m = memory;

	__builtin_memset(memory, 0, VBLK_MEMORY);
	__builtin_memset(d->slots, 0, sizeof(d->slots));
	d->base = base;
	d->desc = (void *)m;
	d->avail = (void *)(m + 0x1000);
	d->used = (void *)(m + 0x2000);
	d->event_idx = event_idx;
	d->avail_idx = 0;
	d->kicked = 0;
	d->last_used = 0;
	if (vblk_get(d, VIRTIO_MMIO_MAGIC_VALUE) != VBLK_MAGIC ||
	    vblk_get(d, VIRTIO_MMIO_VERSION) != 2)
		return false;
	vblk_put(d, VIRTIO_MMIO_STATUS, 0);
	if (vblk_get(d, VIRTIO_MMIO_STATUS))
		return false;
	vblk_put(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	if (!vblk_negotiate(d) || !vblk_set_up_queue(d))
		return false;
	vblk_put(d, VIRTIO_MMIO_STATUS,
		 vblk_get(d, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

/* 2.5.1: both halves, as of one moment. */
static inline uint64_t vblk_capacity(const struct vblk *d)
{
	uint32_t before, low, high;

	do {
		before = vblk_get(d, VIRTIO_MMIO_CONFIG_GENERATION);
		low = vblk_get(d, VIRTIO_MMIO_CONFIG);
		high = vblk_get(d, VIRTIO_MMIO_CONFIG + 4);
	} while (vblk_get(d, VIRTIO_MMIO_CONFIG_GENERATION) != before);
	return (uint64_t)high << 32 | low;
}

/* 2.7.14: what the device has put into the used ring. Interrupts are off. */
static inline void vblk_reap(struct vblk *d)
{
	while (d->last_used != vblk_load16(&d->used->idx)) {
		uint32_t head = d->used->ring[d->last_used % VBLK_NUM].id;

		d->slots[head / 3 % VBLK_SLOTS].state = VBLK_DONE;
		d->last_used++;
		d->done++;
		if (!d->event_idx)
			continue;
		/* used_event, then another look at the index */
		__atomic_store_n(&d->avail->ring[VBLK_NUM], d->last_used, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

/* 4.2.3.4: the two accesses that each interrupt takes. */
static void vblk_interrupt(unsigned int vector)
{
	struct vblk *d = vblk_irq_dev;
	uint32_t status = vblk_get(d, VIRTIO_MMIO_INTERRUPT_STATUS);

	d->interrupts++;
	if (!status)
		return;
	d->acks++;
	vblk_put(d, VIRTIO_MMIO_INTERRUPT_ACK, status);
	if (status & VIRTIO_MMIO_INT_CONFIG)
		d->config_changes++;
	vblk_reap(d);
}

/* irq_init() was called. */
static inline void vblk_interrupts(struct vblk *d, unsigned int pin, unsigned int vector)
{
	vblk_irq_dev = d;
	irq_set_handler(vector, vblk_interrupt);
	ioapic_route(pin, vector, false, lapic_id());
}

/* 2.7.13: header, data, status. Return: the slot; VBLK_SLOTS: none is free. */
static inline unsigned int vblk_submit(struct vblk *d, uint32_t type, uint64_t sector, void *buf,
				       uint32_t len)
{
	uint16_t data = type == VIRTIO_BLK_T_OUT ? 0 : VRING_DESC_F_WRITE, head;
	struct vblk_slot *s;
	unsigned int i = 0;

	while (i < VBLK_SLOTS && d->slots[i].state != VBLK_FREE)
		i++;
	if (i == VBLK_SLOTS)
		return i;
	s = &d->slots[i];
	*s = (struct vblk_slot){ .hdr = { .type = type, .sector = sector },
				 .status = 0xff,
				 .state = VBLK_BUSY };
	head = (uint16_t)(i * 3);
	d->desc[head] = (struct vring_desc){ (uintptr_t)&s->hdr, sizeof(s->hdr), VRING_DESC_F_NEXT,
					     head + 1 };
	d->desc[head + 1] =
		(struct vring_desc){ (uintptr_t)buf, len, data | VRING_DESC_F_NEXT, head + 2 };
	d->desc[head + 2] = (struct vring_desc){ (uintptr_t)&s->status, 1, VRING_DESC_F_WRITE, 0 };
	d->avail->ring[d->avail_idx % VBLK_NUM] = head;
	__atomic_store_n(&d->avail->idx, ++d->avail_idx, __ATOMIC_RELEASE);
	return i;
}

/* 2.7.13.4: notifies, unless the device wants none. */
static inline void vblk_kick(struct vblk *d)
{
	uint16_t from = d->kicked;
	bool wanted;

	d->kicked = d->avail_idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (d->event_idx)
		wanted = vring_need_event(vblk_load16((uint16_t *)&d->used->ring[VBLK_NUM]),
					  d->avail_idx, from);
	else
		wanted = !(vblk_load16(&d->used->flags) & VRING_USED_F_NO_NOTIFY);
	if (!wanted)
		return;
	d->notify++;
	vblk_put(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* Halts until a slot's request is done. Interrupts are on. Return: its status. */
static inline uint8_t vblk_wait(struct vblk *d, unsigned int slot)
{
	irq_disable();
	while (__atomic_load_n(&d->slots[slot].state, __ATOMIC_ACQUIRE) == VBLK_BUSY)
		asm volatile("sti; hlt; cli" : : : "memory");
	irq_enable();
	d->slots[slot].state = VBLK_FREE;
	return d->slots[slot].status;
}

#endif /* GUEST_VBLK_H */
