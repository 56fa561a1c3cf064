// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A verdict that the verifier cannot know: a bad one is for the module to count */
#include "verify.bpf.h"

READ_OP
{
	return (int)io->addr;
}

READER;
