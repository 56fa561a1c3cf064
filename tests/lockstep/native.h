/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The programs as user space runs them: their kfuncs, and the map with their state. */
#ifndef NATIVE_H
#define NATIVE_H

#include <lightexit/ops.h>

/**
 * struct native - the program that runs, and what the kernel would know of it
 * @ops:     the program
 * @st:      its state
 * @signals: slots that the running op asked to signal
 * @due:     by timer: when its op is called; LS_NEVER: it is not set
 */
struct native {
	const struct lightexit_ops *ops;
	void *st;
	unsigned int signals;
	unsigned long long due[LX_MAX_TIMERS];
};

extern struct native native;

/* By name: the objects of bpf-progs, compiled here. */
const struct lightexit_ops *native_ops(const char *name);

#endif /* NATIVE_H */
