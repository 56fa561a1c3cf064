// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: invalid access to map value, value_size=64 off=48 size=24
/* lx_guest_read() over the end of the state */
#include "verify.bpf.h"

LX_STATE_MAP(states, struct lx_state);

READ_OP
{
	struct lx_state *st = lx_state_of(states);
	__u32 len = sizeof(st->reserved) + 8;

	if (!st)
		return LX_PASS;
#ifdef OK
	len = sizeof(st->reserved);
#endif
	return lx_guest_read(io, io->addr, st->reserved, len) ? LX_PASS : LX_HANDLED;
}

READER;
