// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A loop that the verifier sees the end of */
#include "verify.bpf.h"

READ_OP
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < io->len && i < 8; i++)
		sum += io->addr + i;
	io->data = sum;
	return LX_HANDLED;
}

READER;
