/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ACPI PM timer: state, access and time in, verdict and value out. Pure: the
 * BPF program, the VMM's back end and the unit tests compile this very code.
 */
#ifndef PMTIMER_MODEL_H
#define PMTIMER_MODEL_H

#include <lightexit/dev/pmtimer.h>
#include <lightexit/io.h>
#include <lightexit/muldiv.h>

/* The counter at a device time, before it is cut to its width. */
static inline __u64 pmtimer_ticks(__u64 ns)
{
	return lx_muldiv64(ns, PMTIMER_HZ, 1000000000);
}

/**
 * pmtimer_read() - a guest's read of PM_TMR_BLK
 * @st:  a consistent state
 * @ns:  device time of the read
 * @off: offset into PM_TMR_BLK
 * @len: bytes
 * @val: the value, if handled
 *
 * ACPI 4.8.3.3: a read of fewer bytes than the register's gives those bytes of
 * the counter. 4.8.2.1: in a 24-bit timer the upper byte reads zero.
 *
 * Return: LX_HANDLED, or LX_PASS for what is not within the register, for a
 * time before 0, or for a width the specification does not know.
 */
static inline int pmtimer_read(const struct pmtimer_state *st, __s64 ns, __u64 off, __u32 len,
			       __u64 *val)
{
	__u64 v;

	if ((len != 1 && len != 2 && len != 4) || off > PMTIMER_LEN - len)
		return LX_PASS;
	if (ns < 0 || (st->bits != 24 && st->bits != 32))
		return LX_PASS;
	v = pmtimer_ticks((__u64)ns) & ((1ULL << st->bits) - 1);
	*val = (v >> (off * 8)) & ((1ULL << (len * 8)) - 1);
	return LX_HANDLED;
}

#endif /* PMTIMER_MODEL_H */
