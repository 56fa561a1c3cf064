/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: the kernel functions that a device program may call. BPF only (and
 * kernel/kfuncs.c, which defines them).
 *
 * All of them run in the context of the op that calls them, are bounded, and
 * neither sleep nor fault. `io` is the op's own argument: the verifier refuses
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

#endif /* LIGHTEXIT_KFUNCS_BPF_H */
