/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Register table: a device whose registers are described in its state, so that it
 * needs no program of its own. Shared by the BPF program and VMMs.
 */
#ifndef LIGHTEXIT_DEV_REGTABLE_H
#define LIGHTEXIT_DEV_REGTABLE_H

#include <lightexit/io.h>
#include <lightexit/state.h>

/* Registers of a table. */
#define REGTABLE_REGS 64U
/* Granules of all its regions together. */
#define REGTABLE_GRANULES 4096U
/* With its terminating zero. */
#define REGTABLE_NAME_LEN 16

/* regtable_reg.access: which accesses at its place are this register's. */
#define REGTABLE_READ (1U << 0)
#define REGTABLE_WRITE (1U << 1)

/**
 * struct regtable_reg - a register
 * @value:       what it holds. Writers: program and VMM
 * @read_mask:   bits that a read shows; the others read 0
 * @write_mask:  bits that a write replaces
 * @w1c_mask:    bits that a written 1 clears; none of @write_mask
 * @rc_mask:     bits that a read clears, once it has shown them
 * @pass_read:   a read of bytes that hold one of these bits passes
 * @pass_write:  a write to bytes that hold one of these bits passes
 * @pass_change: an access that would change one of these bits in @value passes
 * @region:      index of its region
 * @offset:      in the region, a multiple of @width
 * @width:       bytes: 1, 2, 4 or 8
 * @sizes:       sum of the access lengths that it takes, of 1, 2, 4 and 8; each
 *               may be at any multiple of itself within the register
 * @access:      REGTABLE_READ, REGTABLE_WRITE or both. What is written at an offset
 *               may be another register than what is read there.
 * @pad:         0
 * @name:        for people
 *
 * Writer, but of @value: the VMM. It changes whatever it likes at any time, in the
 * state's lock, but not @region, @offset, @width and @access.
 *
 * What passes changes nothing. Bits of none of the masks keep their value and read 0.
 */
struct regtable_reg {
	__u64 value;
	__u64 read_mask;
	__u64 write_mask;
	__u64 w1c_mask;
	__u64 rc_mask;
	__u64 pass_read;
	__u64 pass_write;
	__u64 pass_change;
	__u32 region;
	__u32 offset;
	__u32 width;
	__u32 sizes;
	__u32 access;
	__u32 pad;
	char name[REGTABLE_NAME_LEN];
};

/**
 * struct regtable_region - where a region's registers are found
 * @first:    its first granule in the indices
 * @granules: their number; what lies behind them passes
 * @shift:    a granule is 2^shift bytes, 0 to 3; it holds bytes of one register at most
 * @pad:      0
 *
 * Writer: the VMM.
 */
struct regtable_region {
	__u32 first;
	__u32 granules;
	__u32 shift;
	__u32 pad;
};

/**
 * struct regtable_state - a table
 * @hdr:         see state.h; its lock serialises all accesses
 * @n_regs:      entries of @regs in use
 * @n_granules:  granules in use
 * @regions:     by index of the region
 * @regs:        registers
 * @read_index:  by granule: 1 + the register that is read there; 0: none, passes
 * @write_index: by granule: 1 + the register that is written there; 0: none, passes
 *
 * Filled by regtable_add_region() and regtable_add() of regtable_model.h.
 */
struct regtable_state {
	struct lx_state hdr;
	__u32 n_regs;
	__u32 n_granules;
	struct regtable_region regions[LX_MAX_REGIONS];
	struct regtable_reg regs[REGTABLE_REGS];
	__u8 read_index[REGTABLE_GRANULES];
	__u8 write_index[REGTABLE_GRANULES];
};

#endif /* LIGHTEXIT_DEV_REGTABLE_H */
