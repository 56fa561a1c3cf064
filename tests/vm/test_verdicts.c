// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a verdict does: handled accesses never leave the kernel, passed ones reach
 * the VMM as if no program were there, bad ones pass and count, and a device that
 * misbehaves is taken off the fast path while its VM runs on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/vt_probe.h"
#include "vmscript.h"

static struct lx_device *probe;
static struct vt_probe_state *st;

static void load_probe(const struct lx_region *regions, unsigned int n)
{
	probe = vmt_load_at(vmt_test_bpf_dir(), "vt_probe", regions, n);
	st = lx_device_state(probe, NULL);
}

/* On the recording devices, answering @verdict. */
static void attach_probe(int verdict)
{
	load_probe(NULL, 0);
	st->verdict = verdict;
	vmt_attach(probe, vms.vm);
}

static void setup(void)
{
	vms_setup();
	vmt_set_param("enable", "Y");
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(probe);
	probe = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
	vmt_set_param("enable", "Y");
}

static uint64_t handled(void)
{
	struct lx_stats s = vmt_stats(probe);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < s.n_regions; i++)
		sum += s.regions[i].handled;
	return sum;
}

static uint64_t passed(void)
{
	struct lx_stats s = vmt_stats(probe);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < s.n_regions; i++)
		sum += s.regions[i].passed;
	return sum;
}

/* The live device's line of that key in debugfs. */
static const char *info(const char *key)
{
	static char value[128];
	char path[64], *line;

	snprintf(path, sizeof(path), "/sys/kernel/debug/lightexit/%u/info", vmt_stats(probe).id);
	line = strstr(vmt_read_file(path), key);
	cr_assert_not_null(line, "%s has no %s", path, key);
	snprintf(value, sizeof(value), "%s", line + strlen(key));
	value[strcspn(value, "\n")] = 0;
	return value;
}

TestSuite(verdicts, .init = setup, .fini = teardown, .timeout = 120);

/* All lengths, both buses and directions, at every offset across the page. Returns MMIO parts. */
static void add_all_accesses(void)
{
	static const uint64_t val = 0x8182838485868788;

	for (uint32_t len = 1; len <= 4; len *= 2) {
		for (uint32_t off = 0; off < 4; off++) {
			vms_in(len, VMS_PORT + off);
			vms_out(len, VMS_PORT + 8 + off, val);
		}
	}
	for (uint32_t len = 1; len <= 8; len *= 2) {
		for (uint32_t off = 0; off < 8; off += 3) {
			vms_read(len, VMS_MMIO + 0x40 + off);
			vms_write(len, VMS_MMIO + 0x80 + off, val);
		}
		for (uint32_t before = 1; before < len; before++) {
			vms_read(len, VMS_MMIO + 0x1000 - before);
			vms_write(len, VMS_MMIO + 0x1000 - before, val);
		}
	}
}

struct outcome {
	struct vms_access log[VMS_LOG];
	unsigned int n;
	struct vmm_count count;
	struct script script;
	uint8_t heap[0x10000];
};

/* Runs what @add scripts on fresh counts, and keeps all that can be seen of it. */
static void run_and_keep(void (*add)(void), struct outcome *out)
{
	struct script_params *p = vmm_params(vms.vm);
	struct vmm_count before = vms_count(), after;
	uint8_t *heap = vmm_mem(vms.vm, VMM_HEAP_GPA, sizeof(out->heap));

	vms_forget();
	vms.next = 0xa1b2c3d4e5f60718;
	for (size_t i = 0; i < sizeof(out->heap); i++)
		heap[i] = (uint8_t)(i * 7);
	add();
	vms_run();
	after = vms_count();
	memset(out, 0, sizeof(*out));
	out->n = vms.n;
	out->count.exits = after.exits - before.exits;
	out->count.accesses = after.accesses - before.accesses;
	cr_assert_leq(vms.n, VMS_LOG);
	memcpy(out->log, vms.log, vms.n * sizeof(vms.log[0]));
	for (unsigned int i = 0; i < vms.n; i++)
		out->log[i].ns = 0;
	out->script = p->vcpu[0];
	memcpy(out->heap, heap, sizeof(out->heap));
}

static void expect_same(const struct outcome *a, const struct outcome *b)
{
	cr_expect_eq(a->n, b->n, "%u accesses, %u with a program", a->n, b->n);
	for (unsigned int i = 0; i < a->n && i < b->n; i++)
		cr_assert_eq(
			memcmp(&a->log[i], &b->log[i], sizeof(a->log[i])), 0,
			"access %u: %#lx len %u val %#lx write %d; with a program %#lx %u %#lx %d",
			i, a->log[i].addr, a->log[i].len, a->log[i].val, a->log[i].write,
			b->log[i].addr, b->log[i].len, b->log[i].val, b->log[i].write);
	cr_expect_eq(a->count.exits, b->count.exits, "%lu exits, %lu with a program",
		     a->count.exits, b->count.exits);
	cr_expect_eq(a->count.accesses, b->count.accesses);
	cr_expect_eq(memcmp(&a->script, &b->script, sizeof(a->script)), 0,
		     "the guest read something else");
	cr_expect_eq(memcmp(a->heap, b->heap, sizeof(a->heap)), 0, "guest memory differs");
}

static struct outcome without, with;

Test(verdicts, pass_reaches_the_vmm_unchanged)
{
	uint64_t whole = 0;

	run_and_keep(add_all_accesses, &without);
	attach_probe(LX_PASS);
	st->data = 0xdeaddeaddeaddead;
	run_and_keep(add_all_accesses, &with);
	expect_same(&without, &with);
	for (unsigned int i = 0; i < with.n; i++)
		whole += (with.log[i].len & (with.log[i].len - 1)) == 0;
	cr_expect_eq(with.n, 24 + 24 + 4 * (1 + 3 + 7), "%u accesses", with.n);
	cr_expect_lt(whole, with.n, "nothing crossed the page in odd parts");
	cr_expect_eq(st->n, whole, "the program saw %llu of %lu accesses", st->n, whole);
	cr_expect_eq(passed(), with.n);
	cr_expect_eq(handled(), 0);
}

static void add_strings(void)
{
	for (uint32_t len = 1; len <= 4; len *= 2) {
		vms_add(0, SCRIPT_REP_INS, len, VMS_PORT, VMM_HEAP_GPA + 0x1000 * len, 300);
		vms_add(0, SCRIPT_REP_INS, len, VMS_PORT, VMM_HEAP_GPA + 0x8000 + 0x1000 * len - 6,
			40);
		vms_add(0, SCRIPT_REP_OUTS, len, VMS_PORT + 4, VMM_HEAP_GPA + 0x200 * len, 70);
	}
}

Test(verdicts, passed_strings_reach_the_vmm_unchanged)
{
	run_and_keep(add_strings, &without);
	attach_probe(LX_PASS);
	run_and_keep(add_strings, &with);
	expect_same(&without, &with);
	cr_expect_eq(with.n, 3 * (300 + 40 + 70));
	cr_expect_geq(st->n, 3 * 70);
	cr_expect_eq(vmt_stats(probe).regions[0].string_splits, 0);
}

Test(verdicts, handled_accesses_never_reach_the_vmm)
{
	static const uint64_t data = 0xf1e2d3c4b5a69788;
	const struct script_op *pio[3], *mmio[4];
	uint8_t *heap = vmm_mem(vms.vm, VMM_HEAP_GPA, 16);

	attach_probe(LX_HANDLED);
	st->data = data;
	memset(heap, 0x55, 16);
	for (unsigned int i = 0; i < 3; i++) {
		pio[i] = vms_in(1U << i, VMS_PORT + i);
		vms_out(1U << i, VMS_PORT + 8, data);
	}
	for (unsigned int i = 0; i < 4; i++) {
		mmio[i] = vms_read(1U << i, VMS_MMIO + 0x1008);
		vms_write(1U << i, VMS_MMIO + 0x1010, data);
	}
	vms_add(0, SCRIPT_REP_INS, 1, VMS_PORT, VMM_HEAP_GPA + 4, 1);
	vms_run();

	for (unsigned int i = 0; i < 7; i++) {
		const struct script_op *op = i < 3 ? pio[i] : mmio[i - 3];
		const struct vt_seen *wr = &st->seen[2 * i + 1];
		uint32_t len = 1U << (i < 3 ? i : i - 3);
		uint64_t want = data & (~0ULL >> (64 - 8 * len));

		cr_expect_eq(op->data, want, "read of %u bytes: %#lx, not %#lx", len, op->data,
			     want);
		cr_expect(wr->write && wr->len == len && wr->data == want,
			  "write of %u bytes: the program got %#llx, not %#lx", len, wr->data,
			  want);
		cr_expect_eq(wr->addr, i < 3 ? 8 : 0x1010);
		cr_expect_eq(wr->region, i < 3 ? 0 : 1);
		cr_expect_eq(st->seen[2 * i].addr, i < 3 ? i : 0x1008);
	}
	/* A byte into memory is a byte. */
	cr_expect_eq(memcmp(heap, "UUUU\x88UUUUUUUUUUU", 16), 0);
	cr_expect_eq(vms_count().exits, 0, "%lu exits", vms_count().exits);
	cr_expect_eq(handled(), 15);
	cr_expect_eq(passed(), 0);
}

Test(verdicts, what_has_no_op_passes)
{
	struct lx_device *pmtimer, *wronly;
	const struct lx_region port = { .addr = VMS_PORT, .len = 4, .space = LX_SPACE_PIO };
	const struct script_op *op;

	/* No write op. */
	pmtimer = vmt_load_at(vmt_bpf_dir(), "pmtimer", &port, 1);
	vmt_attach(pmtimer, vms.vm);
	vms_out(4, VMS_PORT, 0x12345678);
	vms_run();
	vms_saw(0, true, LX_SPACE_PIO, VMS_PORT, 4, 0x12345678);
	cr_expect_eq(vmt_stats(pmtimer).regions[0].passed, 1);
	lx_device_close(pmtimer);

	/* No read op. */
	wronly = vmt_load(vmt_test_bpf_dir(), "vt_wronly");
	vmt_attach(wronly, vms.vm);
	vms.next = 0x4142434445464748;
	op = vms_read(8, VMS_MMIO);
	vms_write(8, VMS_MMIO, 1);
	vms_out(1, VMS_PORT, 1);
	vms_run();
	cr_expect_eq(vms.n, 2);
	vms_saw(1, false, LX_SPACE_MMIO, VMS_MMIO, 8, 0x4142434445464748);
	cr_expect_eq(op->data, 0x4142434445464748);
	cr_expect_eq(vmt_stats(wronly).regions[0].handled, 1);
	cr_expect_eq(vmt_stats(wronly).regions[1].handled, 1);
	cr_expect_eq(vmt_stats(wronly).regions[1].passed, 1);
	lx_device_close(wronly);
}

/* @good verdicts are in order again, whatever came before. */
static void run_reads(unsigned int n, int verdict)
{
	st->verdict = verdict;
	vms_add(0, SCRIPT_IN, 2, VMS_PORT, 0, n);
	vms_run();
}

Test(verdicts, unknown_verdicts_pass_and_count)
{
	static const int verdicts[] = { 2, -1, 77 };

	attach_probe(LX_PASS);
	for (unsigned int i = 0; i < 3; i++) {
		run_reads(LX_ERROR_LIMIT - 1, verdicts[i]);
		cr_expect_eq(vms.n, (i + 1) * (LX_ERROR_LIMIT - 1U));
		/* Errors in a row count; these are not. */
		run_reads(1, LX_HANDLED);
	}
	cr_expect_eq(vms.n, 3 * (LX_ERROR_LIMIT - 1));
	cr_expect_eq(vmt_stats(probe).regions[0].errors, 3 * (LX_ERROR_LIMIT - 1));
	cr_expect_eq(passed(), 3 * (LX_ERROR_LIMIT - 1));
	cr_expect_eq(handled(), 3);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_NONE);
	cr_expect_str_eq(info("state: "), "live");
}

/* Every access exits, the program is not called any more. */
static void expect_off_the_fast_path(void)
{
	uint64_t calls = st->n, was_handled = handled();
	uint64_t exits = vms_count().exits;
	const struct script_op *op;

	st->verdict = LX_HANDLED;
	st->spin = 0;
	vms.next = 0x1122334455667788;
	op = vms_read(4, VMS_MMIO);
	vms_out(2, VMS_PORT, 3);
	vms_add(0, SCRIPT_IN, 2, VMS_PORT, 0, 20);
	vms_run();
	cr_expect_eq(op->data, 0x55667788);
	cr_expect_eq(vms_count().exits - exits, 22);
	cr_expect_eq(st->n, calls, "the program was called");
	cr_expect_eq(handled(), was_handled);
	cr_expect_str_eq(info("state: "), "ejected");
}

Test(verdicts, errors_in_a_row_eject)
{
	attach_probe(LX_PASS);
	run_reads(LX_ERROR_LIMIT, 77);
	cr_expect_eq(vms.n, LX_ERROR_LIMIT, "%u reads reached the VMM", vms.n);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_ERRORS);
	cr_expect_str_eq(vmt_stats(probe).reason, "16 bad verdicts in a row");
	cr_expect_eq(st->n, LX_ERROR_LIMIT);
	expect_off_the_fast_path();
	cr_expect_eq(vmt_stats(probe).regions[0].errors, LX_ERROR_LIMIT);

	/* A new device of the same program is live. */
	cr_assert_eq(lx_device_detach(probe), 0);
	vmt_attach(probe, vms.vm);
	run_reads(5, LX_HANDLED);
	cr_expect_eq(handled(), 5);
}

Test(verdicts, program_ejects_itself)
{
	const struct script_op *op[3];

	attach_probe(LX_HANDLED);
	st->data = 0x6162;
	st->eject_at = 2;
	st->eject_code = 7;
	vms.next = 0x7172;
	for (unsigned int i = 0; i < 3; i++)
		op[i] = vms_in(2, VMS_PORT);
	vms_run();
	cr_expect_eq(op[0]->data, 0x6162);
	cr_expect_eq(op[1]->data, 0x6162, "the running op's verdict does not count");
	cr_expect_eq(op[2]->data, 0x7172, "the next access does not pass");
	cr_expect_eq(handled(), 2);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_PROGRAM);
	cr_expect_eq(vmt_stats(probe).eject_detail, 7);
	cr_expect_str_eq(vmt_stats(probe).reason, "the program asked for it, code 7");
	expect_off_the_fast_path();
}

/* How many of 4 runs that spin overrun @budget_us; two that do not spin end the row. */
static uint64_t overruns_of(unsigned int spin, const char *budget_us)
{
	uint64_t before = vmt_stats(probe).overruns, n;

	vmt_set_param("budget_us", budget_us);
	st->spin = spin;
	run_reads(4, LX_HANDLED);
	n = vmt_stats(probe).overruns - before;
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	st->spin = 0;
	run_reads(2, LX_HANDLED);
	return n;
}

/* Iterations of the program's loop that take longer than that: each time, not just once. */
static unsigned int calibrate(const char *us)
{
	unsigned int spin = 1 << 16;

	while (overruns_of(spin, us) < 4) {
		cr_assert_lt(spin, 1 << 22, "%lu ns at the most", vmt_stats(probe).max_ns);
		spin *= 2;
	}
	return spin;
}

Test(verdicts, overruns_in_a_row_eject)
{
	uint64_t before;
	unsigned int spin;

	attach_probe(LX_HANDLED);
	spin = calibrate("30000");
	cr_assert_geq(vmt_stats(probe).max_ns, 30000000);
	cr_assert_eq(overruns_of(spin, VMS_BUDGET_MAX), 0);
	before = vmt_stats(probe).overruns;
	/* Every fourth run is short: overruns, but not in a row. */
	vmt_set_param("budget_us", "10000");
	st->spin = spin;
	st->spin_every = 4;
	run_reads(3 * LX_OVERRUN_LIMIT, LX_HANDLED);
	cr_expect_geq(vmt_stats(probe).overruns - before, 2 * LX_OVERRUN_LIMIT);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_NONE);
	/* A short run, then long ones alone. */
	st->spin = 0;
	run_reads(1, LX_HANDLED);
	st->spin = spin;
	st->spin_every = 0;
	vms_forget();
	run_reads(LX_OVERRUN_LIMIT + 3, LX_HANDLED);
	cr_expect_eq(vms.n, 3, "%u reads reached the VMM", vms.n);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_OVERRUN);
	cr_expect_str_eq(vmt_stats(probe).reason, "8 runs in a row over the time budget");
	expect_off_the_fast_path();
}

/* Until the condition holds, for 10 s at most; on slow kernels a multiple of it. */
#define WAIT_FOR(_cond)                                                     \
	do {                                                                \
		for (int _i = 0; _i < vmt_patience(1000) && !(_cond); _i++) \
			usleep(10000);                                      \
		cr_assert(_cond, "waited in vain for " #_cond);             \
	} while (0)

static uint64_t vmm_accesses_of(unsigned int vcpu)
{
	return __atomic_load_n(&vms.vm->vcpus[vcpu].count[vms.ports].accesses, __ATOMIC_RELAXED);
}

static uint64_t vmm_accesses(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < vms.vm->n_vcpus; i++)
		sum += vmm_accesses_of(i);
	return sum;
}

/* Switches programs off; ops that had begun are over when each vCPU has asked the VMM since. */
static void switch_off(void)
{
	uint64_t before[2];

	vmt_set_param("enable", "N");
	for (unsigned int i = 0; i < 2; i++)
		before[i] = vmm_accesses_of(i);
	for (unsigned int i = 0; i < 2; i++)
		WAIT_FOR(vmm_accesses_of(i) > before[i] + 1);
}

Test(verdicts, off_switch_under_load)
{
	struct lx_device *second;
	uint64_t h, v;

	vms_teardown();
	vms_create(&(struct vmm_opts){ .vcpus = 2 });
	attach_probe(LX_HANDLED);
	second = vmt_load(vmt_test_bpf_dir(), "vt_wronly");
	for (unsigned int i = 0; i < 2; i++)
		vms_add(i, SCRIPT_IN, 4, VMS_PORT + 4 * i, 0, ~0ULL);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
	for (unsigned int round = 1; round <= 3; round++) {
		h = handled();
		WAIT_FOR(handled() > h + 1000);
		cr_expect_eq(vmm_accesses() > 0, round > 1, "the VMM was asked while it is on");

		switch_off();
		h = handled();
		v = vmm_accesses();
		WAIT_FOR(vmm_accesses() > v + 1000);
		cr_expect_eq(handled(), h, "handled while switched off");

		vmt_log_clear();
		cr_expect_eq(lx_device_attach(second, vms.vm->fd), -ESHUTDOWN);
		cr_expect_not_null(strstr(vmt_log(), "switched off"), "says: %s", vmt_log());

		vmt_set_param("enable", "Y");
		usleep(20000);
		v = vmm_accesses();
		h = handled();
		WAIT_FOR(handled() > h + 1000);
		cr_expect_leq(vmm_accesses(), v + 2, "the VMM is asked though it is on again");
	}
	vmm_stop(vms.vm);
	cr_expect_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), -ECANCELED);
	cr_expect_eq(st->seen[0].vcpu + st->seen[VT_PROBE_LOG - 1].vcpu <= 2, 1);
	lx_device_close(second);
}
