// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: lightexit: programs write only to their own struct lx_io
/* A write to a kernel struct that the program walked to */
#include "verify.bpf.h"

WRITE_OP
{
	struct task_struct *task = bpf_get_current_task_btf();

#ifdef OK
	io->data = task->mm->total_vm;
#else
	task->mm->total_vm = 1;
#endif
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
