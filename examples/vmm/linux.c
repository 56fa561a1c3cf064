// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The 64-bit boot protocol of Linux. */
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux.h"

#define SETUP_MAGIC 0x53726448U	  /* "HdrS" */
#define SETUP_VERSION_MIN 0x020cU /* xloadflags, init_size */
#define SECTOR 512UL
#define ENTRY_64 0x200UL
#define LOADER_UNDEFINED 0xffU

/* Conventional memory ends where a BIOS has its data area; what follows is ROM and devices. */
#define LOW_END 0x9fc00UL
#define HIGH_START 0x100000UL
#define E820_RAM 1U

#define BOOT_CS 0x10U
#define BOOT_DS 0x18U

/* A file, mapped. */
struct file {
	const char *name;
	const uint8_t *data;
	size_t size;
};

static int file_open(const char *name, struct file *f)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;
	void *data = MAP_FAILED;

	if (fd < 0)
		return vmm_error(-errno, "%s", name);
	if (!fstat(fd, &st))
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		err = vmm_error(-errno, "%s", name);
	else
		*f = (struct file){ name, data, (size_t)st.st_size };
	close(fd);
	return err;
}

static void file_close(const struct file *f)
{
	if (f->data)
		munmap((void *)f->data, f->size);
}

static int read_header(const struct file *f, struct setup_header *hdr)
{
	const size_t at = offsetof(struct boot_params, hdr);

	memset(hdr, 0, sizeof(*hdr));
	if (f->size >= at + sizeof(*hdr))
		memcpy(hdr, f->data + at, sizeof(*hdr));
	if (hdr->header != SETUP_MAGIC || hdr->version < SETUP_VERSION_MIN ||
	    !(hdr->xloadflags & XLF_KERNEL_64))
		return vmm_error(-EINVAL, "%s: no bzImage with a 64-bit entry", f->name);
	if (!hdr->setup_sects)
		hdr->setup_sects = 4;
	return 0;
}

/* Return: the kernel's address; 0: it does not fit below @end */
static uint64_t load_kernel(struct vmm *vm, const struct file *f, const struct setup_header *hdr,
			    uint64_t end)
{
	const size_t setup = (hdr->setup_sects + 1) * SECTOR;
	const size_t size = f->size > setup ? f->size - setup : 0;
	const size_t need = size > hdr->init_size ? size : hdr->init_size;

	if (!size || hdr->pref_address < HIGH_START || hdr->pref_address > end ||
	    need > end - hdr->pref_address)
		return 0;
	memcpy(vm->mem + hdr->pref_address, f->data + setup, size);
	return hdr->pref_address;
}

/* At the end of memory. Return: where; 0: too large */
static uint64_t load_initrd(struct vmm *vm, const struct file *f)
{
	uint64_t at;

	if (f->size > vm->heap_end)
		return 0;
	at = (vm->heap_end - f->size) & ~0xfffUL;
	memcpy(vm->mem + at, f->data, f->size);
	return at;
}

static void fill_e820(const struct vmm *vm, struct boot_params *bp)
{
	bp->e820_table[0] = (struct boot_e820_entry){ .size = LOW_END, .type = E820_RAM };
	bp->e820_table[1] = (struct boot_e820_entry){
		.addr = HIGH_START,
		.size = vm->mem_size - HIGH_START,
		.type = E820_RAM,
	};
	bp->e820_entries = 2;
}

static int fill_params(struct vmm *vm, const struct vmm_linux *l, const struct setup_header *hdr,
		       uint64_t initrd, size_t initrd_size)
{
	struct boot_params *bp = (struct boot_params *)(vm->mem + VMM_LINUX_PARAMS_GPA);
	const size_t n = strlen(l->cmdline);

	if (n > hdr->cmdline_size)
		return vmm_error(-EINVAL, "a command line of %zu bytes: at most %u", n,
				 hdr->cmdline_size);
	memset(bp, 0, sizeof(*bp));
	bp->hdr = *hdr;
	bp->hdr.type_of_loader = LOADER_UNDEFINED;
	bp->hdr.cmd_line_ptr = VMM_LINUX_CMDLINE_GPA;
	bp->hdr.ramdisk_image = (uint32_t)initrd;
	bp->hdr.ramdisk_size = (uint32_t)initrd_size;
	bp->acpi_rsdp_addr = l->rsdp;
	fill_e820(vm, bp);
	memcpy(vm->mem + VMM_LINUX_CMDLINE_GPA, l->cmdline, n + 1);
	return 0;
}

/* The protocol's segments, and boot_params in rsi. Memory is mapped one to one already. */
static int point_at(struct vmm *vm, uint64_t entry)
{
	struct vmm_vcpu *vcpu = &vm->vcpus[0];
	uint64_t *gdt = (uint64_t *)(vm->mem + VMM_LINUX_GDT_GPA);
	struct kvm_sregs s;
	struct kvm_regs regs;
	int err = vmm_vcpu_reset(vcpu, entry);

	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s) || ioctl(vcpu->fd, KVM_GET_REGS, &regs))
		return vmm_error(-errno, "registers of vCPU 0");
	gdt[BOOT_CS / 8] = 0x00af9b000000ffffUL;
	gdt[BOOT_DS / 8] = 0x00cf93000000ffffUL;
	s.gdt = (struct kvm_dtable){ .base = VMM_LINUX_GDT_GPA, .limit = BOOT_DS + 7 };
	s.cs.selector = BOOT_CS;
	s.ds.selector = BOOT_DS;
	s.es.selector = BOOT_DS;
	s.ss.selector = BOOT_DS;
	regs.rsi = VMM_LINUX_PARAMS_GPA;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return vmm_error(-errno, "registers of vCPU 0");
	return 0;
}

static int load_files(struct vmm *vm, const struct vmm_linux *l, const struct file *kernel,
		      const struct file *initrd)
{
	struct setup_header hdr;
	uint64_t rd = 0, entry;
	int err = read_header(kernel, &hdr);

	if (err)
		return err;
	if (initrd->size) {
		rd = load_initrd(vm, initrd);
		if (!rd)
			return vmm_error(-E2BIG, "%s in %zu bytes of memory", initrd->name,
					 vm->mem_size);
	}
	entry = load_kernel(vm, kernel, &hdr, rd ? rd : vm->heap_end);
	if (!entry)
		return vmm_error(-E2BIG, "%s in %zu bytes of memory", kernel->name, vm->mem_size);
	err = fill_params(vm, l, &hdr, rd, initrd->size);
	return err ? err : point_at(vm, entry + ENTRY_64);
}

int vmm_linux_load(struct vmm *vm, const struct vmm_linux *l)
{
	struct file kernel = { 0 }, initrd = { 0 };
	int err = file_open(l->kernel, &kernel);

	if (!err && l->initrd)
		err = file_open(l->initrd, &initrd);
	if (!err)
		err = load_files(vm, l, &kernel, &initrd);
	file_close(&initrd);
	file_close(&kernel);
	return err;
}
