// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: only read is supported
/* A write to io->data of an io that an earlier call left in a map */
#include "verify.bpf.h"

struct keep {
	struct lx_io __kptr_untrusted *io;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct keep);
} kept SEC(".maps");

WRITE_OP
{
	struct keep *keep = lx_state_of(kept);
	struct lx_io *old;

	if (!keep)
		return LX_PASS;
	old = keep->io;
	keep->io = io;
	if (!old)
		return LX_PASS;
#ifdef OK
	old = io;
#endif
	old->data = 1;
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
