/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Counts heavy exits by register: stands between a machine's bus and its back ends. */
#ifndef BOOT_COUNT_H
#define BOOT_COUNT_H

#include "vmm.h"

/* A register's. */
struct count_row {
	const char *device;
	uint64_t addr; /* of the port, or guest-physical */
	bool write;
	uint64_t exits;
};

struct count_dev {
	struct counts *counts;
	struct vmm_dev dev;
};

#define COUNT_ROWS 256U

/**
 * struct counts - of a machine with one vCPU, whose thread alone writes it
 * @rows:   in the order of the first access
 * @others: accesses of registers for which there was no row left
 */
struct counts {
	struct count_dev devs[VMM_MAX_DEVS + 1];
	struct count_row rows[COUNT_ROWS];
	size_t n;
	uint64_t others;
};

/* Counts from here on; before the vCPU runs, after the last vmm_add_dev(). */
void counts_attach(struct counts *c, struct vmm *vm);

/* "LSR", or the address if it has no name; in @buf if need be */
const char *counts_register(const struct count_row *row, char buf[24]);

#endif /* BOOT_COUNT_H */
