// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A virtio disk over MMIO, with the VMM alone, with the program and a mirror page, and
 * with both coming and going: the guest reads what it wrote, sees the same registers,
 * and is interrupted for each batch. With program and mirror neither an interrupt nor
 * a notification is a heavy exit.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "virtio_blk.h"
#include "virtio_guest.h"
#include "vmscript.h"

VMM_GUEST(virtio);

#define BASE 0xd0000000UL
#define GSI 5U
#define SLOT 9U
#define SEED 0x76697274696fULL
#define REQUESTS vmt_scale(60000)
#define MIN_HANDLED 1000U
/* Sizes that differ in both halves of the capacity, so that a torn one is neither. */
#define SIZE_SMALL 0x1ffffffffULL
#define SIZE_LARGE 0x200000000ULL
#define IMAGE (SIZE_LARGE * VMM_BLK_SECTOR)

static const struct lx_region region = { BASE, VIRTIO_MMIO_PAGE, LX_SPACE_MMIO, 0 };

static struct lx_device *dev;
static struct vmm *vm;
static struct vmm_loop *loop;
static struct vmm_blk *blk;
static uint8_t *image;
static bool mirrored;

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vmm_destroy(vm); /* first: vCPUs use the rest, if the test failed */
	vmm_blk_free(blk);
	vmm_loop_free(loop);
	lx_device_close(dev);
	if (image)
		munmap(image, IMAGE);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(virtio, .init = setup, .fini = teardown, .timeout = 300);

static void make_image(void)
{
	image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(image, MAP_FAILED);
	for (uint32_t i = 0; i < VIRTIO_SECTORS * VMM_BLK_SECTOR; i++)
		image[i] = virtio_byte(i / VMM_BLK_SECTOR, 0, i % VMM_BLK_SECTOR);
}

static void create(void)
{
	struct vmm_blk_opts opts = { .base = BASE, .gsi = GSI, .size = IMAGE };
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };

	make_image();
	dev = vmt_load_at(vmt_bpf_dir(), "virtio_mmio", &region, 1);
	cr_assert_eq(
		vmm_create(&(struct vmm_opts){ .vcpus = 1, .irqchip = VMM_IRQCHIP_KERNEL }, &vm),
		0);
	cr_assert_eq(vmm_loop_new(&loop), 0);
	opts.loop = loop;
	opts.state = lx_device_state(dev, NULL);
	opts.image = image;
	cr_assert_eq(vmm_blk_new(vm, &opts, &blk), 0);
	fds.slots[0] = vmm_virtio_doorbell(vmm_blk_virtio(blk), 0);
	cr_assert_eq(lx_device_set_eventfds(dev, &fds), 0, "%s", vmt_log());
}

static void mirror(void)
{
	int err = lx_device_mirror(dev, vm->fd, SLOT, BASE, VIRTIO_MMIO_PAGE, VIRTIO_MMIO_PAGE);

	cr_assert_eq(err, 0, "%d: %s", err, vmt_log());
	mirrored = true;
}

static void unmirror(void)
{
	int err = lx_device_unmirror(dev, SLOT);

	cr_assert_eq(err, 0, "%d: %s", err, vmt_log());
	mirrored = false;
}

static struct virtio_params *start(void)
{
	struct virtio_params *p = vmm_params(vm);

	*p = (struct virtio_params){
		.base = BASE,
		.pin = GSI,
		.requests = REQUESTS,
		.seed = SEED,
		.capacity = { SIZE_SMALL, SIZE_LARGE },
	};
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(virtio)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	return p;
}

static bool running(const struct virtio_params *p)
{
	return __atomic_load_n(&p->done, __ATOMIC_RELAXED) < p->requests &&
	       !__atomic_load_n(&p->bad_setups, __ATOMIC_RELAXED);
}

static uint64_t heavy(void)
{
	return vmm_dev_count(vm, vmm_virtio_index(vmm_blk_virtio(blk))).exits;
}

static uint64_t handled(void)
{
	return vmt_stats(dev).regions[0].handled;
}

/*
 * What a look sees, 4.2.2: a block device, whose driver took part of what it offers and
 * runs queue 0, of 128 entries.
 */
static uint64_t sum_of_page(uint64_t sum, unsigned int features, bool queue)
{
	/* 6: VIRTIO_F_VERSION_1; VIRTIO_F_EVENT_IDX; 5.2.3: VIRTIO_BLK_F_FLUSH */
	const uint32_t sets[] = { 1U << 29 | 1U << 9, 1, 0, 0, 0 };
	uint32_t regs[0x100 / 4] = {
		[0x000 / 4] = 0x74726976,
		[0x004 / 4] = 2,
		[0x008 / 4] = 2,
		[0x010 / 4] = sets[features],
		[0x034 / 4] = queue ? 128 : 0,
		[0x044 / 4] = queue,
		[0x070 / 4] = 15,
		[0x0b0 / 4] = 0xffffffff,
		[0x0b4 / 4] = 0xffffffff,
		[0x0b8 / 4] = 0xffffffff,
		[0x0bc / 4] = 0xffffffff,
	};

	for (unsigned int i = 0; i < 0x0fc / 4; i++) {
		if (i != 0x060 / 4)
			sum = virtio_sum(sum, regs[i]);
	}
	sum = virtio_sum(sum, 0x69);
	sum = virtio_sum(sum, 0x7472);
	sum = virtio_sum(sum, 0x0000000274726976);
	return virtio_sum(sum, 0);
}

static uint64_t sum_of_looks(uint64_t looks)
{
	uint64_t sum = 0;

	while (looks--) {
		for (unsigned int i = 0; i < VIRTIO_SELECTED; i++)
			sum = sum_of_page(sum, i, virtio_queues[i] == 0);
		sum = sum_of_page(sum, VIRTIO_SELECTED - 1, true);
	}
	return sum;
}

/* All requests done, their data right in the guest and on the disk, registers as they should be. */
static void finish(const struct virtio_params *p)
{
	int err = vmm_join(vm, 3 * VMS_TIMEOUT_MS);

	cr_assert_eq(err, 0, "%d after %lu requests, %u interrupts", err, p->done,
		     p->counts[VIRTIO_VECTOR]);
	cr_assert_eq(p->bad_setups, 0);
	cr_expect_geq(p->done, p->requests);
	cr_expect(p->stopped, "a chain that makes no sense");
	cr_expect_eq(p->errors, 0, "%lu of %lu requests went wrong", p->errors, p->done);
	cr_expect_eq(p->bad_capacities, 0);
	cr_expect_geq(p->looks, p->done / VIRTIO_BATCH / VIRTIO_LOOK);
	cr_expect_eq(p->registers, sum_of_looks(p->looks), "registers read wrongly");
	cr_expect_eq(vmm_blk_requests(blk), p->done);
	cr_expect_eq(p->interrupts, p->counts[VIRTIO_VECTOR]);
	for (uint32_t i = 0; i < VIRTIO_SECTORS * VMM_BLK_SECTOR; i++) {
		uint32_t sector = i / VMM_BLK_SECTOR;
		uint8_t want = virtio_byte(sector, p->writes[sector], i % VMM_BLK_SECTOR);

		cr_assert_eq(image[i], want, "sector %u on the disk", sector);
	}
}

static void report(const struct virtio_params *p, uint64_t exits)
{
	cr_log_info("%lu requests, %lu notifications, %lu wakeups, %lu interrupts: %lu heavy exits",
		    p->done, p->notify, vmm_blk_wakeups(blk), p->interrupts, exits);
}

/* Proves: the VMM alone; each interrupt costs it two exits, each notification one. */
Test(virtio, vmm)
{
	struct virtio_params *p;

	create();
	p = start();
	finish(p);
	cr_expect_geq(p->interrupts, 300);
	cr_expect_geq(heavy(), p->interrupts + p->acks + p->notify);
	report(p, heavy());
}

/* Heavy exits of what the VMM has to decide: a reset, and a look at the registers. */
#define RESET_EXITS 24U
#define LOOK_EXITS 6U

static uint64_t needed_exits(const struct virtio_params *p)
{
	uint64_t batches = 2 * p->done / VIRTIO_BATCH + 1;

	return (batches / VIRTIO_RESET + 2) * RESET_EXITS +
	       (batches / VIRTIO_LOOK + 1) * LOOK_EXITS;
}

/* Proves: the same from program and mirror; interrupts and notifications cost no heavy exit. */
Test(virtio, program_and_mirror)
{
	uint64_t most;
	struct virtio_params *p;

	create();
	vmt_attach(dev, vm);
	mirror();
	p = start();
	finish(p);
	cr_expect_geq(handled(), MIN_HANDLED);
	cr_expect_geq(handled(), p->acks + p->notify - p->acks / 50);
	/* A write that finds the worker in the lock may pass. */
	most = needed_exits(p) + (p->acks + p->notify) / 50;
	cr_expect_leq(heavy(), most, "%lu heavy exits, at most %lu", heavy(), most);
	report(p, heavy());
}

/* Proves: the program alone gives the same values, for a VMM without a memory slot to spare. */
Test(virtio, program_alone)
{
	struct virtio_params *p;

	create();
	vmt_attach(dev, vm);
	p = start();
	finish(p);
	cr_expect_geq(handled(), MIN_HANDLED);
	cr_expect_geq(handled(), p->interrupts + p->acks + p->notify - p->interrupts / 20);
	report(p, heavy());
}

/* Program and mirror, in either order, or one of them. */
static uint64_t come_and_go(void)
{
	int dice = rand();
	uint64_t n;

	if (dice & 1)
		mirror();
	vmt_attach(dev, vm);
	if (dice & 2 && !mirrored)
		mirror();
	vmt_stay(30000);
	if (dice & 4 && mirrored)
		unmirror();
	n = handled();
	cr_assert_eq(lx_device_detach(dev), 0);
	if (dice & 8)
		vmt_nap(5000); /* a mirror without a program */
	if (mirrored)
		unmirror();
	return n;
}

/* Proves: the same while program and mirror come and go, in any order. */
Test(virtio, attached_and_detached_at_random)
{
	uint64_t n = 0, all, rounds = 0;
	struct virtio_params *p;

	create();
	p = start();
	while (running(p)) {
		n += come_and_go();
		vmt_nap(10000);
		rounds++;
	}
	finish(p);
	all = p->acks + p->notify;
	cr_expect(n >= MIN_HANDLED && n >= all / 5, "%lu of %lu handled", n, all);
	cr_expect_geq(heavy(), 200);
	cr_log_info("attached %lu times", rounds);
	report(p, heavy());
}

/* Proves: a driver that reads its configuration while it changes sees one or the other. */
Test(virtio, resized)
{
	uint64_t sizes[] = { SIZE_SMALL, SIZE_LARGE }, n = 0;
	struct virtio_params *p;

	create();
	vmt_attach(dev, vm);
	mirror();
	p = start();
	while (running(p)) {
		vmt_nap(2000);
		unmirror();
		vmm_blk_resize(blk, sizes[n++ % 2] * VMM_BLK_SECTOR);
		mirror();
	}
	finish(p);
	cr_expect_geq(p->config_changes, 10);
	/* And once the device says that it needs a reset. */
	cr_expect_leq(p->config_changes, n + 1, "%lu of %lu", p->config_changes, n);
	cr_expect_geq(handled(), MIN_HANDLED);
}

/* Leaves the device frozen for a while. Return: the guest's accesses meanwhile */
static uint64_t freeze_a_while(void)
{
	struct lx_state *hdr = &((struct virtio_mmio_state *)lx_device_state(dev, NULL))->hdr;
	struct vmm_virtio *virtio = vmm_blk_virtio(blk);
	uint64_t served, accesses;

	lx_state_freeze(hdr, vmm_clock_ns(vm, hdr->clock));
	vmm_virtio_settle(virtio);
	served = vmm_blk_requests(blk);
	accesses = heavy();
	vmt_nap(5000);
	cr_expect_eq(vmm_blk_requests(blk), served, "requests were served while frozen");
	accesses = heavy() - accesses;
	lx_state_thaw(hdr, vmm_clock_ns(vm, hdr->clock));
	vmm_virtio_kick(virtio);
	return accesses;
}

/* Proves: what is frozen is left alone, though it is notified, and goes on after the thaw. */
Test(virtio, frozen)
{
	struct virtio_params *p;
	uint64_t n = 0;

	create();
	vmt_attach(dev, vm);
	mirror();
	p = start();
	while (running(p)) {
		n += freeze_a_while();
		vmt_nap(10000);
	}
	finish(p);
	cr_expect_gt(n, 0, "never used while frozen");
	cr_expect_geq(handled(), MIN_HANDLED);
}
