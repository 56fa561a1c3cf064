/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: the kernel functions that a device program may call. BPF only (and
 * kernel/kfuncs.c, which defines them).
 *
 * All of them run in the context of the op that calls them, are bounded, and
 * neither sleep nor fault. Where nothing else is said, they may be called in any
 * op. `io` is the op's own argument: the verifier refuses
 * anything else.
 */
#ifndef LIGHTEXIT_KFUNCS_BPF_H
#define LIGHTEXIT_KFUNCS_BPF_H

#include <lightexit/io.h>

/**
 * lx_kvmclock_ns() - the VM's kvmclock, in nanoseconds
 *
 * What KVM_GET_CLOCK would return now. With TSC scaling a guest's own pvclock
 * may differ from it.
 */
extern __u64 lx_kvmclock_ns(struct lx_io *io) __ksym;

/**
 * lx_clock_gen() - a value that changes whenever user space sets the VM's
 * clock or a TSC of it
 *
 * Compare for equality only. It may also change at other times, e.g. when the
 * host changes its clock source.
 */
extern __u64 lx_clock_gen(struct lx_io *io) __ksym;

/**
 * lx_monotonic_ns() - the host's CLOCK_MONOTONIC, in nanoseconds
 *
 * The same clock, to the nanosecond, that a VMM reads with
 * clock_gettime(CLOCK_MONOTONIC); it takes no backward step between CPUs
 * (bpf_ktime_get_ns() reads the fast clock, which may).
 */
extern __u64 lx_monotonic_ns(void) __ksym;

/**
 * lx_muldiv64() - a * b / c with a 128-bit product, rounded down
 *
 * Return: the quotient; 0 if c is 0; ~0 if the quotient exceeds 64 bits.
 */
extern __u64 lx_muldiv64(__u64 a, __u64 b, __u64 c) __ksym;

/**
 * lx_eject() - take the device off the fast path for good
 * @code: a reason of the program's own, shown by `lightexit list`
 *
 * From the next access on (or from the end of a string that is under way)
 * everything passes, until the device is detached. The running op's verdict
 * still counts.
 */
extern void lx_eject(struct lx_io *io, __u32 code) __ksym;

/**
 * lx_signal() - signal one of the device's eventfds
 * @slot: index into lightexit_ops.eventfds
 *
 * What that does is the eventfd's affair: an irqfd makes it an interrupt, vhost
 * or a thread of the VMM a doorbell. Signals are sent when the op has returned
 * LX_HANDLED, before the guest runs on, once for each slot however often it was
 * asked for; an op that passes or retries sends none.
 *
 * Return: 0; -ENOENT: there is no such slot or no eventfd in it (counted).
 */
extern int lx_signal(struct lx_io *io, __u32 slot) __ksym;

/**
 * lx_timer_start() - have the timer op called at a time
 * @idx:   0 to LX_MAX_TIMERS - 1. A timer that runs is set anew.
 * @ns:    nanoseconds; a time that is past means at once. A period below
 *         LX_TIMER_MIN_NS becomes that.
 * @flags: LX_TIMER_*
 *
 * The op is never called early. A kvmclock that is set while the timer runs
 * delays it, but does not hasten it: kick the device then; nor does its being
 * faster than CLOCK_MONOTONIC (which NTP steers). Timers live and die with
 * the device: they do not fire after an ejection, a detach or the VM's end. So what
 * is armed belongs in the state too, for LX_TIMER_KICK and for the VMM that takes over.
 *
 * Return: 0; -EINVAL: @idx or @flags; -EOPNOTSUPP: the device has no timer op;
 *         -ESHUTDOWN: the device is being detached or was ejected.
 */
extern int lx_timer_start(struct lx_io *io, __u32 idx, __u64 ns, __u32 flags) __ksym;

/**
 * lx_timer_cancel() - stop a timer
 *
 * Its op may be running, or about to take the state's lock, on another CPU.
 *
 * Return: 1 if it was set and will not expire, 0 if not, -EINVAL: @idx.
 */
extern int lx_timer_cancel(struct lx_io *io, __u32 idx) __ksym;

/**
 * lx_guest_read() - read guest memory
 * @gpa:     guest-physical address
 * @buf:     where to; zeroed if not all can be read, but for -E2BIG
 * @buf__sz: bytes, 1 to LX_GUEST_MAX
 *
 * Return: 0; -E2BIG: @buf__sz; -EPERM: not in a vCPU's read or write op, or not in
 *         the VM's own process; -ENXIO: the range is not within one memory
 *         slot; -EACCES: the slot may hold guest-private memory; -EAGAIN: the
 *         slot is being replaced; -EFAULT: a page is not resident.
 */
extern int lx_guest_read(struct lx_io *io, __u64 gpa, void *buf, __u32 buf__sz) __ksym;

/**
 * lx_guest_write() - write guest memory
 *
 * As lx_guest_read(), and -EACCES for a read-only slot, -EBUSY for one whose
 * dirty pages are logged. After -EFAULT a part may have been written.
 */
extern int lx_guest_write(struct lx_io *io, __u64 gpa, const void *buf, __u32 buf__sz) __ksym;

#endif /* LIGHTEXIT_KFUNCS_BPF_H */
