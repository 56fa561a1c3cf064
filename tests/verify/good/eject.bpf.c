// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_eject(), with a code that only run time knows */
#include "verify.bpf.h"

WRITE_OP
{
	lx_eject(io, (__u32)io->data);
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
