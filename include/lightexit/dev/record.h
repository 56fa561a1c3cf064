/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `lightexit record` and its BPF program tell each other. docs/trace-format.md has what
 * comes of it.
 */
#ifndef LIGHTEXIT_DEV_RECORD_H
#define LIGHTEXIT_DEV_RECORD_H

#include <lightexit/io.h>

#define RECORD_RANGES 8U
/* Bytes of events under way to user space: 0.1 s of 10^6 accesses a second; and at most. */
#define RECORD_BUFFER (8U << 20)
#define RECORD_BUFFER_MAX (1U << 30)
#define RECORD_THREADS 4096U

/* Ports or guest-physical addresses; @space: enum lx_space. */
struct record_range {
	__u64 addr;
	__u32 len;
	__u32 space;
};

/**
 * struct record_filter - what is recorded
 * @tgid:   the VM's process. Writer: user space, before the programs are attached; the rest too.
 * @ranges: an access is recorded that overlaps one of them
 * @lost:   events for which the buffer had no room. Writers: the programs, atomically.
 */
struct record_filter {
	__u32 tgid;
	__u32 n_ranges;
	struct record_range ranges[RECORD_RANGES];
	__u64 lost;
};

enum record_kind {
	RECORD_IN = 0,
	RECORD_OUT,
	RECORD_READ,
	RECORD_WRITE,
	RECORD_EXIT, /* a vCPU left KVM_RUN otherwise than for an access */
};

/**
 * struct record_event - one access or exit
 * @ns:    when it was seen: a read's completion, a write's trap; CLOCK_MONOTONIC
 * @trap_ns: of an access: the vCPU's exit from the guest
 * @addr:  port or address; of an exit: KVM_EXIT_*
 * @val:   the lower 8 bytes; a string's last element; of an exit: KVM_RUN's errno
 * @lost:  record_filter.lost
 * @count: elements of a string; else 1
 * @size:  bytes of an element
 * @vmm:   of a read: 1: answered by the VMM, 0: in the kernel
 */
struct record_event {
	__u64 ns;
	__u64 trap_ns;
	__u64 addr;
	__u64 val;
	__u64 lost;
	__u32 tid;
	__u32 count;
	__u8 kind;
	__u8 size;
	__u8 vmm;
	__u8 pad[5];
};

#endif /* LIGHTEXIT_DEV_RECORD_H */
