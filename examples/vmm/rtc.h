/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The VMM's RTC and CMOS RAM (MC146818), by rtc_model.h. */
#ifndef VMM_RTC_H
#define VMM_RTC_H

#include <lightexit/dev/rtc.h>

#include "loop.h"
#include "vmm.h"

struct vmm_rtc;

/**
 * struct vmm_rtc_opts - an RTC
 * @clock:       enum lx_clock
 * @time:        in seconds since 1970-01-01 UTC; a second begins with the RTC
 * @irq_fd:      eventfd that is signalled when IRQF rises (vmm_irqfd(), GSI 8, an edge);
 *               -1: none
 * @loop:        where the VMM's own timer runs; NULL: the caller sees to vmm_rtc_expire()
 * @state:       a device program's mapped state (lx_device_state()), which is published
 *               with that, and outlives the RTC; NULL: a private one
 * @kick_fd:     the program's, signalled when the VMM changed its timer; -1: none
 * @handover_fd: the program's: the VMM's timer takes over; -1: none
 */
struct vmm_rtc_opts {
	enum lx_clock clock;
	uint64_t time;
	int irq_fd;
	struct vmm_loop *loop;
	struct rtc_state *state;
	int kick_fd;
	int handover_fd;
};

/**
 * vmm_rtc_new() - an RTC that runs, on ports 70h and 71h
 * @out: vmm_rtc_free() it, after the machine
 * Return: 0, or as vmm_add_dev()
 */
int vmm_rtc_new(struct vmm *vm, const struct vmm_rtc_opts *opts, struct vmm_rtc **out);
void vmm_rtc_free(struct vmm_rtc *rtc);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_rtc_index(const struct vmm_rtc *rtc);

/* The program was attached: until the next handover its timers raise IRQ8, not the VMM's. */
void vmm_rtc_attached(struct vmm_rtc *rtc);

/* Signals what is due by now. When to call it next is in the state's irq. */
void vmm_rtc_expire(struct vmm_rtc *rtc);

#endif /* VMM_RTC_H */
