// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A device with a read op alone */
#include "verify.bpf.h"

READ_OP
{
	return LX_PASS;
}

READER;
