/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A PC that boots Linux: UART, RTC, PIT, HPET, PM timer, PCI configuration, an IDE disk if there
 * is one, and ACPI; each with its accelerator. One vCPU.
 */
#ifndef VMM_PC_H
#define VMM_PC_H

#include <stdio.h>

#include "accel.h"
#include "acpi.h"
#include "hpet.h"
#include "ide.h"
#include "loop.h"
#include "pciconf.h"
#include "pit.h"
#include "pmtimer.h"
#include "rtc.h"
#include "uart.h"

/* Those with a program. */
enum vmm_pc_device {
	VMM_PC_UART = 0,
	VMM_PC_RTC,
	VMM_PC_PIT,
	VMM_PC_HPET,
	VMM_PC_PMTIMER,
	VMM_PC_PCICONF,
	VMM_PC_IDE,
	VMM_PC_DEVICES,
};

/* Their names, which are those of the programs' objects. */
extern const char *const vmm_pc_names[VMM_PC_DEVICES];

/**
 * struct vmm_pc_opts - a PC
 * @path:     who answers
 * @bpf_dir:  as vmm_accel_opts.bpf_dir
 * @mem_size: bytes
 * @console:  gets what the guest sends to the UART
 * @disk:     a file for the IDE disk, which stays the caller's; 0 or less: none
 */
struct vmm_pc_opts {
	enum vmm_path path;
	const char *bpf_dir;
	size_t mem_size;
	FILE *console;
	int disk;
};

/**
 * struct vmm_pc - a PC
 * @accels:   by enum vmm_pc_device; NULL: the VMM answers
 * @irqs:     IRQ0 of the PIT, IRQ8 of the RTC, IRQ4 of the UART, IRQ14 of the disk: irqfds
 * @timerfds: kick_fd and handover_fd of PIT and RTC
 * @legacy:   the HPET has their two interrupts now
 */
struct vmm_pc {
	struct vmm_pc_opts opts;
	struct vmm *vm;
	struct vmm_loop *loop;
	struct vmm_acpi *acpi;
	struct vmm_uart *uart;
	struct vmm_rtc *rtc;
	struct vmm_pit *pit;
	struct vmm_hpet *hpet;
	struct vmm_pmtimer *pmtimer;
	struct vmm_pciconf *pciconf;
	struct vmm_ide *ide;
	struct vmm_accel *accels[VMM_PC_DEVICES];
	int irqs[4];
	int timerfds[2][2];
	bool legacy;
};

/* Return: 0 or a negative errno. vmm_pc_destroy() it in either case. */
int vmm_pc_create(struct vmm_pc *pc, const struct vmm_pc_opts *opts);
void vmm_pc_destroy(struct vmm_pc *pc);

/* Heavy exits of a device. */
struct vmm_count vmm_pc_count(const struct vmm_pc *pc, enum vmm_pc_device dev);

#endif /* VMM_PC_H */
