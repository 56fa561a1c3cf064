/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: a timer as a device's state has it. What is armed is armed here,
 * under the state's lock; the kernel's timer (lx_timer_start()) and a VMM's timerfd
 * only wake somebody up to look. Whoever looks first, with the lock held, and finds
 * the timer due, claims it and does what it stands for: so it fires exactly once,
 * whoever died or took over in between. Shared by BPF programs and user space.
 */
#ifndef LIGHTEXIT_TIMER_H
#define LIGHTEXIT_TIMER_H

#if !defined(__VMLINUX_H__)
#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif
#endif

/**
 * struct lx_timer - one timer of a device
 * @due_ns: device time at which it fires next, if armed
 * @armed:  0 or 1
 * @fired:  times that it was claimed
 *
 * The state's lock protects it. Writers: whoever holds the lock.
 */
struct lx_timer {
	__u64 due_ns;
	__u32 armed;
	__u32 fired;
};

static inline void lx_timer_arm(struct lx_timer *t, __u64 due_ns)
{
	t->due_ns = due_ns;
	t->armed = 1;
}

static inline void lx_timer_disarm(struct lx_timer *t)
{
	t->armed = 0;
}

/**
 * lx_timer_claim() - has it expired, and is it the caller's to fire?
 * @now_ns: device time; not before 0
 *
 * A one-shot is disarmed by that; for a periodic one the caller arms the next.
 */
static inline bool lx_timer_claim(struct lx_timer *t, __u64 now_ns)
{
	if (!t->armed || t->due_ns > now_ns)
		return false;
	t->armed = 0;
	t->fired++;
	return true;
}

#endif /* LIGHTEXIT_TIMER_H */
