// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: lightexit: write of 8 bytes at offset 12 of struct lx_io: only data is writable
/* A write that ends behind io->data */
#include "verify.bpf.h"

#ifdef OK
#define OFF 8
#else
#define OFF 12
#endif

WRITE_OP
{
	*(volatile __u64 *)((char *)io + OFF) = 1;
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
