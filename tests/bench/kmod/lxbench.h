/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /dev/lxbench: puts one of the benchmark's C devices on a VM. */
#ifndef LXBENCH_H
#define LXBENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * enum lxbench_kind - which device
 * @LXBENCH_PMTIMER: pmtimer_model.h, 32 bits
 * @LXBENCH_HPET:    hpet_model.h, enabled, 100 MHz
 * @LXBENCH_WRITE:   bench_model.h
 * @LXBENCH_NOP:     takes everything at once
 * @LXBENCH_SECTOR:  bench_model.h's sector, without a lock: a copy for each word
 */
enum lxbench_kind {
	LXBENCH_PMTIMER = 0,
	LXBENCH_HPET,
	LXBENCH_WRITE,
	LXBENCH_NOP,
	LXBENCH_SECTOR,
	LXBENCH_KINDS,
};

/**
 * struct lxbench_attach - argument of LXBENCH_ATTACH
 * @vm_fd: a VM that the caller created
 * @kind:  enum lxbench_kind
 * @space: enum lx_space
 * @len:   bytes
 * @addr:  first port or guest-physical address
 *
 * The device stays until the VM ends. -EBADF, -EINVAL: not a VM, or nonsense;
 * -EPERM: another process's VM; -EEXIST: something is there.
 */
struct lxbench_attach {
	__s32 vm_fd;
	__u32 kind;
	__u32 space;
	__u32 len;
	__u64 addr;
};

#define LXBENCH_ATTACH _IOW('L', 1, struct lxbench_attach)

#endif /* LXBENCH_H */
