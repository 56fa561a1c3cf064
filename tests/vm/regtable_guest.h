/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The register table's guest: random accesses that every run repeats, to the ports
 * and the MMIO of one device. Host and guest.
 */
#ifndef REGTABLE_GUEST_H
#define REGTABLE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../unit/longdiv.h"

#define REGTABLE_PORT 0x500U
#define REGTABLE_PORTS 0x20U
#define REGTABLE_MMIO 0xfe000000UL
#define REGTABLE_MMIO_LEN 0x200U

/**
 * struct regtable_params - the parameter block
 * @seed:   of the accesses
 * @n:      accesses
 * @done:   of them. Writer: guest
 * @values: guest-physical address, where what a read gave goes, in their order
 */
struct regtable_params {
	uint64_t seed;
	uint64_t n;
	uint64_t done;
	uint64_t values;
};

struct regtable_access {
	bool mmio;
	bool write;
	uint32_t len;
	uint64_t off;
	uint64_t val;
};

/* The next access. Nothing that was read has a say in it. Most are aligned. */
static inline struct regtable_access regtable_next(uint64_t *seed)
{
	uint64_t r = repeatable_random(seed);
	struct regtable_access a = { .mmio = r & 1, .write = r & 2 };

	a.len = 1U << (r >> 8) % (a.mmio ? 4 : 3);
	a.off = (r >> 16) % (a.mmio ? REGTABLE_MMIO_LEN - 8 : REGTABLE_PORTS - 4);
	/* Half of the MMIO accesses go where the registers are close together. */
	if (a.mmio && r & 4)
		a.off %= 0x20;
	if (r >> 40 & 7)
		a.off &= ~(uint64_t)(a.len - 1);
	a.val = repeatable_random(seed);
	return a;
}

#endif /* REGTABLE_GUEST_H */
