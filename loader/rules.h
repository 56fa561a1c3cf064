/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The file of rules that says which VMs get which devices; lightexit(1) has its format. */
#ifndef LIGHTEXIT_RULES_H
#define LIGHTEXIT_RULES_H

#include "watchdev.h"

/* The last port that a PM timer of 4 bytes can be at */
#define RULE_PORT_MAX 0xfffcU

/* A rule's devices and options. @port: -1: both usual ones; @period_fs: 0: QEMU's */
struct rule {
	bool wanted[COUNTERS];
	bool dry_run;
	long port;
	uint64_t period_fs;
};

/* An option without its device: what is wrong; or NULL */
const char *rule_fault(const struct rule *r);

struct named_rule {
	char *pattern; /* of VMs' names */
	struct rule rule;
};

struct rules {
	struct named_rule *v;
	size_t n;
};

/* Reads and checks the whole file. 0, or complained; rules_free() is for both. */
int rules_read(const char *path, struct rules *rules);
/* The first rule for a VM of this name, or NULL. */
const struct rule *rules_find(const struct rules *rules, const char *name);
void rules_free(struct rules *rules);

#endif /* LIGHTEXIT_RULES_H */
