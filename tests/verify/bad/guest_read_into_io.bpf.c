// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: kernel function lx_guest_read args#2 pointer type UNKNOWN  is not supported
/* lx_guest_read() into the access itself */
#include "verify.bpf.h"

READ_OP
{
	__u64 value = 0;
	void *to = &io->addr;

#ifdef OK
	to = &value;
#endif
	return lx_guest_read(io, io->addr, to, sizeof(value)) ? LX_PASS : LX_HANDLED;
}

READER;
