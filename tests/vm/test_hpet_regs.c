// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Each register of the HPET that docs/devices.md calls fast, one at a time: it reads as the
 * IA-PC HPET specification 1.0a says (and as QEMU's, in what that leaves open), by the VMM,
 * by the program, and by both in turns; and by the program often enough to say so.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hpetregs_guest.h"
#include "hpetvm.h"

VMM_GUEST(hpetregs);

/* 2.3.4: 10 ns; vendor 8086h, LEG_RT_CAP, COUNT_SIZE_CAP, three timers, revision 1. */
#define CAP 0x009896808086a201ULL
#define READS vmt_scale(40000)
#define TIMEOUT_S vmt_patience(60)

TestSuite(hpet_regs, .init = hpetvm_setup, .fini = hpetvm_teardown, .timeout = 120);

static uint64_t reads(const struct hpetregs_params *p)
{
	return __atomic_load_n(&p->reads, __ATOMIC_RELAXED);
}

/* 20 % of all, and of the rest, if there is one, some. Most accesses are reads of the register. */
static bool enough(enum path path, const struct hpetregs_params *p, uint64_t handled)
{
	uint64_t exited = hpetvm_exited();

	if (reads(p) < READS)
		return false;
	if (path != BY_VMM && (handled < MIN_HANDLED || handled * 5 < handled + exited))
		return false;
	return path != BY_BOTH || exited >= MIN_HANDLED;
}

/* Until it is enough. Returns what the program handled. */
static uint64_t take_turns(enum path path, const struct hpetregs_params *p)
{
	time_t end = time(NULL) + TIMEOUT_S;
	uint64_t handled = 0;

	while (!enough(path, p, handled) && time(NULL) < end) {
		if (path == BY_BOTH)
			hpetvm_attach();
		usleep((useconds_t)(1 + rand() % 20000));
		if (path == BY_BOTH)
			handled += hpetvm_detach();
		else if (path == BY_PROGRAM)
			handled = hpetvm_handled();
		usleep((useconds_t)(1 + rand() % 5000));
	}
	cr_expect(enough(path, p, handled), "%lu reads; %lu accesses handled, %lu not", reads(p),
		  handled, hpetvm_exited());
	return handled;
}

static void check(enum path path, enum hpetregs reg)
{
	struct hpetregs_params *p;
	uint64_t handled;

	hpetvm_make(path, 1, LX_CLOCK_MONOTONIC);
	p = vmm_params(vms.vm);
	*p = (struct hpetregs_params){
		.base = BASE, .seed = (uint64_t)getpid(), .cap = CAP, .reg = reg
	};
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(hpetregs)), 0);
	cr_assert_eq(vmm_start(vms.vm), 0);
	handled = take_turns(path, p);
	__atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	cr_expect_eq(p->wrong, 0,
		     "%lu of %lu reads; the first: %lu bytes at %#lx are %#lx, not %#lx", p->wrong,
		     p->reads, p->bad[1], p->bad[0], p->bad[2], p->bad[3]);
	cr_log_info("%lu reads; %lu accesses handled, %lu not", p->reads, handled, hpetvm_exited());
}

#define REGISTER(_name, _reg)                   \
	Test(hpet_regs, _name##_by_the_vmm)     \
	{                                       \
		check(BY_VMM, _reg);            \
	}                                       \
	Test(hpet_regs, _name##_by_the_program) \
	{                                       \
		check(BY_PROGRAM, _reg);        \
	}                                       \
	Test(hpet_regs, _name##_in_turns)       \
	{                                       \
		check(BY_BOTH, _reg);           \
	}

REGISTER(capabilities, HPETREGS_CAP)
REGISTER(config, HPETREGS_CONFIG)
REGISTER(status, HPETREGS_STATUS)
REGISTER(counter_halted, HPETREGS_COUNTER)
REGISTER(timer_config, HPETREGS_TN_CONFIG)
REGISTER(comparator, HPETREGS_ONE_SHOT)
REGISTER(comparator_periodic, HPETREGS_PERIODIC)
