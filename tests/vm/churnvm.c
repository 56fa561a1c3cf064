// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine with the churn guest; see churnvm.h. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "churnvm.h"

VMM_GUEST(churn);

static const struct lx_region regions[VT_CHURN_SETS][2] = {
	{ { .addr = VT_CHURN_PORT(0),
	    .len = VT_CHURN_LEN,
	    .space = LX_SPACE_PIO,
	    .flags = LX_REGION_STRINGS },
	  { .addr = VT_CHURN_MMIO(0), .len = VT_CHURN_LEN, .space = LX_SPACE_MMIO } },
	{ { .addr = VT_CHURN_PORT(1),
	    .len = VT_CHURN_LEN,
	    .space = LX_SPACE_PIO,
	    .flags = LX_REGION_STRINGS },
	  { .addr = VT_CHURN_MMIO(1), .len = VT_CHURN_LEN, .space = LX_SPACE_MMIO } },
};

const struct lx_region *churn_regions(unsigned int set)
{
	return regions[set];
}

static uint64_t answer(struct churn_half *half, struct vmm_vcpu *vcpu, bool pio, uint64_t off,
		       uint32_t len, const uint64_t *write)
{
	uint32_t kind = vt_churn_kind(pio, off, !!write);
	struct vt_churn_vcpu *v = &half->st->vcpu[vcpu->index];

	__atomic_fetch_add(&half->n[off / VT_CHURN_SET & 1][kind], 1, __ATOMIC_RELAXED);
	if (!write)
		return vt_churn_read(v, kind);
	vt_churn_write(v, kind, len, *write);
	return 0;
}

static uint64_t port_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	return answer(opaque, vcpu, true, off, len, NULL);
}

static void port_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	answer(opaque, vcpu, true, off, len, &val);
}

static uint64_t mmio_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	return answer(opaque, vcpu, false, off, len, NULL);
}

static void mmio_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	answer(opaque, vcpu, false, off, len, &val);
}

static void add_devs(struct vmm *vm, struct churn_half *half)
{
	for (unsigned int i = 0; i < 2 * VT_CHURN_SETS; i++) {
		const struct lx_region *r = &regions[i / 2][i % 2];
		bool pio = r->space == LX_SPACE_PIO;
		const struct vmm_dev dev = {
			.name = "churn",
			.space = r->space,
			.base = r->addr,
			.len = r->len,
			.read = pio ? port_read : mmio_read,
			.write = pio ? port_write : mmio_write,
			.opaque = half,
		};

		cr_assert_geq(vmm_add_dev(vm, &dev), 0);
	}
}

struct churn_params *churn_params(const struct vmm *vm)
{
	return vmm_params(vm);
}

struct vmm *churn_start(struct lx_device *dev, struct churn_half *half)
{
	const struct vmm_opts opts = { .vcpus = VT_CHURN_VCPUS };
	struct vmm *vm;

	half->st = lx_device_state(dev, NULL);
	cr_assert_eq(vmm_create(&opts, &vm), 0);
	add_devs(vm, half);
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(churn)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	return vm;
}

static uint64_t rounds_of(const struct vmm *vm, unsigned int vcpu)
{
	return __atomic_load_n(&churn_params(vm)->result[vcpu].rounds, __ATOMIC_ACQUIRE);
}

void churn_wait(const struct vmm *vm, uint64_t rounds)
{
	uint64_t end[VT_CHURN_VCPUS];

	for (unsigned int i = 0; i < VT_CHURN_VCPUS; i++)
		end[i] = rounds_of(vm, i) + rounds;
	for (unsigned int i = 0; i < VT_CHURN_VCPUS; i++) {
		for (int ms = 0; ms < vmt_patience(60000) && rounds_of(vm, i) < end[i]; ms++)
			usleep(1000);
		cr_assert_geq(rounds_of(vm, i), end[i], "vCPU %u is stuck after %lu rounds", i,
			      rounds_of(vm, i));
	}
}

void churn_stop(struct vmm *vm)
{
	struct kvm_regs regs[VT_CHURN_VCPUS] = { 0 };
	int err;

	__atomic_store_n(&churn_params(vm)->stop, 1, __ATOMIC_RELEASE);
	err = vmm_join(vm, vmt_patience(60000));
	for (unsigned int i = 0; i < VT_CHURN_VCPUS; i++)
		ioctl(vm->vcpus[i].fd, KVM_GET_REGS, &regs[i]);
	cr_assert_eq(
		err, 0,
		"the guest did not end by itself: %d; vCPU 0: %lu rounds, rip %#llx, rcx %#llx; "
		"vCPU 1: %lu rounds, rip %#llx, rcx %#llx",
		err, rounds_of(vm, 0), regs[0].rip, regs[0].rcx, rounds_of(vm, 1), regs[1].rip,
		regs[1].rcx);
}
