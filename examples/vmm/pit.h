/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The VMM's PIT (8254) with port 61h, by pit_model.h. */
#ifndef VMM_PIT_H
#define VMM_PIT_H

#include <lightexit/dev/pit.h>

#include "loop.h"
#include "vmm.h"

struct vmm_pit;

/**
 * struct vmm_pit_opts - a PIT
 * @clock:       enum lx_clock
 * @irq_fd:      eventfd that is signalled when OUT 0 rises (vmm_irqfd(), an edge); -1: none
 * @loop:        where the VMM's own timer runs; NULL: the caller sees to vmm_pit_expire()
 * @state:       a device program's mapped state (lx_device_state()), which is published
 *               with that, and outlives the PIT; NULL: a private one
 * @kick_fd:     the program's, signalled when the VMM changed its timer; -1: none
 * @handover_fd: the program's: the VMM's timer takes over; -1: none
 */
struct vmm_pit_opts {
	enum lx_clock clock;
	int irq_fd;
	struct vmm_loop *loop;
	struct pit_state *state;
	int kick_fd;
	int handover_fd;
};

/**
 * vmm_pit_new() - a PIT after reset on ports 40h to 43h and 61h
 * @vm:  without KVM's own PIT (KVM_CREATE_PIT2 answers these ports in the kernel)
 * @out: vmm_pit_free() it, after the machine
 * Return: 0, or as vmm_add_dev()
 */
int vmm_pit_new(struct vmm *vm, const struct vmm_pit_opts *opts, struct vmm_pit **out);
void vmm_pit_free(struct vmm_pit *pit);

/* Index of the counters' ports and of port 61h, for vmm_dev_count(). */
unsigned int vmm_pit_index(const struct vmm_pit *pit, unsigned int region);

/* The program was attached: until the next handover its timers raise IRQ0, not the VMM's. */
void vmm_pit_attached(struct vmm_pit *pit);

/* Signals what is due by now. When to call it next is in the state's irq. */
void vmm_pit_expire(struct vmm_pit *pit);

#endif /* VMM_PIT_H */
