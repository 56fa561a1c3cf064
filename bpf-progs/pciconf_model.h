/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PCI configuration mechanism #1: state and access in, verdict and value out. Pure:
 * the BPF program, the VMM's back end and the unit tests compile this very code.
 * The caller holds the state's lock.
 */
#ifndef PCICONF_MODEL_H
#define PCICONF_MODEL_H

#include <lightexit/dev/pciconf.h>
#include <lightexit/io.h>

#if !defined(__VMLINUX_H__) && !defined(__KERNEL__)
#include <stdbool.h>
#endif

static inline __u64 pciconf_mask(__u32 len)
{
	return ~0ULL >> (64 - 8 * len);
}

/* An access to CONFIG_DATA, within its four bytes, of a configuration cycle. */
static inline bool pciconf_is_cycle(const struct pciconf_state *st, __u64 off, __u32 len)
{
	return (len == 1 || len == 2 || len == 4) && off >= PCICONF_DATA &&
	       off <= PCICONF_LEN - len && st->address & PCICONF_ENABLE;
}

/* A word of CONFIG_DATA. Return: LX_PASS for what is the VMM's */
static inline int pciconf_word(const struct pciconf_state *st, __u32 *val)
{
	__u32 bus = st->address >> 16 & 0xff, slot = st->slot[st->address >> 8 & 0xff];
	__u32 word = st->address / 4 % PCICONF_WORDS;

	/* 3.2.2.3.2: a read that no function claims gives all ones. */
	if (bus >= st->buses || (!bus && !slot)) {
		*val = ~0U;
		return LX_HANDLED;
	}
	if (bus || slot > PCICONF_FUNCTIONS)
		return LX_PASS;
	slot = (slot - 1) % PCICONF_FUNCTIONS;
	if (st->functions[slot].pass[word / 32] & 1U << word % 32)
		return LX_PASS;
	*val = st->functions[slot].config[word];
	return LX_HANDLED;
}

/**
 * pciconf_read() - a guest's read
 * @st:  the state
 * @off: PCICONF_ADDRESS, or PCICONF_DATA and up to 3 more
 * @len: bytes
 * @val: the value, if handled
 *
 * 3.2.2.3.2: "anything other than a DWORD access" to CONFIG_ADDRESS is one to other
 * registers of the chipset.
 *
 * Return: LX_HANDLED; LX_PASS for that, for accesses that are no configuration cycles,
 * and for what the state leaves to the VMM.
 */
static inline int pciconf_read(const struct pciconf_state *st, __u64 off, __u32 len, __u64 *val)
{
	__u32 word;

	if (off == PCICONF_ADDRESS && len == 4) {
		*val = st->address;
		return LX_HANDLED;
	}
	if (!pciconf_is_cycle(st, off, len) || pciconf_word(st, &word) != LX_HANDLED)
		return LX_PASS;
	*val = word >> (off - PCICONF_DATA) * 8 & pciconf_mask(len);
	return LX_HANDLED;
}

/* pciconf_write() - a guest's write of CONFIG_ADDRESS; LX_PASS for all others */
static inline int pciconf_write(struct pciconf_state *st, __u64 off, __u32 len, __u64 val)
{
	if (off != PCICONF_ADDRESS || len != 4)
		return LX_PASS;
	st->address = (__u32)val & PCICONF_ADDRESS_BITS;
	return LX_HANDLED;
}

#endif /* PCICONF_MODEL_H */
