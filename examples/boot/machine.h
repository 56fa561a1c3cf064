/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A PC that boots Linux: its devices, each with its accelerator, and what they cost. */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include "acpi.h"
#include "common.h"
#include "count.h"
#include "hpet.h"
#include "linux.h"
#include "loop.h"
#include "pciconf.h"
#include "pit.h"
#include "pmtimer.h"
#include "rtc.h"
#include "uart.h"

/* Those with a program; its object is named so, too. */
enum machine_device {
	DEV_UART = 0,
	DEV_RTC,
	DEV_PIT,
	DEV_HPET,
	DEV_PMTIMER,
	DEV_PCICONF,
	DEV_COUNT,
};

extern const char *const machine_devices[DEV_COUNT];

/**
 * struct machine_opts - a machine
 * @common:  who answers: the path, and where the objects are
 * @mem_size: bytes
 * @console: gets what the guest sends
 */
struct machine_opts {
	const struct example_opts *common;
	size_t mem_size;
	FILE *console;
};

/**
 * struct machine - a PC
 * @accels:   by enum machine_device; NULL: the VMM answers
 * @irqs:     IRQ0 of the PIT, IRQ8 of the RTC: irqfds
 * @timerfds: kick_fd and handover_fd of PIT and RTC
 * @legacy:   the HPET has these two interrupts now
 * @counts:   heavy exits by register
 */
struct machine {
	struct machine_opts opts;
	struct vmm *vm;
	struct vmm_loop *loop;
	struct vmm_acpi *acpi;
	struct vmm_uart *uart;
	struct vmm_rtc *rtc;
	struct vmm_pit *pit;
	struct vmm_hpet *hpet;
	struct vmm_pmtimer *pmtimer;
	struct vmm_pciconf *pciconf;
	struct vmm_accel *accels[DEV_COUNT];
	int uart_irq;
	int irqs[2];
	int timerfds[2][2];
	bool legacy;
	struct counts counts;
};

/* Return: 0 or a negative errno. machine_destroy() it in either case. */
int machine_create(struct machine *m, const struct machine_opts *opts);
void machine_destroy(struct machine *m);

/* What a device cost so far. */
struct example_cost machine_cost(const struct machine *m, enum machine_device dev);

#endif /* BOOT_MACHINE_H */
