/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of vt_race: a timer that program and VMM both watch. BPF and user. */
#ifndef VT_RACE_H
#define VT_RACE_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

/**
 * struct vt_race_state - all of it under the lock
 * @by_program: times that the program claimed the timer
 * @by_vmm:     times that the VMM did
 * @early:      times that the op came before what it was set for
 */
struct vt_race_state {
	struct lx_state hdr;
	struct lx_timer timer;
	__u64 by_program;
	__u64 by_vmm;
	__u64 early;
};

#endif /* VT_RACE_H */
