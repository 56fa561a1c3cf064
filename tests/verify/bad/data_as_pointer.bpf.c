// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R[0-9] invalid mem access 'scalar'
/* The guest's value used as an address */
#include "verify.bpf.h"

WRITE_OP
{
	__u64 *guest = (__u64 *)io->data;

#ifdef OK
	return guest ? LX_PASS : LX_HANDLED;
#else
	return *guest ? LX_PASS : LX_HANDLED;
#endif
}

DEVICE(.write = (void *)verify_write);
