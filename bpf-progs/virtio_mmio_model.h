/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * virtio-mmio: state and access in, verdict, value and what is to be signalled out.
 * Pure: the BPF program, the VMM's back end and the unit tests compile this very
 * code. The state's lock is held around every call.
 *
 * Selectors, acknowledgements and notifications are answered; negotiation, reset and
 * the set-up of queues are the VMM's.
 */
#ifndef VIRTIO_MMIO_MODEL_H
#define VIRTIO_MMIO_MODEL_H

#include <linux/virtio_mmio.h>

#include <lightexit/dev/virtio_mmio.h>
#include <lightexit/io.h>

/**
 * struct virtio_mmio_ring - what follows from a write
 * @signal: the eventfd of queue @queue is to be signalled
 * @quiet: before that, VIRTIO_MMIO_NO_NOTIFY goes into the two bytes at @used. It
 *          may be left out.
 * @queue:  index
 * @used:   guest-physical address
 */
struct virtio_mmio_ring {
	bool signal;
	bool quiet;
	__u32 queue;
	__u64 used;
};

/**
 * virtio_mmio_read() - a guest's read, by what a mirror page would show
 * @off: offset into the page
 * @len: bytes
 * @val: the value, if handled
 *
 * Return: LX_HANDLED; LX_PASS for what is not naturally aligned
 */
static inline int virtio_mmio_read(const struct virtio_mmio_state *st, __u64 off, __u32 len,
				   __u64 *val)
{
	const __u8 *page = (const __u8 *)&st->page;

	if (off >= VIRTIO_MMIO_PAGE || off & (len - 1))
		return LX_PASS;
	/* The masks change nothing, but show the verifier the last one. */
	switch (len) {
	case 1:
		*val = *(const volatile __u8 *)(page + off);
		return LX_HANDLED;
	case 2:
		*val = *(const volatile __u16 *)(page + (off & (VIRTIO_MMIO_PAGE - 2)));
		return LX_HANDLED;
	case 4:
		*val = *(const volatile __u32 *)(page + (off & (VIRTIO_MMIO_PAGE - 4)));
		return LX_HANDLED;
	case 8:
		*val = *(const volatile __u64 *)(page + (off & (VIRTIO_MMIO_PAGE - 8)));
		return LX_HANDLED;
	default:
		return LX_PASS;
	}
}

/* 4.2.2, QueueSel: of a queue that is not there QueueNumMax reads 0. */
static inline void virtio_mmio_select(struct virtio_mmio_state *st, __u32 queue)
{
	st->queue_sel = queue;
	if (queue < VIRTIO_MMIO_QUEUES) {
		st->page.queue_num_max = st->queues[queue].num_max;
		st->page.queue_ready = st->queues[queue].ready;
	} else {
		st->page.queue_num_max = 0;
		st->page.queue_ready = 0;
	}
}

/* 4.2.2, DeviceFeaturesSel: bits 32 times it to 32 times it plus 31; there are 64. */
static inline void virtio_mmio_select_features(struct virtio_mmio_state *st, __u32 set)
{
	st->device_features_sel = set;
	st->page.device_features = set < 2 ? (__u32)(st->device_features >> (set * 32)) : 0;
}

/* 4.2.2, QueueNotify: the value is the queue's index, without VIRTIO_F_NOTIFICATION_DATA. */
static inline int virtio_mmio_notify(struct virtio_mmio_state *st, __u32 queue,
				     struct virtio_mmio_ring *ring)
{
	struct virtio_mmio_queue *q;
	__u32 doorbell;

	if (queue >= VIRTIO_MMIO_QUEUES)
		return LX_PASS;
	q = &st->queues[queue];
	doorbell = q->doorbell;
	if (!(doorbell & VIRTIO_MMIO_DOORBELL))
		return LX_PASS;
	ring->signal = lx_bell_ring(&q->bell) || !(doorbell & VIRTIO_MMIO_DOORBELL_BELL);
	ring->quiet = ring->signal && doorbell & VIRTIO_MMIO_DOORBELL_QUIET;
	ring->queue = queue;
	ring->used = q->device;
	return LX_HANDLED;
}

/* Takes a notification back that could not be signalled. */
static inline void virtio_mmio_unring(struct virtio_mmio_state *st,
				      const struct virtio_mmio_ring *ring)
{
	struct lx_bell *bell = &st->queues[ring->queue & (VIRTIO_MMIO_QUEUES - 1)].bell;

	bell->rings--;
	lx_bell_rearm(bell);
}

/**
 * virtio_mmio_write() - a guest's write of @val
 * @ring: what is to be done then, if handled
 *
 * 4.2.2.2: control registers are written with 32 bits, aligned.
 *
 * Return: LX_HANDLED, or LX_PASS having changed nothing
 */
static inline int virtio_mmio_write(struct virtio_mmio_state *st, __u64 off, __u32 len, __u64 val,
				    struct virtio_mmio_ring *ring)
{
	ring->signal = false;
	ring->quiet = false;
	if (len != 4)
		return LX_PASS;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		return virtio_mmio_notify(st, (__u32)val, ring);
	case VIRTIO_MMIO_INTERRUPT_ACK:
		st->page.interrupt_status &= ~(__u32)val;
		return LX_HANDLED;
	case VIRTIO_MMIO_QUEUE_SEL:
		virtio_mmio_select(st, (__u32)val);
		return LX_HANDLED;
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		virtio_mmio_select_features(st, (__u32)val);
		return LX_HANDLED;
	default:
		return LX_PASS;
	}
}

#endif /* VIRTIO_MMIO_MODEL_H */
