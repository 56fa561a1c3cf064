// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R4 unbounded memory access
/* lx_guest_read() of less than no bytes */
#include "verify.bpf.h"

READ_OP
{
	__u64 value[2] = { 0 };
	int len = -1;

#ifdef OK
	len = 1;
#endif
	return lx_guest_read(io, io->addr, value, len) ? LX_PASS : LX_HANDLED;
}

READER;
