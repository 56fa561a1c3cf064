/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What programs of the KVM rig have behind their state. Shared by them and by kvm.c. */
#ifndef LS_CLOCK_H
#define LS_CLOCK_H

#include <lightexit/io.h>

#define LS_NOT_SET (~0ULL)

/**
 * struct ls_clock - the virtual clock, and what is to come at once
 * @now_ns:    the time. Writer: the rig
 * @due:       by timer: when its op is to be called; LS_NOT_SET. Writer: the program
 * @tick:      another number: time has gone on. Writer: the rig, which then kicks
 * @tick_done: the last one for which all timers were started that were due
 * @kicked:    somebody but the rig has kicked
 * @pending:   1 << timer: the kernel is about to call its op
 * @busy:      timer ops that run
 */
struct ls_clock {
	__u64 now_ns;
	__u64 due[LX_MAX_TIMERS];
	__u32 tick;
	__u32 tick_done;
	__u32 kicked;
	__u32 pending;
	__u32 busy;
	__u32 pad;
};

#endif /* LS_CLOCK_H */
