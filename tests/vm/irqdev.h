/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A VM with one vCPU and a device that has one interrupt (slot 0), a kick and a handover. */
#ifndef IRQDEV_H
#define IRQDEV_H

#include "turns.h"

/**
 * struct irqdev - of a test
 * @dev:            the program, loaded
 * @state:          its state
 * @loop:           for the VMM's back end
 * @irq:            an irqfd if there is an irqchip with pins, else a mere eventfd
 * @kick, @handover: eventfds, as the program has them
 */
struct irqdev {
	struct lx_device *dev;
	void *state;
	struct vmm_loop *loop;
	int irq, kick, handover;
};

extern struct irqdev irqdev;

/* @pin: of the irqchip; @attached: as turns_init() */
void irqdev_setup(enum vmm_irqchip irqchip, const char *program, unsigned int pin,
		  void (*attached)(void));

/* After vms_teardown(), and after the back end is freed. */
void irqdev_teardown(void);

#endif /* IRQDEV_H */
