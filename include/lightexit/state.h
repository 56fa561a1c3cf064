/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: what every device state begins with, and how it is read while
 * somebody may be writing it. Shared by BPF programs and user space.
 *
 * A device's state is the one element of a BPF array map with BPF_F_MMAPABLE.
 * The VMM maps it; the program reads it in place.
 *
 * lx_state.seq protects every field that follows the header:
 *  - one writer at a time, the VMM, under a lock of its own. It writes the
 *    fields between lx_write_begin() and lx_write_end();
 *  - readers (the program on any vCPU, other threads of the VMM) take
 *    lx_read_begin() before and lx_read_retry() after they read, and trust
 *    nothing of what they read if either says that a writer was there. A
 *    program then passes; it never waits for user space.
 */
#ifndef LIGHTEXIT_STATE_H
#define LIGHTEXIT_STATE_H

#if !defined(__VMLINUX_H__)
#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif
#endif

#define LX_STATE_MAGIC 0x5445584cU /* "LXET" in memory */
#define LX_STATE_ABI 1U

/**
 * struct lx_state - header of a device state
 * @magic: LX_STATE_MAGIC. Writer: the library, at load.
 * @abi:   LX_STATE_ABI of the program's object. Writer: the library, at load.
 * @size:  bytes of the whole state, with this header. Writer: the library.
 * @seq:   odd while a writer is at work; even and changed afterwards. Writer:
 *         the VMM.
 *
 * A program answers only where @magic and @abi are its own: before the VMM
 * published a state, everything passes.
 */
struct lx_state {
	__u32 magic;
	__u32 abi;
	__u32 size;
	__u32 seq;
};

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
	/* x86 keeps loads in order; only the compiler must. */
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
 * Return: true if a writer came in between and nothing that was read holds.
 */
static inline bool lx_read_retry(const struct lx_state *st, __u32 seq)
{
#ifdef __bpf__
	asm volatile("" ::: "memory");
	return *(const volatile __u32 *)&st->seq != seq;
#else
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&st->seq, __ATOMIC_RELAXED) != seq;
#endif
}

#ifndef __bpf__
/**
 * lx_write_begin() - start changing a state; the VMM's lock is held
 * @st: the state's header
 *
 * A full fence: a clock that is read after it is not before the time at which
 * any program answered from the old state. So a VMM that stops or moves a
 * counter reads the clock only after lx_write_begin().
 */
static inline void lx_write_begin(struct lx_state *st)
{
	__atomic_store_n(&st->seq, st->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/**
 * lx_write_end() - publish the change
 * @st: the state's header
 */
static inline void lx_write_end(struct lx_state *st)
{
	__atomic_store_n(&st->seq, st->seq + 1, __ATOMIC_RELEASE);
}
#endif

#endif /* LIGHTEXIT_STATE_H */
