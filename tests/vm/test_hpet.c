// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The HPET's timers, seen by guests: all registers the same by the program and by the VMM;
 * interrupts once each, never early, at their exact rate, edge and level, by their routes,
 * on both paths and while the program comes and goes; no heavy exit per interrupt, and no
 * timer armed for what cannot interrupt.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hpet.h"
#include "hpet_guest.h"
#include "vmscript.h"

VMM_GUEST(hpet);

#define BASE 0xfed00000UL
#define TICK_NS 10U
#define MS_TICKS 100000U
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

static struct lx_device *dev;
static struct vmm_hpet *hpet;
static struct vmm_loop *loop;
static struct hpet_state *st;
static struct hpet_state own; /* where there is no program */

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	if (hpet)
		vmm_hpet_disconnect(hpet);
	vmm_loop_free(loop);
	vms_teardown();
	vmm_hpet_free(hpet);
	lx_device_close(dev);
	hpet = NULL;
	loop = NULL;
	dev = NULL;
	vmt_set_param("budget_us", "1000");
}

TestSuite(hpet, .init = setup, .fini = teardown, .timeout = 240);

static void set_eventfds(void)
{
	struct lx_eventfds e = { .sz = sizeof(e), .n = HPET_SLOTS };

	vmm_hpet_eventfds(hpet, e.slots, &e.handover_fd, &e.kick_fd);
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "%s", vmt_log());
}

static void attach(void)
{
	cr_assert_eq(vmm_hpet_hand_out(hpet), 0);
	vmt_attach(dev, vms.vm);
}

/* A machine with an HPET that interrupts; the program is loaded unless the path is the VMM's. */
static void make(enum path path, unsigned int vcpus, enum lx_clock clock, uint32_t legacy_gsi)
{
	struct vmm_hpet_irqs irqs = { .legacy_gsi = { legacy_gsi, 8 } };

	vms_create(&(struct vmm_opts){ .vcpus = vcpus, .irqchip = VMM_IRQCHIP_KERNEL });
	cr_assert_eq(vmm_loop_new(&loop), 0);
	if (path != BY_VMM) {
		dev = vmt_load(vmt_bpf_dir(), "hpet");
		st = lx_device_state(dev, NULL);
	} else {
		memset(&own, 0, sizeof(own));
		lx_state_init(&own.hdr, sizeof(own));
		st = &own;
	}
	cr_assert_eq(vmm_hpet_new(vms.vm, BASE, clock, st, &hpet), 0);
	irqs.loop = loop;
	cr_assert_eq(vmm_hpet_connect(hpet, &irqs), 0);
	if (dev)
		set_eventfds();
	if (path == BY_PROGRAM)
		attach();
}

static uint64_t handled(void)
{
	return vmt_stats(dev).regions[0].handled;
}

/* Attaches and detaches until the guest is done; returns what the program handled. */
static uint64_t come_and_go(const struct hpet_guest_params *p)
{
	uint64_t sum = 0;

	while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE)) {
		usleep((useconds_t)(1 + rand() % 10000));
		attach();
		usleep((useconds_t)(1 + rand() % 40000));
		sum += handled();
		cr_assert_eq(lx_device_detach(dev), 0);
	}
	return sum;
}

/* Runs the HPET guest; @p as it is to begin. Returns what the program handled. */
static uint64_t run_guest(enum path path, const struct hpet_guest_params *begin)
{
	struct hpet_guest_params *p = vmm_params(vms.vm);
	uint64_t sum = 0;

	*p = *begin;
	p->base = BASE;
	p->vcpus = vms.vm->n_vcpus;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(hpet)), 0);
	cr_assert_eq(vmm_start(vms.vm), 0);
	if (path == BY_BOTH)
		sum = come_and_go(p);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0, "%u interrupts of %lu",
		     p->irqs[HPET_GUEST_VECTOR], p->want);
	return path == BY_PROGRAM ? handled() : sum;
}

/*
 * The timer's matches so far, by the state's clock and the specification; when all of them
 * that interrupt have been delivered. Up to 10 s of them may be late, and come at twice
 * their rate.
 */
static uint64_t matches(const struct hpet_guest_params *p)
{
	const struct lx_timer *t = &st->timers[p->timer].timer;
	uint64_t now = 0, n = 0;
	bool late = true;

	for (int i = 0; i < 30000 && late; i++) {
		usleep(1000);
		lx_lock(&st->hdr);
		now = vmm_clock_ns(vms.vm, st->hdr.clock) - st->hdr.epoch_ns - st->base_ns;
		late = t->armed && t->due_ns <= now + st->base_ns;
		n = now / TICK_NS / p->ticks;
		if (!late && (p->config & (PERIODIC | LEVEL)) == PERIODIC)
			cr_expect_eq(t->fired, n, "the timer fired %u times in %lu ns, not %lu",
				     t->fired, now, n);
		lx_unlock(&st->hdr);
	}
	cr_expect(!late, "interrupts stay late");
	return n;
}

/*
 * What holds for each run. Interrupts of an edge that come while one is pending are one to
 * the guest; one-shots wait for each other, and are never.
 */
static void expect_sound(const struct hpet_guest_params *p)
{
	uint64_t irqs = p->irqs[HPET_GUEST_VECTOR];
	uint32_t fired;

	matches(p);
	fired = st->timers[p->timer].timer.fired;
	cr_expect_geq(p->taken, p->want);
	cr_expect_eq(irqs, p->taken + p->unasked);
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

	make(path, vcpus, clock, 2);
	n = run_guest(path, begin);
	p = vmm_params(vms.vm);
	expect_sound(p);
	vmm = vmm_dev_count(vms.vm, vmm_hpet_index(hpet)).accesses;
	if (path != BY_BOTH)
		cr_expect_eq(p->unasked, 0, "%lu interrupts without a status bit", p->unasked);
	if (path != BY_VMM)
		cr_expect(n >= MIN_HANDLED && n >= vmm / 4, "%lu handled, %lu not", n, vmm);
	if (path == BY_PROGRAM && vcpus == 1)
		cr_expect_leq(vmm, 4, "%lu heavy exits for %lu interrupts", vmm, p->taken);
}

static struct hpet_guest_params params(uint32_t timer, uint32_t config, uint64_t ticks,
				       uint64_t want)
{
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
