/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The VMM's PCI configuration mechanism #1 of one bus, by pciconf_model.h. */
#ifndef VMM_PCICONF_H
#define VMM_PCICONF_H

#include <lightexit/dev/pciconf.h>

#include "vmm.h"

struct vmm_pciconf;

/**
 * vmm_pciconf_new() - ports CF8h to CFFh, and a bus without functions
 * @state: a device program's mapped state (lx_device_state()), which is published
 *         with that, and outlives it; NULL: a private one
 * @out:   vmm_pciconf_free() it, after the machine
 * Return: 0, or as vmm_add_dev()
 */
int vmm_pciconf_new(struct vmm *vm, struct pciconf_state *state, struct vmm_pciconf **out);
void vmm_pciconf_free(struct vmm_pciconf *pci);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_pciconf_index(const struct vmm_pciconf *pci);

/**
 * struct vmm_pciconf_function - a function
 * @config:   its configuration space after reset
 * @writable: the bits that a guest's write changes
 * @changed:  called after a write to a word, the lock held: the new value. NULL: nobody
 *            has to know
 * @opaque:   given to @changed
 */
struct vmm_pciconf_function {
	uint32_t config[PCICONF_WORDS];
	uint32_t writable[PCICONF_WORDS];
	void (*changed)(void *opaque, unsigned int word, uint32_t val);
	void *opaque;
};

/*
 * Puts a function on the bus, copied; @devfn: device * 8 + function.
 * Return: 0; -EEXIST: it is there; -ENOSPC: PCICONF_FUNCTIONS
 */
int vmm_pciconf_add(struct vmm_pciconf *pci, uint8_t devfn, const struct vmm_pciconf_function *f);

/* The device changes a word of its own, such as status. */
void vmm_pciconf_set(struct vmm_pciconf *pci, uint8_t devfn, unsigned int word, uint32_t val);

#endif /* VMM_PCICONF_H */
