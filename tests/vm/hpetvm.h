/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A machine with an HPET that interrupts, answered by the VMM, the program, or both in turns. */
#ifndef HPETVM_H
#define HPETVM_H

#include "hpet.h"
#include "vmscript.h"

#define BASE 0xfed00000UL
#define MIN_HANDLED 1000U

/* 2.3.8 */
#define LEVEL 0x2U
#define ENB 0x4U
#define PERIODIC 0x8U
#define VAL_SET 0x40U
#define MODE32 0x100U
#define ROUTE(_input) ((uint32_t)(_input) << 9)

enum path {
	BY_VMM,
	BY_PROGRAM,
	BY_BOTH /* the program comes and goes */
};

/**
 * struct hpetvm - a test's device
 * @dev:    the program's; NULL by the VMM alone
 * @hpet:   the back end
 * @loop:   its thread
 * @st:     the state, whoever has made it
 * @legacy: what the back end has said last of LEG_RT_CNF
 */
struct hpetvm {
	struct lx_device *dev;
	struct vmm_hpet *hpet;
	struct vmm_loop *loop;
	struct hpet_state *st;
	bool legacy;
};

extern struct hpetvm hpetvm;

/* For the suite. */
void hpetvm_setup(void);
void hpetvm_teardown(void);

/*
 * The machine, vms.vm; the program is loaded unless the path is the VMM's, and attached if
 * it is the program's. Legacy interrupts go to the IO-APIC's inputs 2 and 8.
 */
void hpetvm_make(enum path path, unsigned int vcpus, enum lx_clock clock);

/* By both: the program comes; and goes. Returns what it handled meanwhile. */
void hpetvm_attach(void);
uint64_t hpetvm_detach(void);

/* By the program since the attach; and by the VMM in all. */
uint64_t hpetvm_handled(void);
uint64_t hpetvm_exited(void);

#endif /* HPETVM_H */
