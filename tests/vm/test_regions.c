// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Regions: several of one device on both buses, and around and over what KVM
 * itself has there: the PIT, ioeventfds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bpf/vt_probe.h"
#include "vmscript.h"

static struct lx_device *probe;
static struct vt_probe_state *st;

static void load_probe(const struct lx_region *regions, unsigned int n)
{
	probe = vmt_load_at(vmt_test_bpf_dir(), "vt_probe", regions, n);
	st = lx_device_state(probe, NULL);
	st->verdict = LX_HANDLED;
}

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(probe);
	probe = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(regions, .init = setup, .fini = teardown, .timeout = 120);

Test(regions, eight_on_both_buses)
{
	struct lx_region r[LX_MAX_REGIONS];
	struct lx_stats s;

	for (unsigned int i = 0; i < 8; i++)
		r[i] = (struct lx_region){
			/* Neighbours on each bus, and not in their order. */
			.addr = i & 1 ? VMS_MMIO + 0x100 * (8 - i) : VMS_PORT + 4 * (8 - i) / 2,
			.len = i & 1 ? 0x100 : 4,
			.space = i & 1 ? LX_SPACE_MMIO : LX_SPACE_PIO,
		};
	load_probe(r, 8);
	vmt_attach(probe, vms.vm);
	for (unsigned int i = 0; i < 8; i++) {
		/* First and last byte. */
		vms_add(0, i & 1 ? SCRIPT_READ : SCRIPT_IN, 1, r[i].addr, 0, 1);
		vms_add(0, i & 1 ? SCRIPT_WRITE : SCRIPT_OUT, 1, r[i].addr + r[i].len - 1, i, 1);
	}
	/* Over the end of one region into the next: no device's. */
	vms_write(4, r[7].addr + 0xfe, 0x51525354);
	vms_run();
	cr_assert_eq(st->n, 16);
	for (unsigned int i = 0; i < 8; i++) {
		const struct vt_seen *rd = &st->seen[2 * i], *wr = &st->seen[2 * i + 1];

		cr_expect(rd->region == i && rd->addr == 0 && !rd->write,
			  "region %u: read %u+%#llx", i, rd->region, rd->addr);
		cr_expect(wr->region == i && wr->addr == r[i].len - 1 && wr->write && wr->data == i,
			  "region %u: write %u+%#llx", i, wr->region, wr->addr);
	}
	cr_expect_eq(vms.n, 1);
	vms_saw(0, true, LX_SPACE_MMIO, r[7].addr + 0xfe, 4, 0x51525354);
	s = vmt_stats(probe);
	cr_expect_eq(s.n_regions, 8);
	for (unsigned int i = 0; i < 8; i++) {
		cr_expect_eq(s.regions[i].handled, 2);
		cr_expect_eq(s.regions[i].passed, 0);
		cr_expect_eq(memcmp(&s.regions[i].region, &r[i], sizeof(r[i])), 0);
	}
}

/* KVM's PIT: 4 ports from 0x40. 8254: 0x43 is the control word, 0xe2 latches counter 0's status. */
#define PIT 0x40U
#define PIT_LEN 4U
#define PIT_CONTROL 0x43U
#define PIT_MODE2_LOHI 0x34U
#define PIT_MODE3_LO 0x16U
#define PIT_LATCH_STATUS 0xe2U
#define PIT_STATUS_MODE 0x3fU

static void create_with_pit(void)
{
	vms_teardown();
	vms_create(&(struct vmm_opts){ .irqchip = VMM_IRQCHIP_KERNEL });
}

/* Sets counter 0's mode and reads it back. */
static uint64_t pit_mode(uint64_t control)
{
	const struct script_op *op;

	vms_out(1, PIT_CONTROL, control);
	vms_out(1, PIT_CONTROL, PIT_LATCH_STATUS);
	op = vms_in(1, PIT);
	vms_run();
	return op->data & PIT_STATUS_MODE;
}

Test(regions, over_the_pit_only_with_the_flag)
{
	const struct lx_region r = { .addr = PIT, .len = PIT_LEN, .space = LX_SPACE_PIO };

	create_with_pit();
	load_probe(&r, 1);
	vmt_log_clear();
	cr_expect_eq(lx_device_attach(probe, vms.vm->fd), -EBUSY);
	cr_expect_not_null(strstr(vmt_log(), "LX_REGION_OVERLAY"), "says: %s", vmt_log());
	cr_expect_eq(pit_mode(PIT_MODE2_LOHI), PIT_MODE2_LOHI, "the PIT is gone");
}

Test(regions, over_the_pit_with_its_bounds)
{
	const struct lx_region r = {
		.addr = PIT,
		.len = PIT_LEN,
		.space = LX_SPACE_PIO,
		.flags = LX_REGION_OVERLAY,
	};
	const struct script_op *op;

	create_with_pit();
	load_probe(&r, 1);
	st->verdict = LX_PASS;
	vmt_attach(probe, vms.vm);
	/* The program is asked first; what it passes is the PIT's, not the VMM's. */
	cr_expect_eq(pit_mode(PIT_MODE2_LOHI), PIT_MODE2_LOHI);
	cr_expect_eq(pit_mode(PIT_MODE3_LO), PIT_MODE3_LO);
	cr_expect_eq(st->n, 6);
	cr_expect_eq(vmt_stats(probe).regions[0].passed, 6);
	cr_expect_eq(vmm_dev_count(vms.vm, VMM_MAX_DEVS).exits, 0, "the VMM was asked");
	/* What it handles the PIT does not see: the mode stays. */
	st->verdict = LX_HANDLED;
	st->addr_mask = 1ULL << (PIT_CONTROL - PIT) | 1ULL << 2;
	st->data = 0x99;
	vms_out(1, PIT_CONTROL, PIT_MODE2_LOHI);
	op = vms_in(1, PIT + 2);
	vms_run();
	cr_expect_eq(op->data, 0x99);
	st->addr_mask = 1ULL << 63;
	vms_out(1, PIT_CONTROL, PIT_LATCH_STATUS);
	op = vms_in(1, PIT);
	vms_run();
	cr_expect_eq(op->data & PIT_STATUS_MODE, PIT_MODE3_LO);
	/* And it is there when the program is gone. */
	cr_assert_eq(lx_device_detach(probe), 0);
	cr_expect_eq(pit_mode(PIT_MODE2_LOHI), PIT_MODE2_LOHI);
}

Test(regions, around_the_pit)
{
	const struct lx_region r = {
		.addr = PIT - 1,
		.len = PIT_LEN + 2,
		.space = LX_SPACE_PIO,
		.flags = LX_REGION_OVERLAY,
	};
	const struct script_op *op[2];

	create_with_pit();
	load_probe(&r, 1);
	st->data = 0x77;
	vmt_attach(probe, vms.vm);
	op[0] = vms_in(1, PIT - 1);
	op[1] = vms_in(1, PIT + PIT_LEN);
	vms_run();
	cr_expect(op[0]->data == 0x77 && op[1]->data == 0x77, "%#lx %#lx", op[0]->data,
		  op[1]->data);
	cr_expect_eq(st->seen[0].addr, 0);
	cr_expect_eq(st->seen[1].addr, PIT_LEN + 1, "the pieces' addresses are not the region's");
	cr_expect_eq(pit_mode(PIT_MODE2_LOHI), PIT_MODE2_LOHI);
	cr_expect_eq(st->n, 2, "the PIT's own ports reach the program");
	cr_expect_eq(vmt_stats(probe).regions[0].shadowed, 0);
}

static int add_ioeventfd(uint64_t addr, uint32_t len, uint32_t flags, uint64_t match)
{
	struct kvm_ioeventfd args = {
		.addr = addr,
		.len = len,
		.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.flags = flags,
		.datamatch = match,
	};

	cr_assert_geq(args.fd, 0);
	cr_assert_eq(ioctl(vms.vm->fd, KVM_IOEVENTFD, &args), 0, "ioeventfd at %#lx: %m", addr);
	return args.fd;
}

/* How often it was signalled since the last time. */
static uint64_t fired(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

#define BELL (VMS_MMIO + 0x100)
#define BELL_PORT (VMS_PORT + 8)

static const struct lx_region around[] = {
	{ VMS_PORT, VMS_PORTS, LX_SPACE_PIO, LX_REGION_OVERLAY },
	{ VMS_MMIO, VMS_MMIO_LEN, LX_SPACE_MMIO, LX_REGION_OVERLAY },
};

Test(regions, around_ioeventfds)
{
	static const uint64_t beside[] = { BELL - 4, BELL + 4, VMS_MMIO,
					   VMS_MMIO + VMS_MMIO_LEN - 4 };
	static const uint64_t ports[] = { BELL_PORT - 2, BELL_PORT + 2, VMS_PORT };
	int bell, port;

	bell = add_ioeventfd(BELL, 4, 0, 0);
	port = add_ioeventfd(BELL_PORT, 2, KVM_IOEVENTFD_FLAG_PIO, 0);
	load_probe(around, 2);
	vmt_attach(probe, vms.vm);
	for (unsigned int i = 0; i < 4; i++)
		vms_write(4, beside[i], i);
	for (unsigned int i = 0; i < 3; i++)
		vms_out(2, ports[i], i);
	vms_write(4, BELL, 1);
	vms_write(4, BELL, 2);
	vms_out(2, BELL_PORT, 1);
	vms_run();
	cr_expect_eq(st->n, 7, "the program saw %llu writes", st->n);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect(st->seen[i].region == 1 && st->seen[i].addr == beside[i] - VMS_MMIO,
			  "write %u: %u+%#llx", i, st->seen[i].region, st->seen[i].addr);
	for (unsigned int i = 0; i < 3; i++)
		cr_expect(
			st->seen[4 + i].region == 0 && st->seen[4 + i].addr == ports[i] - VMS_PORT,
			"write %u: %u+%#llx", 4 + i, st->seen[4 + i].region, st->seen[4 + i].addr);
	cr_expect_eq(fired(bell), 2);
	cr_expect_eq(fired(port), 1);
	cr_expect_eq(vms_count().accesses, 0);
	cr_expect_eq(vmt_stats(probe).regions[0].shadowed, 0);
	cr_expect_eq(vmt_stats(probe).regions[1].shadowed, 0);

	/* Reads of it are the VMM's, with or without the program. */
	vms_read(4, BELL);
	vms_run();
	cr_expect_eq(vms.n, 1);
	cr_expect_eq(st->n, 7);
}

/* An ioeventfd of length 0 takes writes of any length to its address. */
Test(regions, around_an_ioeventfd_of_length_0)
{
	int bell = add_ioeventfd(BELL, 0, 0, 0);

	load_probe(around, 2);
	vmt_attach(probe, vms.vm);
	vms_write(1, BELL, 1);
	vms_write(4, BELL, 1);
	vms_write(4, BELL - 4, 2);
	vms_write(4, BELL + 4, 3);
	vms_run();
	cr_expect_eq(fired(bell), 2);
	cr_expect_eq(st->n, 2);
	cr_expect_eq(st->seen[0].addr, BELL - 4 - VMS_MMIO);
	cr_expect_eq(st->seen[1].addr, BELL + 4 - VMS_MMIO);
	cr_expect_eq(vms_count().accesses, 0);
}

Test(regions, an_ioeventfd_that_comes_later_shadows)
{
	int bell, match;

	load_probe(around, 2);
	vmt_attach(probe, vms.vm);
	cr_expect_eq(vmt_stats(probe).regions[1].shadowed, 0);
	bell = add_ioeventfd(BELL, 4, 0, 0);
	cr_expect_eq(vmt_stats(probe).regions[1].shadowed, 1);
	cr_expect_eq(vmt_stats(probe).regions[0].shadowed, 0);
	match = add_ioeventfd(BELL_PORT, 2, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH,
			      5);
	cr_expect_eq(vmt_stats(probe).regions[0].shadowed, 1);

	/* To attach again puts the pieces around it. */
	cr_assert_eq(lx_device_detach(probe), 0);
	vmt_attach(probe, vms.vm);
	cr_expect_eq(vmt_stats(probe).regions[1].shadowed, 0);
	vms_write(4, BELL, 1);
	vms_write(4, BELL + 4, 1);
	vms_out(2, BELL_PORT, 5);
	vms_out(2, BELL_PORT, 6);
	vms_run();
	cr_expect_eq(fired(bell), 1);
	cr_expect_eq(fired(match), 1);
	cr_expect_eq(st->n, 1);
	cr_expect_eq(st->seen[0].addr, BELL + 4 - VMS_MMIO);
	/* The other value is nobody's in the kernel. */
	cr_expect_eq(vms.n, 1);
	vms_saw(0, true, LX_SPACE_PIO, BELL_PORT, 2, 6);
}
