// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lx_guest_read() and lx_guest_write(): they move just the bytes asked for, to and
 * from the memory that the guest has there; they neither fault nor wait, whatever the
 * VMM does with that memory meanwhile; and what they may not touch they refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "svc.h"

#define PAGE 0x1000UL
/* Slots of the test's own: at these addresses, above the machine's memory. */
#define SLOT_GPA 0x80000000UL
#define HOLE_GPA 0x90000000UL

/* Orders: access 0 reads, access 1 writes. */
static struct vt_call *rd, *wr;

static void setup(void)
{
	svc_setup(1, VMM_IRQCHIP_NONE);
	rd = svc_call(&svc.st->access[0], VT_GUEST_READ, 0, 0, 0);
	wr = svc_call(&svc.st->access[1], VT_GUEST_WRITE, 0, 0, 0);
	svc_attach();
}

TestSuite(guestmem, .init = setup, .fini = svc_teardown, .timeout = 120);

static int64_t guest_read(uint64_t gpa, uint32_t len)
{
	rd->b = gpa;
	rd->c = len;
	svc_do(0);
	return rd->ret;
}

static int64_t guest_write(uint64_t gpa, uint32_t len)
{
	wr->b = gpa;
	wr->c = len;
	svc_do(1);
	return wr->ret;
}

static void *map_pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED, "%m");
	/* A kernel without huge pages, as PREEMPT_RT's, does not know the advice. */
	cr_assert(!madvise(p, n * PAGE, MADV_NOHUGEPAGE) || errno == EINVAL, "%m");
	memset(p, 0x11, n * PAGE);
	return p;
}

/* Sets a slot; 0 pages: deletes it. */
static void set_slot(uint32_t slot, uint32_t flags, uint64_t gpa, size_t pages, void *host)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = pages * PAGE,
		.userspace_addr = (uintptr_t)host,
	};

	cr_assert_eq(ioctl(vms.vm->fd, KVM_SET_USER_MEMORY_REGION, &region), 0,
		     "KVM_SET_USER_MEMORY_REGION: %m");
}

static void fill_random(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)random();
}

/* All lengths, at all places of two pages: those bytes, and no others. */
Test(guestmem, reads_and_writes)
{
	unsigned long n = vmt_scale(1000);
	uint8_t *mem = vmm_mem(vms.vm, VMM_HEAP_GPA, 2 * PAGE), *buf = svc.st->buf;
	uint8_t before[2 * PAGE], expected[2 * PAGE];
	unsigned int seed = (unsigned int)svc_ns();

	cr_log_info("seed %u", seed);
	srandom(seed);
	for (unsigned long i = 0; i < n; i++) {
		uint32_t len = i % 3 ? 1 + (uint32_t)random() % LX_GUEST_MAX : 1 + i % 16;
		uint32_t off = (uint32_t)random() % (2 * PAGE - len + 1);

		fill_random(mem, 2 * PAGE);
		fill_random(buf, 2 * PAGE);
		memcpy(before, buf, sizeof(before));
		memcpy(expected, mem, sizeof(expected));
		if (i % 2) {
			cr_assert_eq(guest_read(VMM_HEAP_GPA + off, len), 0);
			memcpy(before, mem + off, len);
		} else {
			cr_assert_eq(guest_write(VMM_HEAP_GPA + off, len), 0);
			memcpy(expected + off, buf, len);
		}
		cr_assert_eq(memcmp(buf, before, sizeof(before)), 0, "%s of %u at %u: buffer",
			     i % 2 ? "read" : "write", len, off);
		cr_assert_eq(memcmp(mem, expected, sizeof(expected)), 0, "%s of %u at %u: memory",
			     i % 2 ? "read" : "write", len, off);
	}
}

/* The guest's next instructions see what was written: it says so to the VMM. */
Test(guestmem, the_guest_sees_it)
{
	memset(vmm_mem(vms.vm, VMM_HEAP_GPA, 64), 0x11, 64);
	memset(svc.st->buf, 0x42, 64);
	svc_detach();
	svc.ops.regions[0].len = 8;
	svc_attach();
	wr->b = VMM_HEAP_GPA + 4;
	wr->c = 4;
	svc_access(1);
	vms_add(0, SCRIPT_REP_OUTS, 4, VMS_PORT + 8, VMM_HEAP_GPA, 3);
	vms_run();
	cr_expect_eq(wr->ret, 0);
	vms_saw(0, true, LX_SPACE_PIO, VMS_PORT + 8, 4, 0x11111111);
	vms_saw(1, true, LX_SPACE_PIO, VMS_PORT + 8, 4, 0x42424242);
	vms_saw(2, true, LX_SPACE_PIO, VMS_PORT + 8, 4, 0x11111111);
}

static void expect_both(uint64_t gpa, uint32_t len, int64_t want, const char *what)
{
	int64_t r = guest_read(gpa, len), w = guest_write(gpa, len);

	cr_expect_eq(r, want, "read %s: %ld, not %ld", what, r, want);
	cr_expect_eq(w, want, "write %s: %ld, not %ld", what, w, want);
}

/* Slot end, hole, wrap. A range that leaves its slot is refused even into another one. */
Test(guestmem, ends_of_slots)
{
	uint8_t *host = map_pages(4);

	set_slot(1, 0, SLOT_GPA, 2, host);
	set_slot(2, 0, SLOT_GPA + 2 * PAGE, 2, host + 2 * PAGE);
	expect_both(SLOT_GPA, LX_GUEST_MAX, 0, "the first page");
	expect_both(SLOT_GPA + 2 * PAGE - 8, 8, 0, "the last bytes");
	expect_both(SLOT_GPA + 2 * PAGE - 8, 9, -ENXIO, "into the next slot");
	expect_both(SLOT_GPA + 2 * PAGE, 8, 0, "the next slot");
	expect_both(SLOT_GPA + 4 * PAGE - 1, 1, 0, "the last byte");
	expect_both(SLOT_GPA + 4 * PAGE - 1, 2, -ENXIO, "past the end");
	expect_both(SLOT_GPA + 4 * PAGE, 1, -ENXIO, "behind the end");
	expect_both(SLOT_GPA - 1, 1, -ENXIO, "before the start");
	expect_both(SLOT_GPA - 1, 2, -ENXIO, "into the start");
	expect_both(HOLE_GPA, 1, -ENXIO, "a hole");
	expect_both(VMS_MMIO, 4, -ENXIO, "a device");
	expect_both(vms.vm->mem_size - 1, 2, -ENXIO, "past the machine's memory");
	expect_both(~0ULL, 1, -ENXIO, "the last address");
	expect_both(~0ULL, 2, -ENXIO, "around the end of all");
	expect_both(1ULL << 63, 8, -ENXIO, "bit 63");
	set_slot(1, 0, SLOT_GPA, 0, NULL);
	expect_both(SLOT_GPA, 8, -ENXIO, "a deleted slot");
}

Test(guestmem, lengths)
{
	uint8_t *buf = svc.st->buf;

	memset(buf, 0x77, VT_BUF);
	expect_both(VMM_HEAP_GPA, 0, -E2BIG, "of 0 bytes");
	expect_both(VMM_HEAP_GPA, LX_GUEST_MAX + 1, -E2BIG, "of 4097 bytes");
	expect_both(VMM_HEAP_GPA, VT_BUF, -E2BIG, "of 8192 bytes");
	cr_expect_eq(buf[0], 0x77, "a length that is refused is not cleared either");
	expect_both(HOLE_GPA, 8, -ENXIO, "a hole");
	cr_expect_eq(buf[7], 0, "a read that failed left the buffer as it was");
	cr_expect_eq(buf[8], 0x77);
}

Test(guestmem, read_only_slot)
{
	uint8_t *host = map_pages(1);

	set_slot(1, KVM_MEM_READONLY, SLOT_GPA, 1, host);
	memset(svc.st->buf, 0x33, 8);
	cr_expect_eq(guest_write(SLOT_GPA, 8), -EACCES);
	cr_expect_eq(host[0], 0x11);
	cr_expect_eq(guest_read(SLOT_GPA, 8), 0);
	cr_expect_eq(svc.st->buf[0], 0x11);
}

/* Dirty logging is KVM's to keep: refused, and works again after logging ends. */
Test(guestmem, dirty_logging)
{
	uint8_t *host = map_pages(1);

	set_slot(1, 0, SLOT_GPA, 1, host);
	memset(svc.st->buf, 0x33, 8);
	cr_expect_eq(guest_write(SLOT_GPA, 8), 0);
	cr_expect_eq(host[7], 0x33);
	for (unsigned int i = 0; i < 3; i++) {
		set_slot(1, KVM_MEM_LOG_DIRTY_PAGES, SLOT_GPA, 1, host);
		memset(svc.st->buf, 0x40 + i, 8);
		cr_expect_eq(guest_write(SLOT_GPA, 8), -EBUSY);
		cr_expect_neq(host[7], 0x40 + i);
		cr_expect_eq(guest_read(SLOT_GPA, 8), 0);
		set_slot(1, 0, SLOT_GPA, 1, host);
		memset(svc.st->buf, 0x50 + i, 8);
		cr_expect_eq(guest_write(SLOT_GPA, 8), 0);
		cr_expect_eq(host[7], 0x50 + i);
	}
}

static int missing_pages(void *page, size_t n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = n * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	cr_assert_geq(fd, 0, "userfaultfd: %m");
	cr_assert_eq(ioctl(fd, UFFDIO_API, &api), 0, "%m");
	cr_assert_eq(madvise(page, n * PAGE, MADV_DONTNEED), 0, "%m");
	cr_assert_eq(ioctl(fd, UFFDIO_REGISTER, &reg), 0, "%m");
	return fd;
}

/* A page that is not resident: no fault, -EFAULT. Who would serve the fault is not asked. */
Test(guestmem, not_resident)
{
	uint8_t *host = map_pages(3);
	struct pollfd p = { .events = POLLIN };
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)host + PAGE, .len = PAGE },
	};

	set_slot(1, 0, SLOT_GPA, 3, host);
	p.fd = missing_pages(host + PAGE, 1);
	memset(svc.st->buf, 0x66, 64);
	expect_both(SLOT_GPA + PAGE, 64, -EFAULT, "a page that is missing");
	cr_expect_eq(svc.st->buf[0], 0);
	memset(svc.st->buf, 0x66, 64);
	cr_expect_eq(guest_read(SLOT_GPA + PAGE - 32, 64), -EFAULT);
	cr_expect_eq(svc.st->buf[0], 0, "the part that is there was left in the buffer");
	cr_expect_eq(svc.st->buf[63], 0);
	cr_expect_eq(guest_write(SLOT_GPA + PAGE - 32, 64), -EFAULT);
	cr_expect_eq(guest_read(SLOT_GPA + 2 * PAGE, 64), 0, "the page behind");
	cr_expect_eq(poll(&p, 1, 0), 0, "a page fault was sent to the VMM");
	cr_assert_eq(ioctl(p.fd, UFFDIO_ZEROPAGE, &zero), 0, "%m");
	cr_expect_eq(guest_read(SLOT_GPA + PAGE, 64), 0);
	/* The zero page is not the VM's to write: that takes a fault. */
	cr_expect_eq(guest_write(SLOT_GPA + PAGE, 64), -EFAULT);
	host[PAGE] = 1;
	cr_expect_eq(guest_write(SLOT_GPA + PAGE, 64), 0);
	close(p.fd);
}

/* What the VMM may not touch, a program may not either. */
Test(guestmem, protected_by_the_vmm)
{
	uint8_t *host = map_pages(1);

	set_slot(1, 0, SLOT_GPA, 1, host);
	cr_assert_eq(mprotect(host, PAGE, PROT_READ), 0);
	cr_expect_eq(guest_write(SLOT_GPA, 8), -EFAULT);
	cr_expect_eq(guest_read(SLOT_GPA, 8), 0);
	cr_assert_eq(mprotect(host, PAGE, PROT_NONE), 0);
	expect_both(SLOT_GPA, 8, -EFAULT, "a page without access");
	cr_assert_eq(munmap(host, PAGE), 0);
	expect_both(SLOT_GPA, 8, -EFAULT, "a page that is not mapped");
}

/* Pages shared after fork() are not written through: the child's memory is its own. */
Test(guestmem, copied_on_write)
{
	uint8_t *host = map_pages(1);
	int pipes[2], status;
	char c = 0;
	pid_t pid;

	set_slot(1, 0, SLOT_GPA, 1, host);
	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	cr_assert_geq(pid, 0, "%m");
	if (!pid)
		_exit(read(pipes[0], &c, 1) == 1 ? host[0] : 0);
	memset(svc.st->buf, 0x33, 8);
	cr_expect_eq(guest_write(SLOT_GPA, 8), -EFAULT);
	host[PAGE - 1] = 2; /* the VMM's own copy */
	cr_expect_eq(guest_write(SLOT_GPA, 8), 0);
	cr_assert_eq(write(pipes[1], &c, 1), 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), 0x11, "the child sees %#x", WEXITSTATUS(status));
	cr_expect_eq(host[0], 0x33);
}

/* Memory that is shared with others, as with a back end in another process. */
Test(guestmem, shared_memory)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	uint8_t *host, *other;

	cr_assert_eq(ftruncate(fd, PAGE), 0, "%m");
	host = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(host != MAP_FAILED && other != MAP_FAILED);
	set_slot(1, 0, SLOT_GPA, 1, host);
	host[1] = 1;
	memset(svc.st->buf, 0x33, 8);
	cr_expect_eq(guest_write(SLOT_GPA, 8), 0);
	cr_expect_eq(other[0], 0x33);
	other[0] = 0x34;
	cr_expect_eq(guest_read(SLOT_GPA, 8), 0);
	cr_expect_eq(svc.st->buf[0], 0x34);
	close(fd);
}

struct replacer {
	void *host[2];
	uint64_t n;
	bool stop;
};

static void *replace(void *arg)
{
	struct replacer *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		set_slot(1, 0, SLOT_GPA, 1, r->host[r->n++ % 2]);
		set_slot(1, 0, SLOT_GPA, 0, NULL);
	}
	return NULL;
}

static void fill_words(uint64_t *p, uint64_t word)
{
	for (unsigned int i = 0; i < PAGE / 8; i++)
		p[i] = word;
}

/* A slot being replaced in a loop while the guest runs: one memory or the other, or none. */
Test(guestmem, slot_replaced_in_a_loop)
{
	struct replacer r = { .host = { map_pages(1), map_pages(1) } };
	unsigned long n = vmt_scale(20000);
	const __u64 *outcome = svc.st->outcome;
	uint64_t sum = 0, end = svc_ns() + SVC_TIMEOUT_MS * MS;
	pthread_t thread;

	fill_words(r.host[0], VT_A);
	fill_words(r.host[1], VT_B);
	rd->what = VT_GUEST_CHECK;
	rd->b = SLOT_GPA;
	rd->c = PAGE;
	cr_assert_eq(pthread_create(&thread, NULL, replace, &r), 0);
	/* As often as it takes for each to have been seen. */
	for (unsigned long i = 0;
	     i < n || (svc_ns() < end && (!outcome[VT_WORD_A] || !outcome[VT_WORD_B])); i += 500) {
		vms_add(0, SCRIPT_OUT, 4, VMS_PORT, 0, 500);
		vms_run();
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	cr_log_info("%lu replacements; A %llu, B %llu, no slot %llu, invalid %llu", r.n,
		    outcome[VT_WORD_A], outcome[VT_WORD_B], outcome[VT_NO_SLOT],
		    outcome[VT_INVALID_SLOT]);
	for (unsigned int i = 0; i < VT_OUTCOMES; i++)
		sum += outcome[i];
	cr_expect_geq(sum, n);
	cr_expect_gt(r.n, 2, "the slot was replaced %lu times", r.n);
	cr_expect_gt(outcome[VT_WORD_A], 0, "never the first memory");
	cr_expect_gt(outcome[VT_WORD_B], 0, "never the second memory");
	cr_expect_eq(outcome[VT_TORN], 0, "%llu reads of both", outcome[VT_TORN]);
	cr_expect_eq(outcome[VT_NOT_RESIDENT], 0);
	cr_expect_eq(outcome[VT_OTHER], 0);
	cr_expect_eq(vms_count().exits, 0);
}

#ifndef KVM_CAP_GUEST_MEMFD
#error "headers older than Linux 6.8"
#endif

/* Since Linux 6.18: such memory for VMs without private memory, if it can be mapped. */
#define GUEST_MEMFD_MMAP (1ULL << 0)
#define GUEST_MEMFD_INIT_SHARED (1ULL << 1)

/* Slots that may hold guest-private memory are refused, where KVM has such slots here. */
Test(guestmem, guest_memfd)
{
	struct kvm_create_guest_memfd create = { .size = PAGE };
	struct kvm_userspace_memory_region2 region = {
		.slot = 1,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = PAGE,
	};
	void *host;
	int fd;

	create.flags = GUEST_MEMFD_MMAP | GUEST_MEMFD_INIT_SHARED;
	fd = ioctl(vms.vm->fd, KVM_CREATE_GUEST_MEMFD, &create);
	if (fd < 0) {
		cr_log_info("KVM has no guest_memfd for this type of VM: %s", strerror(errno));
		cr_expect_eq(ioctl(vms.vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD), 0);
		return;
	}
	host = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(host, MAP_FAILED, "%m");
	memset(host, 0x11, PAGE);
	region.guest_memfd = (uint32_t)fd;
	region.userspace_addr = (uintptr_t)host;
	cr_assert_eq(ioctl(vms.vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), 0, "%m");
	expect_both(SLOT_GPA, 8, -EACCES, "guest_memfd");
	cr_log_info("KVM has guest_memfd here: refused");
	close(fd);
}

/* Another process's memory cannot come into it: KVM runs a vCPU for the VM's own only. */
Test(guestmem, other_processes_cannot_run_the_vcpu)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0, "%m");
	if (!pid)
		_exit(ioctl(vms.vm->vcpus[0].fd, KVM_RUN, NULL) ? errno : 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), EIO, "KVM_RUN in another process: %s",
		     strerror(WEXITSTATUS(status)));
}
