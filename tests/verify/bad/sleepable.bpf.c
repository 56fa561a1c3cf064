// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: attach to unsupported member read of struct lightexit_ops
/* A sleepable program */
#include "verify.bpf.h"

#ifdef OK
SEC("struct_ops/verify_read")
#else
SEC("struct_ops.s/verify_read")
#endif
int BPF_PROG(verify_read, struct lx_io *io)
{
	return LX_PASS;
}

READER;
