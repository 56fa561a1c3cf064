/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The one interrupt of a device whose state has its timer (lx_timer), and who fires it:
 * the VMM, on its loop, or the program while it is attached, until its handover.
 */
#ifndef VMM_IRQTIMER_H
#define VMM_IRQTIMER_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

#include "loop.h"
#include "vmm.h"

/**
 * struct vmm_irqtimer - set up by the device, then vmm_irqtimer_init()
 * @vm:      its machine
 * @name:    for people
 * @hdr:     the state's header; its lock protects what changes
 * @timer:   the state's timer
 * @irq_fd, @kick_fd, @handover_fd: eventfds; -1: none
 * @expire:  called with the lock held: claims @timer at a device time, arms the next.
 *           Return: true to interrupt
 * @opaque:  given to @expire
 * @mine:    the VMM fires
 */
struct vmm_irqtimer {
	struct vmm *vm;
	const char *name;
	struct lx_state *hdr;
	struct lx_timer *timer;
	int irq_fd;
	int kick_fd;
	int handover_fd;
	bool (*expire)(void *opaque, uint64_t ns);
	void *opaque;
	bool mine;
	struct vmm_watch *watch;
	struct vmm_watch *handover;
};

/* @loop: NULL: the caller sees to vmm_irqtimer_expire(). Return: 0 or a negative errno */
int vmm_irqtimer_init(struct vmm_irqtimer *t, struct vmm_loop *loop);
void vmm_irqtimer_fini(struct vmm_irqtimer *t);

/* Device time; not before 0 (somebody may set the VM's clock back). */
uint64_t vmm_irqtimer_ns(const struct vmm_irqtimer *t);

/* The state's timer was changed; its lock is held. */
void vmm_irqtimer_changed(struct vmm_irqtimer *t);

/* Interrupts. */
void vmm_irqtimer_raise(const struct vmm_irqtimer *t);

/* Fires what is due. */
void vmm_irqtimer_expire(struct vmm_irqtimer *t);

/* The program was attached, and fires from now on. */
void vmm_irqtimer_attached(struct vmm_irqtimer *t);

#endif /* VMM_IRQTIMER_H */
