// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: infinite loop detected
/* A loop without an end */
#include "verify.bpf.h"

READ_OP
{
	__u64 n = io->len;

	do {
		asm volatile("" : "+r"(n));
#ifdef OK
		n = 0;
#endif
	} while (n);
	return LX_PASS;
}

READER;
