/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: one trapped access, as the kernel shows it to a device program.
 *
 * Shared by the kernel module, BPF programs and user space. This is the only
 * definition of these types; docs/abi.md has the rules by which they may grow.
 */
#ifndef LIGHTEXIT_IO_H
#define LIGHTEXIT_IO_H

#if !defined(__KERNEL__) && !defined(__VMLINUX_H__)
#include <linux/types.h>
#endif

/* A loaded BPF program follows the layout of the module that it meets. */
#ifdef __bpf__
#define LX_CORE __attribute__((preserve_access_index))
#else
#define LX_CORE
#endif

/* Ranges of one device, on the port-I/O and MMIO buses together. */
#define LX_MAX_REGIONS 8
/* A device's name, with its terminating zero. */
#define LX_NAME_LEN 16
/* Eventfds of one device. */
#define LX_MAX_SLOTS 16
/* Timers of one device. */
#define LX_MAX_TIMERS 8
/* A timer's op runs at most once in so many nanoseconds; what is due earlier waits. */
#define LX_TIMER_MIN_NS 100000
/*
 * Times in a row that a timer op may answer LX_RETRY before the device is ejected. After so many as
 * LX_RETRY_SLOWER each wait is LX_TIMER_MIN_NS longer: 0.9 s in all.
 */
#define LX_RETRY_LIMIT 1000
#define LX_RETRY_SLOWER 64
/* Bytes of guest memory that one call reads or writes. */
#define LX_GUEST_MAX 4096
/* Ops that failed in a row after which a device is ejected. */
#define LX_ERROR_LIMIT 16
/* Ops that overran the time budget in a row after which a device is ejected. */
#define LX_OVERRUN_LIMIT 8

/**
 * enum lx_verdict - what an op answers
 * @LX_HANDLED: the access is complete; the guest runs on.
 * @LX_PASS:    not answered; the next device on the bus, or else the VMM, gets
 *              the access exactly as if no program were there. A program that
 *              passes has changed no state.
 * @LX_RETRY:   only of a timer op: could not run now (the state's lock was taken);
 *              to be called again shortly. LX_RETRY_LIMIT in a row eject.
 *
 * Any other value, and LX_PASS from a timer op, has the effect of LX_PASS (the
 * timer's: of having done nothing) and counts as an error of the program.
 */
enum lx_verdict {
	LX_HANDLED = 0,
	LX_PASS = 1,
	LX_RETRY = 2,
};

/**
 * enum lx_space - the bus that a region lies on
 * @LX_SPACE_PIO:  x86 I/O ports, 0 to 0xffff
 * @LX_SPACE_MMIO: guest-physical addresses without memory
 */
enum lx_space {
	LX_SPACE_PIO = 0,
	LX_SPACE_MMIO = 1,
};

/*
 * lx_region.flags
 *
 * LX_REGION_OVERLAY: the region may lie over in-kernel devices that others put
 * on the bus. Where the bounds are identical the program is asked first and
 * its passes go to that device; elsewhere that device keeps its range and
 * lightexit takes the pieces around it. Without the flag: -EBUSY.
 *
 * LX_REGION_STRINGS: of ports: read ops are asked for strings too (rep ins),
 * element by element, and go on once they have begun (LX_IO_CONTINUED). Without
 * the flag a string that is read passes as a whole, and so does a single read that
 * KVM emulates like one (an Intel host without unrestricted guests).
 */
#define LX_REGION_OVERLAY (1U << 0)
#define LX_REGION_STRINGS (1U << 1)
#define LX_REGION_FLAGS (LX_REGION_OVERLAY | LX_REGION_STRINGS)

/**
 * struct lx_region - one range of a device
 * @addr:  first port or guest-physical address
 * @len:   bytes, 1 to INT_MAX; @addr + @len must not wrap, and must stay
 *         within 0x10000 for ports
 * @space: enum lx_space
 * @flags: LX_REGION_*; unknown bits are refused with -EINVAL
 */
struct lx_region {
	__u64 addr;
	__u64 len;
	__u32 space;
	__u32 flags;
};

/*
 * lx_io.flags
 *
 * LX_IO_CONTINUED: a further element of a string instruction (rep ins) whose
 * previous element this device handled in the same exit; with LX_REGION_STRINGS
 * only. To pass now loses the rest of the string: KVM reads zeros, silently. See
 * docs/path.md.
 *
 * LX_IO_TIMER: no access: the timer op's call. See lightexit_ops.timer.
 */
#define LX_IO_CONTINUED (1U << 0)
#define LX_IO_TIMER (1U << 1)

/* lx_io.vcpu in a timer op. */
#define LX_NO_VCPU (~0U)
/* lx_io.addr in a timer op that no timer asked for: start again what the state says is armed. */
#define LX_TIMER_KICK (~0ULL)

/*
 * lx_timer_start()'s flags
 *
 * LX_TIMER_REL:      its time counts from now; else it is an absolute time
 * LX_TIMER_KVMCLOCK: by the VM's kvmclock; else by CLOCK_MONOTONIC
 * LX_TIMER_PERIODIC: again each its time, from now on; implies LX_TIMER_REL
 */
#define LX_TIMER_REL (1U << 0)
#define LX_TIMER_KVMCLOCK (1U << 1)
#define LX_TIMER_PERIODIC (1U << 2)
#define LX_TIMER_FLAGS (LX_TIMER_REL | LX_TIMER_KVMCLOCK | LX_TIMER_PERIODIC)

struct lx_io_owner;

/**
 * struct lx_io - one access to one device
 * @addr:   offset into the region, in bytes
 * @data:   the value written; or, for a read, where the program puts the value.
 *          Host byte order. On writes the bytes above @len are zero; of a read's
 *          the bytes above @len are ignored. The only field a program may write.
 * @region: index into lightexit_ops.regions
 * @len:    1, 2, 4 or 8. Other lengths (an MMIO access that crosses a page comes
 *          as 3, 5, 6 or 7 bytes) never reach a program: they pass.
 * @vcpu:   index of the vCPU in its VM: dense, from 0
 * @flags:  LX_IO_*
 * @owner:  opaque. Its being a pointer keeps the verifier from accepting forged
 *          memory where a kfunc takes a struct lx_io.
 *
 * Zeroed before each call. Valid only during the op it was passed to.
 */
struct lx_io {
	__u64 addr;
	__u64 data;
	__u32 region;
	__u32 len;
	__u32 vcpu;
	__u32 flags;
	struct lx_io_owner *owner;
} LX_CORE;

/**
 * enum lx_eject_code - why a device was taken off the fast path
 * @LX_EJECT_NONE:    it was not
 * @LX_EJECT_ERRORS:  LX_ERROR_LIMIT failing ops in a row
 * @LX_EJECT_OVERRUN: LX_OVERRUN_LIMIT ops in a row ran longer than the budget
 * @LX_EJECT_PROGRAM: the program asked for it, by lx_eject()
 * @LX_EJECT_RETRY:   a timer op answered LX_RETRY LX_RETRY_LIMIT times in a row
 */
enum lx_eject_code {
	LX_EJECT_NONE = 0,
	LX_EJECT_ERRORS = 1,
	LX_EJECT_OVERRUN = 2,
	LX_EJECT_PROGRAM = 3,
	LX_EJECT_RETRY = 4,
};

#endif /* LIGHTEXIT_IO_H */
