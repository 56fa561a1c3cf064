// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A weak kfunc that the module lacks can be asked for */
#include "verify.bpf.h"

extern void lx_no_such_kfunc(struct lx_io *io) __ksym __weak;

READ_OP
{
	if (bpf_ksym_exists(lx_no_such_kfunc))
		lx_no_such_kfunc(io);
	return LX_PASS;
}

READER;
