/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What ACPI a PC needs so that its system finds the timers: tables, and the PM1 registers by
 * which it is powered off. Section numbers are those of the ACPI Specification 6.5.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include "vmm.h"

/* The tables, within what systems search for them (5.2.5.1) */
#define VMM_ACPI_GPA 0xe0000UL
#define VMM_ACPI_SIZE 0x1000UL

/* PM1 status, enable (4.8.3.1) and control (4.8.3.2); the PM timer follows at PMTIMER_PORT. */
#define VMM_ACPI_PM1_PORT 0x600U
#define VMM_ACPI_PM1_ENABLE 2U
#define VMM_ACPI_PM1_CONTROL 4U
#define VMM_ACPI_PM1_LEN 6U

struct vmm_acpi;

/**
 * vmm_acpi_new() - tables at VMM_ACPI_GPA, PM1 registers; after the vCPUs, before a guest is loaded
 *
 * They tell of the vCPUs, the IO-APIC, PCI's bus 0, the HPET at HPET_BASE and a PM timer of 32
 * bits at PMTIMER_PORT. IRQ0 is the IO-APIC's input 0, as in KVM's own routing. A guest that goes
 * to S5 ends its vCPU as one that writes 0 to VMM_EXIT_PORT.
 *
 * @out: vmm_acpi_free() it, after the machine
 * Return: 0, -EINVAL: memory ends below the tables; or as vmm_add_dev()
 */
int vmm_acpi_new(struct vmm *vm, struct vmm_acpi **out);
void vmm_acpi_free(struct vmm_acpi *acpi);

#endif /* VMM_ACPI_H */
