// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: lightexit: write of 8 bytes at offset 40 of struct lx_io: only data is writable
/* A write behind struct lx_io, where the module has its own */
#include "verify.bpf.h"

#ifdef OK
#define OFF 8
#else
#define OFF 40
#endif

WRITE_OP
{
	*(volatile __u64 *)((char *)io + OFF) = 1;
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
