// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* PCI configuration: functions with mirrors and without, buses that are not there, all parts. */
#include "lockstep.h"
#include "pciconf.h"

#define ADDRESS (PCICONF_PORT + PCICONF_ADDRESS)
#define DATA (PCICONF_PORT + PCICONF_DATA)
#define FUNCTIONS 5U

static const uint8_t devfns[FUNCTIONS] = { 0, 8, 9, 0x1f, 0xff };

/* Random registers, some of them with no mirror; the last function has none at all. */
static void make(struct ls_side *side, uint64_t seed)
{
	struct pciconf_state *st = (struct pciconf_state *)side->st;
	struct ls_gen g = { .random = seed };
	struct vmm_pciconf *pci;

	if (vmm_pciconf_new(side->vm, st, &pci))
		ls_die("no PCI");
	side->be = pci;
	for (unsigned int i = 0; i < FUNCTIONS; i++) {
		struct vmm_pciconf_function f = { 0 };

		for (unsigned int w = 0; w < PCICONF_WORDS; w++) {
			f.config[w] = (uint32_t)ls_random(&g);
			f.writable[w] = (uint32_t)ls_random(&g);
		}
		if (vmm_pciconf_add(pci, devfns[i], &f))
			ls_die("no PCI function");
		st->functions[i].pass[0] = (uint32_t)(ls_random(&g) & ls_random(&g));
		st->functions[i].pass[1] = (uint32_t)(ls_random(&g) & ls_random(&g));
	}
	st->buses = 1 + (uint32_t)ls_below(&g, 3);
}

static void unmake(struct ls_side *side)
{
	vmm_pciconf_free(side->be);
}

static void extra(struct ls_side *side, const struct ls_access *a)
{
	vmm_pciconf_set(side->be, devfns[a->addr % FUNCTIONS], (unsigned int)a->val % PCICONF_WORDS,
			(uint32_t)(a->val >> 32));
}

static void address(struct ls_gen *g)
{
	uint64_t val = ls_random(g);

	if (ls_below(g, 8))
		val = PCICONF_ENABLE | (ls_below(g, 8) ? 0 : ls_below(g, 4) << 16) |
		      (uint64_t)devfns[ls_below(g, FUNCTIONS)] << 8 | (val & 0xff);
	ls_push(g, LS_OUT, 4, ADDRESS, val);
}

static void next(struct ls_gen *g, const void *state)
{
	uint32_t len = 1U << ls_below(g, 3);
	uint64_t port = DATA + ls_below(g, 4 / len) * len;

	switch (ls_below(g, 16)) {
	case 0:
		ls_push(g, LS_IN, 4, ADDRESS, 0);
		break;
	case 1:
		ls_push(g, LS_EXTRA, 0, ls_random(g), ls_random(g));
		break;
	case 2:
	case 3:
	case 4:
		ls_push(g, LS_OUT, len, port, ls_random(g));
		break;
	case 5:
		ls_string(g, LS_INS, len, port, 1 + (uint32_t)ls_below(g, 8));
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		address(g);
		break;
	default:
		ls_push(g, LS_IN, len, port, 0);
		break;
	}
}

static const struct lx_region region = { .addr = PCICONF_PORT, .len = PCICONF_LEN };

const struct ls_device ls_pciconf = {
	.name = "pciconf",
	.regions = &region,
	.n_regions = 1,
	.state_size = sizeof(struct pciconf_state),
	.make = make,
	.free = unmake,
	.next = next,
	.extra = extra,
};
