/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vt_svc's state: the kernel services that its ops use, and what came of it. BPF and user. */
#ifndef VT_SVC_H
#define VT_SVC_H

#include <lightexit/state.h>

#define VT_CALLS 20U
#define VT_ORDERS 8U
#define VT_RUNS 1024U
#define VT_BUF 8192U

/* enum vt_what - a call of a kfunc, and what of struct vt_call it takes */
enum vt_what {
	VT_SIGNAL,	  /* lx_signal(@a) */
	VT_START,	  /* lx_timer_start(@a, @b, @c) */
	VT_CANCEL,	  /* lx_timer_cancel(@a) */
	VT_GUEST_READ,	  /* lx_guest_read() of @c bytes at @b into the state's buf */
	VT_GUEST_WRITE,	  /* lx_guest_write() of @c bytes at @b from it */
	VT_GUEST_CHECK,	  /* VT_GUEST_READ, and counts what came of it: enum vt_outcome */
	VT_EJECT,	  /* lx_eject(@a) */
	VT_ADD,		  /* adds @b to the state's level */
	VT_SIGNAL_LEVEL,  /* lx_signal(@a) if level is above 0 */
	VT_START_COUNTED, /* lx_timer_start(@a, @b, @c) if level is above 0, and takes one off */
	VT_SPIN,	  /* bpf_loop() of @b iterations */
	VT_MONOTONIC,	  /* lx_monotonic_ns() */
	VT_KVMCLOCK,	  /* lx_kvmclock_ns() */
};

/* enum vt_outcome - of a read of guest memory that holds one word, again and again */
enum vt_outcome {
	VT_WORD_A, /* ... VT_A */
	VT_WORD_B, /* ... VT_B */
	VT_TORN,   /* neither throughout */
	VT_NO_SLOT,
	VT_INVALID_SLOT,
	VT_NOT_RESIDENT,
	VT_OTHER,
	VT_OUTCOMES,
};

#define VT_A 0xa5a5a5a5a5a5a5a5ULL
#define VT_B 0x5b5b5b5b5b5b5b5bULL

/* @ret: of the last time that it was made. Writer: the program; the test else. */
struct vt_call {
	__u32 what;
	__u32 a;
	__u64 b;
	__u32 c;
	__u32 pad;
	__s64 ret;
};

/**
 * struct vt_order - what an op does
 * @verdict: its verdict, but
 * @limit:   if not 0: only of this many runs, then
 * @then:    this one
 * @n:       calls, in order
 * @runs:    runs so far. Writer: the program
 */
struct vt_order {
	__s32 verdict;
	__s32 then;
	__u64 limit;
	__u64 runs;
	__u32 n;
	__u32 pad;
	struct vt_call calls[VT_CALLS];
};

/*
 * One run of the timer op: struct lx_io as it got it, and both clocks as it began.
 * @noted: 1, written last
 */
struct vt_run {
	__u64 which;
	__u64 due;
	__u64 mono;
	__u64 kvm;
	__u32 region;
	__u32 len;
	__u32 vcpu;
	__u32 flags;
	__u64 noted;
};

/**
 * struct vt_svc_state - vt_svc's orders and its diary
 * @access: of reads and writes, by their offset / 4; a read's value is its offset
 * @timer:  of the timer op, for timers
 * @kick:   of the timer op, for LX_TIMER_KICK
 * @level:  see enum vt_what
 * @outcome: by enum vt_outcome. Writer: the program
 * @n_runs: runs of the timer op for timers. Writer: the program
 * @run:    the first of them. Writer: the program
 * @buf:    guest memory
 */
struct vt_svc_state {
	struct lx_state hdr;
	struct vt_order access[VT_ORDERS];
	struct vt_order timer;
	struct vt_order kick;
	__s64 level;
	__u64 outcome[VT_OUTCOMES];
	__u64 n_runs;
	struct vt_run run[VT_RUNS];
	__u8 buf[VT_BUF];
};

#endif /* VT_SVC_H */
