// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET of QEMU's i440fx machine and ours: capabilities, configuration, main
 * counter. Sections: IA-PC HPET 1.0a.
 */
#include <stdlib.h>

#include "hpet.h"
#include "rig.h"

enum {
	BYTES,
	FAR_COUNTER
};

static struct difference differences[] = {
	[BYTES] = { .name = "bytes and words",
		    .sentence =
			    "2.3.2: accesses are of 32 or 64 bits. QEMU answers shorter ones with zero; "
			    "ours with those bytes of the register." },
	[FAR_COUNTER] = { .name = "far counter",
			  .sentence =
				  "2.3.7: a 64-bit counter. QEMU counts nanoseconds in 64 bits, and "
				  "loses the top of a counter set to 2^64 / 10 or more." },
	{ 0 },
};

/* The counter was @set while halted, and runs since @start, if it does. */
struct context {
	struct vmm_hpet *hpet;
	uint64_t set;
	uint64_t start;
	bool far;
};

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct context *c = rig->ctx;
	uint64_t reg = a->addr & ~7ULL, counter = c->set + (rig->now - c->start) / 10;

	if (reg == HPET_BASE + HPET_COUNTER && c->far)
		return ours == rig_bytes(counter, a->addr & 7, a->len) ? &differences[FAR_COUNTER] :
									 NULL;
	if (a->len < 4 && rig_part(rig, a, reg, 8) == ours)
		return &differences[BYTES];
	return NULL;
}

static void setup(struct rig *rig)
{
	struct context *c = calloc(1, sizeof(*c));

	rig_start(rig, "pc,hpet=on", false);
	if (!c || vmm_hpet_new(&rig->vm, HPET_BASE, LX_CLOCK_MONOTONIC, NULL, &c->hpet))
		exit(1);
	rig->ctx = c;
	rig->excuse = excuse;
}

static void teardown(struct rig *rig)
{
	struct context *c = rig->ctx;

	vmm_hpet_free(c->hpet);
	free(c);
	rig_stop(rig);
}

static void set_counter(struct rig *rig, uint64_t val)
{
	struct context *c = rig->ctx;

	c->set = val;
	c->far = val >= ~0ULL / 10;
	rig_write(rig, 8, HPET_BASE + HPET_COUNTER, val);
}

static void read_all(struct rig *rig)
{
	static const uint32_t regs[] = { HPET_CAP, HPET_CONFIG, HPET_STATUS, HPET_COUNTER };

	for (unsigned int i = 0; i < 4; i++) {
		rig_read(rig, 8, HPET_BASE + regs[i]);
		rig_read(rig, 4, HPET_BASE + regs[i]);
		rig_read(rig, 4, HPET_BASE + regs[i] + 4);
	}
}

static void enable(struct rig *rig, bool on)
{
	struct context *c = rig->ctx;

	c->start = rig->now;
	rig_write(rig, 4, HPET_BASE + HPET_CONFIG, on);
}

/* Halted, running, halted again; a carry into the upper half; what QEMU does otherwise. */
static void directed(struct rig *rig, unsigned int n)
{
	read_all(rig);
	rig_write(rig, 8, HPET_BASE + HPET_CAP, ~0ULL);
	read_all(rig);
	set_counter(rig, 0xffffff80);
	read_all(rig);
	rig_step(rig, 12345);
	read_all(rig);
	enable(rig, true);
	for (unsigned int i = 0; i < 2000; i++) {
		rig_read(rig, 4, HPET_BASE + HPET_COUNTER);
		rig_read(rig, 4, HPET_BASE + HPET_COUNTER + 4);
		rig_step(rig, 1);
	}
	enable(rig, false);
	read_all(rig);
	rig_step(rig, 1000000);
	read_all(rig);
	enable(rig, true);
	rig_step(rig, 7);
	read_all(rig);
	rig_write(rig, 4, HPET_BASE + HPET_CONFIG, 3);
	read_all(rig);
	for (uint32_t off = 0; off < 8; off++)
		rig_read(rig, 1, HPET_BASE + off);
	enable(rig, false);
	set_counter(rig, ~0ULL - 100);
	read_all(rig);
	enable(rig, true);
	read_all(rig);
	rig_step(rig, 2000);
	read_all(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	static const uint32_t regs[] = { HPET_CAP, HPET_CONFIG, HPET_COUNTER, HPET_COUNTER };

	while (n--) {
		uint64_t reg = HPET_BASE + regs[rig_below(rig, 4)];

		rig_step(rig, rig_random(rig) >> (30 + rig_below(rig, 34)));
		switch (rig_below(rig, 32)) {
		case 0:
			enable(rig, rig_below(rig, 2));
			break;
		case 1:
			enable(rig, false);
			set_counter(rig, rig_random(rig) >> (4 + rig_below(rig, 60)));
			break;
		default:
			if (rig_below(rig, 2))
				rig_read(rig, 8, reg);
			else
				rig_read(rig, 4, reg + 4 * rig_below(rig, 2));
		}
	}
}

const struct oracle_test hpet_tests[] = {
	{ "hpet.directed", false, setup, directed, teardown, differences },
	{ "hpet.random", true, setup, at_random, teardown, differences },
	{ 0 },
};
