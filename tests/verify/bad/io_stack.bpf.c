// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: pointer type STRUCT lx_io must point to scalar, or struct with scalar
/* A kfunc given a struct lx_io on the program's stack */
#include "verify.bpf.h"

READ_OP
{
	struct lx_io fake = {}, *arg = &fake;

#ifdef OK
	arg = io;
#endif
	io->data = lx_kvmclock_ns(arg);
	return LX_HANDLED;
}

READER;
