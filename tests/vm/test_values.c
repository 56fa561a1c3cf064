// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What guests read from fast registers: the value that the data sheet gives for
 * that state and time, whoever answers, on both clocks. Expected values are
 * computed here from the specifications, not by the models. Each test that
 * compares says by the counters that the program answered.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hpet.h"
#include "monotonic.h"
#include "pmtimer.h"
#include "vmscript.h"

VMM_GUEST(monotonic);

#define HPET_GPA 0xfed00000UL
#define PM_PORT 0x608U
#define MARK VMS_PORT /* a write here makes the VMM note the time */
#define MIN_HANDLED 1000U
#define MIN_VMM 200U

static struct lx_device *dev;
static struct vmm_hpet *hpet;
static struct vmm_pmtimer *pmt;

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	vmm_hpet_free(hpet);
	vmm_pmtimer_free(pmt);
	lx_device_close(dev);
	hpet = NULL;
	pmt = NULL;
	dev = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(values, .init = setup, .fini = teardown, .timeout = 240);

static void make_vcpus(unsigned int vcpus)
{
	teardown();
	vms_create(&(struct vmm_opts){ .vcpus = vcpus });
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void make_hpet(enum lx_clock clock)
{
	dev = vmt_load(vmt_bpf_dir(), "hpet");
	cr_assert_eq(vmm_hpet_new(vms.vm, HPET_GPA, clock, lx_device_state(dev, NULL), &hpet), 0);
	vms.clock = clock;
}

static void make_pmtimer(enum lx_clock clock, uint32_t bits, uint32_t ticks)
{
	struct vmm_pmtimer_opts opts = {
		.port = PM_PORT, .bits = bits, .clock = clock, .ticks = ticks
	};

	dev = vmt_load(vmt_bpf_dir(), "pmtimer");
	opts.state = lx_device_state(dev, NULL);
	cr_assert_eq(vmm_pmtimer_new(vms.vm, &opts, &pmt), 0);
	vms.clock = clock;
}

/* Writes of the guest's that set the HPET up. */
static void hpet_set(uint64_t config, uint64_t counter)
{
	vms_write(8, HPET_GPA + HPET_CONFIG, 0);
	vms_write(8, HPET_GPA + HPET_COUNTER, counter);
	vms_write(8, HPET_GPA + HPET_CONFIG, config);
	vms_run();
}

static uint64_t part(uint64_t reg, unsigned int off, uint32_t len)
{
	return reg >> 8 * off & ~0ULL >> (64 - 8 * len);
}

static void expect_handled(uint64_t n)
{
	struct lx_stats s = vmt_stats(dev);

	cr_expect_geq(n, MIN_HANDLED);
	cr_expect_eq(s.regions[0].handled, n, "%lu handled of %lu", s.regions[0].handled, n);
}

/* HPET 2.3.4: 10,000,000 fs; vendor 8086, legacy and 64-bit capable, 3 timers, revision 1. */
#define CAP_VALUE 0x009896808086a201ULL
#define COUNTER_VALUE 0xfedcba9876543210ULL

/* All naturally aligned reads of a register, 2.3.2; returns their number. */
static unsigned int add_register(const struct script_op **ops, uint64_t addr)
{
	unsigned int n = 0;

	for (uint32_t len = 1; len <= 8; len *= 2) {
		for (unsigned int off = 0; off < 8; off += len)
			ops[n++] = vms_read(len, addr + off);
	}
	return n;
}

static void expect_register(const struct script_op **ops, unsigned int n, uint64_t want)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int off = ops[i]->addr & 7;

		cr_assert_eq(ops[i]->data, part(want, off, ops[i]->len),
			     "%u bytes at %#lx: %#lx, not %#lx", ops[i]->len, ops[i]->addr,
			     ops[i]->data, part(want, off, ops[i]->len));
	}
}

Test(values, hpet_halted)
{
	const struct script_op *cap[15], *config[15], *counter[15];
	struct vmm_count before, after;
	unsigned int rounds = 25, n = 0;

	make_hpet(LX_CLOCK_MONOTONIC);
	hpet_set(HPET_CONFIG_LEGACY, COUNTER_VALUE);
	vmt_attach(dev, vms.vm);
	before = vmm_dev_count(vms.vm, vmm_hpet_index(hpet));
	for (unsigned int i = 0; i < rounds; i++) {
		n = add_register(cap, HPET_GPA + HPET_CAP);
		add_register(config, HPET_GPA + HPET_CONFIG);
		add_register(counter, HPET_GPA + HPET_COUNTER);
		vms_run();
		expect_register(cap, n, CAP_VALUE);
		expect_register(config, n, HPET_CONFIG_LEGACY);
		expect_register(counter, n, COUNTER_VALUE);
	}
	after = vmm_dev_count(vms.vm, vmm_hpet_index(hpet));
	cr_expect_eq(after.accesses, before.accesses, "the VMM was asked");
	expect_handled(3UL * n * rounds);
}

/* The same from the VMM, and what passes. */
Test(values, hpet_of_the_vmm_is_the_same)
{
	const struct script_op *ops[15], *status, *timer, *odd;
	unsigned int n;

	make_hpet(LX_CLOCK_MONOTONIC);
	hpet_set(HPET_CONFIG_LEGACY, COUNTER_VALUE);
	n = add_register(ops, HPET_GPA + HPET_CAP);
	vms_run();
	expect_register(ops, n, CAP_VALUE);
	n = add_register(ops, HPET_GPA + HPET_COUNTER);
	vms_run();
	expect_register(ops, n, COUNTER_VALUE);

	vmt_attach(dev, vms.vm);
	status = vms_read(4, HPET_GPA + HPET_STATUS);
	timer = vms_read(8, HPET_GPA + 0x108); /* 2.3.9: all ones after reset */
	odd = vms_read(4, HPET_GPA + HPET_COUNTER + 2);
	vms_run();
	cr_expect_eq(status->data, 0);
	cr_expect_eq(timer->data, ~0ULL);
	cr_expect_eq(odd->data, 0);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 2);
	cr_expect_eq(vmt_stats(dev).regions[0].passed, 1);
}

/* a * b / c, exactly. */
static uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product / c);
}

/* Whether @val may be the bytes at @off of a counter that went from @lo to @hi. */
static bool between(uint64_t val, uint64_t lo, uint64_t hi, unsigned int off, uint32_t len)
{
	uint64_t mask = ~0ULL >> (64 - 8 * len);
	uint64_t span = (hi >> 8 * off) - (lo >> 8 * off);

	return span >= mask || ((val - (lo >> 8 * off)) & mask) <= span;
}

/* Marks, reads and marks: @ops[i] was read between log[i].ns and log[i + 1].ns. */
static void run_marked(const struct script_op **ops, unsigned int n,
		       const struct script_op *(*add)(unsigned int i))
{
	vms_forget();
	vms_out(1, MARK, 0);
	for (unsigned int i = 0; i < n; i++) {
		ops[i] = add(i);
		vms_out(1, MARK, 0);
	}
	vms_run();
	cr_assert_eq(vms.n, n + 1);
}

/* The reads of a running counter: all halves and lengths, in turn. */
static const struct script_op *add_counter_read(unsigned int i)
{
	static const struct {
		uint8_t off;
		uint8_t len;
	} reads[] = { { 0, 8 }, { 0, 4 }, { 4, 4 }, { 0, 2 }, { 2, 2 },
		      { 4, 2 }, { 6, 2 }, { 0, 1 }, { 1, 1 }, { 2, 1 },
		      { 3, 1 }, { 4, 1 }, { 5, 1 }, { 6, 1 }, { 7, 1 } };

	return vms_read(reads[i % 15].len, HPET_GPA + HPET_COUNTER + reads[i % 15].off);
}

#define MARKED 120U

/* @slack: of the clock, in ns. 2.3.7: one tick each period while enabled. */
static void check_hpet_running(enum lx_clock clock, uint64_t slack)
{
	const struct script_op *ops[MARKED];
	const struct hpet_state *st;
	unsigned int runs = 0;
	uint64_t lo, hi, base;

	make_hpet(clock);
	hpet_set(HPET_CONFIG_ENABLE, COUNTER_VALUE);
	st = lx_device_state(dev, NULL);
	base = st->hdr.epoch_ns + st->base_ns;
	vmt_attach(dev, vms.vm);
	for (; runs * MARKED < MIN_HANDLED; runs++) {
		run_marked(ops, MARKED, add_counter_read);
		for (unsigned int i = 0; i < MARKED; i++) {
			lo = COUNTER_VALUE + muldiv(vms.log[i].ns - slack - base, 1, 10);
			hi = COUNTER_VALUE + muldiv(vms.log[i + 1].ns + slack - base, 1, 10);
			cr_assert(between(ops[i]->data, lo, hi, ops[i]->addr & 7, ops[i]->len),
				  "%u bytes at %#lx: %#lx, the counter went from %#lx to %#lx",
				  ops[i]->len, ops[i]->addr, ops[i]->data, lo, hi);
		}
	}
	expect_handled(runs * MARKED);
}

Test(values, hpet_running_monotonic)
{
	check_hpet_running(LX_CLOCK_MONOTONIC, 0);
}

Test(values, hpet_running_kvmclock)
{
	check_hpet_running(LX_CLOCK_KVM, 1000);
}

/* ACPI 4.8.3.3: any bytes of the register. */
static const struct script_op *add_pm_read(unsigned int i)
{
	static const struct {
		uint8_t off;
		uint8_t len;
	} reads[] = {
		{ 0, 4 }, { 0, 2 }, { 1, 2 }, { 2, 2 }, { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 1 }
	};

	return vms_in(reads[i % 8].len, PM_PORT + reads[i % 8].off);
}

/* @val is bytes of a counter cut to its width, so compare what is left of both. */
static bool pm_between(const struct script_op *op, uint64_t lo, uint64_t hi, uint32_t bits)
{
	unsigned int off = op->addr - PM_PORT;
	uint64_t mask = (1ULL << bits) - 1, span = hi - lo;

	for (uint64_t i = 0; i <= span; i++) {
		if (part((lo + i) & mask, off, op->len) == op->data)
			return true;
	}
	return false;
}

#define WRAP (1UL << 24)

static void check_pmtimer(enum lx_clock clock, uint32_t bits, uint64_t slack)
{
	struct kvm_clock_data hour = { .clock = 3600ULL * 1000000000 };
	const struct script_op *ops[MARKED];
	const struct pmtimer_state *st;
	unsigned int runs = 0;
	uint64_t lo, hi, first = WRAP, last = 0;

	cr_assert_eq(ioctl(vms.vm->fd, KVM_SET_CLOCK, &hour), 0);
	make_pmtimer(clock, bits, 0);
	st = lx_device_state(dev, NULL);
	vmt_attach(dev, vms.vm);
	for (; runs * MARKED < MIN_HANDLED || last < WRAP; runs++) {
		/* It passes 24 bits on the way, after 0.6 s; set anew if that was over at once. */
		if (first >= WRAP) {
			vmm_pmtimer_set(pmt, WRAP - 0x200000);
			first = 0;
		}
		run_marked(ops, MARKED, add_pm_read);
		for (unsigned int i = 0; i < MARKED; i++) {
			lo = muldiv(vms.log[i].ns - slack - st->hdr.epoch_ns, 3579545, 1000000000);
			hi = muldiv(vms.log[i + 1].ns + slack - st->hdr.epoch_ns, 3579545,
				    1000000000);
			first = first ?: lo;
			last = hi;
			cr_assert(pm_between(ops[i], lo, hi, bits),
				  "%u bytes at %#lx: %#lx, the counter went from %#lx to %#lx",
				  ops[i]->len, ops[i]->addr, ops[i]->data, lo, hi);
			/* 4.8.2.1: a 24-bit timer has no upper byte. */
			if (bits == 24 && ops[i]->addr + ops[i]->len == PM_PORT + 4)
				cr_assert_eq(ops[i]->data >> 8 * (ops[i]->len - 1), 0);
		}
	}
	cr_expect_lt(first, WRAP, "began at %#lx, past the wrap", first);
	expect_handled(runs * MARKED);
}

Test(values, pmtimer_24_bits_monotonic)
{
	check_pmtimer(LX_CLOCK_MONOTONIC, 24, 0);
}

Test(values, pmtimer_32_bits_monotonic)
{
	check_pmtimer(LX_CLOCK_MONOTONIC, 32, 0);
}

Test(values, pmtimer_24_bits_kvmclock)
{
	check_pmtimer(LX_CLOCK_KVM, 24, 1000);
}

Test(values, pmtimer_32_bits_kvmclock)
{
	check_pmtimer(LX_CLOCK_KVM, 32, 1000);
}

static struct monotonic_params *start_monotonic(enum monotonic_kind kind, uint64_t addr,
						uint64_t reads, uint64_t writes)
{
	struct monotonic_params *p = vmm_params(vms.vm);

	memset(p, 0, sizeof(*p));
	p->kind = kind;
	p->vcpus = vms.vm->n_vcpus;
	p->addr = addr;
	p->reads = reads;
	p->writes = writes;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(monotonic)), 0);
	cr_assert_eq(vmm_start(vms.vm), 0);
	return p;
}

static bool running(const struct monotonic_params *p)
{
	for (unsigned int i = 0; i < p->vcpus; i++) {
		if (__atomic_load_n(&p->result[i].reads, __ATOMIC_RELAXED) < p->reads)
			return true;
	}
	return false;
}

/*
 * The VMM takes its state for itself, for random moments: programs pass. @reads: what needs
 * no lock, too.
 */
static void hold_state(const struct monotonic_params *p, bool reads)
{
	struct lx_state *hdr = lx_device_state(dev, NULL);

	while (running(p)) {
		lx_lock(hdr);
		if (reads)
			lx_write_begin(hdr);
		vmt_nap(100);
		if (reads)
			lx_write_end(hdr);
		lx_unlock(hdr);
		vmt_nap(300);
	}
}

/* Attached and detached at random moments. Returns what the counters said before each detach. */
static uint64_t attach_detach(const struct monotonic_params *p)
{
	uint64_t handled = 0;

	while (running(p)) {
		vmt_nap(10000);
		vmt_attach(dev, vms.vm);
		vmt_stay(40000);
		handled += vmt_stats(dev).regions[0].handled;
		cr_assert_eq(lx_device_detach(dev), 0);
	}
	return handled;
}

/* No backward step; 1,000 answers and a fifth of them by the program, and some by the VMM. */
static void expect_monotonic(const struct monotonic_params *p, uint64_t handled, uint64_t vmm)
{
	uint64_t total = 0;

	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	for (unsigned int i = 0; i < p->vcpus; i++) {
		const struct monotonic_result *r = &p->result[i];

		cr_expect_eq(r->reads, p->reads);
		cr_expect_eq(r->steps, 0,
			     "vCPU %u: %lu backward steps; the first from %#lx to %#lx", i,
			     r->steps, r->before, r->after);
		total += r->reads;
	}
	cr_expect(handled >= MIN_HANDLED && handled >= total / 5, "%lu of %lu handled", handled,
		  total);
	cr_expect_geq(vmm, MIN_VMM, "%lu of %lu by the VMM", vmm, total);
}

static void check_interleave(enum lx_clock clock, enum monotonic_kind kind, uint64_t reads)
{
	struct monotonic_params *p;
	unsigned int index;
	uint64_t handled;
	uint64_t addr = HPET_GPA;

	make_vcpus(2);
	if (kind == MONOTONIC_PMTIMER) {
		make_pmtimer(clock, 32, 0);
		index = vmm_pmtimer_index(pmt);
		addr = PM_PORT;
	} else {
		make_hpet(clock);
		hpet_set(HPET_CONFIG_ENABLE, 0);
		index = vmm_hpet_index(hpet);
	}
	/* First the program, passing from time to time; then it comes and goes. */
	vmt_attach(dev, vms.vm);
	p = start_monotonic(kind, addr, reads / 4, 0);
	hold_state(p, true);
	handled = vmt_stats(dev).regions[0].handled;
	expect_monotonic(p, handled, vmm_dev_count(vms.vm, index).accesses);
	cr_assert_eq(lx_device_detach(dev), 0);

	p = start_monotonic(kind, addr, reads / 4, 0);
	handled = attach_detach(p);
	expect_monotonic(p, handled, vmm_dev_count(vms.vm, index).accesses);
}

Test(values, no_backward_step_hpet_monotonic)
{
	check_interleave(LX_CLOCK_MONOTONIC, MONOTONIC_HPET, vmt_scale(1000000));
}

Test(values, no_backward_step_hpet32_kvmclock)
{
	check_interleave(LX_CLOCK_KVM, MONOTONIC_HPET32, vmt_scale(300000));
}

Test(values, no_backward_step_pmtimer_monotonic)
{
	check_interleave(LX_CLOCK_MONOTONIC, MONOTONIC_PMTIMER, vmt_scale(300000));
}

Test(values, no_backward_step_pmtimer_kvmclock)
{
	check_interleave(LX_CLOCK_KVM, MONOTONIC_PMTIMER, vmt_scale(300000));
}

static void check_set_forward(enum lx_clock clock)
{
	struct monotonic_params *p;
	uint64_t vmm;

	make_vcpus(2);
	make_hpet(clock);
	hpet_set(HPET_CONFIG_ENABLE, 0);
	vmt_attach(dev, vms.vm);
	/* By the program, or by the VMM where that finds the lock taken. */
	p = start_monotonic(MONOTONIC_HPET, HPET_GPA, vmt_scale(300000) / 2, 16);
	hold_state(p, false);
	vmm = vmm_dev_count(vms.vm, vmm_hpet_index(hpet)).accesses;
	expect_monotonic(p, vmt_stats(dev).regions[0].handled, vmm);
}

Test(values, no_backward_step_while_set_monotonic)
{
	check_set_forward(LX_CLOCK_MONOTONIC);
}

Test(values, no_backward_step_while_set_kvmclock)
{
	check_set_forward(LX_CLOCK_KVM);
}
