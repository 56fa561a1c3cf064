// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: pointer type STRUCT lx_io must point to scalar, or struct with scalar
/* A kfunc given a struct lx_io in a map */
#include "verify.bpf.h"

LX_STATE_MAP(fakes, struct lx_io);

READ_OP
{
	struct lx_io *arg = lx_state_of(fakes);

	if (!arg)
		return LX_PASS;
#ifdef OK
	arg = io;
#endif
	io->data = lx_clock_gen(arg);
	return LX_HANDLED;
}

READER;
