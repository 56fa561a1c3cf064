/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Register table: state and access in, verdict and value out. Pure: the BPF
 * program, VMMs and the unit tests compile this very code. The state's lock is
 * held around every call.
 */
#ifndef REGTABLE_MODEL_H
#define REGTABLE_MODEL_H

#include <lightexit/dev/regtable.h>

/* The lowest @len bytes. */
static inline __u64 regtable_bytes(__u32 len)
{
	return len >= 8 ? ~0ULL : (1ULL << len * 8) - 1;
}

static inline int regtable_is_length(__u32 len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

/* The register that takes an access, or NULL. */
static inline struct regtable_reg *regtable_find(struct regtable_state *st, const __u8 *index,
						 __u32 region, __u64 off, __u32 len)
{
	const struct regtable_region *r;
	struct regtable_reg *reg;
	__u64 granule, n, at;

	if (region >= LX_MAX_REGIONS || !regtable_is_length(len) || off & (len - 1))
		return 0;
	r = &st->regions[region];
	granule = off >> (r->shift & 3);
	if (granule >= r->granules)
		return 0;
	granule += r->first;
	if (granule >= REGTABLE_GRANULES)
		return 0;
	n = (__u64)index[granule] - 1;
	if (n >= REGTABLE_REGS)
		return 0;
	reg = &st->regs[n];
	at = off - reg->offset;
	if (!(reg->sizes & len) || at >= 8 || at + len > reg->width)
		return 0;
	return reg;
}

/**
 * regtable_read() - a guest's read
 * @region: index of the region
 * @off:    offset into it
 * @len:    bytes
 * @val:    the value, if handled
 *
 * Return: LX_HANDLED, or LX_PASS having changed nothing
 */
static inline int regtable_read(struct regtable_state *st, __u32 region, __u64 off, __u32 len,
				__u64 *val)
{
	struct regtable_reg *reg = regtable_find(st, st->read_index, region, off, len);
	__u64 bits, old;
	__u32 shift;

	if (!reg)
		return LX_PASS;
	shift = (__u32)(off - reg->offset) * 8;
	bits = regtable_bytes(len) << shift;
	old = reg->value;
	if (bits & (reg->pass_read | (reg->pass_change & reg->rc_mask & old)))
		return LX_PASS;
	*val = (old & reg->read_mask & bits) >> shift;
	reg->value = old & ~(reg->rc_mask & bits);
	return LX_HANDLED;
}

/**
 * regtable_write() - a guest's write of @val; the rest as regtable_read()
 */
static inline int regtable_write(struct regtable_state *st, __u32 region, __u64 off, __u32 len,
				 __u64 val)
{
	struct regtable_reg *reg = regtable_find(st, st->write_index, region, off, len);
	__u64 bits, old, new;
	__u32 shift;

	if (!reg)
		return LX_PASS;
	shift = (__u32)(off - reg->offset) * 8;
	bits = regtable_bytes(len) << shift;
	val = val << shift & bits;
	old = reg->value;
	new = (old & ~(reg->write_mask & bits)) | (val & reg->write_mask);
	new &= ~(val & reg->w1c_mask);
	if (bits & reg->pass_write || (old ^ new) & reg->pass_change)
		return LX_PASS;
	reg->value = new;
	return LX_HANDLED;
}

#ifndef __bpf__
#include <errno.h>

/**
 * regtable_add_region() - say where a region's registers may lie; before the registers
 * @region: its index, as in lx_device_set_regions()
 * @len:    bytes from its start in which there are registers
 * @shift:  a granule is 2^shift bytes
 *
 * Return: 0; -EINVAL: @region, @shift, or no @len; -EEXIST: done before; -ENOSPC: the
 *         regions have more than REGTABLE_GRANULES granules: take a larger @shift
 */
static inline int regtable_add_region(struct regtable_state *st, __u32 region, __u64 len,
				      __u32 shift)
{
	__u64 granules = len >> shift;

	if (region >= LX_MAX_REGIONS || shift > 3 || !len || len & ((1U << shift) - 1))
		return -EINVAL;
	if (st->regions[region].granules)
		return -EEXIST;
	if (granules > REGTABLE_GRANULES - st->n_granules)
		return -ENOSPC;
	st->regions[region].first = st->n_granules;
	st->regions[region].granules = (__u32)granules;
	st->regions[region].shift = shift;
	st->n_granules += (__u32)granules;
	return 0;
}

/* Whether a register makes sense by itself. */
static inline int regtable_is_valid(const struct regtable_reg *reg)
{
	__u64 masks = reg->value | reg->read_mask | reg->write_mask | reg->w1c_mask | reg->rc_mask |
		      reg->pass_read | reg->pass_write | reg->pass_change;

	return regtable_is_length(reg->width) && !(reg->offset & (reg->width - 1)) &&
	       !(masks & ~regtable_bytes(reg->width)) && !(reg->write_mask & reg->w1c_mask) &&
	       reg->sizes && reg->sizes < 2 * reg->width && reg->access &&
	       reg->access <= (REGTABLE_READ | REGTABLE_WRITE);
}

/* Enters @n for all granules of a register, if none of them is taken. */
static inline int regtable_put(__u8 *index, __u32 first, __u32 count, __u8 n)
{
	for (__u32 i = 0; i < count; i++) {
		if (index[first + i])
			return -EEXIST;
	}
	for (__u32 i = 0; i < count; i++)
		index[first + i] = n;
	return 0;
}

/**
 * regtable_add() - add a register; in the state's lock, if the device is attached
 * @reg: copied
 *
 * Return: its index in regtable_state.regs; -EINVAL: it makes no sense; -ERANGE: not
 *         within its region; -EEXIST: another register is there; -ENOSPC: REGTABLE_REGS
 */
static inline int regtable_add(struct regtable_state *st, const struct regtable_reg *reg)
{
	const struct regtable_region *r = &st->regions[reg->region & (LX_MAX_REGIONS - 1)];
	__u32 first, count, n = st->n_regs;

	if (reg->region >= LX_MAX_REGIONS || !regtable_is_valid(reg))
		return -EINVAL;
	first = reg->offset >> r->shift;
	count = ((reg->offset + reg->width - 1) >> r->shift) - first + 1;
	if (first >= r->granules || count > r->granules - first)
		return -ERANGE;
	if (n >= REGTABLE_REGS)
		return -ENOSPC;
	first += r->first;
	if (reg->access & REGTABLE_READ &&
	    regtable_put(st->read_index, first, count, (__u8)(n + 1)))
		return -EEXIST;
	if (reg->access & REGTABLE_WRITE &&
	    regtable_put(st->write_index, first, count, (__u8)(n + 1))) {
		if (reg->access & REGTABLE_READ)
			__builtin_memset(&st->read_index[first], 0, count);
		return -EEXIST;
	}
	st->regs[n] = *reg;
	st->n_regs++;
	return (int)n;
}
#endif

#endif /* REGTABLE_MODEL_H */
