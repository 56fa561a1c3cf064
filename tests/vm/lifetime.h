/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests share that end things in every order: the machine of vmscript.h with vt_probe. */
#ifndef LIFETIME_H
#define LIFETIME_H

#include "bpf/vt_probe.h"
#include "vmscript.h"

/**
 * struct life - a test's device
 * @dev:  vt_probe, loaded
 * @refs: the module's references as long as it is just loaded
 */
struct life {
	struct lx_device *dev;
	int refs;
};

extern struct life life;

/* vms_create() with @vcpus, and the device. */
void life_setup(unsigned int vcpus);

/* Ends both if they are still there, and checks that no reference to the module is left. */
void life_teardown(void);

/* Has vCPU 0 read, write and move strings on both buses; checks who answered all of it. */
void life_use(bool by_program);

/* Checks that a call succeeded. */
void life_ok(int err, const char *what);

/* The number of attached devices on this host. */
unsigned int life_devices(void);

/* Waits until all that was attached has gone, but for what life.dev itself holds. */
void life_wait_quiet(void);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t life_ms(void);

#endif /* LIFETIME_H */
