// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Configuration mechanism #1 of QEMU's i440fx machine and ours, with mirrors of its
 * functions. Sentences: PCI Local Bus Specification 3.0.
 */
#include <stdlib.h>

#include "pciconf.h"
#include "replay.h"

#define INTERRUPT_LINE 0x3cU

enum {
	RESERVED
};

static struct difference differences[] = {
	[RESERVED] = { .name = "reserved bits of the address",
		       .sentence =
			       "3.2.2.3.2: \"bits 30 to 24 are reserved, must be read-only, and "
			       "must return 0's\", bits 1 and 0 too. QEMU keeps them." },
	{ 0 },
};

/* @address: as written. */
struct context {
	struct vmm_pciconf *pci;
	struct pciconf_state st;
	uint32_t address;
	unsigned int n;
	uint8_t present[PCICONF_FUNCTIONS];
};

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct context *x = rig->ctx;

	if (a->addr == PCICONF_PORT && a->len == 4 && (qemu & 0x80fffffc) == ours)
		return &differences[RESERVED];
	return x->address & 3 && a->addr >= PCICONF_PORT + 4 ? &differences[RESERVED] : NULL;
}

static uint32_t peek(struct rig *rig, unsigned int devfn, unsigned int word)
{
	qemu_access(&rig->qemu, LX_SPACE_PIO, true, PCICONF_PORT, 4,
		    0x80000000U | devfn << 8 | word << 2);
	return (uint32_t)qemu_access(&rig->qemu, LX_SPACE_PIO, false, PCICONF_PORT + 4, 4, 0);
}

static void mirror(struct rig *rig)
{
	struct context *x = rig->ctx;

	for (unsigned int devfn = 0; devfn < 256; devfn++) {
		struct vmm_pciconf_function f = { .writable[INTERRUPT_LINE / 4] = 0xff };

		if (peek(rig, devfn, 0) == 0xffffffff)
			continue;
		for (unsigned int i = 0; i < PCICONF_WORDS; i++)
			f.config[i] = peek(rig, devfn, i);
		if (vmm_pciconf_add(x->pci, (uint8_t)devfn, &f))
			exit(1);
		x->present[x->n++] = (uint8_t)devfn;
	}
	/* As after a reset, which ours comes from. */
	qemu_access(&rig->qemu, LX_SPACE_PIO, true, PCICONF_PORT, 4, 0);
}

static void setup(struct rig *rig)
{
	struct context *x = calloc(1, sizeof(*x));

	rig_start(rig, "pc", false);
	if (!x)
		abort();
	lx_state_init(&x->st.hdr, sizeof(x->st));
	if (vmm_pciconf_new(&rig->vm, &x->st, &x->pci))
		exit(1);
	rig->ctx = x;
	rig->excuse = excuse;
	mirror(rig);
}

static void teardown(struct rig *rig)
{
	struct context *x = rig->ctx;

	vmm_pciconf_free(x->pci);
	free(x);
	rig_stop(rig);
}

static void address(struct rig *rig, uint32_t val)
{
	((struct context *)rig->ctx)->address = val;
	rig_out(rig, 4, PCICONF_PORT, val);
	rig_in(rig, 4, PCICONF_PORT);
}

static void read_data(struct rig *rig)
{
	for (uint32_t len = 1; len <= 4; len *= 2) {
		for (unsigned int off = 0; off + len <= 4; off++)
			rig_in(rig, len, PCICONF_PORT + 4 + off);
	}
}

/* Each function's 256 bytes, absent ones, other buses, no enable bit, interrupt lines. */
static void directed(struct rig *rig, unsigned int n)
{
	const struct context *x = rig->ctx;

	for (unsigned int i = 0; i < x->n; i++) {
		for (unsigned int word = 0; word < PCICONF_WORDS; word++) {
			address(rig, 0x80000000 | x->present[i] << 8 | word << 2);
			read_data(rig);
		}
		address(rig, 0x80000000 | x->present[i] << 8 | INTERRUPT_LINE);
		rig_out(rig, 1, PCICONF_PORT + 4, 0x5a + i);
		read_data(rig);
	}
	for (unsigned int devfn = 0; devfn < 256; devfn++) {
		address(rig, 0x80000000 | devfn << 8);
		read_data(rig);
		address(rig, 0x80010000 | devfn << 8);
		read_data(rig);
	}
	address(rig, 0x00000000);
	read_data(rig);
	address(rig, 0xff000003);
	read_data(rig);
	address(rig, 0x80000000);
	for (unsigned int off = 0; off < 4; off++) {
		rig_out(rig, 1, PCICONF_PORT + off, 0);
		rig_in(rig, 4, PCICONF_PORT);
	}
	rig_out(rig, 2, PCICONF_PORT, 0);
	read_data(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	const struct context *x = rig->ctx;

	while (n--) {
		uint32_t val = (uint32_t)rig_random(rig) & 0x80fffffc,
			 len = 1U << rig_below(rig, 3);

		if (rig_below(rig, 8))
			val = 0x80000000 | x->present[rig_below(rig, x->n)] << 8 | (val & 0xfc);
		address(rig, val);
		rig_in(rig, len, PCICONF_PORT + 4 + rig_below(rig, 5 - len));
	}
}

/*
 * Not the mechanism's: shorter accesses to CONFIG_ADDRESS ("anything other than a DWORD
 * access" is one to other registers, among them the one that resets this machine), and what
 * QEMU's functions do with writes to their registers, but for interrupt lines.
 */
static bool feed(struct rig *rig, const struct ls_access *a)
{
	const struct context *x = rig->ctx;

	if (a->kind >= LS_TIME)
		return true;
	if (a->addr < PCICONF_PORT + 4) {
		if (a->len != 4 || a->addr != PCICONF_PORT)
			return false;
		if (a->kind == LS_OUT)
			address(rig, (uint32_t)a->val);
		else
			rig_in(rig, 4, PCICONF_PORT);
	} else if (a->kind == LS_IN) {
		rig_in(rig, a->len, a->addr);
	} else if ((x->address & 0xff) == INTERRUPT_LINE && a->addr == PCICONF_PORT + 4) {
		rig_out(rig, 1, a->addr, a->val & 0xff);
	} else {
		return false;
	}
	return true;
}

static void by_lockstep(struct rig *rig, unsigned int n)
{
	const struct context *x = rig->ctx;

	replay(rig, &ls_pciconf, &x->st, n, 55, feed);
}

const struct oracle_test pciconf_tests[] = {
	{ "pciconf.directed", false, setup, directed, teardown, differences },
	{ "pciconf.random", true, setup, at_random, teardown, differences },
	{ "pciconf.lockstep", true, setup, by_lockstep, teardown, differences },
	{ 0 },
};
