// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET's timers, seen by guests: all registers the same by the program and by the VMM;
 * interrupts once each, never early, at their exact rate, edge and level, by their routes,
 * on both paths and while the program comes and goes; no heavy exit per interrupt, and no
 * timer armed for what cannot interrupt.
 */
#include <stdlib.h>
#include <unistd.h>

#include "hpet_guest.h"
#include "hpetvm.h"

VMM_GUEST(hpet);

#define TICK_NS 10U
#define MS_TICKS 100000U

TestSuite(hpet, .init = hpetvm_setup, .fini = hpetvm_teardown, .timeout = 240);

/* The second vCPU reads until the program has handled enough. */
static void release_if(struct hpet_guest_params *p, uint64_t handled)
{
	if (handled >= MIN_HANDLED && handled >= hpetvm_exited() / 4)
		__atomic_store_n(&p->hold, 0, __ATOMIC_RELEASE);
}

/* Attaches and detaches until the guest is done; returns what the program handled. */
static uint64_t come_and_go(struct hpet_guest_params *p)
{
	uint64_t sum = 0;

	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) {
		usleep((useconds_t)(1 + rand() % 10000));
		hpetvm_attach();
		usleep((useconds_t)(1 + rand() % 40000));
		sum += hpetvm_detach();
		release_if(p, sum);
	}
	return sum;
}

/* The same with the program there all the time. */
static void wait_done(struct hpet_guest_params *p)
{
	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) {
		usleep(10000);
		release_if(p, hpetvm_handled());
	}
}

/* Runs the HPET guest; @p as it is to begin. Returns what the program handled. */
static uint64_t run_guest(enum path path, const struct hpet_guest_params *begin)
{
	struct hpet_guest_params *p = vmm_params(vms.vm);
	uint64_t sum = 0;

	*p = *begin;
	p->base = BASE;
	p->vcpus = vms.vm->n_vcpus;
	p->hold = path != BY_VMM && p->vcpus > 1;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(hpet)), 0);
	cr_assert_eq(vmm_start(vms.vm), 0);
	if (path == BY_BOTH)
		sum = come_and_go(p);
	else if (p->hold)
		wait_done(p);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0, "%u interrupts of %lu",
		     p->irqs[HPET_GUEST_VECTOR], p->want);
	return path == BY_PROGRAM ? hpetvm_handled() : sum;
}

/* docs/devices.md: what is later than this is not made up for. */
#define LATE_MAX_NS 10000000000ULL

/*
 * An edge-triggered periodic timer: of the matches so far, by the state's clock and the
 * specification, all have interrupted or are about to, one by one. On a machine that is too
 * slow for the period some are always late.
 */
static void expect_matches(const struct hpet_guest_params *p)
{
	struct hpet_state *st = hpetvm.st;
	const struct lx_timer *t = &st->timers[p->timer].timer;
	uint64_t now, n, next;

	if ((p->config & (PERIODIC | LEVEL)) != PERIODIC)
		return;
	lx_lock(&st->hdr);
	now = vmm_clock_ns(vms.vm, st->hdr.clock) - st->hdr.epoch_ns - st->base_ns;
	n = now / TICK_NS / p->ticks;
	next = (t->due_ns - st->base_ns) / TICK_NS;
	cr_expect(t->armed, "the timer has stopped");
	cr_expect_leq(t->fired, n, "the timer fired %u times in %lu ns, not %lu", t->fired, now, n);
	if (now < LATE_MAX_NS)
		cr_expect_eq((t->fired + 1) * p->ticks, next, "%u times, next at tick %lu",
			     t->fired, next);
	lx_unlock(&st->hdr);
}

/*
 * What holds for each run. Interrupts of an edge that come while one is pending are one to
 * the guest; one-shots wait for each other, and are never.
 */
static void expect_sound(const struct hpet_guest_params *p)
{
	uint64_t irqs = p->irqs[HPET_GUEST_VECTOR] + p->irqs[HPET_GUEST_OTHER];
	uint32_t fired;

	expect_matches(p);
	fired = hpetvm.st->timers[p->timer].timer.fired;
	cr_expect_geq(p->taken, p->want);
	cr_expect_eq(irqs, p->taken + p->unasked + p->astray);
	cr_expect_eq(p->astray, 0, "%lu interrupts came by the wrong pin", p->astray);
	if (p->config & PERIODIC)
		cr_expect_leq(p->taken, fired, "%lu interrupts for %u matches", irqs, fired);
	else
		cr_expect_eq(p->taken, fired, "%lu interrupts for %u matches", irqs, fired);
	cr_expect_eq(p->early, 0, "%lu interrupts were early", p->early);
	cr_expect_eq(p->stuck, 0, "%lu status bits could not be cleared", p->stuck);
	cr_expect_eq(p->wrong, 0, "%lu of %lu comparators; %#lx between %#lx and %#lx", p->wrong,
		     p->reads, p->bad[1], p->bad[0], p->bad[2]);
}

/* @vcpus: the second one reads the timer's registers all the time. */
static void check(enum path path, const struct hpet_guest_params *begin, unsigned int vcpus,
		  enum lx_clock clock)
{
	const struct hpet_guest_params *p;
	uint64_t n, vmm;

	hpetvm_make(path, vcpus, clock);
	n = run_guest(path, begin);
	p = vmm_params(vms.vm);
	expect_sound(p);
	vmm = hpetvm_exited();
	if (path != BY_BOTH)
		cr_expect_eq(p->unasked, 0, "%lu interrupts without a status bit", p->unasked);
	if (path != BY_VMM)
		cr_expect(n >= MIN_HANDLED && n >= vmm / 4, "%lu handled, %lu not", n, vmm);
	if (path == BY_PROGRAM && vcpus == 1 && !p->toggle && !p->general)
		cr_expect_leq(vmm, 4, "%lu heavy exits for %lu interrupts", vmm, p->taken);
}

static struct hpet_guest_params params(uint32_t timer, uint32_t config, uint64_t ticks,
				       uint64_t want)
{
	if (!(config & PERIODIC)) /* how far ahead a guest sets its timer is its own choice */
		ticks *= (uint64_t)vmt_patience(1);
	return (struct hpet_guest_params){
		.timer = timer,
		.config = config | ENB | ROUTE(21),
		.pin = 21,
		.level = !!(config & LEVEL),
		.ticks = ticks,
		.want = want,
	};
}

#define ALL_PATHS(_name, ...)              \
	Test(hpet, _name##_by_the_vmm)     \
	{                                  \
		_name(BY_VMM);             \
	}                                  \
	Test(hpet, _name##_by_the_program) \
	{                                  \
		_name(BY_PROGRAM);         \
	}                                  \
	Test(hpet, _name##_by_both)        \
	{                                  \
		_name(BY_BOTH);            \
	}

static void one_shot(enum path path)
{
	const struct hpet_guest_params p = params(2, 0, 5 * MS_TICKS, vmt_scale(4000));

	check(path, &p, 1, LX_CLOCK_MONOTONIC);
}

ALL_PATHS(one_shot)

static void one_shot_level(enum path path)
{
	const struct hpet_guest_params p = params(1, LEVEL, 5 * MS_TICKS, vmt_scale(4000));

	check(path, &p, 1, LX_CLOCK_KVM);
}

ALL_PATHS(one_shot_level)

static void periodic(enum path path)
{
	const struct hpet_guest_params p = params(0, PERIODIC, 10 * MS_TICKS, vmt_scale(2000));

	check(path, &p, 2, LX_CLOCK_MONOTONIC);
}

ALL_PATHS(periodic)

static void periodic_level_32_bits(enum path path)
{
	const struct hpet_guest_params p =
		params(0, PERIODIC | LEVEL | MODE32, 10 * MS_TICKS, vmt_scale(2000));

	check(path, &p, 2, LX_CLOCK_KVM);
}

ALL_PATHS(periodic_level_32_bits)

/* 1,000 Hz: the readers that a mix of paths needs leave one vCPU as it is with one path. */
static void periodic_1khz(enum path path)
{
	const struct hpet_guest_params p = params(0, PERIODIC, MS_TICKS, vmt_scale(10000) + 5);

	check(path, &p, path == BY_BOTH ? 2 : 1, LX_CLOCK_MONOTONIC);
}

ALL_PATHS(periodic_1khz)

/* 2.4.7: half a second before the lower half of the counter wraps. */
#define BEFORE_WRAP ((1ULL << 32) - 500 * MS_TICKS)

static void check_wrap(enum path path, struct hpet_guest_params p)
{
	p.start = BEFORE_WRAP;
	check(path, &p, 2, LX_CLOCK_MONOTONIC);
	p = *(struct hpet_guest_params *)vmm_params(vms.vm);
	cr_assert_geq(p.end, 1ULL << 32, "the run ended before the counter wrapped, at %#lx",
		      p.end);
}

static void one_shot_32_bits_wraps(enum path path)
{
	check_wrap(path, params(2, MODE32, 10 * MS_TICKS, vmt_scale(1500)));
}

ALL_PATHS(one_shot_32_bits_wraps)

static void periodic_32_bits_wraps(enum path path)
{
	check_wrap(path, params(0, PERIODIC | MODE32, 10 * MS_TICKS, vmt_scale(1500)));
}

ALL_PATHS(periodic_32_bits_wraps)

/* 2.4.2.1: the IO-APIC's inputs for timers 0 and 1 of LegacyReplacement; the rest is 2.4.2.2. */
#define LEGACY 2U
static const uint32_t legacy_pins[] = { 2, 8 };

/* The timer's own route is of no account. */
static void legacy_on(enum path path)
{
	for (uint32_t n = 0; n < 2; n++) {
		struct hpet_guest_params p =
			params(n, n ? 0 : PERIODIC, 5 * MS_TICKS, vmt_scale(500));

		p.general = LEGACY;
		p.pin = legacy_pins[n];
		p.other = 21;
		check(path, &p, 2, LX_CLOCK_MONOTONIC);
		cr_expect(hpetvm.legacy, "the 8254 and the RTC were not told");
		hpetvm_teardown();
		hpetvm_setup();
	}
}

ALL_PATHS(legacy_on)

/* Timer 2's interrupts go where its own route says, all the same; and so do those of others. */
static void legacy_off(enum path path)
{
	for (uint32_t n = 0; n < 3; n++) {
		struct hpet_guest_params p =
			params(n, n ? 0 : PERIODIC, 5 * MS_TICKS, vmt_scale(500));

		p.general = n == 2 ? LEGACY : 0;
		p.other = legacy_pins[n % 2];
		check(path, &p, 2, LX_CLOCK_MONOTONIC);
		cr_expect_eq(hpetvm.legacy, n == 2);
		hpetvm_teardown();
		hpetvm_setup();
	}
}

ALL_PATHS(legacy_off)

/* Each change of the routing is the VMM's; what comes after it comes by the other pin. */
static void legacy_on_and_off(enum path path)
{
	for (uint32_t n = 0; n < 2; n++) {
		struct hpet_guest_params p = params(n, 0, 2 * MS_TICKS, vmt_scale(1000));

		p.other = legacy_pins[n];
		p.toggle = true;
		check(path, &p, 2, LX_CLOCK_MONOTONIC);
		p = *(struct hpet_guest_params *)vmm_params(vms.vm);
		cr_expect_eq(p.irqs[HPET_GUEST_OTHER], p.want / 2);
		hpetvm_teardown();
		hpetvm_setup();
	}
}

ALL_PATHS(legacy_on_and_off)
