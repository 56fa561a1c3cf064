/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: the struct_ops type of a device program.
 *
 * Shared by the kernel module, BPF programs and user space. An attached
 * instance is one device: its regions share one state and one ordering.
 */
#ifndef LIGHTEXIT_OPS_H
#define LIGHTEXIT_OPS_H

#include <lightexit/io.h>

/*
 * lightexit_ops.flags
 *
 * LX_OPS_MOVE: meaningful to an update only. The new instance's regions
 * replace the old ones, all of them at once. Without it an update must bring
 * the regions that the device already has.
 */
#define LX_OPS_MOVE (1U << 0)
#define LX_OPS_FLAGS LX_OPS_MOVE

/**
 * struct lightexit_ops - a device program
 *
 * @read:  a guest's read. Puts the value into io->data and returns LX_HANDLED,
 *         or returns LX_PASS having changed nothing.
 * @write: a guest's write of io->data. Returns LX_HANDLED when the write took
 *         effect, or LX_PASS having changed nothing.
 *
 *         Both are optional; what has no op passes. Context: the vCPU's thread,
 *         between its exit and its next entry; preemption off, interrupts on;
 *         several vCPUs at once. Not sleepable (a sleepable program is refused
 *         with -EINVAL). A run longer than the module's budget_us counts as an
 *         overrun.
 *
 * @sz:         sizeof(struct lightexit_ops) as the loader was compiled. 0 or a
 *              size below the first version's: -EINVAL; above the module's:
 *              -E2BIG.
 * @flags:      LX_OPS_*; unknown bits: -EINVAL
 * @vm_fd:      file descriptor of the VM, in the file table of the task that
 *              creates or updates the link. Not a KVM VM: -EINVAL; closed:
 *              -EBADF. The caller owns the VM (it is the process that created
 *              it) or has CAP_SYS_ADMIN: else -EPERM.
 * @nr_regions: 1 to LX_MAX_REGIONS; else -EINVAL
 * @regions:    where the device lies. -EINVAL for a zero length or an unknown
 *              space or flag, -ERANGE for a range that wraps or leaves its
 *              space, -EEXIST where another lightexit device of this VM is,
 *              -EBUSY for an in-kernel device of somebody else's without
 *              LX_REGION_OVERLAY (or while the VM's memory slots stay locked:
 *              try again), -ENOSPC when the VM's bus is full.
 * @name:       for people and tracepoints: printable ASCII without spaces or
 *              slashes, ended by a zero; else -EINVAL. Need not be unique.
 *
 * Attaching fails with -ESHUTDOWN while the module's parameter "enable" is off,
 * and with -EEXIST if this very instance (map) is attached already.
 */
struct lightexit_ops {
	int (*read)(struct lx_io *io);
	int (*write)(struct lx_io *io);
	__u32 sz;
	__u32 flags;
	__s32 vm_fd;
	__u32 nr_regions;
	struct lx_region regions[LX_MAX_REGIONS];
	char name[LX_NAME_LEN];
};

#endif /* LIGHTEXIT_OPS_H */
