// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A vCPU that user space holds up inside KVM, in a page fault that nobody answers:
 * neither other VMs nor its own wait for it, and what it still uses goes later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "lifetime.h"

#define BOUND_MS (unsigned int)vmt_patience(2000)
#define LIBRARY_MS 3000 /* for which it tries again: lx_device_attach() */
#define PAGE 0x1000UL
#define PAGE_GPA (VMM_HEAP_GPA + 0x10000)
#define WORDS 8U
#define WORD 0x5aa5U

/* The device of another VM, or a second one of this VM's. */
static struct lx_device *other;
static pthread_t vcpu0;
static int uffd;

static void setup(void)
{
	const struct lx_region region = { .addr = 0x700, .len = 4, .space = LX_SPACE_PIO };

	life_setup(2);
	other = vmt_load_at(vmt_test_bpf_dir(), "vt_probe", &region, 1);
}

static void teardown(void)
{
	close(uffd);
	lx_device_close(other);
	life_teardown();
}

TestSuite(stuck, .init = setup, .fini = teardown, .timeout = 120);

static void ioctl_ok(int fd, unsigned long request, void *arg, const char *what)
{
	cr_assert_eq(ioctl(fd, request, arg), 0, "%s: %m", what);
}

/* Takes a page of guest memory away; who touches it waits for resolve(). */
static void take_page(void)
{
	void *page = vmm_mem(vms.vm, PAGE_GPA, PAGE);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	cr_assert_geq(uffd, 0, "userfaultfd: %m");
	ioctl_ok(uffd, UFFDIO_API, &api, "UFFDIO_API");
	/* A kernel without huge pages, as PREEMPT_RT's, does not know the advice. */
	cr_assert(!madvise(page, PAGE, MADV_NOHUGEPAGE) || errno == EINVAL, "%m");
	cr_assert_eq(madvise(page, PAGE, MADV_DONTNEED), 0, "%m");
	ioctl_ok(uffd, UFFDIO_REGISTER, &reg, "UFFDIO_REGISTER");
}

/* Waits until somebody waits for the page. */
static void wait_fault(void)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	cr_assert_eq(poll(&p, 1, vmt_patience(20000)), 1, "no page fault");
	cr_assert_eq(read(uffd, &msg, sizeof(msg)), (ssize_t)sizeof(msg), "%m");
	cr_assert_eq(msg.event, UFFD_EVENT_PAGEFAULT);
}

static void resolve(void)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)vmm_mem(vms.vm, PAGE_GPA, PAGE), .len = PAGE },
	};

	ioctl_ok(uffd, UFFDIO_ZEROPAGE, &zero, "UFFDIO_ZEROPAGE");
}

static void *run_vcpu0(void *arg)
{
	int *step = arg;

	do {
		*step = vmm_vcpu_step(&vms.vm->vcpus[0]);
	} while (*step == VMM_CONTINUE);
	return NULL;
}

/* vCPU 0 reads a string, which the program answers, into the missing page. */
static void get_stuck(int *step)
{
	struct vt_probe_state *st = lx_device_state(life.dev, NULL);

	take_page();
	st->data = WORD;
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, PAGE_GPA, WORDS);
	vms_add(1, SCRIPT_IN, 4, VMS_PORT, 0, 1);
	vms_add(1, SCRIPT_WRITE, 8, VMS_MMIO, 1, 1);
	vms_load();
	cr_assert_eq(pthread_create(&vcpu0, NULL, run_vcpu0, step), 0);
	wait_fault();
	cr_assert_eq(st->n, WORDS, "the program was asked %llu times for the string", st->n);
}

static void get_unstuck(const int *step)
{
	const uint16_t *words = vmm_mem(vms.vm, PAGE_GPA, PAGE);

	cr_assert_neq(pthread_tryjoin_np(vcpu0, NULL), 0, "vCPU 0 did not wait");
	resolve();
	pthread_join(vcpu0, NULL);
	cr_assert_eq(*step, VMM_EXITED, "vCPU 0 ended with %d", *step);
	for (unsigned int i = 0; i < WORDS; i++)
		cr_expect_eq(words[i], WORD, "word %u: %#x", i, words[i]);
}

/* The VM's other vCPU runs: a port and an MMIO access. */
static void use_vcpu1(bool by_program)
{
	const struct vt_probe_state *st = lx_device_state(life.dev, NULL);
	uint64_t calls = st->n, exits = vms_count().accesses;
	struct vmm_vcpu *vcpu = &vms.vm->vcpus[1];
	int step;

	cr_assert_eq(vmm_vcpu_reset(vcpu, VMM_GUEST_GPA), 0);
	do {
		step = vmm_vcpu_step(vcpu);
	} while (step == VMM_CONTINUE);
	cr_assert_eq(step, VMM_EXITED);
	cr_assert_eq(st->n - calls, by_program ? 2 : 0);
	cr_assert_eq(vms_count().accesses - exits, by_program ? 0 : 2);
}

/* What the calls of a test took, the longest. */
static void within_bound(uint64_t start, const char *what)
{
	uint64_t ms = life_ms() - start;

	cr_log_info("%s: %lu ms", what, ms);
	cr_expect_lt(ms, BOUND_MS, "%s took %lu ms beside a stuck vCPU", what, ms);
}

Test(stuck, neither_other_vms_nor_its_own_wait)
{
	const struct vmm_opts opts = { .vcpus = 1 };
	struct vmm *vm;
	uint64_t start;
	int step = -1, refs;

	cr_assert_eq(vmm_create(&opts, &vm), 0);
	refs = vmt_module_refs();
	vmt_attach(life.dev, vms.vm);
	get_stuck(&step);

	start = life_ms();
	vmt_attach(other, vm);
	life_ok(lx_device_detach(other), "detach");
	within_bound(start, "attach and detach of another VM");

	start = life_ms();
	life_ok(lx_device_detach(life.dev), "detach");
	within_bound(start, "detach");
	use_vcpu1(false);
	start = life_ms();
	vmt_attach(life.dev, vms.vm);
	within_bound(start, "attach");
	use_vcpu1(true);
	life_ok(lx_device_detach(life.dev), "detach");

	usleep(500000);
	cr_expect_gt(vmt_module_refs(), refs,
		     "the stuck vCPU holds nothing: was it in KVM's SRCU?");
	get_unstuck(&step);
	vmt_wait_module_refs(refs);
	vmm_destroy(vm);
}

struct slot_call {
	struct kvm_userspace_memory_region slot;
	pid_t tid;
	int err;
};

static void *add_slot(void *arg)
{
	struct slot_call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->err = ioctl(vms.vm->fd, KVM_SET_USER_MEMORY_REGION, &call->slot) ? -errno : 0;
	return NULL;
}

/* Sleeps in the kernel: KVM waits for the stuck vCPU, with the VM's slots_lock held. */
static void wait_asleep(const struct slot_call *call)
{
	char path[64];
	const char *state;

	for (int i = 0; i < vmt_patience(1000); i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
			 __atomic_load_n(&call->tid, __ATOMIC_ACQUIRE));
		state = strrchr(vmt_read_file(path), ')');
		if (state && state[2] == 'D')
			return;
		usleep(10000);
	}
	cr_assert_fail("KVM_SET_USER_MEMORY_REGION does not wait");
}

/* The first device is attached and stuck, and the VM's slots_lock is held until it is unstuck. */
static void lock_slots(struct slot_call *call, pthread_t *slots, int *step)
{
	*call = (struct slot_call){
		.slot = { .slot = 7, .guest_phys_addr = 0x40000000, .memory_size = PAGE },
	};
	call->slot.userspace_addr = (uintptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vmt_attach(life.dev, vms.vm);
	get_stuck(step);
	cr_assert_eq(pthread_create(slots, NULL, add_slot, call), 0);
	wait_asleep(call);
}

static void unlock_slots(const struct slot_call *call, pthread_t slots, const int *step)
{
	get_unstuck(step);
	pthread_join(slots, NULL);
	cr_assert_eq(call->err, 0, "KVM_SET_USER_MEMORY_REGION: %d", call->err);
}

struct waiter {
	int (*call)(void);
	int err, done;
};

static int attach_other(void)
{
	return lx_device_attach(other, vms.vm->fd);
}

static int move_other(void)
{
	const struct lx_region region = { .addr = 0x710, .len = 4, .space = LX_SPACE_PIO };

	return lx_device_move(other, vms.vm->fd, &region, 1);
}

static void *wait_for_slots(void *arg)
{
	struct waiter *w = arg;

	w->err = w->call();
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void use_another_vm(void)
{
	const struct lx_region region = { .addr = 0x700, .len = 4, .space = LX_SPACE_PIO };
	struct lx_device *third = vmt_load_at(vmt_test_bpf_dir(), "vt_probe", &region, 1);
	const struct vmm_opts opts = { .vcpus = 1 };
	struct vmm *vm = NULL;
	uint64_t start;

	life_ok(vmm_create(&opts, &vm), "vmm_create");
	start = life_ms();
	vmt_attach(third, vm);
	life_ok(lx_device_detach(third), "detach");
	within_bound(start, "attach and detach of another VM");
	lx_device_close(third);
	vmm_destroy(vm);
}

/* As long as the library tries. */
#define LIBRARY_NS 3000000000ULL

/*
 * The slots are locked for far longer than the kernel tries, and for less than the library does.
 * false: for longer than that, on a slow machine.
 */
static bool expect_wait(int (*call)(void))
{
	struct waiter w = { .call = call };
	pthread_t slots, thread;
	struct slot_call locked;
	uint64_t start;
	int step = -1;
	bool slow;

	lock_slots(&locked, &slots, &step);
	start = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_slots, &w), 0);
	usleep(500000);
	cr_expect(!__atomic_load_n(&w.done, __ATOMIC_ACQUIRE), "it returned %d", w.err);
	use_another_vm();
	unlock_slots(&locked, slots, &step);
	pthread_join(thread, NULL);
	slow = w.err == -EAGAIN && vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) - start > LIBRARY_NS;
	cr_expect(!w.err || slow, "%d", w.err);
	use_vcpu1(true);
	if (!w.err || call == move_other)
		life_ok(lx_device_detach(other), "detach");
	life_ok(lx_device_detach(life.dev), "detach");
	return !slow;
}

/* As of a VMM that is attached to while it starts. */
Test(stuck, an_attach_waits_for_the_slots)
{
	expect_wait(attach_other);
}

Test(stuck, a_move_waits_for_the_slots)
{
	unsigned int n;

	vmt_attach(other, vms.vm);
	if (expect_wait(move_other))
		cr_expect_eq(lx_device_regions(other, &n)[0].addr, 0x710);
}

Test(stuck, locked_slots_leave_what_passes)
{
	int step = -1, refs = vmt_module_refs();
	struct slot_call call;
	pthread_t slots;
	uint64_t start;

	lock_slots(&call, &slots, &step);
	start = life_ms();
	cr_expect_eq(lx_device_attach(other, vms.vm->fd), -EAGAIN);
	cr_expect_geq(life_ms() - start, LIBRARY_MS);
	within_bound(start + LIBRARY_MS, "refused attach");
	start = life_ms();
	life_ok(lx_device_detach(life.dev), "detach");
	within_bound(start, "detach");
	use_vcpu1(false);
	usleep(1500000); /* the module's retry has come by */
	cr_expect_gt(vmt_module_refs(), refs, "nothing is left on the buses");
	use_vcpu1(false);

	unlock_slots(&call, slots, &step);
	vmt_wait_module_refs(refs);
	vmt_attach(life.dev, vms.vm);
	vmt_attach(other, vms.vm);
	use_vcpu1(true);
	life_ok(lx_device_detach(other), "detach");
	life_ok(lx_device_detach(life.dev), "detach");
}

/* @pio port and @mmio MMIO regions for the second device, at @page apart from others. */
static unsigned int fill(struct lx_region *r, unsigned int pio, unsigned int mmio,
			 unsigned int page)
{
	for (unsigned int i = 0; i < pio + mmio; i++) {
		bool port = i < pio;

		r[i] = (struct lx_region){
			.addr = port ? 0x700 + page * 0x100 + i * 8 :
				       0xfd000000 + page * PAGE + i * 8,
			.len = 4,
			.space = port ? LX_SPACE_PIO : LX_SPACE_MMIO,
		};
	}
	return pio + mmio;
}

/*
 * Attaches, moves and detaches the second device on the stuck VM. Each bus that is
 * published holds the module until KVM's SRCU lets the old one go: not before the
 * vCPU is unstuck. The map and the device hold it, too.
 */
static void check_publications(unsigned int pio, unsigned int mmio)
{
	int buses = !!pio + !!mmio, refs = vmt_module_refs();
	struct lx_region r[LX_MAX_REGIONS];

	life_ok(lx_device_set_regions(other, r, fill(r, pio, mmio, 0)), "set regions");
	vmt_attach(other, vms.vm);
	vmt_wait_module_refs(refs + 2 + buses);
	life_ok(lx_device_move(other, vms.vm->fd, r, fill(r, pio, mmio, 1)), "move");
	vmt_wait_module_refs(refs + 2 + 2 * buses);
	life_ok(lx_device_detach(other), "detach");
	vmt_wait_module_refs(refs + 1 + 3 * buses);
}

/* One bus publication per bus and attach. */
Test(stuck, one_publication_per_bus)
{
	int step = -1, refs = vmt_module_refs();

	vmt_attach(life.dev, vms.vm);
	vmt_wait_module_refs(refs + 2); /* its own publication is over */
	get_stuck(&step);
	check_publications(1, 0);
	check_publications(8, 0);
	check_publications(0, 3);
	check_publications(4, 4);
	get_unstuck(&step);
	life_ok(lx_device_detach(life.dev), "detach");
	vmt_wait_module_refs(refs);
}

static void *read_info(void *fd)
{
	ssize_t n = read(*(int *)fd, vmm_mem(vms.vm, PAGE_GPA, PAGE), PAGE);

	return (void *)n;
}

/* Who reads debugfs into memory that does not come holds up neither a detach nor an attach. */
Test(stuck, a_reader_of_debugfs_holds_nobody_up)
{
	char path[64], id[16];
	pthread_t reader;
	uint64_t start;
	void *n;
	int fd;

	vmt_attach(life.dev, vms.vm);
	snprintf(id, sizeof(id), "id: %u\n", vmt_stats(life.dev).id);
	snprintf(path, sizeof(path), "/sys/kernel/debug/lightexit/%u/info", vmt_stats(life.dev).id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %m", path);
	take_page();
	cr_assert_eq(pthread_create(&reader, NULL, read_info, &fd), 0);
	wait_fault();

	start = life_ms();
	life_ok(lx_device_detach(life.dev), "detach");
	vmt_attach(other, vms.vm);
	life_ok(lx_device_detach(other), "detach");
	within_bound(start, "detach, attach and detach beside a stuck reader");
	cr_expect_eq(life_devices(), 0, "a detached device is still listed");
	cr_expect_neq(access(path, F_OK), 0, "%s is still there", path);

	cr_assert_neq(pthread_tryjoin_np(reader, NULL), 0, "the reader did not wait");
	resolve();
	pthread_join(reader, &n);
	cr_expect_gt((ssize_t)n, 0, "read: %zd", (ssize_t)n);
	cr_expect_eq(memcmp(vmm_mem(vms.vm, PAGE_GPA, PAGE), id, strlen(id)), 0);
	cr_expect_eq(pread(fd, path, 1, 0), -1, "a detached device's file can be read");
	cr_expect_eq(errno, EIO, "%m");
	close(fd);
}
