// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The state's lock: lx_enter(), lx_leave(), lx_write_begin(), lx_write_end(); lx_read_begin() */
#include "verify.bpf.h"

struct verify_state {
	struct lx_state hdr;
	__u64 value;
};

LX_STATE_MAP(states, struct verify_state);

READ_OP
{
	struct verify_state *st = lx_state_of(states);
	__u32 seq;

	if (!st || !lx_read_begin(&st->hdr, &seq) || !lx_state_live(&st->hdr))
		return LX_PASS;
	if (!lx_enter(&st->hdr))
		return LX_PASS;
	lx_write_begin(&st->hdr);
	st->value++;
	lx_write_end(&st->hdr);
	io->data = st->value;
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

READER;
