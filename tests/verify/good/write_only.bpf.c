// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A device with a write op alone */
#include "verify.bpf.h"

WRITE_OP
{
	return LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
