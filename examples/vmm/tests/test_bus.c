// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Machine, exits and device table, with real guests on this host's KVM. */
#include <errno.h>

#include "common.h"

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

/* The large ones first: KVM leaves their bytes where the small ones' data goes. */
Test(bus, mmio_writes_of_all_sizes)
{
	static const uint64_t want[] = { 0x8182838485868788, 0x85868788, 0x8788, 0x88 };

	for (unsigned int i = 0; i < 4; i++)
		wr(8U >> i, TEST_MMIO + 0x10 * i, 0x8182838485868788);
	run_script();
	for (unsigned int i = 0; i < 4; i++)
		saw(&mmio, i, true, 0x10 * i, 8U >> i, want[i]);
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
