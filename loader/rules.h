/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The file of rules that says which VMs get which devices; lightexit(1) has its format. */
#ifndef LIGHTEXIT_RULES_H
#define LIGHTEXIT_RULES_H

#include "watchdev.h"

/* A rule's devices and options. @port: -1: both usual ones; @period_fs: 0: QEMU's */
struct rule {
	bool wanted[COUNTERS];
	bool dry_run;
	long port;
	uint64_t period_fs;
};

/*
 * Finds the first rule for a VM of this name; @found: there is one. The whole file is checked.
 * 0, or complained.
 */
int rules_find(const char *path, const char *name, struct rule *out, bool *found);

#endif /* LIGHTEXIT_RULES_H */
