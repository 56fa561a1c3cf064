// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: access beyond struct lx_io at off 40 size 8
/* A read behind struct lx_io, where the module has its own */
#include "verify.bpf.h"

#ifdef OK
#define OFF 32
#else
#define OFF 40
#endif

READ_OP
{
	return *(volatile __u64 *)((char *)io + OFF) ? LX_PASS : LX_HANDLED;
}

READER;
