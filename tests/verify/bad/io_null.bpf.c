// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: Possibly NULL pointer passed to trusted
/* A kfunc given no io at all */
#include "verify.bpf.h"

READ_OP
{
	struct lx_io *arg = NULL;

#ifdef OK
	arg = io;
#endif
	lx_eject(arg, 1);
	return LX_PASS;
}

READER;
