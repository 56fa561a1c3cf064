// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See replay.h. */
#include <string.h>

#include "replay.h"

static bool is_within(const struct ls_device *dev, const struct ls_access *a)
{
	for (unsigned int i = 0; i < dev->n_regions; i++) {
		const struct lx_region *r = &dev->regions[i];

		if (a->addr - r->addr < r->len && a->len <= r->len - (a->addr - r->addr))
			return true;
	}
	return false;
}

static void feed_string(struct rig *rig, const struct ls_access *a,
			void (*feed)(struct rig *rig, const struct ls_access *a))
{
	struct ls_access one = *a;
	union ls_data data;

	one.kind = a->kind == LS_INS ? LS_IN : LS_OUT;
	one.count = 1;
	if (a->kind == LS_OUTS)
		ls_gen_string(a, &data);
	for (uint32_t i = 0; i < a->count; i++) {
		one.val = 0;
		if (a->kind == LS_OUTS)
			memcpy(&one.val, &data.string[i * a->len], a->len);
		feed(rig, &one);
	}
}

void replay(struct rig *rig, const struct ls_device *dev, const void *state, unsigned int n,
	    void (*feed)(struct rig *rig, const struct ls_access *a))
{
	struct ls_access a;
	struct ls_gen gen;

	ls_gen_init(&gen, dev, rig->seed);
	while (n--) {
		ls_now = rig->ours;
		a = ls_gen_next(&gen, state);
		if (a.kind == LS_INS || a.kind == LS_OUTS) {
			if (is_within(dev, &a))
				feed_string(rig, &a, feed);
		} else if (a.kind < LS_TIME ? is_within(dev, &a) : a.kind <= LS_JUMP) {
			feed(rig, &a);
		}
	}
}

struct ls_access replay_byte(const struct ls_access *a, unsigned int i)
{
	struct ls_access byte = *a;

	byte.len = 1;
	byte.addr += i;
	byte.val = a->val >> 8 * i & 0xff;
	return byte;
}
