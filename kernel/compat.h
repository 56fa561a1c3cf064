/* SPDX-License-Identifier: GPL-2.0-only */
/* lightexit: what differs between the kernels that it builds for, 6.12 to 7.3. */
#ifndef LX_COMPAT_H
#define LX_COMPAT_H

#include <linux/btf.h>
#include <linux/hrtimer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "lightexit needs Linux 6.12 or newer"
#endif

/* Since 7.0 every kfunc takes trusted arguments only, and the flag is gone. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

/* Since 6.13 a timer gets its function when it is set up. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif /* LX_COMPAT_H */
