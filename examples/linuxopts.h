/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the examples that boot Linux share: their command line, and the boot. */
#ifndef EXAMPLES_LINUXOPTS_H
#define EXAMPLES_LINUXOPTS_H

#include "common.h"
#include "pc.h"

struct linux_opts {
	char kernel[512];
	const char *initrd;
	const char *append;
	const char *output;
	uint64_t mem; /* MB */
};

/* The kernel that runs here, 256 MB. */
struct linux_opts linux_opts_default(void);

/* A child as example_argp is; its input is a struct linux_opts. */
extern const struct argp_child linux_argp[];

/* Where the guest's output goes: NULL: it cannot be opened, as was said. linux_close() it. */
FILE *linux_console(const struct linux_opts *opts);
int linux_close(const struct linux_opts *opts, FILE *console);

/* A PC as @opts and @common say. */
struct vmm_pc_opts linux_pc(const struct linux_opts *opts, const struct example_opts *common,
			    FILE *console);

/* Boots, until the guest powers off. Return: 0 or a negative errno */
int linux_boot(struct vmm_pc *pc, const struct linux_opts *opts);

/* What a device cost so far. */
struct example_cost linux_cost(const struct vmm_pc *pc, enum vmm_pc_device dev);

#endif /* EXAMPLES_LINUXOPTS_H */
