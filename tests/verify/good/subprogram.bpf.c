// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A function of the program's own hands its io on to a kfunc */
#include "verify.bpf.h"

static __noinline __u64 half_of_now(struct lx_io *io)
{
	return lx_kvmclock_ns(io) / 2;
}

READ_OP
{
	io->data = half_of_now(io);
	return LX_HANDLED;
}

READER;
