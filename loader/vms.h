/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The running VMs of this host, as /proc shows them. */
#ifndef LIGHTEXIT_VMS_H
#define LIGHTEXIT_VMS_H

#include <regex.h>
#include <stdbool.h>
#include <sys/types.h>

#define VM_NAME_LEN 256

struct vm {
	pid_t pid;
	char name[VM_NAME_LEN]; /* QEMU's -name, else the process's */
	int pidfd;		/* readable when the process has ended */
	int fd;			/* KVM's VM; -1: none yet, or given back */
};

struct vms {
	struct vm *v;
	size_t n;
};

/* The VM of a process; @fd: which of its fds, or -1: the only one. 0, or complained. */
int vms_of_pid(pid_t pid, int fd, struct vms *vms);
/* Those with that name; or with NULL all whose name matches (NULL: all). 0, or complained. */
int vms_by_name(const char *name, const regex_t *match, struct vms *vms);
/* Without the VM's fd, which would keep it alive. */
void vm_release(struct vm *vm);
void vms_free(struct vms *vms);

#endif /* LIGHTEXIT_VMS_H */
