/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: what every device state begins with, and how program and VMM share
 * it. Shared by BPF programs and user space; the same rules for both, and for
 * several threads of the VMM.
 *
 * A device's state is the one element of a BPF array map with BPF_F_MMAPABLE.
 * The VMM maps it; the program works on it in place.
 *
 * Two ways to come at it:
 *
 * lock - serialises the whole device. Who changes anything behind the header
 * holds it, and so does who reads more than the next rule allows. A program tries
 * once (lx_enter()) and passes if it is taken, or retries from its timer op: the
 * kernel never waits for user space. It has preemption off while it holds it. The
 * VMM waits (lx_lock()): it spins, then sleeps, so that a thread of any priority
 * gets it, on whatever CPU the holder may be.
 *
 * seq - readers without a lock. Fields that are read so (a counter's) change
 * only between lx_write_begin() and lx_write_end(), under the lock. Readers take
 * lx_read_begin() before and lx_read_retry() after they read, and trust nothing
 * of what they read if either says that a writer was there. A program then passes.
 *
 * Time. A state holds times as device time: nanoseconds of the clock @clock since
 * @epoch_ns. Nothing in it is a host's clock but @epoch_ns, so that a saved state
 * goes on anywhere, from the instant at which it was frozen.
 *
 * Ordering. What is written here for __bpf__ relies on x86: loads stay in order,
 * stores stay in order, an atomic operation is a full fence. (tests/litmus)
 */
#ifndef LIGHTEXIT_STATE_H
#define LIGHTEXIT_STATE_H

#if !defined(__VMLINUX_H__)
#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#include <time.h>
#endif
#endif

#include <lightexit/clock.h>

#define LX_STATE_MAGIC 0x5445584cU /* "LXET" in memory */
#define LX_STATE_ABI 2U
/* In lx_state.abi while device time stands still: everything passes. */
#define LX_STATE_FROZEN (1U << 31)

/* lx_state.lock: free; held by a program; else held by the VMM of that generation. */
#define LX_LOCK_FREE 0U
#define LX_LOCK_PROGRAM (1U << 31)

/* lx_state.owner: the highest; 1 follows. */
#define LX_OWNER_MAX 0x7fffffffU

/**
 * struct lx_state - header of a device state
 * @magic:     LX_STATE_MAGIC. Writer: the library, at load.
 * @abi:       LX_STATE_ABI of the program's object, and LX_STATE_FROZEN. Writers: the
 *             library, at load; lx_freeze() and lx_thaw().
 * @size:      bytes of the whole state, with this header. Writer: the library.
 * @seq:       odd while a writer is at work; even and changed afterwards. Writer:
 *             the lock's holder.
 * @lock:      LX_LOCK_*. Writers: program and VMM, by compare-and-exchange.
 * @owner:     generation of the VMM, 1 to LX_OWNER_MAX: the next one each time that a
 *             process takes the state over. Writer: lx_state_adopt().
 * @clock:     enum lx_clock. Writer: the VMM, before it attaches.
 * @pad:       0
 * @epoch_ns:  time by @clock at which device time was 0. Writer: the VMM, under
 *             lock and seq.
 * @frozen_ns: device time at which it was frozen; meaningful while it is. Writer:
 *             the VMM, under lock and seq.
 * @reserved:  0
 */
struct lx_state {
	__u32 magic;
	__u32 abi;
	__u32 size;
	__u32 seq;
	__u32 lock;
	__u32 owner;
	__u32 clock;
	__u32 pad;
	__u64 epoch_ns;
	__u64 frozen_ns;
	__u64 reserved[2];
};

/*
 * True if the state is one that this code knows, and its time runs. Holds for as long as
 * the lock is held, or if it is asked between lx_read_begin() and lx_read_retry().
 */
static inline bool lx_state_live(const struct lx_state *st)
{
#ifdef __bpf__
	return *(const volatile __u64 *)&st->magic == ((__u64)LX_STATE_ABI << 32 | LX_STATE_MAGIC);
#else
	return __atomic_load_n(&st->magic, __ATOMIC_RELAXED) == LX_STATE_MAGIC &&
	       __atomic_load_n(&st->abi, __ATOMIC_RELAXED) == LX_STATE_ABI;
#endif
}

/**
 * lx_read_begin() - start reading a state without a lock
 * @st:  the state's header
 * @seq: what to give to lx_read_retry()
 *
 * Return: false if a writer is at work: pass, or try again.
 */
static inline bool lx_read_begin(const struct lx_state *st, __u32 *seq)
{
#ifdef __bpf__
	*seq = *(const volatile __u32 *)&st->seq;
	asm volatile("" ::: "memory");
#else
	*seq = __atomic_load_n(&st->seq, __ATOMIC_ACQUIRE);
#endif
	return !(*seq & 1);
}

/**
 * lx_read_retry() - end reading a state without a lock
 * @st:  the state's header
 * @seq: from lx_read_begin()
 *
 * A clock that was read before is not later than what this sees: kfuncs that read
 * one end with a fence, and here is one for user space, as RDTSC is not ordered
 * before later loads.
 *
 * Return: true if a writer came in between and nothing that was read holds.
 */
static inline bool lx_read_retry(const struct lx_state *st, __u32 seq)
{
#ifdef __bpf__
	asm volatile("" ::: "memory");
	return *(const volatile __u32 *)&st->seq != seq;
#else
#ifndef __KERNEL__
	__asm__ volatile("lfence" ::: "memory");
#endif
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&st->seq, __ATOMIC_RELAXED) != seq;
#endif
}

/**
 * lx_write_begin() - start changing what is read without a lock; the lock is held
 * @st: the state's header
 *
 * A full fence: a clock that is read after it is not before the time at which
 * any program answered from the old state. So who stops or moves a counter reads
 * the clock only after lx_write_begin().
 */
static inline void lx_write_begin(struct lx_state *st)
{
#ifdef __bpf__
	__sync_lock_test_and_set(&st->seq, st->seq + 1);
	asm volatile("" ::: "memory");
#else
	__atomic_store_n(&st->seq, st->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/**
 * lx_write_end() - publish the change
 * @st: the state's header
 */
static inline void lx_write_end(struct lx_state *st)
{
#ifdef __bpf__
	asm volatile("" ::: "memory");
	*(volatile __u32 *)&st->seq = st->seq + 1;
#else
	__atomic_store_n(&st->seq, st->seq + 1, __ATOMIC_RELEASE);
#endif
}

#ifdef __bpf__

/* lx_leave() - give the lock back. No return from an op may miss it. */
static inline void lx_leave(struct lx_state *st)
{
	asm volatile("" ::: "memory");
	*(volatile __u32 *)&st->lock = LX_LOCK_FREE;
}

/**
 * lx_enter() - take a state's lock in a program
 * @st: the state's header
 *
 * Return: false if somebody has it, or if the state is not live: pass (a timer
 * op: LX_RETRY, or LX_HANDLED if lx_state_live() says that it is not live).
 */
static inline bool lx_enter(struct lx_state *st)
{
	if (__sync_val_compare_and_swap(&st->lock, LX_LOCK_FREE, LX_LOCK_PROGRAM) != LX_LOCK_FREE)
		return false;
	asm volatile("" ::: "memory");
	if (lx_state_live(st))
		return true;
	lx_leave(st);
	return false;
}

#endif /* __bpf__ */

#if !defined(__bpf__) && !defined(__KERNEL__)

#define LX_LOCK_SPINS 200
#define LX_LOCK_SLEEP_MIN_NS 20000L
#define LX_LOCK_SLEEP_MAX_NS 1000000L

/* lx_trylock() - take a state's lock in the VMM if it is free. Return: whether it did. */
static inline bool lx_trylock(struct lx_state *st)
{
	__u32 free = LX_LOCK_FREE;

	return __atomic_compare_exchange_n(&st->lock, &free,
					   __atomic_load_n(&st->owner, __ATOMIC_RELAXED), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/**
 * lx_lock() - take a state's lock in the VMM; lx_unlock() gives it back
 * @st: the state's header, filled in (by lx_device_load(), lx_device_from_fds(),
 *      lx_state_init())
 *
 * Sleeps if it is held for longer, hence not for signal handlers. Not recursive.
 */
static inline void lx_lock(struct lx_state *st)
{
	struct timespec ts = { .tv_nsec = LX_LOCK_SLEEP_MIN_NS };
	unsigned int spins = 0;

	while (!lx_trylock(st)) {
		if (spins++ < LX_LOCK_SPINS) {
			__builtin_ia32_pause();
			continue;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		if (ts.tv_nsec < LX_LOCK_SLEEP_MAX_NS)
			ts.tv_nsec *= 2;
	}
}

static inline void lx_unlock(struct lx_state *st)
{
	__atomic_store_n(&st->lock, LX_LOCK_FREE, __ATOMIC_RELEASE);
}

/**
 * lx_state_init() - fill in the header of a new state
 * @st:   the state's header; zeros. Nobody else uses it yet
 * @size: bytes of the whole state
 *
 * The library does it for a state that it loads. A VMM does it for a state of its
 * own, where there is no program.
 */
static inline void lx_state_init(struct lx_state *st, __u32 size)
{
	st->abi = LX_STATE_ABI;
	st->size = size;
	st->owner = 1;
	__atomic_store_n(&st->magic, LX_STATE_MAGIC, __ATOMIC_RELEASE);
}

/**
 * lx_device_time() - device time of a clock's time
 * @st:       a consistent state's header
 * @clock_ns: a time by @st->clock
 *
 * Return: nanoseconds; less than 0 if the clock was set back before the epoch.
 */
static inline __s64 lx_device_time(const struct lx_state *st, __u64 clock_ns)
{
	if (st->abi & LX_STATE_FROZEN)
		return (__s64)st->frozen_ns;
	return (__s64)(clock_ns - st->epoch_ns);
}

/*
 * For these three the lock is held, and the clock was read after lx_write_begin(): so
 * no vCPU saw a later time than the one at which time stops or moves.
 */

/* Device time is @device_ns at @clock_ns; if it is frozen, it stands there. */
static inline void lx_set_time(struct lx_state *st, __u64 clock_ns, __u64 device_ns)
{
	st->epoch_ns = clock_ns - device_ns;
	st->frozen_ns = device_ns;
}

/* Device time stands still, at @clock_ns; at 0, if that is before the epoch. */
static inline void lx_freeze(struct lx_state *st, __u64 clock_ns)
{
	__s64 ns = lx_device_time(st, clock_ns);

	st->frozen_ns = ns < 0 ? 0 : (__u64)ns;
	st->abi |= LX_STATE_FROZEN;
}

/* Device time goes on, at @clock_ns, from where it was frozen; if it was. */
static inline void lx_thaw(struct lx_state *st, __u64 clock_ns)
{
	if (!(st->abi & LX_STATE_FROZEN))
		return;
	lx_set_time(st, clock_ns, st->frozen_ns);
	st->abi &= ~LX_STATE_FROZEN;
}

/* The same with lock and seq, for a state that no vCPU is using meanwhile. */

/**
 * lx_state_start() - device time begins, at 0
 * @st:       the state's header
 * @clock:    enum lx_clock; another one than before only while not attached
 * @clock_ns: the time by it, now
 */
static inline void lx_state_start(struct lx_state *st, __u32 clock, __u64 clock_ns)
{
	lx_lock(st);
	lx_write_begin(st);
	st->clock = clock;
	lx_set_time(st, clock_ns, 0);
	lx_write_end(st);
	lx_unlock(st);
}

/**
 * lx_state_freeze() - stop device time: programs pass everything, timers do nothing
 * @clock_ns: the state's clock, read after the vCPUs were stopped
 *
 * Does nothing more to a state that is frozen. With vCPUs that run: lx_freeze().
 */
static inline void lx_state_freeze(struct lx_state *st, __u64 clock_ns)
{
	lx_lock(st);
	lx_write_begin(st);
	lx_freeze(st, clock_ns);
	lx_write_end(st);
	lx_unlock(st);
}

/**
 * lx_state_thaw() - let device time go on from where it was frozen
 * @clock_ns: the state's clock, now
 *
 * Kick an attached device afterwards: its timers look at the state again.
 */
static inline void lx_state_thaw(struct lx_state *st, __u64 clock_ns)
{
	lx_lock(st);
	lx_write_begin(st);
	lx_thaw(st, clock_ns);
	lx_write_end(st);
	lx_unlock(st);
}

#endif /* user space */

#endif /* LIGHTEXIT_STATE_H */
