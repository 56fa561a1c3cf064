// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* io->data can be written in parts */
#include "verify.bpf.h"

READ_OP
{
	volatile __u8 *data = (volatile __u8 *)&io->data;

	*(volatile __u64 *)data = 0;
	*(volatile __u32 *)(data + 4) = 4;
	*(volatile __u16 *)(data + 6) = 2;
	*(data + 7) = 1;
	return LX_HANDLED;
}

READER;
