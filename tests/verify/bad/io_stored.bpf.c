// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R1 must be referenced or trusted
/* A kfunc given an io that an earlier call left in a map: it is no longer there */
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

READ_OP
{
	struct keep *keep = lx_state_of(kept);
	struct lx_io *arg;

	if (!keep)
		return LX_PASS;
	arg = keep->io;
	keep->io = io;
	if (!arg)
		return LX_PASS;
#ifdef OK
	arg = io;
#endif
	io->data = lx_kvmclock_ns(arg);
	return LX_HANDLED;
}

READER;
