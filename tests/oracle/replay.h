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
 * @least: of 100 accesses so many are replayed, or the test fails
 * @feed:  does an access, or lets time go by; a string comes element by element.
 *         Return: false if the access was left out
 *
 * Left out, too: accesses that end behind the device, where QEMU's machine has something else; and
 * what comes from outside the guest, but for what rig.extra() does. How many accesses were
 * replayed is printed.
 */
void replay(struct rig *rig, const struct ls_device *dev, const void *state, unsigned int n,
	    unsigned int least, bool (*feed)(struct rig *rig, const struct ls_access *a));

/* Fails if there were fewer. */
void replay_least(struct rig *rig, const char *what, uint64_t n, uint64_t least);

/* The byte at @i of an access of more than one, as an access of its own. */
struct ls_access replay_byte(const struct ls_access *a, unsigned int i);

/* Our side as lockstep makes it; after rig_start(). */
void replay_open(struct rig *rig, const struct ls_device *dev, struct ls_side *side);
void replay_close(struct ls_side *side);

/* Its timers that are due. */
void replay_turn(const struct rig *rig, struct ls_side *side);

/* Signals of a slot since it was last asked. */
uint64_t replay_signals(const struct ls_side *side, unsigned int slot);

#endif /* REPLAY_H */
