/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What `lightexit attach` has on a QEMU's counter, at its @addr. */
#ifndef VMATTACHED_H
#define VMATTACHED_H

#include <lightexit/dev/watch.h>
#include <lightexit/lightexit.h>

#include "qemu.h"

/* The attached device's counters; fails the test if none is there in time. */
struct lx_stats attached_stats(const struct qemu *q);
/* Waits until @n more reads were answered in the kernel. */
void attached_wait_answered(const struct qemu *q, uint64_t n);
/* The program's state, mapped; @q's process must have made an access. */
const volatile struct watch_state *attached_state(const struct qemu *q);
/* Fails the test if the guest saw a backward step. */
void attached_expect_forward(const struct qemu *q, const char *when);

#endif /* VMATTACHED_H */
