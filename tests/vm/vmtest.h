/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the VM tests share. They run as root in the lab's machine, with the
 * module loaded: real KVM, real guests (examples/vmm), real programs. Each test
 * program is run alone and its tests one after the other.
 */
#ifndef VMTEST_H
#define VMTEST_H

#include <criterion/criterion.h>
#include <lightexit/lightexit.h>

#include "vmm.h"

/* Where the built objects are: device programs and the tests' own. */
const char *vmt_bpf_dir(void);
const char *vmt_test_bpf_dir(void);

/*
 * Repetitions: @full in `make soak` (LX_SCALE=10), a tenth of it in `make check`; 1 at least. Where
 * LX_SCALE is below 1 it lessens only what is above 3,000.
 */
unsigned long vmt_scale(unsigned long full);

/* How long a test waits at most: @n, and on slow kernels a multiple of it (LX_PATIENCE). */
int vmt_patience(int n);

/* Sleeps for a random time of up to @us. */
void vmt_nap(unsigned int us);

/*
 * The same while a program that comes and goes is attached; after each but the first attach up to
 * twice as long as it was away, if that is more: an attach takes 2 ms or 100, and the VMM answers
 * meanwhile.
 */
void vmt_stay(unsigned int us);

/* The library's messages since vmt_log_clear(); the library logs here from vmt_init() on. */
const char *vmt_log(void);
void vmt_log_clear(void);

/* Sets the library's log up; call first in each suite's .init. */
void vmt_init(void);

/* Opens and loads a device program; fails the test with the library's message if that fails. */
struct lx_device *vmt_load(const char *dir, const char *name);

/* As vmt_load(), with @n regions of the test's own. */
struct lx_device *vmt_load_at(const char *dir, const char *name, const struct lx_region *regions,
			      unsigned int n);

/* Attaches; fails the test with the library's message if that fails. */
void vmt_attach(struct lx_device *dev, const struct vmm *vm);

/* The attached device's counters; fails the test if there are none. */
struct lx_stats vmt_stats(const struct lx_device *dev);

/* Reads a small file into a static buffer, without the last newline; "" if it cannot be read. */
const char *vmt_read_file(const char *path);

/* Writes a module parameter of lightexit's; fails the test if that fails. */
void vmt_set_param(const char *name, const char *value);

/* The module's reference count, as /sys/module/lightexit/refcnt has it. */
int vmt_module_refs(void);

/* Waits until the module's reference count is back at @refs; fails the test if it stays. */
void vmt_wait_module_refs(int refs);

/* Unloads the module: 0 or a negative errno, -EWOULDBLOCK if something refers to it. */
int vmt_unload(void);

/* Loads it again; fails the test if that fails. */
void vmt_reload(void);

#endif /* VMTEST_H */
