// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: expected pointer to STRUCT lx_io but R1 has a pointer to STRUCT task_struct
/* A kfunc given another kernel struct */
#include "verify.bpf.h"

READ_OP
{
	void *arg = bpf_get_current_task_btf();

#ifdef OK
	arg = io;
#endif
	io->data = lx_kvmclock_ns(arg);
	return LX_HANDLED;
}

READER;
