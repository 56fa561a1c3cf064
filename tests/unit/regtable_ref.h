/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The description in <lightexit/dev/regtable.h> once more, bit by bit, so that the
 * code under test is not measured by itself. For tests/unit and tests/vm.
 */
#ifndef REGTABLE_REF_H
#define REGTABLE_REF_H

#include <stdbool.h>

#include <lightexit/dev/regtable.h>

/* Return: false if the access passes; else *@val is what a read showed. */
static inline bool regtable_ref(struct regtable_reg *regs, __u32 n, bool write, __u32 region,
				__u64 off, __u32 len, __u64 *val)
{
	struct regtable_reg *reg = NULL;
	__u64 value, shown = 0;

	for (__u32 i = 0; i < n; i++) {
		struct regtable_reg *r = &regs[i];

		if (r->access & (write ? REGTABLE_WRITE : REGTABLE_READ) && r->region == region &&
		    off >= r->offset && off + len <= r->offset + r->width)
			reg = r;
	}
	if (!reg || !(reg->sizes & len) || off % len)
		return false;
	value = reg->value;
	for (unsigned int i = 0; i < len * 8; i++) {
		__u64 bit = 1ULL << ((off - reg->offset) * 8 + i), was = value & bit;
		bool one = *val >> i & 1;

		if ((write ? reg->pass_write : reg->pass_read) & bit)
			return false;
		if (!write) {
			if (was && reg->read_mask & bit)
				shown |= 1ULL << i;
			if (reg->rc_mask & bit)
				value &= ~bit;
		} else if (reg->write_mask & bit) {
			value = one ? value | bit : value & ~bit;
		} else if (reg->w1c_mask & bit && one) {
			value &= ~bit;
		}
		if (reg->pass_change & bit && was != (value & bit))
			return false;
	}
	reg->value = value;
	if (!write)
		*val = shown;
	return true;
}

#endif /* REGTABLE_REF_H */
