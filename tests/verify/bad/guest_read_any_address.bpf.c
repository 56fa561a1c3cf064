// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R3 type=scalar expected=fp
/* lx_guest_read() into memory of which only the guest knows */
#include "verify.bpf.h"

WRITE_OP
{
	__u64 value = 0;
	void *to = (void *)io->data;

#ifdef OK
	to = &value;
#endif
	return lx_guest_read(io, io->addr, to, sizeof(value)) ? LX_PASS : LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
