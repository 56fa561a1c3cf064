// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Every field of struct lx_io can be read */
#include "verify.bpf.h"

READ_OP
{
	io->data = io->addr + io->data + io->region + io->len + io->vcpu + io->flags;
	return io->owner ? LX_PASS : LX_HANDLED;
}

READER;
