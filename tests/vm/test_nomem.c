// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory that is not there: each allocation of an attach, a move, a detach and a
 * string fails in its turn, and KVM's own when it makes a bus smaller. For a kernel
 * that injects faults (CONFIG_FAILSLAB: the lab's debug kernel); tests/vm/run.sh
 * leaves this out on others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "lifetime.h"

#define WORDS 8U

static const struct lx_region here[] = {
	{ VMS_PORT, VMS_PORTS, LX_SPACE_PIO, LX_REGION_STRINGS },
	{ VMS_MMIO, VMS_MMIO_LEN, LX_SPACE_MMIO, 0 },
};

static const struct lx_region elsewhere[] = {
	{ 0x700, VMS_PORTS, LX_SPACE_PIO, LX_REGION_STRINGS },
	{ 0xfd000000, VMS_MMIO_LEN, LX_SPACE_MMIO, 0 },
};

/* fault-injection.rst: the N-th allocation of this thread's system calls fails; 0: none. */
static int nth_fd;

static void set_failslab(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/failslab/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %m", path);
	cr_assert_eq(write(fd, value, strlen(value)), (ssize_t)strlen(value), "%s: %m", path);
	close(fd);
}

static void setup(void)
{
	life_setup(2);
	set_failslab("ignore-gfp-wait", "N");
	set_failslab("verbose", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	cr_assert_geq(nth_fd, 0, "fail-nth: %m");
}

static void teardown(void)
{
	close(nth_fd);
	life_teardown();
}

TestSuite(nomem, .init = setup, .fini = teardown, .timeout = 600);

static void set_nth(unsigned int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", n);

	cr_assert_eq(pwrite(nth_fd, buf, len, 0), len, "fail-nth: %m");
}

/* True if an allocation has failed since set_nth(). */
static bool has_failed(void)
{
	char buf[16] = { 0 };

	cr_assert_gt(pread(nth_fd, buf, sizeof(buf) - 1, 0), 0, "fail-nth: %m");
	set_nth(0);
	return !strtoul(buf, NULL, 10);
}

static int attach(void)
{
	return lx_device_attach(life.dev, vms.vm->fd);
}

static int move(void)
{
	return lx_device_move(life.dev, vms.vm->fd, elsewhere, 2);
}

static int detach(void)
{
	return lx_device_detach(life.dev);
}

/* Calls @fn with its @n-th allocation failing; false if it does not have as many. */
static bool fails(unsigned int n, int (*fn)(void), int *err)
{
	vmt_log_clear();
	set_nth(n);
	*err = fn();
	return has_failed();
}

/* @n failures, of which @errors were errors; the module alone has a few allocations. */
static void report(const char *what, unsigned int n, unsigned int errors)
{
	cr_log_info("%s: %u allocations failed, %u times it did", what, n, errors);
	cr_expect_geq(n, 4, "%s: only %u allocations", what, n);
}

Test(nomem, attach)
{
	unsigned int n, errors = 0;
	int err;

	for (n = 1; fails(n, attach, &err); n++) {
		cr_assert(!err || err == -ENOMEM, "allocation %u: %d: %s", n, err, vmt_log());
		errors += !!err;
		life_use(!err);
		if (!err)
			life_ok(detach(), "detach");
		cr_assert_eq(life_devices(), 0, "allocation %u: a device is left", n);
	}
	life_ok(err, "attach with memory");
	life_use(true);
	report("attach", n - 1, errors);
	cr_expect_geq(errors, 4, "an attach needs more than %u allocations", errors);
	life_ok(detach(), "detach");
	life_wait_quiet();
}

Test(nomem, move)
{
	unsigned int n, errors = 0;
	int err;

	life_ok(attach(), "attach");
	for (n = 1; fails(n, move, &err); n++) {
		cr_assert(!err || err == -ENOMEM, "allocation %u: %d: %s", n, err, vmt_log());
		errors += !!err;
		life_use(err);
		if (!err)
			life_ok(lx_device_move(life.dev, vms.vm->fd, here, 2), "move back");
		cr_assert_eq(life_devices(), 1);
	}
	life_ok(err, "move with memory");
	life_use(false);
	report("move", n - 1, errors);
	cr_expect_geq(errors, 4, "a move needs more than %u allocations", errors);
	life_ok(detach(), "detach");
	life_wait_quiet();
}

/* It does not fail: what cannot be removed passes until it can. */
Test(nomem, detach)
{
	unsigned int n;
	int err;

	life_ok(attach(), "attach");
	for (n = 1; fails(n, detach, &err); n++) {
		life_ok(err, "detach without memory");
		life_use(false);
		life_wait_quiet();
		life_ok(attach(), "attach");
		life_use(true);
	}
	life_ok(err, "detach with memory");
	report("detach", n - 1, 0);
	life_wait_quiet();
}

/* vCPU 1, in this thread, reads a string. Returns whether an allocation failed meanwhile. */
static bool read_string(unsigned int n)
{
	struct vmm_vcpu *vcpu = &vms.vm->vcpus[1];
	bool failed;
	int step;

	vms_add(1, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, WORDS);
	vms_load();
	set_nth(n);
	do {
		step = vmm_vcpu_step(vcpu);
	} while (step == VMM_CONTINUE);
	failed = has_failed();
	cr_assert_eq(step, VMM_EXITED, "vCPU 1 ended with %d", step);
	vms_clear();
	return failed;
}

/* A string that cannot be noted down passes as a whole. */
Test(nomem, string)
{
	const struct vt_probe_state *st = lx_device_state(life.dev, NULL);
	uint64_t calls, exits;
	unsigned int n = 0;
	bool failed;

	read_string(0); /* KVM has its own memory now */
	do {
		life_ok(attach(), "attach");
		calls = st->n;
		exits = vms_count().accesses;
		failed = read_string(++n);
		calls = st->n - calls;
		exits = vms_count().accesses - exits;
		cr_expect(calls == (exits ? 0 : WORDS) && exits == (calls ? 0 : WORDS),
			  "allocation %u: %lu elements asked, %lu passed", n, calls, exits);
		cr_expect(n > 1 || (failed && exits == WORDS), "the first allocation is another");
		life_ok(detach(), "detach");
	} while (failed);
	cr_expect_eq(calls, WORDS, "with memory the program was asked %lu times", calls);
	life_wait_quiet();
}

static void zone_ok(unsigned long request, bool pio)
{
	struct kvm_coalesced_mmio_zone zone = {
		.addr = pio ? 0x1000 : 0xfc000000,
		.size = 4,
		.pio = pio,
	};

	cr_assert_eq(ioctl(vms.vm->fd, request, &zone), 0, "coalesced zone: %m");
}

/* KVM has no memory for the smaller bus and destroys the old one, with our pieces. */
static void lose_bus(bool pio)
{
	zone_ok(KVM_REGISTER_COALESCED_MMIO, pio);
	set_nth(1);
	zone_ok(KVM_UNREGISTER_COALESCED_MMIO, pio);
	cr_assert(has_failed(), "KVM needed no memory");
}

static void expect_exits(unsigned int pio, unsigned int mmio)
{
	uint64_t ports = vmm_dev_count(vms.vm, vms.ports).accesses;
	uint64_t exits = vmm_dev_count(vms.vm, vms.mmio).accesses;

	vms_in(4, VMS_PORT);
	vms_read(8, VMS_MMIO);
	vms_run();
	cr_expect_eq(vmm_dev_count(vms.vm, vms.ports).accesses - ports, pio, "ports");
	cr_expect_eq(vmm_dev_count(vms.vm, vms.mmio).accesses - exits, mmio, "MMIO");
}

Test(nomem, kvm_gives_a_bus_up)
{
	life_ok(attach(), "attach");
	expect_exits(0, 0);
	lose_bus(true);
	expect_exits(1, 0);
	cr_expect_eq(vmt_stats(life.dev).pid, getpid(), "the VM is there");
	life_ok(detach(), "detach from the other bus");
	expect_exits(1, 1);
	cr_expect_eq(attach(), -ENOMEM, "an attach to a bus that is gone");
	expect_exits(1, 1);
	life_wait_quiet();
}

Test(nomem, kvm_gives_both_up)
{
	life_ok(attach(), "attach");
	lose_bus(false);
	expect_exits(0, 1);
	life_ok(lx_device_move(life.dev, vms.vm->fd, here, 1), "move to the bus that is left");
	expect_exits(0, 1);
	lose_bus(true);
	expect_exits(1, 1);
	cr_expect_eq(vmt_stats(life.dev).pid, 0, "no piece is left on the VM");
	life_ok(detach(), "detach");
	life_wait_quiet();
}
