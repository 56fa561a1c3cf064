/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The VMM's ACPI PM timer, by pmtimer_model.h. */
#ifndef VMM_PMTIMER_H
#define VMM_PMTIMER_H

#include <lightexit/dev/pmtimer.h>

#include "vmm.h"

struct vmm_pmtimer;

/**
 * struct vmm_pmtimer_opts - a PM timer
 * @port:  first port, PMTIMER_PORT on PCs like QEMU's q35
 * @bits:  24 or 32
 * @clock: enum lx_clock
 * @ticks: the counter's value now
 * @state: a device program's mapped state (lx_device_state()), which is
 *         published with that, and outlives the timer; NULL: a private one
 */
struct vmm_pmtimer_opts {
	uint16_t port;
	uint32_t bits;
	enum lx_clock clock;
	uint32_t ticks;
	struct pmtimer_state *state;
};

/**
 * vmm_pmtimer_new() - a PM timer on @vm's port bus
 * @out: vmm_pmtimer_free() it, after the machine
 * Return: 0; -EINVAL: bits; or as vmm_add_dev()
 */
int vmm_pmtimer_new(struct vmm *vm, const struct vmm_pmtimer_opts *opts, struct vmm_pmtimer **out);
void vmm_pmtimer_free(struct vmm_pmtimer *pmt);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_pmtimer_index(const struct vmm_pmtimer *pmt);

/* As a guest's read; @opaque is a struct vmm_pmtimer, @vcpu is not used. */
uint64_t vmm_pmtimer_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len);

/* Starts the counter anew at @ticks, while the guest may be reading it. */
void vmm_pmtimer_set(struct vmm_pmtimer *pmt, uint32_t ticks);

#endif /* VMM_PMTIMER_H */
