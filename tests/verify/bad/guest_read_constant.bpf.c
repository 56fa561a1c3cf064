// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: write into map forbidden, value_size=16 off=0 size=16
/* lx_guest_read() into memory that is read-only */
#include "verify.bpf.h"

static const volatile __u64 table[2];

READ_OP
{
	__u64 value[2] = { 0 };
	void *to = (void *)table;

#ifdef OK
	to = value;
#endif
	return lx_guest_read(io, io->addr, to, sizeof(value)) ? LX_PASS : LX_HANDLED;
}

READER;
