// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_clock_ns(), by a clock that the state names */
#include "verify.bpf.h"

struct verify_state {
	struct lx_state hdr;
	__u32 clock;
};

LX_STATE_MAP(states, struct verify_state);

READ_OP
{
	struct verify_state *st = lx_state_of(states);

	if (!st)
		return LX_PASS;
	io->data = lx_clock_ns(io, st->clock);
	return LX_HANDLED;
}

READER;
