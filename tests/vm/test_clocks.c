// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kfuncs that programs compute by, against what user space sees: the two
 * clocks, the clock's generation, and the 128-bit division.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bpf/vt_muldiv.h"
#include "vmscript.h"

#define KVMCLOCK VMS_MMIO
#define CLOCK_GEN (VMS_MMIO + 8)
#define MONOTONIC (VMS_MMIO + 0x10)
#define READS 100U
#define SECOND 1000000000ULL

static struct lx_device *dev;

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void set_clocksource(const char *name)
{
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		      O_WRONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%m");
	cr_assert_eq(write(fd, name, strlen(name)), (ssize_t)strlen(name), "%s: %m", name);
	close(fd);
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(dev);
	dev = NULL;
	set_clocksource("tsc");
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(clocks, .init = setup, .fini = teardown, .timeout = 120);

/* KVM sets the master clock up when a vCPU first runs. */
static void attach_clock(void)
{
	vms_run();
	dev = vmt_load(vmt_test_bpf_dir(), "vt_clock");
	vmt_attach(dev, vms.vm);
}

static struct kvm_clock_data get_clock(void)
{
	struct kvm_clock_data data = { 0 };

	cr_assert_eq(ioctl(vms.vm->fd, KVM_GET_CLOCK, &data), 0);
	return data;
}

static void set_clock(uint64_t ns)
{
	struct kvm_clock_data data = { .clock = ns };

	cr_assert_eq(ioctl(vms.vm->fd, KVM_SET_CLOCK, &data), 0);
}

/* READS reads of a kfunc's value, each followed by a heavy exit. */
static const struct script_op *script_reads(uint64_t addr)
{
	const struct script_op *first = vms_read(8, addr);

	vms_out(1, VMS_PORT, 0);
	for (unsigned int i = 1; i < READS; i++) {
		vms_read(8, addr);
		vms_out(1, VMS_PORT, 0);
	}
	vms_load();
	return first;
}

/* One read, of which script_reads() returned the first. */
static void step(unsigned int i)
{
	do {
		cr_assert_eq(vmm_vcpu_step(&vms.vm->vcpus[0]), VMM_CONTINUE);
	} while (vms.n <= i);
}

static void finish(void)
{
	int ret;

	do {
		ret = vmm_vcpu_step(&vms.vm->vcpus[0]);
	} while (ret == VMM_CONTINUE);
	cr_assert_eq(ret, VMM_EXITED);
	vms_clear();
	vms_forget();
}

/* Within 1 us of the bracketing KVM_GET_CLOCKs, with the master clock @master. */
static void expect_kvmclock(bool master)
{
	const struct script_op *op = script_reads(KVMCLOCK);
	struct kvm_clock_data before, after;

	for (unsigned int i = 0; i < READS; i++) {
		uint64_t ns;

		before = get_clock();
		step(i);
		after = get_clock();
		ns = op[2 * i].data;
		cr_assert_eq(!!(before.flags & KVM_CLOCK_TSC_STABLE), master,
			     "the master clock is not %d", master);
		cr_assert(ns + 1000 >= before.clock && ns <= after.clock + 1000,
			  "read %u: %lu, KVM_GET_CLOCK said %llu and %llu", i, ns, before.clock,
			  after.clock);
	}
	finish();
}

/* The same after KVM_SET_CLOCK, to the past, to the future, to 0. */
static void expect_kvmclock_set(bool master)
{
	static const uint64_t to[] = { 1000000 * SECOND, 3 * SECOND, 0 };

	expect_kvmclock(master);
	/* A wrong scale shows with time. */
	sleep(2);
	expect_kvmclock(master);
	for (unsigned int i = 0; i < 3; i++) {
		set_clock(to[i]);
		expect_kvmclock(master);
		cr_expect_lt(get_clock().clock - to[i], 30 * SECOND);
	}
}

Test(clocks, kvmclock_is_kvm_get_clock)
{
	attach_clock();
	expect_kvmclock_set(true);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 5 * READS);
}

static bool is_stable(void)
{
	return get_clock().flags & KVM_CLOCK_TSC_STABLE;
}

/* KVM asks vCPUs, in a worker, to give the master clock up, once it hears of the clock source. */
Test(clocks, kvmclock_is_kvm_get_clock_without_master_clock)
{
	attach_clock();
	cr_assert(is_stable());
	set_clocksource("hpet");
	for (int i = 0; i < vmt_patience(500) && is_stable(); i++) {
		usleep(10000);
		vms_run();
	}
	cr_assert(!is_stable(), "KVM keeps the master clock");
	expect_kvmclock_set(false);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 5 * READS);
}

Test(clocks, monotonic_is_clock_monotonic)
{
	const struct script_op *op;

	attach_clock();
	op = script_reads(MONOTONIC);
	for (unsigned int i = 0; i < READS; i++) {
		uint64_t before = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC), after;

		step(i);
		after = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
		cr_assert(op[2 * i].data >= before && op[2 * i].data <= after,
			  "read %u: %lu, clock_gettime() said %lu and %lu", i, op[2 * i].data,
			  before, after);
	}
	finish();
	cr_expect_eq(vmt_stats(dev).regions[0].handled, READS);
}

/* A host's write of the TSC; QEMU's reset writes 0. */
static void set_tsc(uint64_t val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head = { .nmsrs = 1 }, .entry = { .index = 0x10, .data = val } };

	cr_assert_eq(ioctl(vms.vm->vcpus[0].fd, KVM_SET_MSRS, &msrs), 1);
}

static uint64_t read_gen(void)
{
	const struct script_op *op = vms_read(8, CLOCK_GEN);

	vms_run();
	return op->data;
}

Test(clocks, generation_changes_when_a_clock_is_set)
{
	uint64_t gen, old;

	attach_clock();
	old = read_gen();
	for (unsigned int i = 0; i < 40; i++) {
		usleep(5000);
		get_clock();
		cr_assert_eq(read_gen(), old, "it changed by itself, after %u reads", i);
	}
	for (unsigned int i = 0; i < 10; i++) {
		set_clock(i * SECOND);
		gen = read_gen();
		cr_expect_neq(gen, old, "KVM_SET_CLOCK did not change it");
		old = gen;
		/* 0, as QEMU's reset; then a value that matches it, then one far away. */
		set_tsc(i % 3 ? (i % 3 - 1) * 1000000000000000ULL + 1000 : 0);
		gen = read_gen();
		cr_expect_neq(gen, old, "a write of the TSC did not change it");
		cr_expect_eq(read_gen(), gen);
		old = gen;
	}
}

static uint64_t random64(void)
{
	uint64_t r = (uint64_t)(unsigned int)rand() << 33 ^ (uint64_t)(unsigned int)rand() << 11 ^
		     (uint64_t)(unsigned int)rand() >> 4;

	/* All magnitudes, and the edges. */
	switch (rand() % 8) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return ~0ULL - (unsigned int)rand() % 3;
	case 3:
		return 1ULL << rand() % 64;
	case 4:
		return (1ULL << rand() % 64) - 1;
	default:
		return r >> rand() % 64;
	}
}

/* The contract in kfuncs.bpf.h. */
static uint64_t muldiv(const struct vt_triple *t)
{
	unsigned __int128 q;

	if (!t->c)
		return 0;
	q = (unsigned __int128)t->a * t->b / t->c;
	return q >> 64 ? ~0ULL : (uint64_t)q;
}

struct seen {
	unsigned long zero;
	unsigned long overflow;
	unsigned long wide; /* exact, with a product of more than 64 bits */
};

static void check_triple(const struct vt_triple *t, struct seen *seen)
{
	unsigned __int128 p = (unsigned __int128)t->a * t->b;

	seen->zero += !t->c;
	seen->overflow += t->c && p / t->c >> 64;
	seen->wide += t->c && p >> 64 && !(p / t->c >> 64);
	if (t->q != muldiv(t))
		cr_assert_fail("%#llx * %#llx / %#llx: %#llx, not %#lx", t->a, t->b, t->c, t->q,
			       muldiv(t));
}

static void make_triple(struct vt_triple *t)
{
	*t = (struct vt_triple){ .a = random64(), .b = random64(), .c = random64(), .q = 0x55 };
	if (rand() % 4)
		return;
	/* A quotient around 2^64: it fits, or just does not. */
	t->c = (uint64_t)((unsigned __int128)t->a * t->b >> 64) + (unsigned int)rand() % 3;
}

Test(clocks, muldiv64_is_exact)
{
	unsigned long todo = vmt_scale(1000000), done = 0;
	struct vt_muldiv_state *st;
	struct seen seen = { 0 };

	dev = vmt_load(vmt_test_bpf_dir(), "vt_muldiv");
	st = lx_device_state(dev, NULL);
	vmt_attach(dev, vms.vm);
	srand(1);
	for (; done < todo; done += VT_MULDIV_BATCH) {
		for (unsigned int i = 0; i < VT_MULDIV_BATCH; i++)
			make_triple(&st->t[i]);
		vms_out(1, VMS_PORT, 1);
		vms_run();
		for (unsigned int i = 0; i < VT_MULDIV_BATCH; i++)
			check_triple(&st->t[i], &seen);
	}
	cr_expect_eq(vmt_stats(dev).regions[0].handled, done / VT_MULDIV_BATCH);
	cr_expect_geq(seen.zero, todo / 20, "%lu with c = 0", seen.zero);
	cr_expect_geq(seen.overflow, todo / 10, "%lu overflow", seen.overflow);
	cr_expect_geq(seen.wide, todo / 10, "%lu of more than 64 bits", seen.wide);
}
