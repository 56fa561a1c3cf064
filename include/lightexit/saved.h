/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: a saved device state, as lx_state_save() writes and lx_state_restore()
 * reads it. All fields little endian. docs/abi.md has the rules by which it may grow.
 */
#ifndef LIGHTEXIT_SAVED_H
#define LIGHTEXIT_SAVED_H

#include <lightexit/io.h>
#include <lightexit/state.h>

#define LX_SAVED_MAGIC 0x5653584cU /* "LXSV" in memory */
#define LX_SAVED_VERSION 1U

/* What had happened in a region, as in struct lx_region_stats. */
struct lx_saved_region {
	__u64 handled;
	__u64 passed;
	__u64 errors;
	__u64 string_splits;
};

/**
 * struct lx_saved - the head of a saved state
 * @magic:       LX_SAVED_MAGIC
 * @version:     LX_SAVED_VERSION; readers refuse a higher one
 * @size:        bytes of all
 * @crc:         CRC-32 (zlib's) of all, this field being 0
 * @header_size: where the state's bytes begin; a reader skips what it does not know
 * @state_abi:   LX_STATE_ABI
 * @state_size:  lx_state.size. Only what follows struct lx_state is here: its header is
 *               of a host and a boot
 * @n_regions:   entries of @regions that mean something; 0: counters could not be read
 * @name:        the device's, as in lightexit_ops.name
 * @device_ns:   device time at which it was saved; not above 2^63 - 1
 * @overruns:    ops that overran the budget
 * @max_ns:      longest run of an op
 * @regions:     what had happened, by region
 */
struct lx_saved {
	__u32 magic;
	__u32 version;
	__u32 size;
	__u32 crc;
	__u32 header_size;
	__u32 state_abi;
	__u32 state_size;
	__u32 n_regions;
	char name[LX_NAME_LEN];
	__u64 device_ns;
	__u64 overruns;
	__u64 max_ns;
	struct lx_saved_region regions[LX_MAX_REGIONS];
};

#endif /* LIGHTEXIT_SAVED_H */
