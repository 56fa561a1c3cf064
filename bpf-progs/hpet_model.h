/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HPET: state, access and time in, verdict and value out. Pure: the BPF
 * program, the VMM's back end and the unit tests compile this very code.
 * Reads of capabilities, configuration and main counter are answered; the rest
 * of the registers, and all writes, are the VMM's.
 */
#ifndef HPET_MODEL_H
#define HPET_MODEL_H

#include <lightexit/dev/hpet.h>
#include <lightexit/io.h>
#include <lightexit/muldiv.h>

static inline __u64 hpet_period_fs(const struct hpet_state *st)
{
	return st->cap >> HPET_CAP_PERIOD_SHIFT;
}

/* 1 to HPET_PERIOD_MAX, in one comparison. */
static inline int hpet_period_ok(const struct hpet_state *st)
{
	return hpet_period_fs(st) - 1 < HPET_PERIOD_MAX;
}

/**
 * hpet_counter() - the main counter, 2.3.7
 * @st: a consistent state
 * @ns: time of the read, by the state's clock; not before base_ns
 */
static inline __u64 hpet_counter(const struct hpet_state *st, __u64 ns)
{
	if (!(st->config & HPET_CONFIG_ENABLE))
		return st->counter;
	return st->counter + lx_muldiv64(ns - st->base_ns, HPET_FS_PER_NS, hpet_period_fs(st));
}

/* True if the register at @reg (a multiple of 8) is answered without the VMM. */
static inline int hpet_is_fast(__u64 reg)
{
	return reg == HPET_COUNTER || reg == HPET_CONFIG || reg == HPET_CAP;
}

/**
 * hpet_read() - a guest's read
 * @st:  a consistent state
 * @ns:  time of the read, by the state's clock
 * @off: offset into the register block
 * @len: bytes
 * @val: the value, if handled
 *
 * 2.3.2: registers are 64 bits wide and may be read as such or in halves;
 * naturally aligned reads of 1 and 2 bytes give those bytes of the register.
 *
 * Return: LX_HANDLED; LX_PASS for other registers, accesses that are not
 * naturally aligned, a time before the state's, or a period out of range.
 */
static inline int hpet_read(const struct hpet_state *st, __u64 ns, __u64 off, __u32 len, __u64 *val)
{
	__u64 reg = off & ~7ULL, v;

	if ((len != 1 && len != 2 && len != 4 && len != 8) || off & (len - 1))
		return LX_PASS;
	if (reg == HPET_COUNTER) {
		if (ns < st->base_ns || !hpet_period_ok(st))
			return LX_PASS;
		v = hpet_counter(st, ns);
	} else if (reg == HPET_CONFIG) {
		v = st->config;
	} else if (reg == HPET_CAP) {
		v = st->cap;
	} else {
		return LX_PASS;
	}
	v >>= (off & 7) * 8;
	*val = len == 8 ? v : v & ((1ULL << (len * 8)) - 1);
	return LX_HANDLED;
}

#endif /* HPET_MODEL_H */
