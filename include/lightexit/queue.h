/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: writes that need no answer, queued by the program for the VMM. One
 * queue for each device, in its state, under the state's lock at both ends; so
 * the order is that in which the device took the writes, across its regions.
 *
 * Program: lx_enter(); lx_queue_push(); full: lx_leave(), pass. The push is the last
 * thing that may make it pass: a write that was queued and passes comes twice.
 * VMM: whenever it handles an exit of the device it takes the lock, does what is
 * queued, then the access: a guest never sees its own queued write undone. And
 * when it is signalled (lx_bell_ring() after the push), for what no exit follows.
 * VMMs of several threads hold a lock of their own around that, so that what one
 * took out is done before another does what comes after it.
 *
 * A queue outlives its programs: what is in it is done before the first access after
 * a detach, and before the state is saved.
 */
#ifndef LIGHTEXIT_QUEUE_H
#define LIGHTEXIT_QUEUE_H

#include <lightexit/io.h>

#if !defined(__VMLINUX_H__) && !defined(__KERNEL__)
#include <stdbool.h>
#endif

/* Writes in a queue; a power of two. */
#define LX_QUEUE_LEN 256U

/**
 * struct lx_queued - one write
 * @addr:   offset into the region
 * @data:   the value, host order
 * @region: index of the region
 * @len:    bytes
 */
struct lx_queued {
	__u64 addr;
	__u64 data;
	__u32 region;
	__u32 len;
};

/**
 * struct lx_queue - a device's queued writes
 * @head: number of writes taken out so far. Writer: the VMM.
 * @tail: number of writes put in so far. Writer: the program.
 * @e:    the writes @head to @tail - 1, at their number modulo LX_QUEUE_LEN
 *
 * The state's lock protects all of it. Starts as zeros.
 */
struct lx_queue {
	__u32 head;
	__u32 tail;
	struct lx_queued e[LX_QUEUE_LEN];
};

static inline __u32 lx_queue_count(const struct lx_queue *q)
{
	return q->tail - q->head;
}

/* The lock is held. Return: false if the queue is full: pass the write. */
static inline bool lx_queue_push(struct lx_queue *q, const struct lx_io *io)
{
	struct lx_queued *e = &q->e[q->tail & (LX_QUEUE_LEN - 1)];

	if (lx_queue_count(q) >= LX_QUEUE_LEN)
		return false;
	e->addr = io->addr;
	e->data = io->data;
	e->region = io->region;
	e->len = io->len;
	q->tail++;
	return true;
}

/* The lock is held. Return: false if there is none, or if the counts make no sense. */
static inline bool lx_queue_pop(struct lx_queue *q, struct lx_queued *out)
{
	if (lx_queue_count(q) - 1 >= LX_QUEUE_LEN)
		return false;
	*out = q->e[q->head & (LX_QUEUE_LEN - 1)];
	q->head++;
	return true;
}

#endif /* LIGHTEXIT_QUEUE_H */
