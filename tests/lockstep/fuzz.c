// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * libFuzzer's target, for the device FUZZ_DEVICE: the native rig, whose steps are the input's
 * bytes. What it finds: memory and behaviour that C does not define, by the sanitizers; two
 * sides that differ; a lock that is kept.
 */
#include <stdlib.h>

#include "lockstep.h"

/* Steps of an input; more make no input better. */
#define STEPS 400U

#define EXTERN_DEVICE(_name) ls_##_name
#define DEVICE(_name) EXTERN_DEVICE(_name)

struct input {
	const uint8_t *p;
	size_t n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next @bytes of the input; zeros behind its end. */
static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t val = 0;

	for (unsigned int i = 0; i < bytes && in->n; i++, in->p++, in->n--)
		val |= (uint64_t)*in->p << 8 * i;
	return val;
}

/* Nanoseconds: a few bits at any place. */
static uint64_t take_time(struct input *in)
{
	uint64_t val = take(in, 1);

	return take(in, 1) << (val & 31) | val >> 5;
}

/* Any access that begins in one of the device's regions. */
static void take_access(struct input *in, const struct ls_device *dev, unsigned int what,
			struct ls_access *a)
{
	const struct lx_region *r = &dev->regions[(what >> 6) % dev->n_regions];
	bool pio = r->space == LX_SPACE_PIO, write = what & 1;

	a->addr = r->addr + take(in, r->len > 256 ? 2 : 1) % r->len;
	a->len = 1U << (what >> 1 & (pio ? 1 : 3));
	a->kind = pio ? LS_IN + write : LS_READ + write;
	if (pio && what >> 2 & 1) {
		a->kind = LS_INS + write;
		a->count = 1 + (uint32_t)take(in, 1) % LS_STRING;
	}
	if (pio && what >> 3 & 1)
		a->len = 4;
	if (write)
		a->val = take(in, a->len);
}

static void take_step(struct input *in, const struct ls_device *dev, struct ls_access *a)
{
	unsigned int what = (unsigned int)take(in, 1);

	*a = (struct ls_access){ .kind = LS_TIME, .count = 1, .vcpu = what >> 5 & 1 };
	switch (what & 0x1f) {
	case 0x1f:
		a->kind = LS_TOGGLE;
		break;
	case 0x1e:
		a->kind = LS_JUMP;
		a->val = take_time(in);
		break;
	case 0x1d:
	case 0x1c:
		a->val = take_time(in);
		break;
	case 0x1b:
		if (!dev->extra)
			break;
		a->kind = LS_EXTRA;
		a->len = (uint32_t)take(in, 1) % 24;
		a->addr = take(in, 1);
		a->val = take(in, 8);
		break;
	default:
		take_access(in, dev, what, a);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ls_device *dev = &DEVICE(FUZZ_DEVICE);
	struct input in = { data, size };
	struct ls_access a;

	ls_open(dev, take(&in, 1));
	for (unsigned int i = 0; i < STEPS && in.n; i++) {
		take_step(&in, dev, &a);
		if (!ls_step(&a, false))
			abort();
	}
	ls_rig_close();
	return 0;
}
