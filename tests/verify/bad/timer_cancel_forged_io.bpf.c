// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: pointer type STRUCT lx_io must point to scalar, or struct with scalar
/* lx_timer_cancel() for a struct lx_io of the program's own */
#include "verify.bpf.h"

READ_OP
{
	struct lx_io fake = {}, *arg = &fake;

#ifdef OK
	arg = io;
#endif
	return lx_timer_cancel(arg, 0) < 0 ? LX_PASS : LX_HANDLED;
}

READER;
