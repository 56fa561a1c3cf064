// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A state: LX_STATE_MAP, lx_state_of(), lx_read_live(), lx_device_ns(), lx_read_retry() */
#include "verify.bpf.h"

struct verify_state {
	struct lx_state hdr;
	__u64 value;
};

LX_STATE_MAP(states, struct verify_state);

READ_OP
{
	struct verify_state *st = lx_state_of(states);
	__u64 value;
	__u32 seq;

	if (!st || !lx_read_live(&st->hdr, &seq))
		return LX_PASS;
	value = st->value + lx_device_ns(io, &st->hdr);
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = value;
	return LX_HANDLED;
}

READER;
