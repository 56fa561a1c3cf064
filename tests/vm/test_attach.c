// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lightexit attach to an unmodified QEMU: what its guest reads takes no backward
 * step, on any vCPU or from one to another, whatever happens to QEMU or to lightexit.
 */
#include <fcntl.h>
#include <jansson.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lightexit/dev/pmtimer.h>

#include "qemu/attached.h"
#include "vmtest.h"

/* q35's PMBASE as SeaBIOS sets it, and TMR_VAL's place (ACPI 6.5, 4.8.3.3); 24 bits in QEMU. */
#define PORT 0x608
#define MASK 0xffffff
/* Where the HPET is on a PC, and its counter's lower half (IA-PC HPET 1.0a, 2.3.7) */
#define HPET 0xfed00000
#define HPET_MASK 0xffffffff

/* In which an emulated machine has paused QEMU's vCPUs, unless it is a slow one */
#define PAUSE_US 50000U
/* What a read that goes to QEMU takes at the least */
#define READ_US 20U

static struct qemu q, other;

static void setup(void)
{
	vmt_init();
	qemu_start(&q, "q35", 2, NULL);
	qemu_go(&q, TORTURE_PMTIMER, PORT, MASK);
}

static void teardown(void)
{
	if (q.pid)
		qemu_end(&q);
	if (other.pid)
		qemu_end(&other);
}

TestSuite(attach, .init = setup, .fini = teardown, .timeout = 900);

/* The guest reads on until a count of the program's is above @than, within bounds. */
static void read_until(const volatile __u64 *count, __u64 than)
{
	unsigned int i;

	for (i = 0; i < 1000 && *count <= than; i++)
		qemu_wait_reads(&q, 500, 60);
}

static const char *const pmtimer[] = { "--port", "0x608", "pmtimer", NULL };

/* The devices of the last line that `lightexit attach --json` printed. */
static json_t *last_devices(void)
{
	char file[128], *line = NULL, *keep = NULL;
	json_t *o, *devices;
	size_t size = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/attach", q.dir);
	f = fopen(file, "r");
	cr_assert_not_null(f);
	while (getline(&line, &size, f) > 0) {
		free(keep);
		keep = strdup(line);
	}
	fclose(f);
	free(line);
	o = json_loads(keep ?: "", 0, NULL);
	devices = json_incref(json_object_get(o, "devices"));
	cr_assert_geq(json_array_size(devices), 1, "no JSON: %s", keep);
	json_decref(o);
	free(keep);
	return devices;
}

/* The first one of them. */
static json_t *last_device(void)
{
	json_t *devices = last_devices(), *dev = json_incref(json_array_get(devices, 0));

	json_decref(devices);
	return dev;
}

static size_t n_devices(void)
{
	json_t *devices = last_devices();
	size_t n = json_array_size(devices);

	json_decref(devices);
	return n;
}

/* Calibrations that ended for this reason. */
static json_int_t ended(const char *why)
{
	json_t *dev = last_device();
	json_int_t n = json_integer_value(json_object_get(json_object_get(dev, "ends"), why));

	json_decref(dev);
	return n;
}

static json_int_t last(const char *key)
{
	json_t *dev = last_device();
	json_int_t v = json_integer_value(json_object_get(dev, key));

	json_decref(dev);
	return v;
}

static json_t *last_array(const char *key)
{
	json_t *dev = last_device(), *a = json_incref(json_object_get(dev, key));

	json_decref(dev);
	return a;
}

/* Nanoseconds of a histogram below which 99 % are; by the last line. */
static json_int_t p99(const char *key)
{
	json_int_t n = 0, all = 0, to = -1, some = 0;
	json_t *a = last_array(key), *v;
	size_t i;

	json_array_foreach(a, i, v)
		all += json_integer_value(json_object_get(v, "n"));
	for (i = 0; n * 100 < all * 99; i++, n += some)
		json_unpack(json_array_get(a, i), "{s:I, s:I}", "to_ns", &to, "n", &some);
	json_decref(a);
	return to;
}

/* Proves: at least half of the reads are answered in the kernel, and time goes forward. */
Test(attach, half_is_answered)
{
	pid_t pid = attach_start(&q, pmtimer);
	struct lx_stats before, after;
	uint64_t handled, passed;

	attached_stats(&q);
	qemu_wait_reads(&q, 2000, 60);
	before = attached_stats(&q);
	qemu_wait_reads(&q, vmt_scale(200000), 60);
	after = attached_stats(&q);
	handled = after.regions[0].handled - before.regions[0].handled;
	passed = after.regions[0].passed - before.regions[0].passed;
	cr_expect_gt(handled, passed, "%lu answered, %lu passed", handled, passed);
	cr_expect_gt(handled, 1000);
	cr_log_info("%lu answered, %lu passed", handled, passed);
	cr_expect_eq(attach_stop(pid), 0);
	qemu_wait_reads(&q, 1000, 60);
	attached_expect_forward(&q, "attached, then not");
}

/*
 * For @n reads: at random times it comes and goes; half of the reads are answered by it, or a fifth
 * on a slow kernel, where as many come while it starts.
 */
static void come_and_go(const char *const *device, uint64_t n)
{
	const unsigned int share = vmt_patience(1) > 1 ? 5 : 2;
	uint64_t start = qemu_reads(&q), handled = 0;
	unsigned int rounds = 0;
	pid_t pid;

	srand(1);
	while (qemu_reads(&q) - start < n) {
		pid = attach_start(&q, device);
		attached_stats(&q);
		qemu_wait_reads(&q, 1 + rand() % (rand() % 4 ? 200000 : 2000), 60);
		cr_assert_eq(attach_stop(pid), 0);
		handled += last("handled");
		cr_expect_eq(last("above"), 0, "%lld of %lld", last("above"), last("compared"));
		qemu_wait_reads(&q, 1 + rand() % 500, 60);
		rounds++;
		attached_expect_forward(&q, "after a detach");
	}
	n = qemu_reads(&q) - start;
	cr_log_info("%u rounds, %lu reads, %lu answered", rounds, n, handled);
	cr_expect_geq(handled, n / share, "%lu of %lu", handled, n);
}

/* Proves: at random times, under reads of two vCPUs, it may come and go. */
Test(attach, comes_and_goes)
{
	come_and_go(pmtimer, vmt_scale(7000000));
}

/* Proves: reads of 2 bytes, across the port's begin, and strings are right and harmless. */
Test(attach, odd_reads)
{
	const volatile struct watch_state *st;
	pid_t pid;

	q.t->odd = 50;
	pid = attach_start(&q, pmtimer);
	attached_stats(&q);
	qemu_wait_reads(&q, vmt_scale(100000), 60);
	st = attached_state(&q);
	read_until(&st->samples, 100);
	attached_wait_answered(&q, 1001);
	cr_expect_gt(attached_stats(&q).regions[0].handled, 1000);
	cr_expect_eq(attached_stats(&q).regions[0].string_splits, 0);
	attach_stop(pid);
	cr_expect_gt(last("samples"), 100);
	attached_expect_forward(&q, "with odd reads");
}

/*
 * Proves: a dry run answers nothing; nothing that it would have answered was above the VMM's, and
 * 99 % lag it by no more than the time of 99 % of the heavy exits.
 */
Test(attach, dry_run)
{
	static const char *const dry[] = { "--dry-run", "--port", "0x608", "pmtimer", NULL };
	const volatile struct watch_state *st;
	pid_t pid = attach_start(&q, dry);

	attached_stats(&q);
	qemu_wait_reads(&q, vmt_scale(100000), 60);
	st = attached_state(&q);
	read_until(&st->compared, 1000);
	cr_expect_eq(attached_stats(&q).regions[0].handled, 0);
	attach_stop(pid);
	cr_expect_gt(last("compared"), 1000);
	cr_expect_eq(last("above"), 0);
	cr_log_info("99 %%: an exit takes %lld ns, an answer lags by %lld", p99("exit_ns"),
		    p99("behind_ns"));
	cr_expect_leq(p99("behind_ns"), p99("exit_ns"));
	attached_expect_forward(&q, "in a dry run");
}

/* One a vCPU; more where QEMU took long, as the guest then sees that until its clock has passed. */
static uint64_t most_steps(uint64_t window_us)
{
	return 2 + (window_us < PAUSE_US / 5 ? 0 : 2 * window_us / READ_US);
}

/* Proves: stopped and continued, from 1 ms on, the guest sees no more than QEMU's own window. */
Test(attach, stop_and_cont)
{
	pid_t pid = attach_start(&q, pmtimer);
	uint64_t window_us, worst_us = PAUSE_US, steps = 0;
	unsigned int i, n = vmt_scale(300);

	attached_wait_answered(&q, 100);
	for (i = 0; i < n; i++) {
		qemu_qmp(&q, "stop", NULL);
		window_us = qemu_stop_us(&q);
		worst_us = window_us > worst_us ? window_us : worst_us;
		steps += most_steps(window_us);
		usleep(1000 + rand() % 20000);
		qemu_qmp(&q, "cont", NULL);
		qemu_wait_reads(&q, 200 + rand() % 1000, 60);
	}
	cr_log_info("%u backward steps of %u stops, worst %u ticks", q.t->steps, n, q.t->worst);
	attach_stop(pid);
	/* Of at most the time that QEMU takes to pause its vCPUs. */
	cr_expect_leq(q.t->steps, steps);
	cr_expect_lt(q.t->worst, worst_us * PMTIMER_HZ / 1000000 + 2, "%u ticks backward",
		     q.t->worst);
	cr_expect_geq(ended("stopped"), n);
}

/* Proves: a reset guest starts anew, and is answered again. */
Test(attach, system_reset)
{
	pid_t pid = attach_start(&q, pmtimer);
	unsigned int i;

	for (i = 0; i < vmt_scale(50); i++) {
		attached_wait_answered(&q, 100);
		attached_expect_forward(&q, "before a reset");
		q.t->magic = 0;
		qemu_qmp(&q, "system_reset", NULL);
		qemu_go(&q, TORTURE_PMTIMER, PORT, MASK);
	}
	attached_wait_answered(&q, 100);
	attached_expect_forward(&q, "after resets");
	attach_stop(pid);
}

/* Proves: lightexit killed, QEMU stopped by a signal: the guest goes on, nothing stays. */
Test(attach, signals)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < vmt_scale(30); i++) {
		pid = attach_start(&q, pmtimer);
		attached_wait_answered(&q, 100);
		kill(q.pid, SIGSTOP);
		usleep(rand() % 20000);
		kill(q.pid, SIGCONT);
		qemu_wait_reads(&q, 300, 60);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		qemu_wait_reads(&q, 300, 60);
		attached_expect_forward(&q, "after a kill");
	}
}

static void hpet_setup(void)
{
	vmt_init();
	qemu_start(&q, "q35,hpet=on", 2, NULL);
	qemu_go(&q, TORTURE_HPET, HPET, HPET_MASK);
}

static const char *const hpet[] = { "hpet", NULL };

TestSuite(attach_hpet, .init = hpet_setup, .fini = teardown, .timeout = 900);

/* Proves: the HPET's counter is answered, and goes forward, when the guest sets it too. */
Test(attach_hpet, read_and_set)
{
	pid_t pid = attach_start(&q, hpet);
	const volatile struct watch_state *st;

	attached_wait_answered(&q, vmt_scale(50000));
	attached_expect_forward(&q, "read");
	q.t->writes = 500;
	qemu_wait_reads(&q, vmt_scale(50000), 60);
	st = attached_state(&q);
	read_until(&st->ends[WATCH_END_WRITE], 10);
	cr_expect_eq(attach_stop(pid), 0);
	cr_expect_gt(ended("write"), 10);
	attached_expect_forward(&q, "set forward");
}

static void hpet_of_four_setup(void)
{
	vmt_init();
	qemu_start(&q, "q35,hpet=on", 4, NULL);
	qemu_go(&q, TORTURE_HPET, HPET, HPET_MASK);
}

TestSuite(attach_hpet_of_four, .init = hpet_of_four_setup, .fini = teardown, .timeout = 900);

/* Proves: so with the HPET, and four vCPUs. */
Test(attach_hpet_of_four, comes_and_goes)
{
	come_and_go(hpet, vmt_scale(3000000));
}

static void expect_said(const char *args, const char *words)
{
	char cmd[256], said[1024] = "";
	size_t n;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "lightexit attach %s 2>&1", args);
	f = popen(cmd, "r");
	cr_assert_not_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	cr_expect_neq(pclose(f), 0, "%s: succeeded", cmd);
	cr_expect_not_null(strstr(said, words), "%s: said '%s', not '%s'", cmd, said, words);
}

static void start_other(void)
{
	qemu_start(&other, "q35", 1, NULL);
	qemu_go(&other, TORTURE_PMTIMER, PORT, MASK);
}

/* Proves: --all attaches to the only VM, once. */
Test(attach, all_of_one)
{
	pid_t pid = attach_start_all(&q, pmtimer);

	attached_wait_answered(&q, 100);
	cr_expect_eq(attach_stop(pid), 0);
	cr_expect_eq(n_devices(), 1, "%zu devices", n_devices());
	attached_expect_forward(&q, "with --all");
}

/* Proves: --all attaches to each of two VMs, once. */
Test(attach, all_of_two)
{
	pid_t pid;

	start_other();
	pid = attach_start_all(&q, pmtimer);
	attached_wait_answered(&q, 100);
	attached_wait_answered(&other, 100);
	cr_expect_eq(attach_stop(pid), 0);
	cr_expect_eq(n_devices(), 2, "%zu devices", n_devices());
	attached_expect_forward(&q, "with --all");
	attached_expect_forward(&other, "with --all, the other one");
}

/* Proves: --all goes on after a VM that refuses, and fails only if there is no other. */
Test(attach, all_but_one)
{
	pid_t first = attach_start(&q, pmtimer), rest;

	attached_wait_answered(&q, 100);
	start_other();
	rest = attach_start_all(&other, pmtimer);
	attached_wait_answered(&other, 100);
	cr_expect_eq(attach_stop(rest), 0);
	qemu_end(&other);
	other.pid = 0;
	expect_said("--all --port 0x608 pmtimer", "another lightexit device of this VM is there");
	attached_wait_answered(&q, 100);
	cr_expect_eq(attach_stop(first), 0);
	cr_expect_eq(n_devices(), 1, "%zu devices", n_devices());
}

/* Proves: what cannot be attached is refused, with the reason. */
Test(attach_cli, refusals)
{
	char args[64];
	int kvm = open("/dev/kvm", O_RDWR), a, b;

	expect_said("pmtimer", "one of --pid, --name and --all");
	expect_said("--pid 1", "a DEVICE is missing");
	expect_said("--pid 1 e1000", "'e1000' is no device that can be watched");
	expect_said("--pid 99999999 pmtimer", "there is no process 99999999");
	expect_said("--pid 1 pmtimer", "process 1 has no VM");
	expect_said("--name nobody pmtimer", "has the name 'nobody'");
	expect_said("--all --match '(' pmtimer", "--match");
	a = ioctl(kvm, KVM_CREATE_VM, 0);
	b = ioctl(kvm, KVM_CREATE_VM, 0);
	cr_assert(a >= 0 && b >= 0);
	snprintf(args, sizeof(args), "--pid %d pmtimer", getpid());
	expect_said(args, "has several VMs");
	snprintf(args, sizeof(args), "--pid %d --vm-fd %d pmtimer", getpid(), kvm);
	expect_said(args, "is no VM");
	close(b);
	cr_assert_eq(setuid(65534), 0);
	snprintf(args, sizeof(args), "--pid %d pmtimer", getpid());
	expect_said(args, "run as root");
}

/* Proves: it ends with the VM. */
Test(attach, ends_with_the_vm)
{
	pid_t pid = attach_start(&q, pmtimer);
	int status = -1;

	attached_wait_answered(&q, 100);
	qemu_end(&q);
	q.pid = 0;
	alarm((unsigned int)vmt_patience(30));
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0, "it ended with 0x%x", status);
}
