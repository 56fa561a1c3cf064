/* SPDX-License-Identifier: GPL-2.0-only */
/* lightexit: what differs between the kernels that it builds for, 6.12 to 7.2. */
#ifndef LX_COMPAT_H
#define LX_COMPAT_H

#include <linux/btf.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "lightexit needs Linux 6.12 or newer"
#endif

/* Since 7.0 every kfunc takes trusted arguments only, and the flag is gone. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

#endif /* LX_COMPAT_H */
