/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The benchmark's own device: a register that keeps what is written to it and a
 * count of the writes. Compiled by the BPF program, the C device in the kernel
 * and the VMM's back end, like the models in bpf-progs/.
 */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <lightexit/io.h>
#include <lightexit/state.h>

/* Where it lies, 8 bytes long, on either bus. */
#define BENCH_PORT 0x600U
#define BENCH_GPA 0xfed10000U
#define BENCH_LEN 8U

/* Registers of 4 bytes */
#define BENCH_VALUE 0U /* written */
#define BENCH_COUNT 4U /* read: writes so far */

/**
 * struct bench_state - the device's state
 * @hdr:   see state.h; not used, no field needs another's company
 * @value: BENCH_VALUE
 * @count: BENCH_COUNT
 *
 * Writers: whoever answers the guest's writes.
 */
struct bench_state {
	struct lx_state hdr;
	__u32 value;
	__u32 count;
};

static inline int bench_write(struct bench_state *st, __u64 off, __u32 len, __u64 val)
{
	if (off != BENCH_VALUE || len != 4)
		return LX_PASS;
	*(volatile __u32 *)&st->value = (__u32)val;
	__sync_fetch_and_add(&st->count, 1);
	return LX_HANDLED;
}

static inline int bench_read(const struct bench_state *st, __u64 off, __u32 len, __u64 *val)
{
	if (off != BENCH_COUNT || len != 4)
		return LX_PASS;
	*val = *(const volatile __u32 *)&st->count;
	return LX_HANDLED;
}

/**
 * struct bench_sector_state - a sector behind a port, for strings
 * @hdr: see state.h; not used
 * @pos: words that were read or written, in all
 * @buf: the sector. Writers: whoever answers the guest's accesses
 */
struct bench_sector_state {
	struct lx_state hdr;
	__u32 pos;
	__u16 buf[256];
	__u16 pad[2];
};

static inline int bench_sector_read(struct bench_sector_state *st, __u32 len, __u64 *val)
{
	if (len != 2)
		return LX_PASS;
	*val = st->buf[st->pos++ % 256];
	return LX_HANDLED;
}

static inline int bench_sector_write(struct bench_sector_state *st, __u32 len, __u64 val)
{
	if (len != 2)
		return LX_PASS;
	st->buf[st->pos++ % 256] = (__u16)val;
	return LX_HANDLED;
}

#endif /* BENCH_MODEL_H */
