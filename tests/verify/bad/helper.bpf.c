// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: program of this type cannot use helper bpf_probe_write_user
/* A helper that is for tracing alone */
#include "verify.bpf.h"

READ_OP
{
#ifdef OK
	return LX_PASS;
#else
	return bpf_probe_write_user((void *)io->addr, &(__u32){ 1 }, 4) ? LX_PASS : LX_HANDLED;
#endif
}

READER;
