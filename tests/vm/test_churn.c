// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Attach, replace, move and detach while two vCPUs read, write and move strings:
 * no access is lost or doubled, no string cut, and what left does not answer any more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/logging.h>

#include "churnvm.h"
#include "vmscript.h"

#define ATTACH_BOUND_US 200000 /* in the emulated machine; 20,000 on real hardware */

static struct lx_device *dev, *spare;
static struct churn_half half;
static struct vmm *vm;

static void setup(void)
{
	struct lx_open_opts opts = { .sz = sizeof(opts) };
	int err;

	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	dev = vmt_load(vmt_test_bpf_dir(), "vt_churn");
	opts.dir = vmt_test_bpf_dir();
	opts.state_fd = lx_device_fd(dev, LX_FD_STATE);
	err = lx_device_open("vt_churn2", &opts, &spare);
	cr_assert_eq(err, 0, "open vt_churn2: %d: %s", err, vmt_log());
	err = lx_device_load(spare);
	cr_assert_eq(err, 0, "load vt_churn2: %d: %s", err, vmt_log());
	memset(&half, 0, sizeof(half));
	vm = churn_start(dev, &half);
}

static void teardown(void)
{
	vmm_destroy(vm);
	lx_device_close(dev);
	lx_device_close(spare);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(churn, .init = setup, .fini = teardown);

static void ok(int err, const char *what)
{
	cr_assert_eq(err, 0, "%s: %d: %s", what, err, vmt_log());
}

/* Accesses that programs handled; -1 in @prog or @set: all. */
static uint64_t handled(int prog, int set, int kind)
{
	uint64_t sum = 0;

	for (int p = 0; p < (int)VT_CHURN_PROGS; p++)
		for (int s = 0; s < (int)VT_CHURN_SETS; s++)
			for (int k = 0; k < VT_CHURN_KINDS; k++)
				if ((prog < 0 || p == prog) && (set < 0 || s == set) &&
				    (kind < 0 || k == kind))
					sum += __atomic_load_n(&half.st->handled[p][s][k],
							       __ATOMIC_ACQUIRE);
	return sum;
}

static uint64_t exited(int kind)
{
	return half.n[0][kind] + half.n[1][kind];
}

/* From the operation's return on, @prog at @set (-1: all) handles nothing, yet the guest runs. */
static void check_silent(int prog, int set, const char *what)
{
	uint64_t before = handled(prog, set, -1), after;

	churn_wait(vm, 1);
	after = handled(prog, set, -1);
	cr_assert_eq(after, before, "%lu accesses were handled after %s had returned",
		     after - before, what);
}

static uint64_t timed_attach(void)
{
	struct timespec a, b;

	ok(lx_device_set_regions(dev, churn_regions(0), 2), "set regions");
	clock_gettime(CLOCK_MONOTONIC, &a);
	vmt_attach(dev, vm);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (uint64_t)((b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
}

static void check_splits(void)
{
	struct lx_stats s = vmt_stats(dev);

	for (unsigned int i = 0; i < s.n_regions; i++)
		cr_assert_eq(s.regions[i].string_splits, 0, "region %u: a string was cut", i);
}

/* Program @prog is in @dev. Returns the attach's time in microseconds. */
static uint64_t churn_round(int prog)
{
	uint64_t us = timed_attach();

	churn_wait(vm, 2);
	ok(lx_device_replace(dev, vm->fd, spare), "replace");
	check_silent(prog, -1, "a replace");
	ok(lx_device_move(dev, vm->fd, churn_regions(1), 2), "move");
	check_silent(-1, 0, "a move away");
	check_splits();
	ok(lx_device_detach(dev), "detach");
	check_silent(-1, -1, "a detach");
	return us;
}

static void check_vcpu(unsigned int i)
{
	const struct churn_result *r = &churn_params(vm)->result[i];

	cr_expect_eq(r->bad, 0, "vCPU %u: %lu bad reads, the first of kind %lu: %#lx, not %#lx", i,
		     r->bad, r->kind, r->got, r->due);
	cr_expect_eq(half.st->vcpu[i].bad, 0, "vCPU %u: %llu writes out of turn", i,
		     half.st->vcpu[i].bad);
	for (int k = 0; k < VT_CHURN_KINDS; k++)
		cr_expect_eq(half.st->vcpu[i].n[k], r->n[k],
			     "vCPU %u, kind %d: %llu arrived of %lu", i, k, half.st->vcpu[i].n[k],
			     r->n[k]);
}

/* What the guest did is what the programs and the VMM did, and each did its part. */
static void check_sums(void)
{
	unsigned long least = vmt_scale(1000) < 200 ? 200 : vmt_scale(1000);

	for (int k = 0; k < VT_CHURN_KINDS; k++) {
		uint64_t guest =
			churn_params(vm)->result[0].n[k] + churn_params(vm)->result[1].n[k];
		uint64_t bpf = handled(-1, -1, k), vmm = exited(k);

		cr_log_info("kind %d: %lu = %lu by programs + %lu by the VMM", k, guest, bpf, vmm);
		cr_expect_eq(bpf + vmm, guest, "kind %d: %lu + %lu answers to %lu accesses", k, bpf,
			     vmm, guest);
		cr_expect_geq(bpf, least);
		cr_expect_geq(vmm, least);
		cr_expect_geq(bpf * 5, guest, "kind %d: programs answered only %lu of %lu", k, bpf,
			      guest);
		cr_expect_geq(vmm * 5, guest, "kind %d: the VMM answered only %lu of %lu", k, vmm,
			      guest);
	}
	for (int i = 0; i < 4; i++)
		cr_expect_gt(handled(i / 2, i % 2, -1), 0, "program %d never ran at set %d", i / 2,
			     i % 2);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Attach, replace, move, detach 1,000 times each under load. */
Test(churn, no_access_is_lost_or_doubled)
{
	unsigned long rounds = vmt_scale(1000);
	uint64_t *us = calloc(rounds, sizeof(*us));

	cr_assert_not_null(us);
	for (unsigned long i = 0; i < rounds; i++)
		us[i] = churn_round(i % 2);
	churn_stop(vm);
	check_vcpu(0);
	check_vcpu(1);
	check_sums();
	qsort(us, rounds, sizeof(*us), by_value);
	cr_log_info("attach: median %lu us, longest %lu us", us[rounds / 2], us[rounds - 1]);
	cr_expect_lt(us[rounds / 2], (uint64_t)vmt_patience(ATTACH_BOUND_US),
		     "the median attach took %lu us", us[rounds / 2]);
	free(us);
}
