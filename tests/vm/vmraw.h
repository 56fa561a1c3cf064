/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Devices made with bpf(2) alone, past the library's own checks: what the
 * kernel itself says. They have no programs but those of vmr_load(). Functions
 * return an fd, or a negative errno of the call that failed.
 */
#ifndef VMRAW_H
#define VMRAW_H

#include <bpf/libbpf.h>
#include <lightexit/ops.h>

/* A device that the module takes: PMTIMER_PORT's four ports. */
struct lightexit_ops vmr_ops(int vm_fd);

/* Finds the module's types; once, before the others. Fails the test if they are not there. */
void vmr_init(void);
void vmr_exit(void);

/**
 * struct vmr_prog - a loaded object of the tests' own
 * @obj:   libbpf's
 * @state: its state, mapped, with its header filled in
 * @state_fd: the map
 */
struct vmr_prog {
	struct bpf_object *obj;
	void *state;
	int state_fd;
};

/* Loads @name of the tests' programs, with a state of @size bytes; fails the test if that fails. */
void vmr_load(struct vmr_prog *prog, const char *name, size_t size);
void vmr_unload(struct vmr_prog *prog);

/* Gives a device those of the programs NAME_read, NAME_write and NAME_timer that there are. */
void vmr_set_ops(struct lightexit_ops *ops, const struct vmr_prog *prog);

/* A struct_ops map, filled in: here the module looks at all but the VM. @flags: BPF_F_LINK or 0. */
int vmr_map(const struct lightexit_ops *ops, unsigned int flags);

/* Attaches a map: here the module looks at the VM and its buses. */
int vmr_link(int map_fd);

/* vmr_map() and vmr_link(). */
int vmr_attach(const struct lightexit_ops *ops);

/* vmr_map() and an update of a link with it: 0 or a negative errno. */
int vmr_update(int link_fd, const struct lightexit_ops *ops);

#endif /* VMRAW_H */
