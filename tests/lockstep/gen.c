// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the guest does next: of each device in its own way, and anything at all. */
#include <string.h>

#include "lockstep.h"

/* Of so many steps one detaches, and then attaches; that takes some milliseconds. */
#define DETACH_EACH 600U
#define ATTACH_EACH 150U

/* splitmix64 */
static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint64_t ls_random(struct ls_gen *g)
{
	return mix(g->random += 0x9e3779b97f4a7c15ULL);
}

uint64_t ls_below(struct ls_gen *g, uint64_t n)
{
	return ls_random(g) % n;
}

uint64_t ls_skewed(struct ls_gen *g, unsigned int bits)
{
	return ls_random(g) >> (64 - bits + ls_below(g, bits));
}

void ls_gen_init(struct ls_gen *g, const struct ls_device *dev, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	g->dev = dev;
	g->random = mix(seed);
}

void ls_gen_string(const struct ls_access *a, union ls_data *data)
{
	for (uint32_t i = 0; i < a->len * a->count; i++)
		data->string[i] = (uint8_t)mix(a->val + i);
}

static struct ls_access *push(struct ls_gen *g, enum ls_kind kind)
{
	struct ls_access *a = &g->queue[(g->first + g->n) % LS_QUEUE];

	if (g->n == LS_QUEUE)
		ls_die("%s: more than %u accesses at a time", g->dev->name, LS_QUEUE);
	g->n++;
	*a = (struct ls_access){ .kind = kind, .count = 1, .vcpu = ls_below(g, 2) };
	return a;
}

void ls_push(struct ls_gen *g, enum ls_kind kind, uint32_t len, uint64_t addr, uint64_t val)
{
	struct ls_access *a = push(g, kind);

	a->len = len;
	a->addr = addr;
	a->val = len && len < 8 ? val & ((1ULL << 8 * len) - 1) : val;
}

void ls_out(struct ls_gen *g, uint64_t port, uint64_t byte)
{
	ls_push(g, LS_OUT, 1, port, byte);
}

void ls_in(struct ls_gen *g, uint64_t port)
{
	ls_push(g, LS_IN, 1, port, 0);
}

void ls_string(struct ls_gen *g, enum ls_kind kind, uint32_t len, uint64_t port, uint32_t count)
{
	struct ls_access *a = push(g, kind);

	a->len = len;
	a->addr = port;
	a->count = count;
	a->val = ls_random(g);
}

/* Any address of the device, any length; an access may begin in it and end behind it. */
static void anything(struct ls_gen *g)
{
	const struct lx_region *r = &g->dev->regions[ls_below(g, g->dev->n_regions)];
	uint64_t addr = r->addr + ls_below(g, r->len), val = ls_random(g);
	bool pio = r->space == LX_SPACE_PIO;
	uint32_t len = 1U << ls_below(g, pio ? 3 : 4);

	if (ls_below(g, 2))
		val = ls_skewed(g, 64);
	if (pio && !ls_below(g, 4))
		ls_string(g, ls_below(g, 2) ? LS_INS : LS_OUTS, len, addr, 1 + ls_below(g, 16));
	else if (ls_below(g, 2))
		ls_push(g, pio ? LS_OUT : LS_WRITE, len, addr, val);
	else
		ls_push(g, pio ? LS_IN : LS_READ, len, addr, 0);
}

/* A while, short or long; or until just before, at, or after what is due. */
static void time_goes_by(struct ls_gen *g, const void *state)
{
	uint64_t now = ls_device_ns(state), due = LS_NEVER, ns = ls_skewed(g, 34);

	if (g->dev->due)
		due = g->dev->due(state, now);
	if (due != LS_NEVER && due > now && ls_below(g, 2))
		ns = due - now - 1 + ls_below(g, 3);
	ls_push(g, ls_below(g, 8) ? LS_TIME : LS_JUMP, 0, 0, ns);
}

static void toggle(struct ls_gen *g)
{
	push(g, LS_TOGGLE);
	g->detached = !g->detached;
}

struct ls_access ls_gen_next(struct ls_gen *g, const void *state)
{
	struct ls_access a;

	while (!g->n) {
		unsigned int what = (unsigned int)ls_below(g, 16);

		if (!ls_below(g, g->detached ? ATTACH_EACH : DETACH_EACH))
			toggle(g);
		else if (what < 2)
			anything(g);
		else if (what < 5)
			time_goes_by(g, state);
		else
			g->dev->next(g, state);
	}
	a = g->queue[g->first];
	g->first = (g->first + 1) % LS_QUEUE;
	g->n--;
	return a;
}
