/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's HPET: all registers, the counter by hpet_model.h. Comparators keep
 * what is written to them; they raise no interrupts yet.
 */
#ifndef VMM_HPET_H
#define VMM_HPET_H

#include <lightexit/dev/hpet.h>

#include "vmm.h"

#define VMM_HPET_PERIOD_FS 10000000ULL /* 100 MHz, as QEMU's */
#define VMM_HPET_TIMERS 3U

struct vmm_hpet;

/**
 * vmm_hpet_new() - an HPET after reset: halted, counter 0
 * @vm:    on whose MMIO bus it is put
 * @base:  where; HPET_BASE by default of PCs
 * @clock: enum lx_clock
 * @state: a device program's mapped state (lx_device_state()), which is
 *         published with that, and outlives the HPET; NULL: a private one
 * @out:   vmm_hpet_free() it, after the machine
 * Return: 0, or as vmm_add_dev()
 */
int vmm_hpet_new(struct vmm *vm, uint64_t base, enum lx_clock clock, struct hpet_state *state,
		 struct vmm_hpet **out);
void vmm_hpet_free(struct vmm_hpet *hpet);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_hpet_index(const struct vmm_hpet *hpet);

/* As the guest's accesses; @opaque is a struct vmm_hpet, @vcpu is not used. */
uint64_t vmm_hpet_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len);
void vmm_hpet_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val);

#endif /* VMM_HPET_H */
