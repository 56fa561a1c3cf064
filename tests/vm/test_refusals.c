// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is refused, each with its errno: by the library, which names the cause
 * and the value, and by the kernel when bpf(2) is called past the library
 * (vmraw.h). After each refusal nothing is left of it, and a device attaches
 * and answers as ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <lightexit/dev/pmtimer.h>

#include "pmtimer.h"
#include "vmraw.h"
#include "vmscript.h"

#define PIO(_addr, _len) { .addr = (_addr), .len = (_len), .space = LX_SPACE_PIO }
#define MMIO(_addr, _len) { .addr = (_addr), .len = (_len), .space = LX_SPACE_MMIO }
#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

#define READS 100

static const struct lx_region good_region = PIO(PMTIMER_PORT, PMTIMER_LEN);

static struct lx_device *dev; /* the PM timer, loaded, for vms.vm */
static struct vmm_pmtimer *pmt;
static int vm;	 /* vms.vm's fd */
static int refs; /* of the module, with @dev loaded and nothing attached */

static void setup(void)
{
	struct vmm_pmtimer_opts opts = { .port = PMTIMER_PORT, .bits = 32 };

	vmt_wait_module_refs(0); /* what the last test left is freed a little later */
	vms_setup();
	vm = vms.vm->fd;
	vmr_init();
	dev = vmt_load(vmt_bpf_dir(), "pmtimer");
	opts.state = lx_device_state(dev, NULL);
	cr_assert_eq(vmm_pmtimer_new(vms.vm, &opts, &pmt), 0);
	vmr_exit(); /* a first use may leave something for good: count from here */
	vmr_init();
	refs = vmt_module_refs();
	vmt_log_clear();
}

static void teardown(void)
{
	vmt_set_param("enable", "Y");
	lx_device_close(dev);
	vms_teardown();
	vmm_pmtimer_free(pmt);
	vmr_exit();
}

TestSuite(refusals, .init = setup, .fini = teardown, .timeout = 120);

/* The library's refusal: errno, and words of its message. */
static void says(int err, int want, const char *what, const char *words)
{
	cr_assert_eq(err, want, "%s: %d, not %d; %s", what, err, want, vmt_log());
	cr_assert_not_null(strstr(vmt_log(), words), "%s: the message is \"%s\", without \"%s\"",
			   what, vmt_log(), words);
	vmt_log_clear();
}

/* The kernel's refusal; what was not refused is an fd. */
static void kernel_says(int err, int want, const char *what)
{
	cr_assert_eq(err, want, "%s: the kernel says %d, not %d", what, err, want);
}

static void kernel_takes(int fd, const char *what)
{
	cr_assert_geq(fd, 0, "%s: the kernel says %d", what, fd);
	close(fd);
}

static int lib_attach(int vm_fd, const struct lx_region *regions, unsigned int n)
{
	int err = lx_device_set_regions(dev, regions, n);

	return err ?: lx_device_attach(dev, vm_fd);
}

static int raw_attach(int vm_fd, const struct lx_region *regions, unsigned int n)
{
	struct lightexit_ops ops = vmr_ops(vm_fd);

	memcpy(ops.regions, regions, n * sizeof(*regions));
	ops.nr_regions = n;
	return vmr_attach(&ops);
}

/* Both ways, with the same errno. */
static void refused(int vm_fd, const struct lx_region *regions, unsigned int n, int want,
		    const char *what, const char *words)
{
	says(lib_attach(vm_fd, regions, n), want, what, words);
	kernel_says(raw_attach(vm_fd, regions, n), want, what);
}

static void taken(int vm_fd, const struct lx_region *regions, unsigned int n, const char *what)
{
	int err = lib_attach(vm_fd, regions, n);

	cr_assert_eq(err, 0, "%s: %d: %s", what, err, vmt_log());
	cr_assert_eq(lx_device_detach(dev), 0);
	kernel_takes(raw_attach(vm_fd, regions, n), what);
}

/* Nothing is left of what was refused, and a device that may attach does so and answers. */
static void still_works(void)
{
	struct lx_stats s;

	vmt_wait_module_refs(refs);
	cr_assert_eq(lx_device_set_regions(dev, &good_region, 1), 0);
	vmt_attach(dev, vms.vm);
	vms_add(0, SCRIPT_IN, 4, PMTIMER_PORT, 0, READS);
	vms_run();
	s = vmt_stats(dev);
	cr_assert_eq(s.regions[0].handled, READS);
	cr_assert_eq(vmm_dev_count(vms.vm, vmm_pmtimer_index(pmt)).accesses, 0);
	cr_assert_eq(lx_device_detach(dev), 0);
	vmt_wait_module_refs(refs);
}

static int new_vm(void)
{
	int fd = ioctl(vms.vm->kvm_fd, KVM_CREATE_VM, 0);

	cr_assert_geq(fd, 0);
	return fd;
}

Test(refusals, fds_that_are_no_vms)
{
	const struct kvm_ioeventfd ioeventfd = {
		.addr = 0x700, .len = 2, .fd = eventfd(0, 0), .flags = KVM_IOEVENTFD_FLAG_PIO
	};
	int pipes[2], i;

	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(ioctl(vm, KVM_IOEVENTFD, &ioeventfd), 0);
	const struct {
		int fd;
		const char *what, *words;
	} fds[] = {
		{ pipes[0], "a pipe", "is pipe:[" },
		{ vms.vm->kvm_fd, "/dev/kvm", "is /dev/kvm, not a VM" },
		{ vms.vm->vcpus[0].fd, "a vCPU", "is anon_inode:kvm-vcpu:0, not a VM" },
		{ ioeventfd.fd, "an ioeventfd", "is anon_inode:[eventfd], not a VM" },
		{ ioctl(vm, KVM_GET_STATS_FD, 0), "a VM's statistics", ", not a VM" },
		{ lx_device_fd(dev, LX_FD_STATE), "a BPF map", "is anon_inode:bpf-map, not a VM" },
		{ open("/", O_RDONLY), "a directory", "is /, not a VM" },
	};
	for (i = 0; i < (int)N_ELEMS(fds); i++) {
		cr_assert_geq(fds[i].fd, 0, "%s", fds[i].what);
		refused(fds[i].fd, &good_region, 1, -EINVAL, fds[i].what, fds[i].words);
	}
	still_works();
}

Test(refusals, fds_that_are_closed)
{
	char path[64];
	int low = new_vm(), fd = fcntl(low, F_DUPFD, 500), handle; /* a number that nobody takes */

	close(low);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	handle = open(path, O_PATH);
	cr_assert_geq(handle, 0);
	kernel_says(raw_attach(handle, &good_region, 1), -EBADF, "an O_PATH handle of a VM");
	taken(fd, &good_region, 1, "the same VM");
	close(handle);
	close(fd);
	snprintf(path, sizeof(path), "VM fd %d is not open", fd);
	refused(fd, &good_region, 1, -EBADF, "a closed VM", path);
	refused(-1, &good_region, 1, -EBADF, "-1", "VM fd -1 is not open");
	refused(INT_MAX, &good_region, 1, -EBADF, "INT_MAX", "VM fd 2147483647 is not open");
	still_works();
}

static const struct {
	struct lx_region region;
	int err;
	const char *words;
} bad_regions[] = {
	{ PIO(0x608, 0), -EINVAL, "region 0 (pio 0x608+0x0): its length is 0" },
	{ MMIO(0xfe000000, 0), -EINVAL, "region 0 (mmio 0xfe000000+0x0): its length is 0" },
	{ MMIO(~0ULL - 2, 16), -ERANGE, "(mmio 0xfffffffffffffffd+0x10): wraps around" },
	{ MMIO(~0ULL - 15, 16), -ERANGE, "(mmio 0xfffffffffffffff0+0x10): wraps around" },
	{ MMIO(0, 0x80000000ULL), -ERANGE, "(mmio 0x0+0x80000000): longer than 2147483647" },
	{ MMIO(0x1000, ~0ULL), -ERANGE, "longer than 2147483647" },
	{ PIO(0xffff, 2), -ERANGE, "(pio 0xffff+0x2): goes past the last port, 0xffff" },
	{ PIO(0x10000, 1), -ERANGE, "(pio 0x10000+0x1): goes past the last port" },
	{ PIO(0, 0x10001), -ERANGE, "(pio 0x0+0x10001): goes past the last port" },
	{ PIO(~0ULL, 2), -ERANGE, "(pio 0xffffffffffffffff+0x2): wraps" },
	{ { .addr = 8, .len = 1, .space = 2 }, -EINVAL, "space 2 is unknown" },
	{ { .addr = 8, .len = 1, .space = ~0U }, -EINVAL, "space 4294967295 is unknown" },
	{ { .addr = 8, .len = 1, .flags = 4 }, -EINVAL, "flags 0x4 has unknown bits" },
	{ { .addr = 8, .len = 1, .flags = 1U << 31 },
	  -EINVAL,
	  "flags 0x80000000 has unknown bits" },
};

Test(refusals, regions_out_of_bounds)
{
	const struct lx_region last[] = { PIO(0xffff, 1), PIO(0, 0xffff), MMIO(0, INT_MAX),
					  MMIO(~0ULL - 1, 1) };
	size_t i;

	for (i = 0; i < N_ELEMS(bad_regions); i++)
		refused(vm, &bad_regions[i].region, 1, bad_regions[i].err, bad_regions[i].words,
			bad_regions[i].words);
	taken(vm, last, N_ELEMS(last), "regions at the bounds");
	still_works();
}

/* A region that is refused is found wherever it is. */
Test(refusals, the_last_of_eight_regions)
{
	struct lx_region regions[LX_MAX_REGIONS];
	int i;

	for (i = 0; i < LX_MAX_REGIONS; i++)
		regions[i] = (struct lx_region)PIO(0x1000 + i, 1);
	taken(vm, regions, LX_MAX_REGIONS, "eight regions");
	regions[7].len = 0;
	refused(vm, regions, LX_MAX_REGIONS, -EINVAL, "region 7", "region 7 (pio 0x1007+0x0)");
	regions[7] = regions[2];
	refused(vm, regions, LX_MAX_REGIONS, -EEXIST, "region 7",
		"regions 2 (pio 0x1002+0x1) and 7 (pio 0x1002+0x1) overlap");
	still_works();
}

Test(refusals, number_of_regions)
{
	struct lx_region regions[LX_MAX_REGIONS + 1];
	struct lightexit_ops ops = vmr_ops(vm);
	int i;

	for (i = 0; i <= LX_MAX_REGIONS; i++)
		regions[i] = (struct lx_region)PIO(0x1000 + i, 1);
	says(lib_attach(vm, regions, 0), -EINVAL, "no region", "0 regions; a device has 1 to 8");
	says(lib_attach(vm, regions, 9), -EINVAL, "nine", "9 regions; a device has 1 to 8");
	memcpy(ops.regions, regions, sizeof(ops.regions));
	ops.nr_regions = 9;
	kernel_says(vmr_attach(&ops), -EINVAL, "nine regions");
	ops.nr_regions = ~0U;
	kernel_says(vmr_attach(&ops), -EINVAL, "4294967295 regions");
	ops.nr_regions = 7;
	kernel_says(vmr_attach(&ops), -EINVAL, "seven regions with an eighth behind them");
	memset(&ops.regions[7], 0, sizeof(ops.regions[7]));
	ops.regions[7].flags = LX_REGION_OVERLAY;
	kernel_says(vmr_attach(&ops), -EINVAL, "seven regions with a flag behind them");
	ops.regions[7].flags = 0;
	kernel_takes(vmr_attach(&ops), "seven regions");
	memset(ops.regions, 0, sizeof(ops.regions));
	ops.nr_regions = 0;
	kernel_says(vmr_attach(&ops), -EINVAL, "no region");
	still_works();
}

Test(refusals, regions_of_one_device_that_overlap)
{
	static const struct lx_region pairs[][2] = {
		{ PIO(0x608, 4), PIO(0x608, 4) },
		{ PIO(0x608, 4), PIO(0x60b, 1) },
		{ PIO(0x608, 4), PIO(0x600, 9) },
		{ MMIO(0x608, 4), MMIO(0x600, 0x20) },
	};
	static const struct lx_region apart[] = { PIO(0x608, 4), PIO(0x604, 4), PIO(0x60c, 4),
						  MMIO(0x608, 4) };
	size_t i;

	for (i = 0; i < N_ELEMS(pairs); i++)
		refused(vm, pairs[i], 2, -EEXIST, "two regions", "regions 0 (");
	taken(vm, apart, N_ELEMS(apart), "neighbours, and another space");
	still_works();
}

Test(refusals, flags_and_sizes_of_another_version)
{
	static const struct {
		__u32 sz, flags;
		int err;
	} rows[] = {
		{ 0, 0, -EINVAL },
		{ 1, 0, -EINVAL },
		{ 239, 0, -EINVAL }, /* the first version has 240 */
		{ sizeof(struct lightexit_ops) + 1, 0, -E2BIG },
		{ sizeof(struct lightexit_ops) + 8, 0, -E2BIG },
		{ ~0U, 0, -E2BIG },
		{ sizeof(struct lightexit_ops), 2, -EINVAL },
		{ sizeof(struct lightexit_ops), 1U << 31, -EINVAL },
		{ sizeof(struct lightexit_ops), LX_OPS_MOVE | 2, -EINVAL },
	};
	struct lightexit_ops ops = vmr_ops(vm);
	char what[64];
	size_t i;

	kernel_takes(vmr_attach(&ops), "the same with flags 0 and the size as it is");
	for (i = 0; i < N_ELEMS(rows); i++) {
		ops.sz = rows[i].sz;
		ops.flags = rows[i].flags;
		snprintf(what, sizeof(what), "size %u, flags 0x%x", ops.sz, ops.flags);
		kernel_says(vmr_map(&ops, BPF_F_LINK), rows[i].err, what);
	}
	ops = vmr_ops(vm);
	ops.sz = 240;
	kernel_takes(vmr_attach(&ops), "the first version's size");
	ops.kick_fd = vm;
	kernel_says(vmr_map(&ops, BPF_F_LINK), -EINVAL, "a member behind the size");
	still_works();
}

Test(refusals, names)
{
	static const char *const bad[] = {
		"",	"two words", "a/b",  "/",    ".\n",
		"\x7f", "\x80",	     "\xff", "a\tb", "1234567890123456"
	};
	static const char *const good[] = { "x", "123456789012345", "!~", "a.b-c_d:0" };
	struct lightexit_ops ops = vmr_ops(vm);
	struct lx_device *named;
	char path[512];
	size_t i;

	for (i = 0; i < N_ELEMS(bad); i++) {
		memset(ops.name, 0, sizeof(ops.name));
		memcpy(ops.name, bad[i], strlen(bad[i]));
		kernel_says(vmr_attach(&ops), -EINVAL, bad[i]);
	}
	for (i = 0; i < N_ELEMS(good); i++) {
		memset(ops.name, 0, sizeof(ops.name));
		memcpy(ops.name, good[i], strlen(good[i]));
		kernel_takes(vmr_attach(&ops), good[i]);
	}
	snprintf(path, sizeof(path), "%s/vr_name.bpf.o", vmt_test_bpf_dir());
	says(lx_device_open(path, NULL, &named), -EINVAL, path, "its name \"two words\"");
	still_works();
}

Test(refusals, two_devices_on_one_address)
{
	static const struct lx_region there = PIO(0x700, 8);
	static const struct lx_region over[] = { PIO(0x700, 8), PIO(0x700, 1), PIO(0x707, 1),
						 PIO(0x6ff, 2), PIO(0x707, 2), PIO(0x600, 0x200) };
	static const struct lx_region beside[] = { PIO(0x6f8, 8), PIO(0x708, 8), MMIO(0x700, 8) };
	int first = raw_attach(vm, &there, 1), other = new_vm();
	struct lx_region region;
	size_t i;

	cr_assert_geq(first, 0);
	for (i = 0; i < N_ELEMS(over); i++) {
		refused(vm, &over[i], 1, -EEXIST, "another device's ports",
			"another lightexit device of this VM is there");
		region = over[i];
		region.flags = LX_REGION_OVERLAY;
		refused(vm, &region, 1, -EEXIST, "the same with LX_REGION_OVERLAY", "(errno 17)");
		taken(other, &over[i], 1, "the same ports of another VM");
	}
	taken(vm, beside, N_ELEMS(beside), "what is beside");
	close(first);
	taken(vm, &there, 1, "the same when the device is gone");
	close(other);
	still_works();
}

static void add_kernel_devices(int fd)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_ioeventfd ioeventfd = { .addr = 0xfe000100, .len = 4, .fd = eventfd(0, 0) };

	cr_assert_eq(ioctl(fd, KVM_CREATE_IRQCHIP), 0, "%m");
	cr_assert_eq(ioctl(fd, KVM_CREATE_PIT2, &pit), 0, "%m");
	cr_assert_eq(ioctl(fd, KVM_IOEVENTFD, &ioeventfd), 0, "%m");
}

Test(refusals, over_a_kernel_device)
{
	static const struct lx_region over[] = { PIO(0x40, 4),
						 PIO(0x3c, 8),
						 PIO(0x61, 8),
						 PIO(0x20, 2),
						 MMIO(0xfec00000, 0x1000),
						 MMIO(0xfe000000, 0x1000),
						 MMIO(0xfe000100, 4) };
	static const struct lx_region beside[] = { PIO(0x3c, 4), PIO(0x44, 4),
						   MMIO(0xfe000000, 0x100), MMIO(0xfe000104, 4) };
	struct lx_region region;
	int fd = new_vm();
	size_t i;

	add_kernel_devices(fd);
	for (i = 0; i < N_ELEMS(over); i++) {
		refused(fd, &over[i], 1, -EBUSY, "a kernel device's range",
			"in-kernel device of somebody else's is there");
		region = over[i];
		region.flags = LX_REGION_OVERLAY;
		taken(fd, &region, 1, "the same with LX_REGION_OVERLAY");
	}
	taken(fd, beside, N_ELEMS(beside), "what is beside");
	close(fd);
	still_works();
}

/* With nothing of it left to be answered, a region is refused whatever its flag. */
Test(refusals, inside_a_kernel_device)
{
	/* The PIT, ports 0x61 to 0x64, the PIC; the IO-APIC, an ioeventfd; the PIT and a zone. */
	static const struct lx_region inside[] = {
		PIO(0x43, 1),	     PIO(0x40, 2),	  PIO(0x61, 1), PIO(0x20, 1),
		MMIO(0xfec00010, 4), MMIO(0xfe000102, 2), PIO(0x40, 8),
	};
	struct kvm_coalesced_mmio_zone zone = { .addr = 0x44, .size = 4, .pio = 1 };
	struct lx_region region, two[2] = { PIO(0x700, 4), PIO(0x43, 1) };
	int fd = new_vm();
	size_t i;

	add_kernel_devices(fd);
	cr_assert_eq(ioctl(fd, KVM_REGISTER_COALESCED_MMIO, &zone), 0, "%m");
	for (i = 0; i < N_ELEMS(inside); i++) {
		region = inside[i];
		refused(fd, &region, 1, -EBUSY, "without the flag", "in-kernel device");
		region.flags = LX_REGION_OVERLAY;
		refused(fd, &region, 1, -EBUSY, "with LX_REGION_OVERLAY",
			"nothing of a region is left");
	}
	two[1].flags = LX_REGION_OVERLAY;
	refused(fd, two, 2, -EBUSY, "the second of two", "nothing of a region is left");
	taken(fd, two, 1, "the first of them");

	cr_assert_eq(lib_attach(fd, two, 1), 0, "%s", vmt_log());
	says(lx_device_move(dev, fd, &two[1], 1), -EBUSY, "a move", "nothing of a region is left");
	cr_expect_eq(vmt_stats(dev).regions[0].region.addr, 0x700, "it stays where it was");
	cr_assert_eq(lx_device_detach(dev), 0);
	close(fd);
	still_works();
}

#define BUS_DEVICES 1000

/* 1,000 devices are KVM's limit for a bus; ioeventfds do not count. */
Test(refusals, full_bus)
{
	const struct lx_region regions[] = { MMIO(0xfe000000, 8), PIO(0x600, 1), PIO(0x602, 1) };
	struct kvm_coalesced_mmio_zone zone = { .size = 1, .pio = 1 };
	int fd = new_vm(), last, i;

	for (i = 0; i < BUS_DEVICES - 1; i++) {
		zone.addr = 0x1000 + i;
		cr_assert_eq(ioctl(fd, KVM_REGISTER_COALESCED_MMIO, &zone), 0, "%d: %m", i);
	}
	refused(fd, regions, 3, -ENOSPC, "two places of one", "the VM's bus is full");
	taken(fd, regions, 2, "one place, and one on the other bus");
	last = raw_attach(fd, regions, 2);
	cr_assert_geq(last, 0);
	refused(fd, &regions[2], 1, -ENOSPC, "no place left", "the VM's bus is full");
	zone.addr = 0x2000;
	cr_assert_eq(ioctl(fd, KVM_REGISTER_COALESCED_MMIO, &zone), -1, "KVM's limit is another");
	close(last);
	close(fd);
	still_works();
}

/* More gaps between ioeventfds, which do not count, than a bus has places. */
Test(refusals, too_many_pieces)
{
	struct lx_region region = PIO(0x1000, 2 * BUS_DEVICES + 2);
	struct kvm_ioeventfd gap = { .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO };
	int fd = new_vm(), i;

	gap.fd = eventfd(0, 0);
	for (i = 0; i <= BUS_DEVICES; i++) {
		gap.addr = region.addr + 1 + 2 * i;
		cr_assert_eq(ioctl(fd, KVM_IOEVENTFD, &gap), 0, "%d: %m", i);
	}
	region.flags = LX_REGION_OVERLAY;
	refused(fd, &region, 1, -ENOSPC, "1,001 pieces", "the VM's bus is full");
	region.len -= 2;
	taken(fd, &region, 1, "1,000 pieces");
	close(gap.fd);
	close(fd);
	still_works();
}

Test(refusals, attached_twice)
{
	struct lightexit_ops ops = vmr_ops(fcntl(vm, F_DUPFD, 500));
	int map = vmr_map(&ops, BPF_F_LINK), link = vmr_link(map), other = new_vm();

	cr_assert_geq(link, 0);
	kernel_says(vmr_link(map), -EEXIST, "a map that is attached");
	cr_assert_eq(dup2(other, ops.vm_fd), ops.vm_fd);
	kernel_says(vmr_link(map), -EEXIST, "a map that is attached, to another VM");
	close(link);
	kernel_takes(vmr_link(map), "the same map when it is not");
	close(map);
	close(other);
	close(ops.vm_fd);

	vmt_attach(dev, vms.vm);
	says(lx_device_attach(dev, vm), -EALREADY, "attach", "pmtimer is attached");
	says(lx_device_set_regions(dev, &good_region, 1), -EBUSY, "regions", "lx_device_move()");
	cr_assert_eq(lx_device_detach(dev), 0);
	says(lx_device_detach(dev), -ENOTCONN, "detach", "pmtimer is not attached");
	still_works();
}

/* A struct_ops map can also attach without a link: there would be nobody to detach it. */
Test(refusals, without_a_link)
{
	struct lightexit_ops ops = vmr_ops(vm);

	kernel_says(vmr_map(&ops, 0), -EOPNOTSUPP, "a map without BPF_F_LINK");
	kernel_takes(vmr_map(&ops, BPF_F_LINK), "the same with it");
	still_works();
}

/* Refused as it is, and with LX_OPS_MOVE @moved is what the kernel says. */
static void update_refused(int link, const struct lightexit_ops *ops, int want, int moved,
			   const char *what)
{
	struct lightexit_ops move = *ops;

	kernel_says(vmr_update(link, ops), want, what);
	move.flags = LX_OPS_MOVE;
	kernel_says(vmr_update(link, &move), moved, what);
}

Test(refusals, updates)
{
	const struct lightexit_ops first = vmr_ops(vm);
	struct lightexit_ops ops = first;
	int link = vmr_attach(&first), map = vmr_map(&first, BPF_F_LINK), other = new_vm(), there;

	cr_assert_geq(link, 0);
	kernel_says(vmr_update(link, &first), 0, "the same once more");
	strcpy(ops.name, "raW");
	update_refused(link, &ops, -EINVAL, -EINVAL, "another name");
	ops = vmr_ops(other);
	update_refused(link, &ops, -EINVAL, -EINVAL, "another VM");
	ops = vmr_ops(vms.vm->kvm_fd);
	update_refused(link, &ops, -EINVAL, -EINVAL, "no VM");
	ops = vmr_ops(-1);
	update_refused(link, &ops, -EBADF, -EBADF, "a closed VM");
	ops = first;
	ops.regions[0].addr++;
	update_refused(link, &ops, -EINVAL, 0, "another address");
	ops.regions[0].flags = LX_REGION_OVERLAY;
	update_refused(link, &ops, -EINVAL, 0, "another flag");
	ops.regions[1] = (struct lx_region)PIO(0x700, 1);
	ops.nr_regions = 2;
	update_refused(link, &ops, -EINVAL, 0, "one more region");

	ops = vmr_ops(vm);
	ops.regions[0].addr = 0x800;
	there = vmr_attach(&ops);
	ops.flags = LX_OPS_MOVE;
	kernel_says(vmr_update(link, &ops), -EEXIST, "a move onto another device");
	close(there);
	kernel_says(vmr_update(link, &ops), 0, "the same when that is gone");
	there = vmr_link(map);
	kernel_says(bpf_link_update(link, map, NULL), -EEXIST, "a map that is attached elsewhere");
	close(there);
	cr_assert_eq(bpf_link_detach(link), 0);
	kernel_says(vmr_update(link, &first), -ENOLINK, "after the detach");
	close(map);
	close(link);
	still_works();
}

Test(refusals, moves)
{
	static const struct lx_region there = PIO(0x800, 4);
	unsigned int n;
	int other = new_vm(), second;

	says(lx_device_move(dev, vm, &there, 1), -ENOTCONN, "not attached", "is not attached");
	vmt_attach(dev, vms.vm);
	second = raw_attach(vm, &there, 1);
	says(lx_device_move(dev, other, &there, 1), -EINVAL, "another VM",
	     "not this device's VM's");
	says(lx_device_move(dev, vm, &there, 1), -EEXIST, "onto another device",
	     "another lightexit device of this VM is there");
	says(lx_device_move(dev, vm, &there, 0), -EINVAL, "no region", "a device has 1 to 8");
	cr_assert_eq(lx_device_regions(dev, &n)[0].addr, PMTIMER_PORT, "it stays where it was");
	cr_assert_eq(vmt_stats(dev).regions[0].region.addr, PMTIMER_PORT);
	close(second);
	close(other);
	cr_assert_eq(lx_device_detach(dev), 0);
	still_works();
}

Test(refusals, objects)
{
	char path[512], half[1000];
	struct lx_device *bad;
	int fd, good;

	snprintf(path, sizeof(path), "%s/vr_plain.bpf.o", vmt_test_bpf_dir());
	says(lx_device_open(path, NULL, &bad), -EINVAL, path,
	     "it has 0 struct_ops of type lightexit_ops instead of one");
	says(lx_device_open("/nowhere/x.bpf.o", NULL, &bad), -ENOENT, "no file",
	     "/nowhere/x.bpf.o");

	snprintf(path, sizeof(path), "/tmp/vr_garbage.%d.bpf.o", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	says(lx_device_open(path, NULL, &bad), -EINVAL, "an empty file", "not a BPF object");
	cr_assert_eq(pwrite(fd, "\177ELF garbage, and more of it", 28, 0), 28);
	says(lx_device_open(path, NULL, &bad), -EINVAL, "garbage", "not a BPF object");
	snprintf(half, sizeof(half), "%s/pmtimer.bpf.o", vmt_bpf_dir());
	good = open(half, O_RDONLY);
	cr_assert_eq(read(good, half, sizeof(half)), sizeof(half));
	cr_assert_eq(pwrite(fd, half, sizeof(half), 0), sizeof(half));
	close(good);
	says(lx_device_open(path, NULL, &bad), -EINVAL, "half an object", "not a BPF object");
	close(fd);
	unlink(path);

	snprintf(path, sizeof(path), "%s/vr_sleep.bpf.o", vmt_test_bpf_dir());
	cr_assert_eq(lx_device_open(path, NULL, &bad), 0, "%s", vmt_log());
	says(lx_device_load(bad), -EINVAL, "a sleepable program",
	     "attach to unsupported member read of struct lightexit_ops");
	lx_device_close(bad);
	still_works();
}

Test(refusals, switched_off)
{
	struct lx_device *second;
	int link = vmr_attach(&(struct lightexit_ops){ 0 });

	kernel_says(link, -EINVAL, "an empty lightexit_ops");
	vmt_set_param("enable", "N");
	refused(vm, &good_region, 1, -ESHUTDOWN, "switched off",
		"echo Y > /sys/module/lightexit/parameters/enable");
	cr_assert_eq(lx_device_open("pmtimer", NULL, &second), 0);
	says(lx_device_load(second), -ENOENT, "load",
	     "/sys/module/lightexit/parameters/enable is N");
	lx_device_close(second);
	vmt_set_param("enable", "Y");
	still_works();
}
