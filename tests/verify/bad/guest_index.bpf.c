// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: math between map_value pointer and register with unbounded min value
/* The guest's address used as an index that nothing bounds */
#include "verify.bpf.h"

struct table {
	__u64 cell[4];
};

LX_STATE_MAP(table, struct table);

READ_OP
{
	struct table *t = lx_state_of(table);
	__u64 i = io->addr;

	if (!t)
		return LX_PASS;
#ifdef OK
	if (i > 3)
		return LX_PASS;
#endif
	io->data = t->cell[i];
	return LX_HANDLED;
}

READER;
