// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: a device's eventfds: the slots that programs signal, the one by which
 * the VMM learns that it is to take over, and the one by which it kicks the device.
 *
 * The device holds the eventfds themselves from attach until it is freed. Nobody
 * changes the pointers in between.
 */
#include <linux/eventfd.h>
#include <linux/file.h>

#include "internal.h"

/* 0 or less: none, and *@out stays NULL. */
static int lx_eventfd_get(int fd, struct eventfd_ctx **out)
{
	struct eventfd_ctx *ctx;

	if (fd <= 0)
		return 0;
	ctx = eventfd_ctx_fdget(fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	*out = ctx;
	return 0;
}

/*
 * Somebody signals the kick eventfd. Context: under the eventfd's own lock, interrupts
 * off (not on PREEMPT_RT): so a timer does the rest.
 */
static int lx_kick_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct lx_device *dev = container_of(wait, struct lx_device, eventfds.wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	eventfd_ctx_do_read(dev->eventfds.kick, &count);
	lx_timers_kick(dev);
	return 1;
}

static void lx_kick_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct lx_eventfds *e = container_of(poll, struct lx_eventfds, poll);

	e->head = head;
	add_wait_queue(head, &e->wait);
}

static int lx_kick_get(struct lx_eventfds *e, int fd)
{
	struct eventfd_ctx *ctx;
	struct file *file;

	if (fd <= 0)
		return 0;
	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx)) {
		fput(file);
		return PTR_ERR(ctx);
	}
	e->kick = ctx;
	e->kick_file = file;
	return 0;
}

/**
 * lx_eventfds_get() - take the eventfds that an attach names
 *
 * Return: 0; -EBADF; -EINVAL: no eventfd, or the handover is the kick: a device would take
 * what it says itself. lx_eventfds_put() gives back what was taken, in any case.
 */
int lx_eventfds_get(struct lx_device *dev, const struct lightexit_ops *ops)
{
	u32 i;
	int err = 0;

	for (i = 0; i < ops->nr_eventfds && !err; i++)
		err = lx_eventfd_get(ops->eventfds[i], &dev->eventfds.slots[i]);
	if (!err)
		err = lx_eventfd_get(ops->handover_fd, &dev->eventfds.handover);
	if (!err)
		err = lx_kick_get(&dev->eventfds, ops->kick_fd);
	if (!err && dev->eventfds.kick && dev->eventfds.kick == dev->eventfds.handover)
		err = -EINVAL;
	return err;
}

/* Nobody uses the device any more. */
void lx_eventfds_put(struct lx_device *dev)
{
	struct lx_eventfds *e = &dev->eventfds;
	u32 i;

	lx_kick_ignore(dev);
	if (e->kick_file)
		fput(e->kick_file);
	if (e->kick)
		eventfd_ctx_put(e->kick);
	if (e->handover)
		eventfd_ctx_put(e->handover);
	for (i = 0; i < LX_MAX_SLOTS; i++) {
		if (e->slots[i])
			eventfd_ctx_put(e->slots[i]);
	}
}

/*
 * From here on the kick eventfd is the device's. Once, by the attach, when nothing can
 * fail any more; what was signalled before is not needed: an attach kicks anyway.
 */
void lx_kick_heed(struct lx_device *dev)
{
	struct lx_eventfds *e = &dev->eventfds;

	if (!e->kick)
		return;
	init_waitqueue_func_entry(&e->wait, lx_kick_wake);
	init_poll_funcptr(&e->poll, lx_kick_queue);
	vfs_poll(e->kick_file, &e->poll);
	fput(e->kick_file); /* the eventfd stays, and with it the wait queue */
	e->kick_file = NULL;
	smp_store_release(&e->heeded, true); /* pairs with xchg() in lx_kick_ignore() */
}

/*
 * From here on the kick eventfd is the VMM's, with what nobody has read of it. May be
 * called again, and by two at once.
 */
void lx_kick_ignore(struct lx_device *dev)
{
	struct lx_eventfds *e = &dev->eventfds;

	if (xchg(&e->heeded, false))
		remove_wait_queue(e->head, &e->wait);
}

/* The op has returned LX_HANDLED. Preemption on, inside rcu_read_lock(). */
void lx_send_signals(const struct lx_io_kern *k)
{
	u32 slots, slot;

	for (slots = k->signals; slots; slots &= slots - 1) {
		slot = __ffs(slots);
		eventfd_signal(k->piece->dev->eventfds.slots[slot]);
		this_cpu_inc(k->piece->counters->signals);
	}
}

/* Programs answer no more: the VMM is to look after what the state says is armed. */
void lx_handover(struct lx_device *dev)
{
	if (dev->eventfds.handover)
		eventfd_signal(dev->eventfds.handover);
}
