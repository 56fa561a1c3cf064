// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Mirror pages: guests read them without any exit, by KVM's own count; writes reach the
 * program, or the VMM where there is none, and are read back at once. No other page of the
 * state is to be seen. They come and go under load, and end with their device, their VM or
 * their process, whatever is first.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "bpf/vt_mirror.h"
#include "vmscript.h"

#define SLOT 7U
#define READS 100000U

static struct lx_device *dev;
static struct vt_mirror_state *st;

static void create(void)
{
	vms_create(&(struct vmm_opts){ .vcpus = 2 });
	dev = vmt_load(vmt_test_bpf_dir(), "vt_mirror");
	st = lx_device_state(dev, NULL);
	vmt_attach(dev, vms.vm);
}

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	srand((unsigned int)getpid());
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(dev);
	dev = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
	vmt_wait_module_refs(0);
}

TestSuite(mirror, .init = setup, .fini = teardown, .timeout = 300);

static void mirror(void)
{
	int err = lx_device_mirror(dev, vms.vm->fd, SLOT, VMS_MMIO, VT_PAGE, VT_PAGE);

	cr_assert_eq(err, 0, "%d: %s", err, vmt_log());
}

static void unmirror(void)
{
	int err = lx_device_unmirror(dev, SLOT);

	cr_assert_eq(err, 0, "%d: %s", err, vmt_log());
}

/* KVM's own count, of the VM's vCPUs, of exits for whatever reason. */
static uint64_t kvm_exits(void)
{
	char path[128];
	const char *text;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/exits", getpid(), vms.vm->fd);
	text = vmt_read_file(path);
	cr_assert(*text, "%s cannot be read", path);
	return strtoull(text, NULL, 10);
}

static uint64_t load(const void *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

/* Exits of a run with READS reads of a register. */
static uint64_t exits_of_reads(uint32_t len, uint64_t off, uint64_t value)
{
	uint64_t before = kvm_exits(), exits;
	const struct script_op *op = vms_add(0, SCRIPT_READ, len, VMS_MMIO + off, 0, READS);

	vms_run();
	exits = kvm_exits() - before;
	cr_expect_eq(op->data, value, "%u bytes at %#lx: %#lx, not %#lx", len, off, op->data,
		     value);
	return exits;
}

/* What exits meanwhile is the host's timer, pages that the guest touches first, and its end. */
Test(mirror, reads_take_no_exit)
{
	uint64_t exits;

	create();
	vms_write(8, VMS_MMIO + 0x100, 0x8877665544332211);
	vms_run();
	exits = exits_of_reads(8, 0x100, 0x8877665544332211);
	cr_expect_geq(exits, READS, "%lu exits without a mirror: a wrong count", exits);
	cr_expect_eq(st->reads, READS);
	mirror();
	for (uint32_t len = 1; len <= 8; len *= 2) {
		exits = exits_of_reads(len, 0x100, 0x8877665544332211 & ~0ULL >> (64 - 8 * len));
		cr_log_info("%u bytes: %lu exits of %u reads", len, exits, READS);
		cr_expect_leq(exits, READS / 10, "%lu exits of %u reads", exits, READS);
	}
	/* Parts of registers, and what is in no program's power: reads across registers. */
	cr_expect_leq(exits_of_reads(4, 0x104, 0x88776655), READS / 10);
	cr_expect_leq(exits_of_reads(8, 0x104, 0x88776655), READS / 10);
	cr_expect_eq(st->reads, READS, "the program was asked");
	cr_expect_eq(vms_count().exits, 0, "the VMM was asked");
}

/* Each write is one call of the program, and what is read next is its page. */
Test(mirror, writes_reach_the_program)
{
	struct script_op *ops[100];

	create();
	mirror();
	for (unsigned int i = 0; i < 100; i++) {
		vms_write(8, VMS_MMIO + 8 * (i % 50), i * 0x0101010101ULL);
		ops[i] = vms_read(8, VMS_MMIO + 8 * (i % 50));
	}
	vms_run();
	for (unsigned int i = 0; i < 100; i++)
		cr_expect_eq(ops[i]->data, i * 0x0101010101ULL, "read %u: %#lx", i, ops[i]->data);
	cr_expect_eq(st->writes, 100);
	cr_expect_eq(st->reads, 0);
	cr_expect_eq(vms_count().exits, 0);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 100);
}

/* A guest's look at the page and around it. */
static void look(uint64_t at, unsigned int words, uint64_t *to)
{
	const struct script_op *ops[SCRIPT_OPS];
	unsigned int n;

	for (; words; words -= n, to += n, at += 8 * n) {
		n = words < SCRIPT_OPS ? words : SCRIPT_OPS;
		for (unsigned int i = 0; i < n; i++)
			ops[i] = vms_read(8, at + 8 * i);
		vms_run();
		for (unsigned int i = 0; i < n; i++)
			to[i] = ops[i]->data;
	}
}

/* Neither lx_state, lock included, nor what else is in its page. */
Test(mirror, the_state_is_not_to_be_seen)
{
	uint64_t seen[VT_WORDS], behind;

	create();
	cr_expect_eq(lx_device_mirror(dev, vms.vm->fd, SLOT, VMS_MMIO, 0, VT_PAGE), -EINVAL);
	cr_expect(strstr(vmt_log(), "header and lock, which no guest may see"), "%s", vmt_log());
	cr_expect_eq(lx_device_mirror(dev, vms.vm->fd, SLOT, VMS_MMIO, VT_PAGE, 2 * VT_PAGE),
		     -EINVAL);
	for (unsigned int i = 0; i < VT_WORDS; i++)
		st->page[i] = 0x1122334400000000 + i;
	mirror();
	look(VMS_MMIO, VT_WORDS, seen);
	cr_expect_eq(vms_count().exits, 0);
	cr_expect_eq(st->reads, 0);
	cr_expect_arr_eq(seen, st->page, VT_PAGE);
	/* The next page is the VMM's, as ever. */
	vms.next = 0x55;
	look(VMS_MMIO + VT_PAGE, 1, &behind);
	cr_expect_eq(behind, 0x55);
	cr_expect_eq(vms_count().exits, 1);
}

/* Without its program the mirror stays, and writes are the VMM's, who updates the page. */
Test(mirror, stays_when_the_program_goes)
{
	const struct script_op *op;

	create();
	mirror();
	vms_write(8, VMS_MMIO, 0x11);
	vms_run();
	cr_assert_eq(lx_device_detach(dev), 0, "%s", vmt_log());
	st->page[0] = 0x22;
	op = vms_read(8, VMS_MMIO);
	vms_write(8, VMS_MMIO, 0x33);
	vms_run();
	cr_expect_eq(op->data, 0x22);
	cr_expect_eq(vms_count().exits, 1);
	vms_saw(0, true, LX_SPACE_MMIO, VMS_MMIO, 8, 0x33);
	cr_expect_eq(st->writes, 1);
	/* With its device it goes, while the VM lives. */
	lx_device_close(dev);
	dev = NULL;
	vms.next = 0x44;
	op = vms_read(8, VMS_MMIO);
	vms_run();
	cr_expect_eq(op->data, 0x44);
	cr_expect_eq(vms_count().exits, 2);
}

/* vCPU 0 reads, vCPU 1 writes, for ever. */
static void start_load(void)
{
	vms_add(0, SCRIPT_READ, 8, VMS_MMIO, 0, ~0ULL);
	vms_add(1, SCRIPT_WRITE, 8, VMS_MMIO, 0x77, ~0ULL);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
}

static void wait_above(const void *count, uint64_t than, const char *what)
{
	uint64_t end = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) + VMS_TIMEOUT_MS * 1000000ULL;

	while (load(count) <= than && vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) < end)
		usleep(100);
	cr_assert_gt(load(count), than, "%s ceased", what);
}

/* When mirror() has returned no read comes any more; after unmirror() they all do. */
Test(mirror, comes_and_goes_under_load)
{
	uint64_t reads = 0, writes;

	create();
	start_load();
	for (unsigned long i = vmt_scale(1000); i; i--) {
		wait_above(&st->reads, reads, "reads");
		mirror();
		reads = load(&st->reads);
		writes = load(&st->writes);
		wait_above(&st->writes, writes + (uint64_t)rand() % 50, "writes");
		cr_assert_eq(load(&st->reads), reads, "a read exited");
		unmirror();
	}
	vmm_stop(vms.vm);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), -ECANCELED);
	cr_expect_eq(vms_count().exits, 0, "the VMM was asked");
	cr_log_info("%llu reads, %llu writes by the program", st->reads, st->writes);
}

/* The VM's end with a mirror, and its device's after it. */
Test(mirror, outlives_the_machine)
{
	create();
	mirror();
	vms_write(8, VMS_MMIO, 0x99);
	vms_run();
	vms_teardown();
	cr_expect_eq(st->page[0], 0x99);
	unmirror();
	cr_expect_eq(lx_device_unmirror(dev, SLOT), -ENOENT);
}

/* What is killed; it says when it runs. */
static void victim(int ready)
{
	create();
	mirror();
	start_load();
	wait_above(&st->writes, 0, "writes");
	if (write(ready, "1", 1) != 1)
		_exit(1);
	for (;;) { /* no assertion: a message of Criterion's that is cut short ends its runner */
		lx_device_unmirror(dev, SLOT);
		usleep((useconds_t)(rand() % 1000));
		lx_device_mirror(dev, vms.vm->fd, SLOT, VMS_MMIO, VT_PAGE, VT_PAGE);
		usleep((useconds_t)(rand() % 1000));
	}
}

static void kill_victim(void)
{
	int fds[2], status;
	char c = 0;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0, "%m");
	pid = fork();
	cr_assert_geq(pid, 0, "%m");
	if (!pid) {
		srand((unsigned int)getpid());
		victim(fds[1]);
	}
	close(fds[1]);
	cr_assert_eq(read(fds[0], &c, 1), 1, "the VMM did not come up");
	usleep((useconds_t)(rand() % 5000));
	cr_assert_eq(kill(pid, SIGKILL), 0, "%m");
	cr_assert_eq(waitpid(pid, &status, 0), pid, "%m");
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended with %#x", status);
	close(fds[0]);
}

/* At random points, mirrors coming and going: nothing of it is left. */
Test(mirror, killed)
{
	for (unsigned long i = vmt_scale(100); i; i--) {
		kill_victim();
		vmt_wait_module_refs(0);
	}
}
