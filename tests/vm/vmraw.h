/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Devices made with bpf(2) alone, past the library's own checks: what the
 * kernel itself says. They have no programs. Functions return an fd, or a
 * negative errno of the call that failed.
 */
#ifndef VMRAW_H
#define VMRAW_H

#include <lightexit/ops.h>

/* A device that the module takes: PMTIMER_PORT's four ports. */
struct lightexit_ops vmr_ops(int vm_fd);

/* Finds the module's types; once, before the others. Fails the test if they are not there. */
void vmr_init(void);
void vmr_exit(void);

/* A struct_ops map, filled in: here the module looks at all but the VM. @flags: BPF_F_LINK or 0. */
int vmr_map(const struct lightexit_ops *ops, unsigned int flags);

/* Attaches a map: here the module looks at the VM and its buses. */
int vmr_link(int map_fd);

/* vmr_map() and vmr_link(). */
int vmr_attach(const struct lightexit_ops *ops);

/* vmr_map() and an update of a link with it: 0 or a negative errno. */
int vmr_update(int link_fd, const struct lightexit_ops *ops);

#endif /* VMRAW_H */
