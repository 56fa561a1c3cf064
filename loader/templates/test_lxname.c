// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lxname: the model against what its registers promise. Time is an argument. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include "lxname_model.h"

int main(void)
{
	struct lxname_accel st = { .scratch = 0xcafe };
	__u64 val = 0;

	assert(lxname_accel_read(&st, 7999, LXNAME_COUNT, 4, &val) == LX_HANDLED && val == 7);
	assert(lxname_accel_read(&st, 1000LL << 32, LXNAME_COUNT, 4, &val) == LX_HANDLED && !val);
	assert(lxname_accel_read(&st, 0, LXNAME_SCRATCH, 4, &val) == LX_HANDLED && val == 0xcafe);
	/* the VMM's */
	assert(lxname_accel_read(&st, -1, LXNAME_COUNT, 4, &val) == LX_PASS);
	assert(lxname_accel_read(&st, 0, LXNAME_COUNT, 2, &val) == LX_PASS);
	assert(lxname_accel_read(&st, 0, LXNAME_COUNT + 2, 4, &val) == LX_PASS);
	assert(lxname_accel_read(&st, 0, LXNAME_LEN, 4, &val) == LX_PASS);
	puts("lxname: ok");
	return 0;
}
