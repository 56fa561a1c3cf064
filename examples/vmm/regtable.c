// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Register table back end: the table first, by regtable_model.h, then the device. */
#include <errno.h>
#include <stdlib.h>

#include "regtable.h"
#include "regtable_model.h"

struct region {
	struct vmm_regtable *table;
	uint32_t n;
	unsigned int index;
};

struct vmm_regtable {
	struct vmm_regtable_opts opts;
	struct vmm *vm;
	struct regtable_state *st;
	struct region regions[LX_MAX_REGIONS];
	struct regtable_state own;
};

static uint64_t table_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	const struct region *r = opaque;
	const struct vmm_regtable_opts *opts = &r->table->opts;
	struct regtable_state *st = r->table->st;
	__u64 val = ~0ULL;

	lx_lock(&st->hdr);
	if (regtable_read(st, r->n, off, len, &val) != LX_HANDLED && opts->read)
		val = opts->read(opts->opaque, r->n, off, len);
	lx_unlock(&st->hdr);
	return val;
}

static void table_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			uint64_t val)
{
	const struct region *r = opaque;
	const struct vmm_regtable_opts *opts = &r->table->opts;
	struct regtable_state *st = r->table->st;

	lx_lock(&st->hdr);
	if (regtable_write(st, r->n, off, len, val) != LX_HANDLED && opts->write)
		opts->write(opts->opaque, r->n, off, len, val);
	lx_unlock(&st->hdr);
}

static int add_regions(struct vmm_regtable *table)
{
	for (unsigned int i = 0; i < table->opts.n_regions; i++) {
		const struct lx_region *region = &table->opts.regions[i];
		struct region *r = &table->regions[i];
		const struct vmm_dev dev = {
			.name = table->opts.name,
			.space = region->space,
			.base = region->addr,
			.len = region->len,
			.read = table_read,
			.write = table_write,
			.opaque = r,
		};
		int index;

		*r = (struct region){ .table = table, .n = i };
		index = vmm_add_dev(table->vm, &dev);
		if (index < 0)
			return index;
		r->index = (unsigned int)index;
	}
	return 0;
}

int vmm_regtable_new(struct vmm *vm, const struct vmm_regtable_opts *opts,
		     struct vmm_regtable **out)
{
	struct vmm_regtable *table;
	int err;

	if (!opts->n_regions || opts->n_regions > LX_MAX_REGIONS)
		return vmm_error(-EINVAL, "%s: %u regions: give 1 to %d", opts->name,
				 opts->n_regions, LX_MAX_REGIONS);
	table = calloc(1, sizeof(*table));
	if (!table)
		return vmm_error(-ENOMEM, "register table %s", opts->name);
	table->opts = *opts;
	table->vm = vm;
	table->st = opts->state ? opts->state : &table->own;
	if (!opts->state)
		lx_state_init(&table->own.hdr, sizeof(table->own));
	err = add_regions(table);
	if (err) {
		vmm_regtable_free(table);
		return err;
	}
	*out = table;
	return 0;
}

void vmm_regtable_free(struct vmm_regtable *table)
{
	free(table);
}

struct regtable_state *vmm_regtable_state(const struct vmm_regtable *table)
{
	return table->st;
}

struct vmm_count vmm_regtable_count(const struct vmm_regtable *table)
{
	struct vmm_count sum = { 0 };

	for (unsigned int i = 0; i < table->opts.n_regions; i++) {
		struct vmm_count c = vmm_dev_count(table->vm, table->regions[i].index);

		sum.exits += c.exits;
		sum.accesses += c.accesses;
	}
	return sum;
}
