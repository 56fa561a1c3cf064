/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Loads a Linux kernel by its 64-bit boot protocol (Documentation/arch/x86/boot.rst): a
 * bzImage, an initramfs, the command line and the memory map, all into the machine's memory.
 */
#ifndef VMM_LINUX_H
#define VMM_LINUX_H

#include "vmm.h"

/* What lies below 1 MiB, besides the machine's page tables (vmm.h). */
#define VMM_LINUX_PARAMS_GPA 0x20000UL
#define VMM_LINUX_GDT_GPA 0x21000UL
#define VMM_LINUX_CMDLINE_GPA 0x22000UL

/**
 * struct vmm_linux - what to boot
 * @kernel:  file, a bzImage
 * @initrd:  file; NULL: none
 * @cmdline: the kernel's command line
 * @rsdp:    guest-physical address of ACPI's root pointer; 0: no ACPI
 */
struct vmm_linux {
	const char *kernel;
	const char *initrd;
	const char *cmdline;
	uint64_t rsdp;
};

/**
 * vmm_linux_load() - load it, and point the first vCPU at its 64-bit entry
 * Return: 0; -EINVAL: no bzImage with a 64-bit entry, or the command line is too long;
 *         -E2BIG: memory is too small; or what opening and reading said
 */
int vmm_linux_load(struct vmm *vm, const struct vmm_linux *l);

#endif /* VMM_LINUX_H */
