/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How a VMM takes a lightexit accelerator in, or does without: open and load
 * the program, give its state to the back end, attach. A NULL accelerator is
 * the VMM's own path; all functions take it. Link with liblightexit, whose log
 * callback vmm_accel_open() sets.
 */
#ifndef VMM_ACCEL_H
#define VMM_ACCEL_H

#include <lightexit/lightexit.h>

#include "vmm.h"

enum vmm_path {
	VMM_PATH_VMM = 0, /* heavy exits only */
	VMM_PATH_BPF,	  /* a program, or fail */
	VMM_PATH_AUTO,	  /* a program if this host can; else say why, once, and go on */
};

/**
 * struct vmm_accel_opts - an accelerator
 * @path:      enum vmm_path
 * @bpf_dir:   where NAME.bpf.o is; NULL: as lx_open_opts.dir
 * @regions:   NULL: those of the object
 * @n_regions: their number
 */
struct vmm_accel_opts {
	enum vmm_path path;
	const char *bpf_dir;
	const struct lx_region *regions;
	unsigned int n_regions;
};

struct vmm_accel;

/**
 * vmm_accel_open() - open and load a device program
 * @name:       the device's ("hpet")
 * @state_size: bytes that the back end's state takes
 * @out:        NULL if the VMM's path is to be taken
 * Return: 0; or, with VMM_PATH_BPF, what the library says
 */
int vmm_accel_open(const char *name, size_t state_size, const struct vmm_accel_opts *opts,
		   struct vmm_accel **out);

/* The mapped state, for the back end to publish into; NULL without accelerator. */
void *vmm_accel_state(const struct vmm_accel *accel);

/* lx_device_set_eventfds(). Return: what the library says, which is a mistake of the VMM's */
int vmm_accel_set_eventfds(struct vmm_accel *accel, const struct lx_eventfds *fds);

/**
 * vmm_accel_attach() - put the program on a machine's buses, the state published
 * Return: 0 (also when VMM_PATH_AUTO goes on without); what the library says
 */
int vmm_accel_attach(struct vmm_accel *accel, struct vmm *vm);

/* Whether the program is attached. */
bool vmm_accel_active(const struct vmm_accel *accel);

/* The library's device, for its counters and so on; NULL without accelerator. */
struct lx_device *vmm_accel_device(const struct vmm_accel *accel);

/* Detaches and unmaps the state: when no back end uses it any more. */
void vmm_accel_close(struct vmm_accel *accel);

#endif /* VMM_ACCEL_H */
