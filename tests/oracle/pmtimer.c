// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The PM timer of QEMU's i440fx machine (24 bits) and ours. Sections: ACPI 6.5. */
#include <stdlib.h>

#include "pmtimer.h"
#include "replay.h"

/* PIIX4's power-management function is 00:01.3. */
#define PCI_ADDRESS 0xcf8U
#define PCI_DATA 0xcfcU
#define PM_FUNCTION 0x80000b00U
#define PMBASE 0x40U
#define PMREGMISC 0x80U
#define BASE 0x600U
#define PORT (BASE + 8)

static struct difference differences[] = {
	{ .name = "parts",
	  .sentence =
		  "4.8.3.3: \"This register is accessed as 32 bits.\" QEMU answers a part at any "
		  "offset with the lowest bytes; ours with the bytes at that offset." },
	{ 0 },
};

/* Ours has to be that part of what QEMU answers as a whole. */
static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	if (a->len == 4)
		return NULL;
	return rig_part(rig, a, PORT, 4) == ours ? &differences[0] : NULL;
}

static void poke(struct rig *rig, uint32_t reg, uint32_t val)
{
	qemu_access(&rig->qemu, LX_SPACE_PIO, true, PCI_ADDRESS, 4, PM_FUNCTION | reg);
	qemu_access(&rig->qemu, LX_SPACE_PIO, true, PCI_DATA, 4, val);
}

static struct pmtimer_state state;

static void setup(struct rig *rig)
{
	const struct vmm_pmtimer_opts opts = { .port = PORT, .bits = 24, .state = &state };
	struct vmm_pmtimer *pmt;

	rig_start(rig, "pc", false);
	poke(rig, PMBASE, BASE | 1);
	poke(rig, PMREGMISC, 1);
	state = (struct pmtimer_state){ 0 };
	lx_state_init(&state.hdr, sizeof(state));
	if (vmm_pmtimer_new(&rig->vm, &opts, &pmt))
		exit(1);
	rig->ctx = pmt;
	rig->excuse = excuse;
}

static void teardown(struct rig *rig)
{
	vmm_pmtimer_free(rig->ctx);
	rig_stop(rig);
}

/* Each nanosecond of the first ticks, then around the wrap at 2^24 ticks (4.8.2.1). */
static void directed(struct rig *rig, unsigned int n)
{
	for (unsigned int i = 0; i < 2000; i++) {
		rig_in(rig, 4, PORT);
		rig_step(rig, 1);
	}
	rig_step(rig, 4686968875 - 2000 - 600);
	for (unsigned int i = 0; i < 1200; i++) {
		rig_in(rig, 4, PORT);
		rig_step(rig, 1);
	}
	for (unsigned int off = 0; off < 4; off++)
		rig_in(rig, 1, PORT + off);
	rig_in(rig, 2, PORT);
	rig_in(rig, 2, PORT + 2);
	rig_out(rig, 4, PORT, 0);
	rig_in(rig, 4, PORT);
}

static void at_random(struct rig *rig, unsigned int n)
{
	while (n--) {
		uint32_t len = 1U << rig_below(rig, 3);

		rig_step(rig, rig_random(rig) >> (24 + rig_below(rig, 40)));
		rig_in(rig, len, PORT + rig_below(rig, 5 - len));
		if (!rig_below(rig, 16))
			rig_out(rig, 4, PORT, rig_random(rig) & 0xffffffff);
	}
}

static bool feed(struct rig *rig, const struct ls_access *a)
{
	if (a->kind == LS_IN)
		rig_in(rig, a->len, a->addr);
	else if (a->kind == LS_OUT)
		rig_out(rig, a->len, a->addr, a->val);
	else
		rig_step(rig, a->val);
	return true;
}

static void by_lockstep(struct rig *rig, unsigned int n)
{
	replay(rig, &ls_pmtimer, &state, n, 80, feed);
}

const struct oracle_test pmtimer_tests[] = {
	{ "pmtimer.directed", false, setup, directed, teardown, differences },
	{ "pmtimer.random", true, setup, at_random, teardown, differences },
	{ "pmtimer.lockstep", true, setup, by_lockstep, teardown, differences },
	{ 0 },
};
