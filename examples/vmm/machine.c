// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A machine: memory, vCPUs in long mode. */
#include <asm/kvm_para.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

#define PAGE_SIZE 0x1000UL
#define MEM_DEFAULT (8UL << 20)
#define MEM_MIN (4UL << 20)
/* Three pages that KVM uses on Intel; above the IO-APIC, below the firmware. */
#define TSS_GPA 0xfffbd000UL

#define PML4_GPA 0x1000UL
#define PDPT_GPA 0x2000UL
#define PD_GPA 0x3000UL
#define GDT_GPA 0x8000UL

#define PTE_PRESENT (1UL << 0)
#define PTE_WRITE (1UL << 1)
#define PTE_ACCESSED (1UL << 5)
#define PTE_DIRTY (1UL << 6)
#define PTE_LARGE (1UL << 7)
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)

#define CR0_PE (1UL << 0)
#define CR0_ET (1UL << 4)
#define CR0_NE (1UL << 5)
#define CR0_WP (1UL << 16)
#define CR0_PG (1UL << 31)
#define CR4_PAE (1UL << 5)
#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)
#define RFLAGS_FIXED (1UL << 1)

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define TSS_SELECTOR 0x18

#define CPUID_ENTRIES 256

int vmm_error(int err, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	fprintf(stderr, "vmm: %s: %s\n", msg, strerror(-err));
	return err;
}

uint64_t vmm_clock_ns(const struct vmm *vm, uint32_t clock)
{
	struct kvm_clock_data data = { 0 };
	struct timespec ts;

	if (clock == LX_CLOCK_KVM) {
		if (ioctl(vm->fd, KVM_GET_CLOCK, &data))
			vmm_error(-errno, "KVM_GET_CLOCK");
		return data.clock;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void *vmm_mem(const struct vmm *vm, uint64_t gpa, size_t len)
{
	if (gpa > vm->mem_size || len > vm->mem_size - gpa)
		return NULL;
	return vm->mem + gpa;
}

void *vmm_params(const struct vmm *vm)
{
	return vm->mem + VMM_PARAMS_GPA;
}

/* The first 4 GiB, one to one, in pages of 2 MiB. */
static void fill_page_tables(struct vmm *vm)
{
	uint64_t *pml4 = (uint64_t *)(vm->mem + PML4_GPA);
	uint64_t *pdpt = (uint64_t *)(vm->mem + PDPT_GPA);
	uint64_t *pd = (uint64_t *)(vm->mem + PD_GPA);

	pml4[0] = PDPT_GPA | TABLE_FLAGS;
	for (unsigned long i = 0; i < 4; i++)
		pdpt[i] = (PD_GPA + i * PAGE_SIZE) | TABLE_FLAGS;
	for (unsigned long i = 0; i < 4 * 512; i++)
		pd[i] = (i << 21) | TABLE_FLAGS | PTE_DIRTY | PTE_LARGE;
}

/* What the segment registers' hidden parts say, for a guest that reloads them. */
static void fill_gdt(struct vmm *vm)
{
	uint64_t *gdt = (uint64_t *)(vm->mem + GDT_GPA);

	gdt[CODE_SELECTOR / 8] = 0x00af9b000000ffffUL;
	gdt[DATA_SELECTOR / 8] = 0x00cf93000000ffffUL;
	gdt[TSS_SELECTOR / 8] = 0x00008b0000000067UL;
}

static int create_memory(struct vmm *vm, size_t size)
{
	struct kvm_userspace_memory_region slot = { 0 };

	if (!size)
		size = MEM_DEFAULT;
	if (size < MEM_MIN || size > VMM_MMIO_GPA || size % PAGE_SIZE)
		return vmm_error(-EINVAL,
				 "memory of %zu bytes: give a multiple of 4 KiB, %lu to %lu", size,
				 MEM_MIN, VMM_MMIO_GPA);
	vm->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->mem == MAP_FAILED) {
		vm->mem = NULL;
		return vmm_error(-errno, "mmap of %zu bytes of guest memory", size);
	}
	vm->mem_size = size;
	slot.memory_size = size;
	slot.userspace_addr = (uint64_t)vm->mem;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot))
		return vmm_error(-errno, "KVM_SET_USER_MEMORY_REGION of %zu bytes", size);
	fill_page_tables(vm);
	fill_gdt(vm);
	return 0;
}

/*
 * What KVM has, but for PV EOI: with it Linux ends an interrupt without an exit, and an emulated
 * host may deliver an interrupt again until the first exit after it: its handler then meets itself,
 * and waits for a lock that it holds (docs/decisions.md 18).
 */
static int set_cpuid(struct vmm *vm, struct vmm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return vmm_error(-ENOMEM, "CPUID table");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		err = vmm_error(-errno, "KVM_GET_SUPPORTED_CPUID");
		goto free;
	}
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | vcpu->index << 24;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = vcpu->index;
		else if (e->function == KVM_CPUID_FEATURES)
			e->eax &= ~(1U << KVM_FEATURE_PV_EOI);
	}
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
		err = vmm_error(-errno, "KVM_SET_CPUID2 of vCPU %u", vcpu->index);
free:
	free(cpuid);
	return err;
}

static int set_sregs(struct vmm_vcpu *vcpu)
{
	const struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = DATA_SELECTOR,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s))
		return vmm_error(-errno, "KVM_GET_SREGS of vCPU %u", vcpu->index);
	s.cs = (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = CODE_SELECTOR,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	s.ds = data;
	s.es = data;
	s.fs = data;
	s.gs = data;
	s.ss = data;
	s.tr = (struct kvm_segment){
		.limit = 0x67,
		.selector = TSS_SELECTOR,
		.type = 11,
		.present = 1,
	};
	s.ldt = (struct kvm_segment){ .type = 2, .unusable = 1 };
	s.gdt = (struct kvm_dtable){ .base = GDT_GPA, .limit = 5 * 8 - 1 };
	s.idt = (struct kvm_dtable){ 0 };
	s.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s.cr3 = PML4_GPA;
	s.cr4 = CR4_PAE;
	s.efer = EFER_LME | EFER_LMA;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s))
		return vmm_error(-errno, "KVM_SET_SREGS of vCPU %u", vcpu->index);
	return 0;
}

int vmm_vcpu_reset(struct vmm_vcpu *vcpu, uint64_t entry)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct vmm *vm = vcpu->vm;
	struct kvm_regs regs = {
		.rip = entry,
		/* As after a call: 8 below a multiple of 16. */
		.rsp = vm->heap_end + (vcpu->index + 1) * VMM_STACK_SIZE - 8,
		.rdi = vcpu->index,
		.rsi = VMM_PARAMS_GPA,
		.rflags = RFLAGS_FIXED,
	};
	int err;

	/* KVM finishes an I/O instruction at the next KVM_RUN: not after these registers. */
	vcpu->run->immediate_exit = 1;
	ioctl(vcpu->fd, KVM_RUN, NULL);
	vcpu->run->immediate_exit = 0;
	vcpu->exited = false;
	vcpu->exit_code = 0;
	err = set_sregs(vcpu);
	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return vmm_error(-errno, "KVM_SET_REGS of vCPU %u", vcpu->index);
	if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp))
		return vmm_error(-errno, "KVM_SET_MP_STATE of vCPU %u", vcpu->index);
	return 0;
}

static int create_vcpu(struct vmm *vm, struct vmm_vcpu *vcpu, unsigned int index)
{
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return vmm_error(-errno, "KVM_CREATE_VCPU %u", index);
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return vmm_error(-errno, "mmap of vCPU %u", index);
	}
	return set_cpuid(vm, vcpu);
}

static int create_vcpus(struct vmm *vm, unsigned int n)
{
	int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < 0)
		return vmm_error(-errno, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run_size = (size_t)size;
	vm->vcpus = calloc(n, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return vmm_error(-ENOMEM, "%u vCPUs", n);
	vm->heap_end = vm->mem_size - n * VMM_STACK_SIZE;
	for (unsigned int i = 0; i < n; i++)
		vm->vcpus[i].fd = -1;
	while (vm->n_vcpus < n) {
		unsigned int i = vm->n_vcpus++;
		int err = create_vcpu(vm, &vm->vcpus[i], i);

		if (err)
			return err;
	}
	return 0;
}

static int create_irqchip(struct vmm *vm, enum vmm_irqchip irqchip)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = { 0 };

	if (irqchip == VMM_IRQCHIP_SPLIT && ioctl(vm->fd, KVM_ENABLE_CAP, &split))
		return vmm_error(-errno, "KVM_CAP_SPLIT_IRQCHIP");
	if (irqchip != VMM_IRQCHIP_KERNEL && irqchip != VMM_IRQCHIP_NO_PIT)
		return 0;
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP))
		return vmm_error(-errno, "KVM_CREATE_IRQCHIP");
	if (irqchip == VMM_IRQCHIP_KERNEL && ioctl(vm->fd, KVM_CREATE_PIT2, &pit))
		return vmm_error(-errno, "KVM_CREATE_PIT2");
	return 0;
}

static int create_vm(struct vmm *vm, enum vmm_irqchip irqchip)
{
	int version;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return vmm_error(-errno, "/dev/kvm: load kvm_intel or kvm_amd, be in group kvm");
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return vmm_error(-EOPNOTSUPP, "KVM API version %d, not %d", version,
				 KVM_API_VERSION);
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return vmm_error(-errno, "KVM_CREATE_VM");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA))
		return vmm_error(-errno, "KVM_SET_TSS_ADDR %#lx", TSS_GPA);
	return create_irqchip(vm, irqchip);
}

static void exit_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	vcpu->exit_code = (uint32_t)val;
	vcpu->exited = true;
}

int vmm_create(const struct vmm_opts *opts, struct vmm **out)
{
	const struct vmm_dev exit_dev = {
		.name = "exit",
		.space = LX_SPACE_PIO,
		.base = VMM_EXIT_PORT,
		.len = 4,
		.write = exit_write,
	};
	unsigned int n = opts->vcpus ? opts->vcpus : 1;
	struct vmm *vm;
	int err;

	if (n > VMM_MAX_VCPUS)
		return vmm_error(-EINVAL, "%u vCPUs: at most %u", n, VMM_MAX_VCPUS);
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return vmm_error(-ENOMEM, "machine");
	vm->kvm_fd = -1;
	vm->fd = -1;
	vm->devs[VMM_MAX_DEVS].index = VMM_MAX_DEVS;
	err = create_vm(vm, opts->irqchip);
	if (!err)
		err = create_memory(vm, opts->mem_size);
	if (!err)
		err = create_vcpus(vm, n);
	if (!err)
		err = vmm_add_dev(vm, &exit_dev);
	if (err < 0) {
		vmm_destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

int vmm_load(struct vmm *vm, const void *guest, size_t size)
{
	if (size > VMM_HEAP_GPA - VMM_GUEST_GPA)
		return vmm_error(-E2BIG, "guest of %zu bytes: at most %lu", size,
				 VMM_HEAP_GPA - VMM_GUEST_GPA);
	memcpy(vm->mem + VMM_GUEST_GPA, guest, size);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		int err = vmm_vcpu_reset(&vm->vcpus[i], VMM_GUEST_GPA);

		if (err)
			return err;
	}
	return 0;
}

void vmm_destroy(struct vmm *vm)
{
	if (!vm)
		return;
	vmm_stop(vm);
	vmm_join(vm, -1);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].run)
			munmap(vm->vcpus[i].run, vm->run_size);
		if (vm->vcpus[i].fd >= 0)
			close(vm->vcpus[i].fd);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	if (vm->mem)
		munmap(vm->mem, vm->mem_size);
	free(vm->vcpus);
	free(vm);
}
