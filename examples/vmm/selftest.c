// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The VMM's own tests, each with a real guest on this host's KVM. Expected
 * values are those of the data sheets, not of the models.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hpet.h"
#include "pmtimer.h"
#include "script.h"
#include "vmm.h"

#define TIMEOUT_MS 20000
#define TEST_PORT 0x500U
#define TEST_MMIO 0xfe000000UL
#define LOG_SIZE 512

VMM_GUEST(script);

/* What the device under the script saw, in order. Used with one vCPU. */
struct access {
	uint64_t off;
	uint64_t val;
	uint32_t len;
	bool write;
};

struct recorder {
	struct access log[LOG_SIZE];
	unsigned int n;
	uint64_t next; /* what the next read answers; grows by one */
	int index;
};

static struct vmm *vm;
static struct recorder ports, mmio;

static void record(struct recorder *rec, uint64_t off, uint32_t len, uint64_t val, bool write)
{
	if (rec->n < LOG_SIZE)
		rec->log[rec->n] = (struct access){ off, val, len, write };
	rec->n++;
}

static uint64_t rec_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct recorder *rec = opaque;

	record(rec, off, len, rec->next, false);
	return rec->next++;
}

static void rec_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		      uint64_t val)
{
	record(opaque, off, len, val, true);
}

static void setup_vcpus(unsigned int vcpus, enum vmm_irqchip irqchip)
{
	const struct vmm_opts opts = { .vcpus = vcpus, .irqchip = irqchip };
	struct vmm_dev dev = {
		.name = "ports", .space = LX_SPACE_PIO, .base = TEST_PORT, .len = 0x20,
		.read = rec_read, .write = rec_write, .opaque = &ports,
	};

	if (access("/dev/kvm", R_OK | W_OK))
		cr_skip("no access to /dev/kvm");
	cr_assert_eq(vmm_create(&opts, &vm), 0);
	ports.index = vmm_add_dev(vm, &dev);
	dev = (struct vmm_dev){
		.name = "mmio", .space = LX_SPACE_MMIO, .base = TEST_MMIO, .len = 0x2000,
		.read = rec_read, .write = rec_write, .opaque = &mmio,
	};
	mmio.index = vmm_add_dev(vm, &dev);
	cr_assert(ports.index >= 0 && mmio.index >= 0);
	for (unsigned int i = 0; i < vcpus; i++)
		((struct script_params *)vmm_params(vm))->vcpu[i].vcpus = vcpus;
}

static void setup(void)
{
	setup_vcpus(1, VMM_IRQCHIP_NONE);
}

static void teardown(void)
{
	vmm_destroy(vm);
	vm = NULL;
}

static struct script_op *add(unsigned int vcpu, enum script_kind kind, uint32_t len, uint64_t addr,
			     uint64_t data, uint64_t count)
{
	struct script *s = &((struct script_params *)vmm_params(vm))->vcpu[vcpu];
	struct script_op *op = &s->ops[s->n++];

	cr_assert_leq(s->n, SCRIPT_OPS);
	*op = (struct script_op){ kind, len, count, addr, data };
	return op;
}

static struct script_op *in(uint32_t len, uint64_t port)
{
	return add(0, SCRIPT_IN, len, port, ~0ULL, 1);
}

static struct script_op *rd(uint32_t len, uint64_t addr)
{
	return add(0, SCRIPT_READ, len, addr, ~0ULL, 1);
}

static void out(uint32_t len, uint64_t port, uint64_t val)
{
	add(0, SCRIPT_OUT, len, port, val, 1);
}

static void wr(uint32_t len, uint64_t addr, uint64_t val)
{
	add(0, SCRIPT_WRITE, len, addr, val, 1);
}

/* Runs what was added, and makes room for more; results stay until then. */
static void run_script(void)
{
	struct script_params *p = vmm_params(vm);

	memset(p->gates, 0, sizeof(p->gates));
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_assert_eq(vmm_run(vm, TIMEOUT_MS), 0);
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		p->vcpu[i].n = 0;
}

static void saw(const struct recorder *rec, unsigned int i, bool write, uint64_t off, uint32_t len,
		uint64_t val)
{
	const struct access *a = &rec->log[i];

	cr_assert_lt(i, rec->n);
	cr_expect(a->write == write && a->off == off && a->len == len && a->val == val,
		  "access %u: write %d off %#lx len %u val %#lx, not %d %#lx %u %#lx", i, a->write,
		  a->off, a->len, a->val, write, off, len, val);
}

TestSuite(bus, .init = setup, .fini = teardown, .timeout = 60);

Test(bus, port_reads_of_all_sizes)
{
	const struct script_op *b, *w, *l;

	ports.next = 0xa1b2c3d4e5f60718;
	b = in(1, TEST_PORT + 3);
	w = in(2, TEST_PORT + 6);
	l = in(4, TEST_PORT + 0x1c);
	run_script();
	cr_expect_eq(b->data, 0x18);
	cr_expect_eq(w->data, 0x0719);
	cr_expect_eq(l->data, 0xe5f6071a);
	cr_expect_eq(ports.n, 3);
	saw(&ports, 0, false, 3, 1, 0xa1b2c3d4e5f60718);
	saw(&ports, 1, false, 6, 2, 0xa1b2c3d4e5f60719);
	saw(&ports, 2, false, 0x1c, 4, 0xa1b2c3d4e5f6071a);
}

Test(bus, port_writes_of_all_sizes)
{
	out(1, TEST_PORT, 0xffffff81);
	out(2, TEST_PORT + 1, 0xffff8182);
	out(4, TEST_PORT + 4, 0x81828384);
	run_script();
	cr_expect_eq(ports.n, 3);
	saw(&ports, 0, true, 0, 1, 0x81);
	saw(&ports, 1, true, 1, 2, 0x8182);
	saw(&ports, 2, true, 4, 4, 0x81828384);
}

Test(bus, mmio_reads_of_all_sizes)
{
	static const uint64_t want[] = { 0x18, 0x0719, 0xe5f6071a, 0xa1b2c3d4e5f6071b };
	const struct script_op *op[4];

	mmio.next = 0xa1b2c3d4e5f60718;
	for (unsigned int i = 0; i < 4; i++)
		op[i] = rd(1U << i, TEST_MMIO + 0x10 * i);
	run_script();
	for (unsigned int i = 0; i < 4; i++) {
		cr_expect_eq(op[i]->data, want[i]);
		saw(&mmio, i, false, 0x10 * i, 1U << i, 0xa1b2c3d4e5f60718 + i);
	}
	cr_expect_eq(mmio.n, 4);
}

Test(bus, mmio_writes_of_all_sizes)
{
	static const uint64_t want[] = { 0x88, 0x8788, 0x85868788, 0x8182838485868788 };

	for (unsigned int i = 0; i < 4; i++)
		wr(1U << i, TEST_MMIO + 0x10 * i, 0x8182838485868788);
	run_script();
	for (unsigned int i = 0; i < 4; i++)
		saw(&mmio, i, true, 0x10 * i, 1U << i, want[i]);
	cr_expect_eq(mmio.n, 4);
}

/* KVM splits at the page: 3 bytes before, 5 after. */
Test(bus, mmio_across_pages)
{
	wr(8, TEST_MMIO + 0xffd, 0x8182838485868788);
	run_script();
	cr_expect_eq(mmio.n, 2);
	saw(&mmio, 0, true, 0xffd, 3, 0x868788);
	saw(&mmio, 1, true, 0x1000, 5, 0x8182838485);
}

Test(bus, rep_ins_is_one_exit_of_many_elements)
{
	const uint16_t *buf = vmm_mem(vm, VMM_HEAP_GPA, 512);
	struct vmm_count count;

	ports.next = 0x4000;
	add(0, SCRIPT_REP_INS, 2, TEST_PORT, VMM_HEAP_GPA, 256);
	run_script();
	count = vmm_dev_count(vm, (unsigned int)ports.index);
	cr_expect_eq(count.accesses, 256);
	cr_expect_eq(count.exits, 1, "%lu exits", count.exits);
	for (unsigned int i = 0; i < 256; i++)
		cr_assert_eq(buf[i], 0x4000 + i, "element %u is %#x", i, buf[i]);
	/* Nothing past the end. */
	cr_expect_eq(buf[256], 0);
}

Test(bus, rep_outs_gives_every_element)
{
	uint32_t *buf = vmm_mem(vm, VMM_HEAP_GPA, 64 * 4);

	for (unsigned int i = 0; i < 64; i++)
		buf[i] = 0x81000000 + i;
	add(0, SCRIPT_REP_OUTS, 4, TEST_PORT + 8, VMM_HEAP_GPA, 64);
	run_script();
	cr_expect_eq(vmm_dev_count(vm, (unsigned int)ports.index).accesses, 64);
	cr_expect_eq(ports.n, 64);
	for (unsigned int i = 0; i < 64; i++)
		saw(&ports, i, true, 8, 4, 0x81000000 + i);
}

Test(bus, nobody_reads_ones)
{
	const struct script_op *p = in(4, 0x700), *edge = in(4, TEST_PORT + 0x1e);
	const struct script_op *m = rd(8, 0xfe800000);

	out(1, 0x700, 1);
	run_script();
	cr_expect_eq(p->data, 0xffffffff);
	/* Half of it is outside: not the device's. */
	cr_expect_eq(edge->data, 0xffffffff);
	cr_expect_eq(m->data, ~0ULL);
	cr_expect_eq(vmm_dev_count(vm, VMM_MAX_DEVS).exits, 4);
	cr_expect_eq(ports.n, 0);
}

Test(bus, counts_every_heavy_exit)
{
	uint64_t before;

	add(0, SCRIPT_IN, 4, TEST_PORT, 0, 1000);
	add(0, SCRIPT_READ, 4, TEST_MMIO, 0, 500);
	before = vmm_exits(vm);
	run_script();
	cr_expect_eq(vmm_dev_count(vm, (unsigned int)ports.index).exits, 1000);
	cr_expect_eq(vmm_dev_count(vm, (unsigned int)mmio.index).exits, 500);
	/* And the guest's exit; KVM may return for signals too. */
	cr_expect_geq(vmm_exits(vm) - before, 1501);
}

Test(bus, refuses_bad_devices)
{
	struct vmm_dev dev = { .name = "bad", .space = LX_SPACE_PIO, .base = 0x900, .len = 0 };

	cr_expect_eq(vmm_add_dev(vm, &dev), -EINVAL);
	dev.base = 0xffff;
	dev.len = 2;
	cr_expect_eq(vmm_add_dev(vm, &dev), -EINVAL);
	dev.space = LX_SPACE_MMIO;
	dev.base = ~0ULL;
	cr_expect_eq(vmm_add_dev(vm, &dev), -EINVAL);
	dev.space = LX_SPACE_PIO;
	dev.base = TEST_PORT + 0x1f;
	cr_expect_eq(vmm_add_dev(vm, &dev), -EEXIST);
	dev.base = TEST_PORT + 0x20;
	cr_expect_geq(vmm_add_dev(vm, &dev), 0);
}

TestSuite(machine, .fini = teardown, .timeout = 60);

Test(machine, refuses_bad_options)
{
	const struct vmm_opts many = { .vcpus = VMM_MAX_VCPUS + 1 };
	const struct vmm_opts odd = { .mem_size = (8 << 20) + 1 };
	const struct vmm_opts tiny = { .mem_size = 4096 };

	setup();
	teardown();
	cr_expect_eq(vmm_create(&many, &vm), -EINVAL);
	cr_expect_eq(vmm_create(&odd, &vm), -EINVAL);
	cr_expect_eq(vmm_create(&tiny, &vm), -EINVAL);
}

static void two_vcpus(enum vmm_irqchip irqchip)
{
	setup_vcpus(2, irqchip);
	for (unsigned int i = 0; i < 2; i++) {
		add(i, SCRIPT_BARRIER, 0, 0, 0, 1);
		add(i, SCRIPT_IN, 1, 0x700 + i, 0, 1000);
		add(i, SCRIPT_BARRIER, 0, 1, 0, 1);
	}
	run_script();
	cr_expect_eq(vmm_dev_count(vm, VMM_MAX_DEVS).accesses, 2000);
	cr_expect_eq(vm->vcpus[1].count[VMM_MAX_DEVS].accesses, 1000);
}

Test(machine, two_vcpus_meet)
{
	two_vcpus(VMM_IRQCHIP_NONE);
}

Test(machine, two_vcpus_meet_with_split_irqchip)
{
	two_vcpus(VMM_IRQCHIP_SPLIT);
}

Test(machine, exit_code_and_bad_script)
{
	struct script_op *op;

	setup();
	op = in(1, 0x700);
	op->len = 3;
	cr_expect_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_expect_eq(vmm_run(vm, TIMEOUT_MS), SCRIPT_BAD_OP);
}

Test(machine, stops_a_guest_that_loops)
{
	static const unsigned char spin[] = { 0xeb, 0xfe }; /* jmp . */

	setup_vcpus(2, VMM_IRQCHIP_NONE);
	cr_expect_eq(vmm_load(vm, spin, sizeof(spin)), 0);
	cr_expect_eq(vmm_run(vm, 50), -ETIMEDOUT);
	/* And runs on with something else. */
	in(1, 0x700);
	run_script();
	cr_expect_eq(vm->vcpus[0].count[VMM_MAX_DEVS].accesses, 1);
}

Test(machine, reports_a_triple_fault)
{
	static const unsigned char ud2[] = { 0x0f, 0x0b };

	setup();
	cr_expect_eq(vmm_load(vm, ud2, sizeof(ud2)), 0);
	cr_expect_eq(vmm_run(vm, TIMEOUT_MS), -EFAULT);
}

Test(machine, steps_one_exit_at_a_time)
{
	struct script_op *op;

	setup();
	ports.next = 7;
	op = in(4, TEST_PORT);
	cr_expect_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	do
		cr_assert_eq(vmm_vcpu_step(&vm->vcpus[0]), VMM_CONTINUE);
	while (!ports.n);
	cr_expect_eq(vm->vcpus[0].run->exit_reason, KVM_EXIT_IO);
	/* KVM gives the guest the value when it enters it again. */
	cr_expect_eq(op->data, ~0ULL);
	cr_expect_eq(vmm_vcpu_step(&vm->vcpus[0]), VMM_EXITED);
	cr_expect_eq(op->data, 7);
	cr_expect_eq(vm->vcpus[0].exit_code, 0);
}

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
	a = rd(8, HPET_BASE + 0xf0);
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
	/* INT_TYPE, INT_ENB, periodic, capabilities, 32MODE, route 20 */
	cr_expect_eq(cfg->data, 0x00f000000000293e);
	cr_expect_eq(per->data, 0x20, "timer 1 is not periodic");
	cr_expect_eq(bad->data, 0x20, "input 5 is not in Tn_INT_ROUTE_CAP");
}

Test(hpet, unaligned_is_nothing)
{
	const struct script_op *q, *c;

	wr(8, HPET_BASE + 0xf0, 0x1122334455667788);
	wr(4, HPET_BASE + 0xf2, 0);
	q = rd(4, HPET_BASE + 0xf2);
	c = rd(8, HPET_BASE + 0xf0);
	run_script();
	cr_expect_eq(q->data, 0);
	cr_expect_eq(c->data, 0x1122334455667788);
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
		.port = PMTIMER_PORT, .bits = bits, .clock = clock, .ticks = ticks,
	};

	cr_assert_eq(vmm_pmtimer_new(vm, &opts, &pmtimer), 0);
}

static void add_pmtimer(uint32_t bits, uint32_t ticks)
{
	add_pmtimer_by(LX_CLOCK_MONOTONIC, bits, ticks);
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

	add_pmtimer(32, 0);
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

	add_pmtimer(bits, 0xfffff0);
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

	add_pmtimer(32, 0x12340000);
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

Test(pmtimer, refuses_other_widths)
{
	const struct vmm_pmtimer_opts opts = { .port = PMTIMER_PORT, .bits = 16 };

	cr_expect_eq(vmm_pmtimer_new(vm, &opts, &pmtimer), -EINVAL);
}

/* What the counter was set to last, and what reads then saw. */
static uint32_t floor_ticks, reads_done, reads_below;

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
		.name = "checked", .base = 0x700, .len = 4, .read = checked_read,
	};

	teardown();
	setup_vcpus(2, VMM_IRQCHIP_NONE);
	/* Old enough for every value: 2^32 ticks are 1,200 seconds. */
	set_kvm_clock(2000000000000);
	add_pmtimer_by(LX_CLOCK_KVM, 32, 0);
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
		cr_assert_eq(vmm_pmtimer_set(pmtimer, t), 0);
		__atomic_store_n(&floor_ticks, t, __ATOMIC_RELEASE);
		usleep(10);
	}
	cr_expect_eq(vmm_join(vm, TIMEOUT_MS), 0);
	cr_expect_eq(reads_below, 0, "%u reads below the value set before them", reads_below);
}
