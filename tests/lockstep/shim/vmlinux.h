/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What device programs take from vmlinux.h, for user space: they are C, and so is what the
 * headers have for __bpf__.
 */
#ifndef SHIM_VMLINUX_H
#define SHIM_VMLINUX_H

#include <linux/types.h>
#include <stdbool.h>

#define preserve_access_index may_alias /* any attribute that the compiler knows */

#endif /* SHIM_VMLINUX_H */
