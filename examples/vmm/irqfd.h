/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Eventfds that interrupt the guest; for machines with VMM_IRQCHIP_KERNEL. */
#ifndef VMM_IRQFD_H
#define VMM_IRQFD_H

#include "vmm.h"

/**
 * vmm_irqfd() - an eventfd that raises an interrupt line
 * @gsi:      the line: an IO-APIC's pin, and below 16 the PIC's, too
 * @resample: -1: each signal is an edge. Else an eventfd: a signal raises the line until
 *            the guest's EOI, which signals @resample
 * Return: the eventfd, to be closed; what KVM said
 */
int vmm_irqfd(const struct vmm *vm, uint32_t gsi, int resample);

/*
 * vmm_irqfd_bind() - one that vmm_irqfd() made, an edge, raises its line no more, or again
 * Return: 0; what KVM said
 */
int vmm_irqfd_bind(const struct vmm *vm, int fd, uint32_t gsi, bool on);

#endif /* VMM_IRQFD_H */
