// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R4 min value is negative
/* lx_guest_write() of as much as the guest says */
#include "verify.bpf.h"

WRITE_OP
{
	__u64 value[2] = { 0 };
	__u32 len = io->data;

#ifdef OK
	len &= 15;
#endif
	return lx_guest_write(io, io->addr, value, len) ? LX_PASS : LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
