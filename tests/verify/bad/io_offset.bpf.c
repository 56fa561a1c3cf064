// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: expected pointer to STRUCT lx_io but R1 has a pointer to
/* A kfunc given a place 8 bytes into the io */
#include "verify.bpf.h"

READ_OP
{
	void *arg = (void *)io + 8;

#ifdef OK
	arg = io;
#endif
	io->data = lx_kvmclock_ns(arg);
	return LX_HANDLED;
}

READER;
