// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* @name@: the model against what its registers promise. Time is an argument. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include "@name@_model.h"

int main(void)
{
	struct @name@_state st = { .scratch = 0xcafe, .base_ns = 1000000 };
	__u64 val = 0;

	assert(@name@_read(&st, 1007999, @NAME@_COUNT, 4, &val) == LX_HANDLED && val == 7);
	assert(@name@_read(&st, 1000000 + (1000ULL << 32), @NAME@_COUNT, 4, &val) == LX_HANDLED &&
	       val == 0);
	assert(@name@_read(&st, 0, @NAME@_SCRATCH, 4, &val) == LX_HANDLED && val == 0xcafe);
	/* the VMM's */
	assert(@name@_read(&st, 999999, @NAME@_COUNT, 4, &val) == LX_PASS);
	assert(@name@_read(&st, 1000000, @NAME@_COUNT, 2, &val) == LX_PASS);
	assert(@name@_read(&st, 1000000, @NAME@_COUNT + 2, 4, &val) == LX_PASS);
	assert(@name@_read(&st, 1000000, @NAME@_LEN, 4, &val) == LX_PASS);
	puts("@name@: ok");
	return 0;
}
