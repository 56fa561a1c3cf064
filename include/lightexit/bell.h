/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: a doorbell that is rung only when somebody sleeps: signal mitigation
 * for any device, ring or table. Shared by BPF programs and user space.
 *
 * Producer: publishes work, then signals if lx_bell_ring() says so. Ringing sets
 * @suppress, so that further rings signal nothing.
 *
 * Consumer: takes all work, then lx_bell_rearm(), then looks for work once more:
 * what was published before a suppressed ring is seen now. Finding none it sleeps
 * on the eventfd. It empties the eventfd before it looks.
 *
 * Either both see the other's word or one does: both exchanges are full fences.
 * So no wakeup is lost. (tests/litmus/bell.litmus)
 */
#ifndef LIGHTEXIT_BELL_H
#define LIGHTEXIT_BELL_H

#if !defined(__VMLINUX_H__)
#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif
#endif

/**
 * struct lx_bell - one doorbell
 * @suppress: 1: the consumer has been signalled and will look; 0: it may sleep.
 *            Writers: producer and consumer, by exchange.
 * @rings:    times that it was rung. Writer: the producer, under the state's lock.
 */
struct lx_bell {
	__u32 suppress;
	__u32 rings;
};

/* Producer, the work published. Return: true if the eventfd is to be signalled now. */
static inline bool lx_bell_ring(struct lx_bell *bell)
{
	bell->rings++;
#ifdef __bpf__
	return !__sync_lock_test_and_set(&bell->suppress, 1);
#else
	return !__atomic_exchange_n(&bell->suppress, 1, __ATOMIC_SEQ_CST);
#endif
}

/* Consumer, all seen work done: from here on a ring signals. Then look for work again. */
static inline void lx_bell_rearm(struct lx_bell *bell)
{
#ifdef __bpf__
	__sync_lock_test_and_set(&bell->suppress, 0);
#else
	__atomic_exchange_n(&bell->suppress, 0, __ATOMIC_SEQ_CST);
#endif
}

#endif /* LIGHTEXIT_BELL_H */
