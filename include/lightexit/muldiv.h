/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: lx_muldiv64() for models that are compiled outside BPF. Same
 * contract as the kfunc in kfuncs.bpf.h, which BPF programs get instead. In the
 * kernel, who includes a model has defined it.
 */
#ifndef LIGHTEXIT_MULDIV_H
#define LIGHTEXIT_MULDIV_H

#ifdef __bpf__
#include <lightexit/kfuncs.bpf.h>
#elif !defined(__KERNEL__)
#include <linux/types.h>

static inline __u64 lx_muldiv64(__u64 a, __u64 b, __u64 c)
{
	unsigned __int128 q;

	if (!c)
		return 0;
	q = (unsigned __int128)a * b / c;
	return q > ~0ULL ? ~0ULL : (__u64)q;
}
#endif

#endif /* LIGHTEXIT_MULDIV_H */
