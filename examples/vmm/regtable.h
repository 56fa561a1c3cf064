/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's side of a register table: ports and MMIO whose registers a table
 * describes. What the table does not answer, by the program or here, comes to the
 * device's own functions.
 *
 *   vmm_accel_open("regtable", sizeof(struct regtable_state), ...)
 *   vmm_regtable_new()            with the accelerator's state, or without
 *   regtable_add_region(), regtable_add() of regtable_model.h, into vmm_regtable_state()
 *   vmm_accel_attach()
 */
#ifndef VMM_REGTABLE_H
#define VMM_REGTABLE_H

#include <lightexit/dev/regtable.h>

#include "vmm.h"

struct vmm_regtable;

/**
 * struct vmm_regtable_opts - a device
 * @name:      for people
 * @regions:   where it lies, as given to lx_device_set_regions()
 * @n_regions: their number
 * @state:     a device program's mapped state (lx_device_state()), which outlives
 *             the device; NULL: a private one
 * @read:      an access that passes, in the state's lock: it may change the table, and
 *             ends soon. Bytes of its value above @len are ignored. NULL: all ones
 * @write:     the same; NULL: dropped
 * @opaque:    given to both
 */
struct vmm_regtable_opts {
	const char *name;
	const struct lx_region *regions;
	unsigned int n_regions;
	struct regtable_state *state;
	uint64_t (*read)(void *opaque, uint32_t region, uint64_t off, uint32_t len);
	void (*write)(void *opaque, uint32_t region, uint64_t off, uint32_t len, uint64_t val);
	void *opaque;
};

/**
 * vmm_regtable_new() - a device, on @vm's buses
 * @out: vmm_regtable_free() it, after the machine
 * Return: 0; -EINVAL: no regions, or too many; or as vmm_add_dev()
 */
int vmm_regtable_new(struct vmm *vm, const struct vmm_regtable_opts *opts,
		     struct vmm_regtable **out);
void vmm_regtable_free(struct vmm_regtable *table);

/* The table; once it is in use, in its lock. */
struct regtable_state *vmm_regtable_state(const struct vmm_regtable *table);

/* Heavy exits that the device cost. */
struct vmm_count vmm_regtable_count(const struct vmm_regtable *table);

#endif /* VMM_REGTABLE_H */
