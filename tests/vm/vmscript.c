// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine with the script guest and recording devices; see vmscript.h. */
#include <string.h>

#include "vmscript.h"

struct vms vms;

static void record(uint32_t space, uint64_t addr, uint32_t len, uint64_t val, bool write)
{
	unsigned int i = __atomic_fetch_add(&vms.n, 1, __ATOMIC_RELAXED);

	if (i < VMS_LOG)
		vms.log[i] = (struct vms_access){
			.addr = addr,
			.val = val,
			.space = space,
			.len = len,
			.write = write,
			.ns = vmm_clock_ns(vms.vm, vms.clock),
		};
}

static uint64_t dev_base(uint32_t space)
{
	return space == LX_SPACE_PIO ? VMS_PORT : VMS_MMIO;
}

/* A device's opaque pointer is its space. */
static uint64_t dev_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	uint32_t space = (uint32_t)(uintptr_t)opaque;
	uint64_t val = __atomic_fetch_add(&vms.next, 0x0101010101010101ULL, __ATOMIC_RELAXED);

	record(space, dev_base(space) + off, len, val, false);
	return val;
}

static void dev_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	uint32_t space = (uint32_t)(uintptr_t)opaque;

	record(space, dev_base(space) + off, len, val, true);
}

static unsigned int add_dev(const char *name, uint32_t space, uint64_t len)
{
	const struct vmm_dev dev = {
		.name = name,
		.space = space,
		.base = dev_base(space),
		.len = len,
		.read = dev_read,
		.write = dev_write,
		.opaque = (void *)(uintptr_t)space,
	};
	int index = vmm_add_dev(vms.vm, &dev);

	cr_assert_geq(index, 0);
	return (unsigned int)index;
}

void vms_create(const struct vmm_opts *opts)
{
	memset(&vms, 0, sizeof(vms));
	cr_assert_eq(vmm_create(opts, &vms.vm), 0);
	vms.ports = add_dev("ports", LX_SPACE_PIO, VMS_PORTS);
	vms.mmio = add_dev("mmio", LX_SPACE_MMIO, VMS_MMIO_LEN);
}

void vms_setup(void)
{
	vmt_init();
	vms_create(&(struct vmm_opts){ .vcpus = 1 });
}

void vms_teardown(void)
{
	vmm_destroy(vms.vm);
	vms.vm = NULL;
}

static struct script *script_of(unsigned int vcpu)
{
	return &((struct script_params *)vmm_params(vms.vm))->vcpu[vcpu];
}

struct script_op *vms_add(unsigned int vcpu, enum script_kind kind, uint32_t len, uint64_t addr,
			  uint64_t data, uint64_t count)
{
	struct script *s = script_of(vcpu);

	cr_assert_lt(s->n, SCRIPT_OPS, "the script is full");
	s->ops[s->n] = (struct script_op){ kind, len, count, addr, data };
	return &s->ops[s->n++];
}

struct script_op *vms_in(uint32_t len, uint64_t port)
{
	return vms_add(0, SCRIPT_IN, len, port, ~0ULL, 1);
}

struct script_op *vms_read(uint32_t len, uint64_t addr)
{
	return vms_add(0, SCRIPT_READ, len, addr, ~0ULL, 1);
}

void vms_out(uint32_t len, uint64_t port, uint64_t val)
{
	vms_add(0, SCRIPT_OUT, len, port, val, 1);
}

void vms_write(uint32_t len, uint64_t addr, uint64_t val)
{
	vms_add(0, SCRIPT_WRITE, len, addr, val, 1);
}

void vms_load(void)
{
	struct script_params *p = vmm_params(vms.vm);

	memset(p->gates, 0, sizeof(p->gates));
	for (unsigned int i = 0; i < vms.vm->n_vcpus; i++)
		p->vcpu[i].vcpus = vms.vm->n_vcpus;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(script)), 0);
}

void vms_clear(void)
{
	for (unsigned int i = 0; i < vms.vm->n_vcpus; i++)
		script_of(i)->n = 0;
}

void vms_run(void)
{
	vms_load();
	cr_assert_eq(vmm_run(vms.vm, VMS_TIMEOUT_MS), 0);
	vms_clear();
}

void vms_forget(void)
{
	vms.n = 0;
}

struct vmm_count vms_count(void)
{
	struct vmm_count a = vmm_dev_count(vms.vm, vms.ports), b = vmm_dev_count(vms.vm, vms.mmio);

	return (struct vmm_count){ a.exits + b.exits, a.accesses + b.accesses };
}

void vms_saw(unsigned int i, bool write, uint32_t space, uint64_t addr, uint32_t len, uint64_t val)
{
	const struct vms_access *a = &vms.log[i];
	bool same = a->write == write && a->space == space && a->addr == addr && a->len == len;

	cr_assert_lt(i, vms.n, "only %u accesses reached the VMM", vms.n);
	cr_expect(same && a->val == val,
		  "access %u: %s bus %u addr %#lx len %u val %#lx, not %s bus %u %#lx %u %#lx", i,
		  a->write ? "write" : "read", a->space, a->addr, a->len, a->val,
		  write ? "write" : "read", space, addr, len, val);
}
