// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See replay.h. */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "replay.h"

int __wrap_ioctl(int fd, unsigned long request, ...);

/* There is no KVM whose irqfds an eventfd could be: replay_signals() reads it. */
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	if (request == KVM_IRQFD)
		return 0;
	errno = EBADF;
	return -1;
}

static bool is_within(const struct ls_device *dev, const struct ls_access *a)
{
	for (unsigned int i = 0; i < dev->n_regions; i++) {
		const struct lx_region *r = &dev->regions[i];

		if (a->addr - r->addr < r->len && a->len <= r->len - (a->addr - r->addr))
			return true;
	}
	return false;
}

static void feed_one(struct rig *rig, const struct ls_access *a,
		     bool (*feed)(struct rig *rig, const struct ls_access *a))
{
	rig->asked++;
	rig->replayed += feed(rig, a);
}

static void feed_string(struct rig *rig, const struct ls_access *a,
			bool (*feed)(struct rig *rig, const struct ls_access *a))
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
		feed_one(rig, &one, feed);
	}
}

void replay(struct rig *rig, const struct ls_device *dev, const void *state, unsigned int n,
	    unsigned int least, bool (*feed)(struct rig *rig, const struct ls_access *a))
{
	struct ls_access a;
	struct ls_gen gen;

	ls_gen_init(&gen, dev, rig->seed);
	while (n-- && !rig->failed) {
		ls_now = rig->ours;
		a = ls_gen_next(&gen, state);
		if (a.kind == LS_TIME || a.kind == LS_JUMP)
			feed(rig, &a);
		else if (a.kind == LS_EXTRA && rig->extra)
			feed_one(rig, &a, rig->extra);
		else if (a.kind == LS_EXTRA || (a.kind < LS_TIME && !is_within(dev, &a)))
			rig->asked += a.count;
		else if (a.kind == LS_INS || a.kind == LS_OUTS)
			feed_string(rig, &a, feed);
		else if (a.kind != LS_TOGGLE)
			feed_one(rig, &a, feed);
	}
	replay_least(rig, "accesses replayed", rig->replayed, rig->asked * least / 100);
}

void replay_least(struct rig *rig, const char *what, uint64_t n, uint64_t least)
{
	if (rig->failed || n >= least)
		return;
	rig->failed++;
	printf("# %s: %" PRIu64 ", and not %" PRIu64 " at the least\n", what, n, least);
}

struct ls_access replay_byte(const struct ls_access *a, unsigned int i)
{
	struct ls_access byte = *a;

	byte.len = 1;
	byte.addr += i;
	byte.val = a->val >> 8 * i & 0xff;
	return byte;
}

static int irqfd(struct ls_side *side, uint32_t gsi)
{
	return ls_eventfd();
}

void replay_open(struct rig *rig, const struct ls_device *dev, struct ls_side *side)
{
	ls_rig.irqfd = irqfd;
	*side = (struct ls_side){ .dev = dev, .vm = &rig->vm };
	side->st = calloc(1, dev->state_size);
	if (!side->st || vmm_loop_new(&side->loop))
		abort();
	lx_state_init(side->st, (uint32_t)dev->state_size);
	dev->make(side, rig->seed);
}

void replay_close(struct ls_side *side)
{
	side->dev->free(side);
	vmm_loop_free(side->loop);
	free(side->st);
}

void replay_turn(const struct rig *rig, struct ls_side *side)
{
	ls_now = rig->ours;
	ls_loop_turn(side->loop, 0);
}

uint64_t replay_signals(const struct ls_side *side, unsigned int slot)
{
	eventfd_t n;

	return eventfd_read(side->fds.slots[slot], &n) ? 0 : n;
}
