/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's HPET, by hpet_model.h. Registers are there from vmm_hpet_new() on; interrupts
 * once it is connected. It waits for its timers by itself while no program is attached.
 */
#ifndef VMM_HPET_H
#define VMM_HPET_H

#include <lightexit/dev/hpet.h>

#include "loop.h"
#include "vmm.h"

#define VMM_HPET_PERIOD_FS 10000000ULL /* 100 MHz, as QEMU's */

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

/**
 * struct vmm_hpet_irqs - how an HPET interrupts
 * @loop:       whose thread waits for its timers and its handover
 * @legacy_gsi: what stands for IRQ0 and IRQ8, where HPET_CONFIG_LEGACY leads: 0 or 2, and 8.
 *              By KVM's default routing GSI 2 is the IO-APIC's input 2, and GSI 0 the 8259's
 *              IRQ0 and the IO-APIC's input 0; a PC's routing has both behind GSI 0.
 * @legacy:     HPET_CONFIG_LEGACY is on or off: the 8254 and the RTC's timer interrupt no
 *              more, or again (2.4.2.1). Called with the state's lock held. NULL: none
 * @opaque:     given to @legacy
 */
struct vmm_hpet_irqs {
	struct vmm_loop *loop;
	uint32_t legacy_gsi[2];
	void (*legacy)(void *opaque, bool on);
	void *opaque;
};

/**
 * vmm_hpet_connect() - give it interrupts; before the vCPUs run
 *
 * The machine has VMM_IRQCHIP_KERNEL. What is level-triggered stays asserted until the EOI:
 * KVM lets an irqfd fall then, not when the guest clears HPET_STATUS.
 *
 * Return: 0 or a negative errno
 */
int vmm_hpet_connect(struct vmm_hpet *hpet, const struct vmm_hpet_irqs *irqs);

/* Before the loop and the machine go: its timers end. */
void vmm_hpet_disconnect(struct vmm_hpet *hpet);

/* Of a connected one, what lx_device_set_eventfds() takes: slots, handover_fd and kick_fd. */
void vmm_hpet_eventfds(const struct vmm_hpet *hpet, int slots[HPET_SLOTS], int *handover,
		       int *kick);

/*
 * Before each attach: the program waits for the timers from then on, until its handover.
 * Return: 0 or a negative errno
 */
int vmm_hpet_hand_out(struct vmm_hpet *hpet);

/* That attach failed. */
void vmm_hpet_take_back(struct vmm_hpet *hpet);

/* After lx_state_thaw() and the like: timers and lines are looked at again. */
void vmm_hpet_kick(struct vmm_hpet *hpet);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_hpet_index(const struct vmm_hpet *hpet);

/* As the guest's accesses; @opaque is a struct vmm_hpet, @vcpu is not used. */
uint64_t vmm_hpet_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len);
void vmm_hpet_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val);

#endif /* VMM_HPET_H */
