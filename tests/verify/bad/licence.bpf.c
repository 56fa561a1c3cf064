// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: struct ops programs must have a GPL compatible license
/* A program whose licence is not compatible with the kernel's */
#ifndef OK
#define VERIFY_LICENSE "Proprietary"
#endif
#include "verify.bpf.h"

READ_OP
{
	return LX_PASS;
}

READER;
