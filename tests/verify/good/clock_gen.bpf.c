// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_clock_gen(), in either op */
#include "verify.bpf.h"

__u64 seen;

READ_OP
{
	return seen == lx_clock_gen(io) ? LX_HANDLED : LX_PASS;
}

WRITE_OP
{
	seen = lx_clock_gen(io);
	return LX_HANDLED;
}

DEVICE(.read = (void *)verify_read, .write = (void *)verify_write);
