// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_kvmclock_ns() */
#include "verify.bpf.h"

READ_OP
{
	io->data = lx_kvmclock_ns(io);
	return LX_HANDLED;
}

READER;
