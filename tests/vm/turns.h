/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One script, answered by the VMM's back end, by a device program, or by both in turns:
 * the program is attached and detached at random moments while the guest runs.
 */
#ifndef TURNS_H
#define TURNS_H

#include "vmscript.h"

/* What a path has to handle at the least, beside a fifth of the answers. */
#define TURNS_MIN_HANDLED 1000U

enum path {
	BY_VMM,
	BY_PROGRAM,
	IN_TURNS
};

/**
 * struct turns - of a test
 * @dev:      the program, loaded; set by the test
 * @attached: called after each attach, or NULL; set by the test
 * @handled:  accesses that the program handled, up to the last detach
 */
struct turns {
	struct lx_device *dev;
	void (*attached)(void);
	uint64_t handled;
};

extern struct turns turns;

/* Forgets the test before. */
void turns_init(struct lx_device *dev, void (*attached)(void));

void turns_attach(void);
void turns_detach(void);

/* vms_run(); in turns from a random start, else as it was attached before. */
void turns_run(enum path path);

/* Whether the program, by a path that asks it, has handled its part of @answers so far. */
bool turns_enough(enum path path, uint64_t answers);

#endif /* TURNS_H */
