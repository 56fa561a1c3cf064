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
 * @timer: a timer of the device's has expired, or it is time to look at the
 *         state again. Optional. io->flags has LX_IO_TIMER, io->vcpu is
 *         LX_NO_VCPU, io->len 0, and io->addr says which:
 *         - a timer's index: io->data is the time it was set for, by its clock
 *           (a periodic one: of the last period). Whether anything is due the
 *           op decides by the state: a VMM that took over may have done it.
 *         - LX_TIMER_KICK: after each attach and update, when the module is
 *           enabled again, and when @kick_fd is signalled. The op starts every
 *           timer that the state says is armed, and looks at its lines again.
 *         Returns LX_HANDLED, or LX_RETRY if the state's lock is taken.
 *         Context: softirq (a thread of the kernel's on PREEMPT_RT), preemption
 *         off, any CPU, at the same time as ops on other CPUs, and possibly on
 *         top of a read or write op on its own. There is nobody to pass to.
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
 *              LX_REGION_OVERLAY, or where such devices leave nothing of a
 *              region, -ENOSPC when the VM's bus is full, -EAGAIN while
 *              somebody keeps the VM's memory slots locked: try again.
 * @name:       for people and tracepoints: printable ASCII without spaces or
 *              slashes, ended by a zero; else -EINVAL. Need not be unique.
 * @nr_eventfds: entries of @eventfds that are looked at, 0 to LX_MAX_SLOTS
 * @eventfds:   what lx_signal() signals, by slot; 0 or less: no eventfd there.
 *              Entries behind @nr_eventfds are 0. The device holds the eventfds, not
 *              the file descriptors: -EBADF if one is closed, -EINVAL if it is
 *              something else.
 * @handover_fd: an eventfd; 0 or less: none. Signalled when programs answer no
 *              more and, until an attach or update, no timer of the device fires:
 *              after detach (whoever did it, or died), ejection, and when the
 *              module is switched off. Whoever waits on it then takes the armed
 *              timers over from the state.
 * @kick_fd:    an eventfd; 0 or less: none. When somebody signals it (a VMM that
 *              changed the state's timers; an irqfd's resample), the timer op is
 *              called with LX_TIMER_KICK. The device empties it.
 *
 *              In an update all four are 0: the device keeps what it was attached
 *              with; else -EINVAL.
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
	int (*timer)(struct lx_io *io);
	__u32 nr_eventfds;
	__s32 eventfds[LX_MAX_SLOTS];
	__s32 handover_fd;
	__s32 kick_fd;
	__u32 pad;
};

#endif /* LIGHTEXIT_OPS_H */
