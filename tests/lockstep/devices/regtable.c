// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A register table: random registers of all kinds, and a device of the VMM's behind them. */
#include "lockstep.h"
#include "regtable.h"
#include "regtable_model.h"

#define PORTS 0x1f0U
#define MMIO 0xfe000000U
#define BYTES 64U

static const struct lx_region regions[] = {
	{ .addr = PORTS, .len = 16 },
	{ .addr = MMIO, .len = BYTES, .space = LX_SPACE_MMIO },
};

/* The VMM's own registers: each access that passes turns one of the table's. */
static struct regtable_reg *turn(struct ls_side *side, uint64_t off)
{
	struct regtable_state *st = (struct regtable_state *)side->st;

	return &st->regs[off % st->n_regs];
}

static uint64_t read_own(void *opaque, uint32_t region, uint64_t off, uint32_t len)
{
	struct regtable_reg *reg = turn(opaque, off);

	reg->value = (reg->value << 1 | reg->value >> 63) & regtable_bytes(reg->width);
	return reg->value ^ off;
}

static void write_own(void *opaque, uint32_t region, uint64_t off, uint32_t len, uint64_t val)
{
	struct regtable_reg *reg = turn(opaque, off);

	reg->value ^= val & regtable_bytes(reg->width);
}

/* Bits that few registers have. */
static uint64_t rare(struct ls_gen *g, uint64_t all)
{
	return ls_below(g, 4) ? 0 : ls_random(g) & ls_random(g) & all;
}

/*
 * What a read clears is no reason to pass: a string whose elements were handled cannot end
 * otherwise, see docs/path.md.
 */
static void add(struct ls_gen *g, struct regtable_state *st, uint32_t region)
{
	struct regtable_reg reg = { .region = region, .width = 1U << ls_below(g, 4) };
	uint64_t all = regtable_bytes(reg.width);

	reg.offset = (uint32_t)ls_below(g, regions[region].len / reg.width) * reg.width;
	reg.value = ls_random(g) & all;
	reg.read_mask = ls_below(g, 2) ? all : ls_random(g) & all;
	reg.write_mask = ls_below(g, 2) ? all : ls_random(g) & all;
	reg.w1c_mask = ls_random(g) & all & ~reg.write_mask;
	reg.rc_mask = rare(g, all);
	reg.pass_read = rare(g, all);
	reg.pass_write = rare(g, all);
	reg.pass_change = rare(g, all) & ~reg.rc_mask;
	reg.sizes = 2 * reg.width - 1;
	if (!ls_below(g, 4))
		reg.sizes = 1 + (uint32_t)ls_below(g, reg.sizes);
	reg.access = ls_below(g, 2) ? REGTABLE_READ | REGTABLE_WRITE : 1 + (uint32_t)ls_below(g, 3);
	regtable_add(st, &reg); /* or there is another one */
}

static void make(struct ls_side *side, uint64_t seed)
{
	const struct vmm_regtable_opts opts = {
		.name = "table",
		.regions = regions,
		.n_regions = 2,
		.state = (struct regtable_state *)side->st,
		.read = read_own,
		.write = write_own,
		.opaque = side,
	};
	struct ls_gen g = { .random = seed };
	struct vmm_regtable *table;

	if (vmm_regtable_new(side->vm, &opts, &table) ||
	    regtable_add_region(opts.state, 0, 16, 0) ||
	    regtable_add_region(opts.state, 1, BYTES, (uint32_t)ls_below(&g, 2)))
		ls_die("no register table");
	side->be = table;
	for (unsigned int i = 0; i < 60; i++)
		add(&g, opts.state, i & 1);
}

static void unmake(struct ls_side *side)
{
	vmm_regtable_free(side->be);
}

/* Mostly registers, as they want to be accessed. */
static void next(struct ls_gen *g, const void *state)
{
	const struct regtable_state *st = state;
	const struct regtable_reg *reg = &st->regs[ls_below(g, st->n_regs)];
	uint64_t len = 1ULL << ls_below(g, 4), addr;
	bool pio = regions[reg->region].space == LX_SPACE_PIO;

	if (len > reg->width || (pio && len > 4))
		len = 1;
	addr = regions[reg->region].addr + reg->offset + ls_below(g, reg->width / len) * len;
	if (ls_below(g, 2))
		ls_push(g, pio ? LS_IN : LS_READ, (uint32_t)len, addr, 0);
	else if (pio && !ls_below(g, 8))
		ls_string(g, ls_below(g, 2) ? LS_INS : LS_OUTS, (uint32_t)len, addr,
			  1 + (uint32_t)ls_below(g, 8));
	else
		ls_push(g, pio ? LS_OUT : LS_WRITE, (uint32_t)len, addr, ls_random(g));
}

const struct ls_device ls_regtable = {
	.name = "regtable",
	.regions = regions,
	.n_regions = 2,
	.state_size = sizeof(struct regtable_state),
	.make = make,
	.free = unmake,
	.next = next,
};
