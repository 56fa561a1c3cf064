// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: calling kernel function lx_monotonic_ns is not allowed
/* A kfunc of lightexit's in a program of another type */
#include "verify.bpf.h"

#ifdef OK
SEC("struct_ops/verify_read")
#else
SEC("raw_tp/sys_enter")
#endif
int BPF_PROG(verify_read, struct lx_io *io)
{
	return lx_monotonic_ns() & 1;
}

#ifdef OK
READER;
#endif
