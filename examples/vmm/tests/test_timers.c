// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The HPET and PM timer back ends, read by real guests. Expected values are
 * those of the data sheets (section numbers: HPET 1.0a, ACPI 6.5), not of the
 * models.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common.h"
#include "hpet.h"
#include "pmtimer.h"

static struct vmm_hpet *hpet;
static enum lx_clock hpet_clock = LX_CLOCK_MONOTONIC;

static void setup_hpet(void)
{
	setup();
	cr_assert_eq(vmm_hpet_new(vm, HPET_BASE, hpet_clock, NULL, &hpet), 0);
}

static void teardown_hpet(void)
{
	teardown();
	vmm_hpet_free(hpet);
}

TestSuite(hpet, .init = setup_hpet, .fini = teardown_hpet, .timeout = 60);

/* 2.3.4: revision 1, 3 timers, 64 bits, legacy, vendor 8086; 10 ns. */
Test(hpet, capabilities)
{
	const struct script_op *q = rd(8, HPET_BASE), *lo = rd(4, HPET_BASE);
	const struct script_op *hi = rd(4, HPET_BASE + 4), *w = rd(2, HPET_BASE + 2);
	const struct script_op *b = rd(1, HPET_BASE + 1);

	run_script();
	cr_expect_eq(q->data, 0x009896808086a201);
	cr_expect_eq(lo->data, 0x8086a201);
	cr_expect_eq(hi->data, 10000000);
	cr_expect_eq(w->data, 0x8086);
	cr_expect_eq(b->data, 0xa2);
}

Test(hpet, capabilities_are_read_only)
{
	const struct script_op *q;

	wr(8, HPET_BASE, 0);
	wr(4, HPET_BASE + 4, 0x1234);
	q = rd(8, HPET_BASE);
	run_script();
	cr_expect_eq(q->data, 0x009896808086a201);
}

/* 2.3.5: halted and 0 after reset; reserved bits read 0. */
Test(hpet, configuration)
{
	const struct script_op *reset = rd(8, HPET_BASE + 0x10), *counter = rd(8, HPET_BASE + 0xf0);
	const struct script_op *all, *legacy, *hi, *b;

	wr(8, HPET_BASE + 0x10, ~0ULL);
	all = rd(8, HPET_BASE + 0x10);
	wr(4, HPET_BASE + 0x10, 2);
	legacy = rd(8, HPET_BASE + 0x10);
	wr(4, HPET_BASE + 0x14, ~0U);
	hi = rd(4, HPET_BASE + 0x14);
	wr(1, HPET_BASE + 0x10, 0);
	b = rd(1, HPET_BASE + 0x10);
	run_script();
	cr_expect_eq(reset->data, 0);
	cr_expect_eq(counter->data, 0);
	cr_expect_eq(all->data, 3);
	cr_expect_eq(legacy->data, 2);
	cr_expect_eq(hi->data, 0);
	cr_expect_eq(b->data, 0);
}

/* 2.3.7: a halted counter can be written, whole and in halves. */
Test(hpet, set_counter_while_halted)
{
	const struct script_op *q, *lo, *hi, *w, *b;

	wr(8, HPET_BASE + 0xf0, 0x1122334455667788);
	q = rd(8, HPET_BASE + 0xf0);
	wr(4, HPET_BASE + 0xf4, 0xaabbccdd);
	wr(4, HPET_BASE + 0xf0, 0x99887766);
	lo = rd(4, HPET_BASE + 0xf0);
	hi = rd(4, HPET_BASE + 0xf4);
	w = rd(2, HPET_BASE + 0xf6);
	b = rd(1, HPET_BASE + 0xf3);
	run_script();
	cr_expect_eq(q->data, 0x1122334455667788);
	cr_expect_eq(lo->data, 0x99887766);
	cr_expect_eq(hi->data, 0xaabbccdd);
	cr_expect_eq(w->data, 0xaabb);
	cr_expect_eq(b->data, 0x99);
}

/* 100 ticks a microsecond from where it was set; writes do nothing meanwhile. */
Test(hpet, runs_by_the_clock)
{
	const uint64_t start = 0xffffff00;
	uint64_t before, after, limit;
	const struct script_op *one, *two;

	wr(8, HPET_BASE + 0xf0, start);
	wr(4, HPET_BASE + 0x10, 1);
	before = vmm_clock_ns(vm, LX_CLOCK_MONOTONIC);
	run_script();
	usleep(20000);
	wr(8, HPET_BASE + 0xf0, 0);
	one = rd(8, HPET_BASE + 0xf0);
	two = rd(8, HPET_BASE + 0xf0);
	run_script();
	after = vmm_clock_ns(vm, LX_CLOCK_MONOTONIC);
	limit = start + (after - before) / 10 + 1;
	cr_expect_geq(one->data, start + 2000000);
	cr_expect_geq(two->data, one->data);
	cr_expect_leq(two->data, limit, "%#lx > %#lx", two->data, limit);
}

Test(hpet, halts_and_goes_on)
{
	const struct script_op *a, *b, *c, *run;

	wr(4, HPET_BASE + 0x10, 1);
	run = rd(8, HPET_BASE + 0xf0);
	wr(4, HPET_BASE + 0x10, 0);
	a = rd(8, HPET_BASE + 0xf0);
	add(0, SCRIPT_IN, 1, 0x700, 0, 100);
	b = rd(8, HPET_BASE + 0xf0);
	wr(4, HPET_BASE + 0x10, 1);
	c = rd(8, HPET_BASE + 0xf0);
	run_script();
	cr_expect_geq(a->data, run->data);
	cr_expect_gt(a->data, 0);
	cr_expect_eq(b->data, a->data);
	cr_expect_geq(c->data, a->data);
}

/* Setting a bit beside ENABLE_CNF neither stops nor moves the counter. */
Test(hpet, legacy_bit_leaves_counter)
{
	const struct script_op *a, *b;

	wr(8, HPET_BASE + 0xf0, 1ULL << 40);
	wr(4, HPET_BASE + 0x10, 1);
	a = add(0, SCRIPT_READ, 8, HPET_BASE + 0xf0, 0, 100);
	wr(4, HPET_BASE + 0x10, 3);
	b = rd(8, HPET_BASE + 0xf0);
	run_script();
	cr_expect_geq(a->data, 1ULL << 40);
	cr_expect_geq(b->data, a->data);
}

/* 2.3.6 */
Test(hpet, status_reads_zero)
{
	const struct script_op *q;

	wr(8, HPET_BASE + 0x20, ~0ULL);
	q = rd(8, HPET_BASE + 0x20);
	run_script();
	cr_expect_eq(q->data, 0);
}

/* 2.3.8, 2.3.9 */
Test(hpet, timers)
{
	const struct script_op *conf[3], *comp[3], *none, *fsb, *set, *cfg, *per, *bad;

	for (unsigned int i = 0; i < 3; i++) {
		conf[i] = rd(8, HPET_BASE + 0x100 + 0x20 * i);
		comp[i] = rd(8, HPET_BASE + 0x108 + 0x20 * i);
	}
	none = rd(8, HPET_BASE + 0x160);
	fsb = rd(8, HPET_BASE + 0x110);
	wr(4, HPET_BASE + 0x12c, 0x12345678);
	set = rd(8, HPET_BASE + 0x128);
	wr(8, HPET_BASE + 0x100, ~(0x1fULL << 9) | 20 << 9);
	cfg = rd(8, HPET_BASE + 0x100);
	wr(4, HPET_BASE + 0x120, 0x8);
	per = rd(4, HPET_BASE + 0x120);
	wr(4, HPET_BASE + 0x140, 5 << 9);
	bad = rd(4, HPET_BASE + 0x140);
	run_script();
	cr_expect_eq(conf[0]->data, 0x00f0000000000030);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_eq(conf[i]->data & ~0x10ULL, 0x00f0000000000020);
		cr_expect_eq(comp[i]->data, ~0ULL);
	}
	cr_expect_eq(none->data, 0);
	cr_expect_eq(fsb->data, 0);
	cr_expect_eq(set->data, 0x12345678ffffffff);
	/* INT_TYPE, INT_ENB, periodic, capabilities, VAL_SET, 32MODE, route 20 */
	cr_expect_eq(cfg->data, 0x00f000000000297e);
	cr_expect_eq(per->data, 0x20, "timer 1 is not periodic");
	cr_expect_eq(bad->data, 0x20, "input 5 is not in Tn_INT_ROUTE_CAP");
}

Test(hpet, unaligned_is_nothing)
{
	const struct script_op *q, *c, *timer;

	wr(8, HPET_BASE + 0xf0, 0x1122334455667788);
	wr(4, HPET_BASE + 0xf2, 0);
	q = rd(4, HPET_BASE + 0xf2);
	c = rd(8, HPET_BASE + 0xf0);
	timer = rd(4, HPET_BASE + 0x10a);
	run_script();
	cr_expect_eq(q->data, 0);
	cr_expect_eq(c->data, 0x1122334455667788);
	cr_expect_eq(timer->data, 0);
}

/* The largest value that a finished read saw, and reads below what was there before them. */
static uint64_t seen;
static uint32_t reads_done, reads_below;

static uint64_t monotonic_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	uint64_t floor = __atomic_load_n(&seen, __ATOMIC_ACQUIRE);
	uint64_t val = vmm_hpet_read(opaque, vcpu, HPET_COUNTER, 8);

	__atomic_fetch_add(&reads_below, val < floor, __ATOMIC_RELAXED);
	while (floor < val && !__atomic_compare_exchange_n(&seen, &floor, val, false,
							   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	__atomic_fetch_add(&reads_done, 1, __ATOMIC_RELEASE);
	return val;
}

/* Two vCPUs read while the host halts and starts the counter: it never goes back. */
Test(hpet, halts_under_two_readers)
{
	const uint32_t reads = 20000;
	struct vmm_dev dev = {
		.name = "monotonic",
		.base = 0x700,
		.len = 4,
		.read = monotonic_read,
	};

	teardown_hpet();
	setup_vcpus(2, VMM_IRQCHIP_NONE);
	cr_assert_eq(vmm_hpet_new(vm, HPET_BASE, LX_CLOCK_MONOTONIC, NULL, &hpet), 0);
	dev.opaque = hpet;
	cr_assert_geq(vmm_add_dev(vm, &dev), 0);
	for (unsigned int i = 0; i < 2; i++)
		add(i, SCRIPT_IN, 4, 0x700, 0, reads);
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	for (uint64_t on = 1; __atomic_load_n(&reads_done, __ATOMIC_ACQUIRE) < 2 * reads; on ^= 1)
		vmm_hpet_write(hpet, NULL, HPET_CONFIG, 4, on);
	cr_expect_eq(vmm_join(vm, TIMEOUT_MS), 0);
	cr_expect_gt(seen, 0);
	cr_expect_eq(reads_below, 0, "%u reads went back", reads_below);
}

static void setup_kvm_clock(void)
{
	hpet_clock = LX_CLOCK_KVM;
	setup_hpet();
}

static void set_kvm_clock(uint64_t ns)
{
	struct kvm_clock_data clock = { .clock = ns };

	cr_assert_eq(ioctl(vm->fd, KVM_SET_CLOCK, &clock), 0);
}

TestSuite(kvmclock, .init = setup_kvm_clock, .fini = teardown_hpet, .timeout = 60);

/* An hour of the VM's clock is 3.6e11 ticks. */
Test(kvmclock, counter_follows_it)
{
	const struct script_op *hi;

	set_kvm_clock(1000000000000);
	wr(4, HPET_BASE + 0x10, 1);
	run_script();
	set_kvm_clock(4600000000000);
	hi = rd(8, HPET_BASE + 0xf0);
	run_script();
	cr_expect_gt(hi->data, 359000000000);
	cr_expect_lt(hi->data, 362000000000);
}

/* Before the time of its start it stands where it began. */
Test(kvmclock, set_back)
{
	const struct script_op *q;

	set_kvm_clock(1000000000000);
	wr(8, HPET_BASE + 0xf0, 42);
	wr(4, HPET_BASE + 0x10, 1);
	run_script();
	set_kvm_clock(0);
	q = rd(8, HPET_BASE + 0xf0);
	run_script();
	cr_expect_eq(q->data, 42);
}

static struct vmm_pmtimer *pmtimer;

static void add_pmtimer_by(enum lx_clock clock, uint32_t bits, uint32_t ticks)
{
	const struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = bits,
		.clock = clock,
		.ticks = ticks,
	};

	cr_assert_eq(vmm_pmtimer_new(vm, &opts, &pmtimer), 0);
}

static void add_old_pmtimer(uint32_t bits, uint32_t ticks)
{
	set_kvm_clock(2000000000000);
	add_pmtimer_by(LX_CLOCK_KVM, bits, ticks);
}

static void teardown_pmtimer(void)
{
	teardown();
	vmm_pmtimer_free(pmtimer);
}

TestSuite(pmtimer, .init = setup, .fini = teardown_pmtimer, .timeout = 60);

/* 4.8.2.1: 3.579545 MHz */
Test(pmtimer, runs_by_the_clock)
{
	const struct script_op *l;
	uint64_t before, after;

	add_pmtimer_by(LX_CLOCK_MONOTONIC, 32, 0);
	before = vmm_clock_ns(vm, LX_CLOCK_MONOTONIC);
	usleep(50000);
	l = in(4, PMTIMER_PORT);
	run_script();
	after = vmm_clock_ns(vm, LX_CLOCK_MONOTONIC);
	cr_expect_geq(l->data, 178977);
	/* The timer is somewhat older than `before`. */
	cr_expect_leq((double)l->data, (double)(after - before + 50000000) * 3.579545e-3);
}

/* A 24-bit timer wraps to 0 with a zero upper byte; a 32-bit one goes on. */
static void wraps(uint32_t bits, uint64_t want_hi)
{
	const struct script_op *l, *b;

	add_old_pmtimer(bits, 0xfffff0);
	usleep(10000);
	l = in(4, PMTIMER_PORT);
	b = in(1, PMTIMER_PORT + 3);
	run_script();
	cr_expect_eq(l->data >> 24, want_hi);
	cr_expect_eq(b->data, want_hi);
	cr_expect_lt(l->data & 0xffffff, 0xf00000);
	cr_expect_gt(l->data & 0xffffff, 3579 * 8);
}

Test(pmtimer, wraps_at_24_bits)
{
	wraps(24, 0);
}

Test(pmtimer, goes_on_with_32_bits)
{
	wraps(32, 1);
}

Test(pmtimer, parts_and_writes)
{
	const struct script_op *w, *b, *l, *cross;

	add_old_pmtimer(32, 0x12340000);
	out(4, PMTIMER_PORT, 0);
	l = in(4, PMTIMER_PORT);
	w = in(2, PMTIMER_PORT + 2);
	b = in(1, PMTIMER_PORT + 3);
	cross = in(4, PMTIMER_PORT + 2);
	run_script();
	cr_expect_geq(l->data, 0x12340000, "%#lx", l->data);
	cr_expect_lt(l->data, 0x12700000);
	cr_expect(w->data >= 0x1234 && w->data < 0x1270, "%#lx", w->data);
	cr_expect_eq(b->data, 0x12);
	cr_expect_eq(cross->data, 0xffffffff);
}

/* The clock may be younger than the counter's value says. */
Test(pmtimer, more_ticks_than_time)
{
	const struct script_op *q;

	set_kvm_clock(0);
	add_pmtimer_by(LX_CLOCK_KVM, 32, 0xf0000000);
	q = in(4, PMTIMER_PORT);
	run_script();
	cr_expect_geq(q->data, 0xf0000000);
	cr_expect_lt(q->data, 0xf8000000); /* 37 s later */
}

Test(pmtimer, refuses_other_widths)
{
	const struct vmm_pmtimer_opts opts = { .port = PMTIMER_PORT, .bits = 16 };

	cr_expect_eq(vmm_pmtimer_new(vm, &opts, &pmtimer), -EINVAL);
}

/* What the counter was set to last. */
static uint32_t floor_ticks;

static uint64_t checked_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	uint32_t floor = __atomic_load_n(&floor_ticks, __ATOMIC_ACQUIRE);
	uint64_t val = vmm_pmtimer_read(opaque, vcpu, off, len);

	__atomic_fetch_add(&reads_below, val < floor, __ATOMIC_RELAXED);
	__atomic_fetch_add(&reads_done, 1, __ATOMIC_RELEASE);
	return val;
}

/* Readers on two vCPUs while the host sets the counter forward: no old value. */
Test(pmtimer, set_under_two_readers)
{
	const uint32_t reads = 20000;
	struct vmm_dev dev = {
		.name = "checked",
		.base = 0x700,
		.len = 4,
		.read = checked_read,
	};

	teardown();
	setup_vcpus(2, VMM_IRQCHIP_NONE);
	add_old_pmtimer(32, 0);
	dev.opaque = pmtimer;
	cr_assert_geq(vmm_add_dev(vm, &dev), 0);
	for (unsigned int i = 0; i < 2; i++)
		add(i, SCRIPT_IN, 4, 0x700, 0, reads);
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	/* Steps of 4.6 ms each; not up to where the counter wraps. */
	for (uint32_t t = 0; __atomic_load_n(&reads_done, __ATOMIC_ACQUIRE) < 2 * reads;) {
		if (t < 0xf0000000)
			t += 0x4000;
		vmm_pmtimer_set(pmtimer, t);
		__atomic_store_n(&floor_ticks, t, __ATOMIC_RELEASE);
		usleep(10);
	}
	cr_expect_eq(vmm_join(vm, TIMEOUT_MS), 0);
	cr_expect_eq(reads_below, 0, "%u reads below the value set before them", reads_below);
}
