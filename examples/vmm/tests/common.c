// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include <string.h>
#include <unistd.h>

#include "common.h"

struct vmm *vm;
struct recorder ports, mmio;

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

static void rec_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	record(opaque, off, len, val, true);
}

void setup_vcpus(unsigned int vcpus, enum vmm_irqchip irqchip)
{
	const struct vmm_opts opts = { .vcpus = vcpus, .irqchip = irqchip };
	struct vmm_dev dev = {
		.name = "ports",
		.space = LX_SPACE_PIO,
		.base = TEST_PORT,
		.len = 0x20,
		.read = rec_read,
		.write = rec_write,
		.opaque = &ports,
	};

	if (access("/dev/kvm", R_OK | W_OK))
		cr_skip("no access to /dev/kvm");
	cr_assert_eq(vmm_create(&opts, &vm), 0);
	ports.index = vmm_add_dev(vm, &dev);
	dev = (struct vmm_dev){
		.name = "mmio",
		.space = LX_SPACE_MMIO,
		.base = TEST_MMIO,
		.len = 0x2000,
		.read = rec_read,
		.write = rec_write,
		.opaque = &mmio,
	};
	mmio.index = vmm_add_dev(vm, &dev);
	cr_assert(ports.index >= 0 && mmio.index >= 0);
	for (unsigned int i = 0; i < vcpus; i++)
		((struct script_params *)vmm_params(vm))->vcpu[i].vcpus = vcpus;
}

void setup(void)
{
	setup_vcpus(1, VMM_IRQCHIP_NONE);
}

void teardown(void)
{
	vmm_destroy(vm);
	vm = NULL;
}

struct script_op *add(unsigned int vcpu, enum script_kind kind, uint32_t len, uint64_t addr,
		      uint64_t data, uint64_t count)
{
	struct script *s = &((struct script_params *)vmm_params(vm))->vcpu[vcpu];
	struct script_op *op = &s->ops[s->n++];

	cr_assert_leq(s->n, SCRIPT_OPS);
	*op = (struct script_op){ kind, len, count, addr, data };
	return op;
}

struct script_op *in(uint32_t len, uint64_t port)
{
	return add(0, SCRIPT_IN, len, port, ~0ULL, 1);
}

struct script_op *rd(uint32_t len, uint64_t addr)
{
	return add(0, SCRIPT_READ, len, addr, ~0ULL, 1);
}

void out(uint32_t len, uint64_t port, uint64_t val)
{
	add(0, SCRIPT_OUT, len, port, val, 1);
}

void wr(uint32_t len, uint64_t addr, uint64_t val)
{
	add(0, SCRIPT_WRITE, len, addr, val, 1);
}

void run_script(void)
{
	struct script_params *p = vmm_params(vm);

	memset(p->gates, 0, sizeof(p->gates));
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_assert_eq(vmm_run(vm, TIMEOUT_MS), 0);
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		p->vcpu[i].n = 0;
}
