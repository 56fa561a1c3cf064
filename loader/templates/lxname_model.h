/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lxname: state, access and time in, verdict and value out. Pure: the BPF
 * program, the VMM's back end and the test compile this very code.
 */
#ifndef LXNAME_MODEL_H
#define LXNAME_MODEL_H

#include <lightexit/io.h>
#include "lxname.h"

/* A guest's read, at device time @ns. LX_PASS for what is not a whole register: the VMM decides. */
static inline int lxname_accel_read(const struct lxname_accel *st, __s64 ns, __u64 off, __u32 len,
				    __u64 *val)
{
	if (len != 4 || (off == LXNAME_COUNT && ns < 0))
		return LX_PASS;
	if (off == LXNAME_COUNT)
		*val = (__u32)((__u64)ns / 1000);
	else if (off == LXNAME_SCRATCH)
		*val = st->scratch;
	else
		return LX_PASS;
	return LX_HANDLED;
}

#endif /* LXNAME_MODEL_H */
