// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: invalid indirect access to stack R3 off=-16 size=24
/* lx_guest_read() of more than the buffer on the stack holds */
#include "verify.bpf.h"

READ_OP
{
	__u64 value[2] = { 0 };
	__u32 len = sizeof(value) + 8;

#ifdef OK
	len = sizeof(value);
#endif
	return lx_guest_read(io, io->addr, value, len) ? LX_PASS : LX_HANDLED;
}

READER;
