// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_muldiv64(), with values that only run time knows, and with a divisor of 0 */
#include "verify.bpf.h"

READ_OP
{
	io->data = lx_muldiv64(io->addr, io->vcpu, io->len) + lx_muldiv64(1, 1, 0);
	return LX_HANDLED;
}

READER;
