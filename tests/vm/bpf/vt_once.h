/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of vt_once: a one-shot timer, and who fired it. BPF and user. */
#ifndef VT_ONCE_H
#define VT_ONCE_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

/**
 * struct vt_once_state - a timer that the guest, or the VMM, arms when it is not armed
 * @timer:      the timer
 * @armed:      times that it was armed
 * @by_program: of timer.fired, those that the program claimed
 * @by_vmm:     those that the VMM claimed
 * @delay_ns:   what an access arms it with
 * @eject:      if not 0 the next timer op ejects
 * @ops:        timer ops so far
 *
 * The state's lock protects all of it but @eject and @ops.
 */
struct vt_once_state {
	struct lx_state hdr;
	struct lx_timer timer;
	__u64 armed;
	__u64 by_program;
	__u64 by_vmm;
	__u64 delay_ns;
	__u64 eject;
	__u64 ops;
};

#endif /* VT_ONCE_H */
