// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: func 'read' doesn't have 2-th argument
/* An op that takes an argument which it is not given */
#include "verify.bpf.h"

SEC("struct_ops/verify_read")
int BPF_PROG(verify_read, struct lx_io *io, __u64 more)
{
#ifdef OK
	return LX_PASS;
#else
	return more ? LX_PASS : LX_HANDLED;
#endif
}

READER;
