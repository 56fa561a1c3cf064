// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lightexit record: its trace has the accesses of one VM to what was asked for, each once, in
 * order, with its value, its time and who answered it; what is missing is counted.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lightexit/dev/record.h>

#include "bpf/vt_probe.h"
#include "recording.h"
#include "vmscript.h"

/* A fast clock may be so much behind the one that the VMM reads (bpf_ktime_get_ns()). */
#define MARGIN_NS 2000
#define ROUNDS 50U

static struct recording rec;
static struct tracefile trace;

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	tracefile_free(&trace);
	vms_teardown();
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(record, .init = setup, .fini = teardown, .timeout = 120);

static const char *const both[] = { "pio:0x500+0x20", "mmio:0xfe000000+0x2000", NULL };

/* Every kind and length, aligned and not; a string of each direction. */
static void script_all(void)
{
	unsigned int i;
	uint32_t len;

	for (i = 0; i < ROUNDS; i++) {
		for (len = 1; len <= 4; len *= 2) {
			vms_in(len, VMS_PORT + 3);
			vms_out(len, VMS_PORT + 5, 0x11223344 + i);
			vms_write(len, VMS_MMIO + 0x11, 0x55667788 + i);
			vms_read(len, VMS_MMIO + 0x21);
		}
		vms_read(8, VMS_MMIO + 0x100);
		vms_write(8, VMS_MMIO + 0x108, 0x0123456789abcdefULL + i);
		vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT + 8, VMM_HEAP_GPA, 20);
		vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT + 8, VMM_HEAP_GPA, 20);
		vms_run();
	}
}

static uint64_t bytes(uint64_t val, uint32_t len)
{
	return len == 8 ? val : val & ((1ULL << len * 8) - 1);
}

/* The trace's line is these accesses of the VMM's log, of which it has the last one's value. */
static void expect_same(size_t line, const struct trace_line *l, const struct vms_access *a)
{
	char kind = a->space == LX_SPACE_PIO ? (a->write ? 'o' : 'i') : (a->write ? 'w' : 'r');

	bool same = l->kind == kind && l->addr == a->addr && l->size == a->len;

	cr_expect(same && l->val == bytes(a->val, a->len),
		  "line %zu: %c %" PRIx64 " %u %" PRIx64 "; the VMM saw %c %" PRIx64 " %u %" PRIx64,
		  line, l->kind, l->addr, l->size, l->val, kind, a->addr, a->len, a->val);
}

/* Bounds of what is to be added to the trace's times to get the VMM's. */
static void narrow(const struct trace_line *l, const struct vms_access *a, int64_t *lo, int64_t *hi)
{
	int64_t least = a->ns - l->ns, most = a->ns - l->trap_ns;

	/* a write is traced before the VMM has it */
	if (l->kind != 'o' && l->kind != 'w' && least > *lo)
		*lo = least;
	if (most < *hi)
		*hi = most;
}

static void expect_log(void)
{
	int64_t lo = INT64_MIN, hi = INT64_MAX;
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < trace.n; i++) {
		const struct trace_line *l = &trace.v[i];

		if (l->kind == 'x')
			continue;
		n += l->count;
		cr_assert_leq(n, vms.n, "more accesses than the VMM saw");
		expect_same(i, l, &vms.log[n - 1]);
		narrow(l, &vms.log[n - 1], &lo, &hi);
	}
	cr_expect_eq(n, vms.n, "%u accesses in the trace, the VMM saw %u", n, vms.n);
	cr_expect_leq(lo, hi + MARGIN_NS, "a read's answer is not between its exit and completion");
}

/* Proves: each access is there once, in order, with its value; reads bracket the VMM's clock. */
Test(record, each_access_once)
{
	vms.clock = LX_CLOCK_MONOTONIC;
	recording_start(&rec, getpid(), both);
	script_all();
	cr_assert_leq(vms.n, VMS_LOG);
	cr_expect_eq(recording_end(&rec, SIGINT, &trace), 0);
	cr_expect_eq(trace.n_ranges, 2);
	cr_expect_eq(trace.lost, 0);
	/* a rep outs comes element by element */
	cr_expect_eq(trace.records, ROUNDS * (15 + 20), "%" PRIu64 " records", trace.records);
	expect_log();
}

/* Proves: nothing but what overlaps the ranges is there. */
Test(record, only_the_ranges)
{
	static const char *const some[] = { "pio:0x504+2", "mmio:0xfe000010+8", NULL };
	unsigned int i;

	recording_start(&rec, getpid(), some);
	for (i = 0; i < 16; i++) {
		vms_in(4, VMS_PORT + i);
		vms_read(4, VMS_MMIO + 8 + i);
	}
	vms_in(4, 0x10); /* nobody's */
	vms_read(8, 0x504 + 0xfd000000);
	vms_run();
	cr_expect_eq(recording_end(&rec, SIGTERM, &trace), 0);
	/* ports 0x501 to 0x505; 0x0d to 0x17 */
	cr_expect_eq(trace.records, 5 + 11, "%" PRIu64, trace.records);
	for (i = 0; i < trace.n; i++) {
		const struct trace_line *l = &trace.v[i];

		if (l->kind == 'i')
			cr_expect(l->addr >= 0x501 && l->addr <= 0x505, "%" PRIx64, l->addr);
		else if (l->kind != 'x')
			cr_expect(l->addr >= 0xfe00000d && l->addr <= 0xfe000017, "%" PRIx64,
				  l->addr);
	}
}

/* In a child: a VM of its own, that reads 0x500 for as long as it is let, and counts its runs. */
static pid_t other_vm(uint64_t *runs)
{
	pid_t pid;

	vms_teardown(); /* it would inherit the VM */
	pid = fork();
	vms_create(&(struct vmm_opts){ .vcpus = 1 });
	if (pid)
		return pid;
	for (;;) {
		vms_add(0, SCRIPT_IN, 4, VMS_PORT, 0, 100);
		vms_run();
		__atomic_fetch_add(runs, 1, __ATOMIC_RELEASE);
	}
}

/* Waits for a run of the other VM's that began since. */
static void wait_other(const uint64_t *runs)
{
	uint64_t before = __atomic_load_n(runs, __ATOMIC_ACQUIRE);
	int ms;

	for (ms = 0; __atomic_load_n(runs, __ATOMIC_ACQUIRE) < before + 2; ms++) {
		cr_assert_lt(ms, VMS_TIMEOUT_MS, "the other VM does not run");
		usleep(1000);
	}
}

/* Proves: another VM's accesses are not there; it is seen to make them. Ends with the VM. */
Test(record, only_that_vm)
{
	struct tracefile other;
	struct recording of_other;
	uint64_t *runs = mmap(NULL, sizeof(*runs), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;
	pid_t pid;

	cr_assert_neq(runs, MAP_FAILED);
	pid = other_vm(runs);
	wait_other(runs);
	recording_start(&of_other, pid, both);
	recording_start(&rec, getpid(), both);
	for (i = 0; i < 20; i++) {
		vms_in(2, VMS_PORT + 2);
		vms_run();
	}
	cr_expect_eq(recording_end(&rec, SIGINT, &trace), 0);
	cr_expect_eq(trace.records, 20, "%" PRIu64, trace.records);
	wait_other(runs);
	kill(pid, SIGKILL);
	cr_expect_eq(recording_end(&of_other, 0, &other), 0, "it does not end with the VM");
	waitpid(pid, NULL, 0);
	cr_expect_gt(other.records, 0);
	for (i = 0; i < other.n; i++)
		cr_expect(other.v[i].kind == 'x' || other.v[i].addr == VMS_PORT);
	tracefile_free(&other);
}

/* Proves: who answered a read is there, whatever the access before it was. */
Test(record, who_answered)
{
	struct lx_device *dev = vmt_load(vmt_test_bpf_dir(), "vt_probe");
	struct vt_probe_state *st = lx_device_state(dev, NULL);
	unsigned int i, n = 0;

	st->addr_mask = 0x1f; /* it passes what is above */
	st->data = 0x5a;
	vmt_attach(dev, vms.vm);
	recording_start(&rec, getpid(), both);
	for (i = 0; i < 40; i++) {
		if (i & 4)
			vms_out(1, VMS_PORT + (i & 8 ? 1 : 17), i);
		vms_in(1, VMS_PORT + (i & 1 ? 2 : 18));
		vms_read(4, VMS_MMIO + (i & 2 ? 4 : 0x20));
	}
	vms_run();
	cr_expect_eq(recording_end(&rec, SIGINT, &trace), 0);
	for (i = 0; i < trace.n; i++) {
		const struct trace_line *l = &trace.v[i];
		bool high = (l->addr & 0xff) > 15;

		if (l->kind == 'i' || l->kind == 'r')
			cr_expect(high, "%" PRIx64 " was answered by the program", l->addr);
		else if (l->kind == 'I' || l->kind == 'R')
			cr_expect(!high && l->val == 0x5a, "%" PRIx64 ": %" PRIx64, l->addr,
				  l->val);
		n += l->kind == 'I' || l->kind == 'R';
	}
	cr_expect_eq(trace.records, 40 * 2 + 20);
	cr_expect_eq(n, 40, "%u answers of the program", n);
	lx_device_close(dev);
}

/* Waits until the recorder has taken what is in its buffer, and says so. */
static void wait_taken(void)
{
	static const char key[] = "\"recorded\":";
	const char *at, *last;
	int ms;

	for (ms = 0;; ms += 10) {
		last = NULL;
		for (at = vmt_read_file(rec.said); (at = strstr(at, key)); at += strlen(key))
			last = at + strlen(key);
		if (last && strtoull(last, NULL, 10))
			return;
		cr_assert_lt(ms, VMS_TIMEOUT_MS, "nothing is taken");
		usleep(10000);
	}
}

/* Proves: what does not fit into the buffer is counted, where it was; all else is there. */
Test(record, lost_ones_are_counted)
{
	static const char *const small[] = { "--buffer", "4", "pio:0x500+0x20", NULL };
	const uint64_t n = 1000; /* of which 4096 bytes hold 51 */
	unsigned int after = 0;
	int status;
	size_t i;

	recording_start(&rec, getpid(), small);
	kill(rec.pid, SIGSTOP);
	cr_assert_eq(waitpid(rec.pid, &status, WUNTRACED), rec.pid);
	cr_assert(WIFSTOPPED(status));
	vms_add(0, SCRIPT_IN, 4, VMS_PORT, 0, n);
	vms_run();
	kill(rec.pid, SIGCONT);
	wait_taken();
	vms_in(2, VMS_PORT);
	vms_run();
	cr_expect_eq(recording_end(&rec, SIGINT, &trace), 0);
	cr_expect_gt(trace.lost, n - 4096 / sizeof(struct record_event));
	cr_expect_geq(trace.records + trace.lost, n + 1);
	for (i = 0; i < trace.n; i++) {
		after += trace.v[i].size == 2;
		cr_expect_eq(after && trace.v[i].kind == 'l', 0, "a loss after the last access");
	}
	cr_expect_eq(after, 1);
}

/* Proves: it ends after so many accesses, and then has just these. */
Test(record, count)
{
	static const char *const five[] = { "--count", "5", "pio:0x500+0x20", NULL };

	recording_start(&rec, getpid(), five);
	vms_add(0, SCRIPT_IN, 4, VMS_PORT, 0, 100);
	vms_run();
	cr_expect_eq(recording_end(&rec, 0, &trace), 0);
	cr_expect_eq(trace.records, 5);
}

/* Proves: a VM's name may be of any bytes; numbers and trace are whole. */
Test(record, name_of_any_bytes)
{
	static const char *const five[] = { "--count", "5", "pio:0x500+0x20", NULL };

	cr_assert_eq(prctl(PR_SET_NAME, "vm\xff\033"), 0);
	recording_start(&rec, getpid(), five);
	vms_add(0, SCRIPT_IN, 4, VMS_PORT, 0, 100);
	vms_run();
	cr_expect_eq(recording_end(&rec, 0, &trace), 0);
	cr_expect_eq(trace.records, 5);
}

/* Proves: it ends after so many seconds, with a whole trace. */
Test(record, seconds)
{
	static const char *const one[] = { "--seconds", "1", "pio:0x500+0x20", NULL };

	recording_start(&rec, getpid(), one);
	cr_expect_eq(recording_end(&rec, 0, &trace), 0);
}

static void expect_said(int status, const char *args, const char *words)
{
	char cmd[256], said[1024] = "";
	size_t n;
	FILE *f;
	int rc;

	snprintf(cmd, sizeof(cmd), "lightexit record %s 2>&1", args);
	f = popen(cmd, "r");
	cr_assert_not_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	rc = pclose(f);
	cr_expect_eq(WEXITSTATUS(rc), status, "%s: %d", cmd, WEXITSTATUS(rc));
	cr_expect_not_null(strstr(said, words), "%s: said '%s', not '%s'", cmd, said, words);
}

/* Proves: what cannot be recorded is refused, with the reason. */
Test(record, refusals)
{
	char args[96];

	expect_said(2, "--pid 1 -o /dev/null", "a DEVICE or range is missing");
	expect_said(2, "-o /dev/null hpet", "one of --pid and --name");
	expect_said(2, "--pid 1 --name x -o /dev/null hpet", "one of --pid and --name");
	expect_said(2, "--pid 1 hpet", "--output is missing");
	expect_said(2, "--pid 1 --json -o - hpet", "cannot both go to stdout");
	expect_said(2, "--pid 1 -o /dev/null e1000", "'e1000' is neither a device");
	expect_said(2, "--pid 1 -o /dev/null pio:0x500", "'pio:0x500' is neither");
	expect_said(2, "--pid 1 -o /dev/null pio:0xfffe+4", "'pio:0xfffe+4' is neither");
	expect_said(2, "--pid 1 -o /dev/null hpet --count 0", "--count takes 1 to");
	expect_said(2, "--pid 1 -o /dev/null pmtimer pit pmtimer pit hpet", "at most 8");
	expect_said(1, "--pid 99999999 -o /dev/null hpet", "there is no process");
	expect_said(1, "--pid 1 -o /dev/null hpet", "process 1 has no VM");
	expect_said(1, "--name nobody -o /dev/null hpet", "has the name 'nobody'");
	snprintf(args, sizeof(args), "--pid %d -o /nowhere/x hpet", getpid());
	expect_said(1, args, "/nowhere/x: No such file");
	snprintf(args, sizeof(args), "--pid %d -o /dev/full hpet --seconds 1", getpid());
	expect_said(1, args, "was not written: No space left");
	cr_assert_eq(setuid(65534), 0);
	snprintf(args, sizeof(args), "--pid %d -o /dev/null hpet", getpid());
	expect_said(1, args, "run as root");
}

/* Proves: a recording that cannot begin leaves the trace that was there. */
Test(record, trace_that_was_there)
{
	char path[] = "/tmp/lxtrace.XXXXXX", args[96], text[16] = "";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "of last week", 12), 12);
	cr_assert(!setenv("LIGHTEXIT_BPF_DIR", "/nowhere", 1));
	snprintf(args, sizeof(args), "--pid %d -o %s hpet", getpid(), path);
	expect_said(1, args, "/nowhere/record.bpf.o: No such file");
	cr_assert_eq(pread(fd, text, sizeof(text) - 1, 0), 12);
	cr_expect_str_eq(text, "of last week");
	close(fd);
	unlink(path);
}

/* Proves: while it waits for somebody to read a pipe, SIGINT ends it. */
Test(record, pipe_that_nobody_reads)
{
	char path[] = "/tmp/lxpipe.XXXXXX", fifo[64], line[192];
	int rc;

	cr_assert(mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	cr_assert(!mkfifo(fifo, 0600));
	snprintf(line, sizeof(line), "timeout -k %d -s INT 3 lightexit record --pid %d -o %s hpet",
		 vmt_patience(30), getpid(), fifo);
	rc = system(line);
	cr_expect(WIFEXITED(rc) && WEXITSTATUS(rc) == 124, "status 0x%x: it had to be killed", rc);
	unlink(fifo);
	rmdir(path);
}
