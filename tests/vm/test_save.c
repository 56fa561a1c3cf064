// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Save and restore of real VMs: a guest with its HPET goes on in another process, with the
 * program or by the VMM alone, under another clock; registers, remaining times and counters
 * are kept, interrupts come once each and not early. What runs meanwhile: test_save_live.c.
 */
#include <errno.h>
#include <unistd.h>

#include "hpethost.h"

#define VECTOR 0x55U
#define RESERVED 0x030U

TestSuite(save, .init = hh_setup, .fini = hh_teardown, .timeout = 300);

/* 2.4.2: an edge is one interrupt; what is level-triggered is asserted again elsewhere. */
static void end_irqfd(void)
{
	bool level = hh.travel->begin.level;
	int slots[HPET_SLOTS], handover, kick;

	vmm_hpet_eventfds(hh.hpet, slots, &handover, &kick);
	move_end_irqfd(vms.vm, slots[HPET_SLOT(HPET_ROUTE_INPUT + HH_GSI - HPET_INPUT, level)],
		       HH_GSI);
}

/* A host: the guest comes, or begins, and leaves after so many interrupts; or it ends here. */
static void host(void *arg)
{
	bool first = !hh.travel->image.full, last = hh.travel->until >= hh.travel->begin.want;
	int err;

	hh_make(hh.travel->begin.vcpus);
	if (first) {
		hh_begin_guest();
	} else {
		move_in(vms.vm, &hh.travel->image);
		hh_arrive();
		hh_thaw();
	}
	if (last)
		hh_guest()->hold = 0;
	cr_assert_eq(vmm_start(vms.vm), 0);
	if (last) {
		err = vmm_join(vms.vm, VMS_TIMEOUT_MS);
		cr_assert_eq(err, 0, "%d: %lu interrupts of %lu", err, hh_taken(),
			     hh_guest()->want);
	} else {
		hh_wait_taken(hh.travel->until);
		vmm_stop(vms.vm);
		cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), -ECANCELED);
	}
	hh_leave();
	end_irqfd();
	move_out(vms.vm, &hh.travel->image);
	hh_shut();
}

/* On these hosts in turn; the guest does not end before it is on the last one. */
static void go(const struct hh_place *hosts, unsigned int n, const struct hpet_guest_params *begin)
{
	hh.travel->begin = *begin;
	hh.travel->begin.hold = 1;
	for (unsigned int i = 0; i < n; i++) {
		hh.travel->until = begin->want * (i + 1) / n;
		hh_at(&hosts[i], host, NULL);
	}
	hh_expect_sound((const void *)(hh.travel->image.mem + VMM_PARAMS_GPA), hh.travel->fired);
}

Test(save, one_shots_go_on)
{
	const struct hpet_guest_params p = hh_params(2, 0, 5 * MS_TICKS, 20 * HH_PLACES, 1);

	go(hh_places, HH_PLACES, &p);
}

Test(save, one_shots_of_a_level_go_on)
{
	const struct hpet_guest_params p = hh_params(1, LEVEL, 5 * MS_TICKS, 20 * HH_PLACES, 2);

	go(hh_places, HH_PLACES, &p);
}

Test(save, a_periodic_timer_goes_on)
{
	const struct hpet_guest_params p = hh_params(0, PERIODIC, 10 * MS_TICKS, 20 * HH_PLACES, 2);

	go(hh_places, HH_PLACES, &p);
}

static const uint32_t *irqs(void)
{
	const struct script_params *p = vmm_params(vms.vm);

	return &p->irqs[VECTOR];
}

/* A timer is set on one host, by the guest; the VM has no time to wait for it there. */
static void set_timer(void *arg)
{
	const uint64_t *ticks = arg;

	hh_make(1);
	hh_attach();
	vms_write(8, HH_BASE + 0x120, ENB | ROUTE(HH_GSI));
	vms_write(8, HH_BASE + 0x128, *ticks);
	vms_write(8, HH_BASE + 0x010, 1);
	vms_run();
	hh_leave();
	hh_shut();
}

/* On the other one it fires when what remained has passed there, and once. */
static void await_timer(void *arg)
{
	const uint64_t *remaining = arg;
	uint64_t began, took;

	hh_make(1);
	vms_add(0, SCRIPT_ROUTE, 0, HH_GSI, VECTOR, 1);
	vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 1);
	vms_load();
	hh_arrive();
	cr_assert_eq(vmm_start(vms.vm), 0);
	usleep(50000);
	cr_expect_eq(*irqs(), 0, "an interrupt from a frozen device");
	began = hh_ns();
	hh_thaw();
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0, "no interrupt");
	took = hh_ns() - began;
	cr_expect_geq(took, *remaining - *remaining / 1000, "%lu ns early", *remaining - took);
	usleep(50000);
	cr_expect_eq(*irqs(), 1);
	cr_expect_eq(hh.st->timers[1].timer.fired, 1);
	hh_shut();
}

/* The way takes longer than what remains. */
static void time_stands_still(const struct hh_place *from, const struct hh_place *to)
{
	uint64_t remaining = 0, ticks = 20 * MS_TICKS;

	while (!remaining) {
		const uint64_t *r = hh.travel->registers;

		ticks *= 4;
		cr_assert_leq(ticks, 100000 * MS_TICKS, "the host takes too long");
		hh_at(from, set_timer, &ticks);
		if (r[HH_COMPARATOR_1] == ticks && r[HH_COUNTER] < ticks)
			remaining = (ticks - r[HH_COUNTER]) * HH_TICK_NS;
	}
	usleep((useconds_t)(remaining / 1000) + 1);
	hh_at(to, await_timer, &remaining);
}

Test(save, remaining_time_by_programs)
{
	time_stands_still(&hh_places[0], &hh_places[1]);
}

Test(save, remaining_time_to_the_vmm)
{
	time_stands_still(&hh_places[0], &hh_places[2]);
}

Test(save, remaining_time_from_the_vmm)
{
	time_stands_still(&hh_places[4], &hh_places[3]);
}

/* @arg: what was counted before; it is counted further, to the end of this host. */
static void count_accesses(void *arg)
{
	struct lx_region_stats *was = arg;

	hh_make(1);
	if (hh.travel->image.device_size)
		hh_arrive();
	else
		hh_attach();
	cr_expect(hh_counters().handled == was->handled && hh_counters().passed == was->passed,
		  "restored: %lu handled, %lu passed, not %lu and %lu", hh_counters().handled,
		  hh_counters().passed, was->handled, was->passed);
	hh_thaw();
	vms_add(0, SCRIPT_READ, 4, HH_BASE + 0x0f0, 0, 17);
	vms_add(0, SCRIPT_READ, 4, HH_BASE + RESERVED, 0, 5);
	vms_run();
	cr_expect_eq(hh_counters().handled, was->handled + 17);
	cr_expect_eq(hh_counters().passed, was->passed + 5);
	*was = hh_counters();
	hh_leave();
	hh_shut();
}

Test(save, counters_go_on)
{
	struct lx_region_stats *was = move_shared(sizeof(*was));

	hh_at(&hh_places[0], count_accesses, was);
	hh_at(&hh_places[3], count_accesses, was);
	hh_at(&hh_places[0], count_accesses, was);
	cr_expect(was->handled == 3 * 17 && was->passed == 3 * 5);
}
