// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: lightexit: programs write only to their own struct lx_io
/* A write to the current task */
#include "verify.bpf.h"

WRITE_OP
{
#ifdef OK
	io->data = bpf_get_current_task_btf()->pid;
#else
	bpf_get_current_task_btf()->pid = 1;
#endif
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
