// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A read and a write op that share a global variable */
#include "verify.bpf.h"

__u64 latch;

READ_OP
{
	io->data = latch;
	return LX_HANDLED;
}

WRITE_OP
{
	latch = io->data;
	return LX_HANDLED;
}

DEVICE(.read = (void *)verify_read, .write = (void *)verify_write);
