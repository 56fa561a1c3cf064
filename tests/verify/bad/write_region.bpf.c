// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: lightexit: write of 4 bytes at offset 16 of struct lx_io: only data is writable
/* A write to io->region */
#include "verify.bpf.h"

WRITE_OP
{
#ifdef OK
	io->data = 1;
#else
	io->region = 1;
#endif
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
