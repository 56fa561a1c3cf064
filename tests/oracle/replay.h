/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The traces of tests/lockstep on QEMU's devices and ours: there both sides share a model, and
 * can be wrong alike.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "lockstep.h"
#include "rig.h"

/**
 * replay() - @n steps of the trace that lockstep has with this seed
 * @dev:   lockstep's device
 * @state: ours
 * @feed:  does an access, or lets time go by; a string comes element by element
 *
 * Left out: what comes from outside the guest, attaching, and accesses that end behind the
 * device, where QEMU's machine has something else.
 */
void replay(struct rig *rig, const struct ls_device *dev, const void *state, unsigned int n,
	    void (*feed)(struct rig *rig, const struct ls_access *a));

/* The byte at @i of an access of more than one, as an access of its own. */
struct ls_access replay_byte(const struct ls_access *a, unsigned int i);

#endif /* REPLAY_H */
