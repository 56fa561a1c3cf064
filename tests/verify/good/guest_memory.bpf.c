// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_guest_read(), lx_guest_write(), on the stack */
#include "verify.bpf.h"

LX_STATE_MAP(states, struct lx_state);

WRITE_OP
{
	__u64 value[2] = { 0 };

	if (!lx_state_of(states) || lx_guest_read(io, io->data, value, sizeof(value)))
		return LX_PASS;
	value[0]++;
	return lx_guest_write(io, io->data, value, sizeof(value)) ? LX_PASS : LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
