// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The RTC as a guest sees it, from the VMM, from the program, and from both in turns:
 * index and data, time, flags that a read clears, IRQ8. Expected values are the
 * MC146818 data sheet's.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "irqdev.h"
#include "rtc.h"

#define INDEX 0x70U
#define DATA 0x71U
#define IRQ8_PIN 8U
#define VECTOR 0x38U
#define SEED 0x3134363831ULL
/* 2024-02-28 23:59:58 UTC */
#define START 1709164798ULL

static struct vmm_rtc *rtc;
static struct rtc_state *st;

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	vmm_rtc_free(rtc);
	irqdev_teardown();
}

static void attached(void)
{
	vmm_rtc_attached(rtc);
}

static void setup_chip(enum vmm_irqchip irqchip)
{
	struct vmm_rtc_opts opts = { .clock = LX_CLOCK_MONOTONIC, .time = START };

	irqdev_setup(irqchip, "rtc", IRQ8_PIN, attached);
	st = irqdev.state;
	opts.irq_fd = irqdev.irq;
	opts.loop = irqdev.loop;
	opts.state = st;
	opts.kick_fd = irqdev.kick;
	opts.handover_fd = irqdev.handover;
	cr_assert_eq(vmm_rtc_new(vms.vm, &opts, &rtc), 0);
}

static void setup(void)
{
	setup_chip(VMM_IRQCHIP_NONE);
}

TestSuite(rtc, .init = setup, .fini = teardown, .timeout = 240);

static const struct script_op *get(unsigned int index)
{
	vms_out(1, INDEX, index);
	return vms_in(1, DATA);
}

static void put(unsigned int index, unsigned int val)
{
	vms_out(1, INDEX, index);
	vms_out(1, DATA, val);
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

#define BYTES 128U

/* Time stands still (SET): the RTC is 128 bytes, of which A to D are not plain. */
static void check_bytes(enum path path)
{
	uint8_t want[BYTES];
	const struct script_op *ops[60];
	uint64_t seed = SEED;

	put(0xb, 0x82);
	put(0xa, 0x20);
	vms_run();
	for (unsigned int i = 0; i < BYTES; i++)
		want[i] = (uint8_t)st->ram[i];
	want[0xc] = 0x10; /* an update may have ended before SET */
	get(0xc);
	vms_run();
	want[0xc] = 0;
	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0;
	     round < 40 || (path == IN_TURNS && !turns_enough(path, round * 60) && round < 2000);
	     round++) {
		uint8_t expect[60];

		for (unsigned int i = 0; i < 60; i++) {
			unsigned int index = next(&seed) % BYTES;

			ops[i] = NULL;
			if (next(&seed) % 4) {
				expect[i] = want[index];
				ops[i] = get(index);
			} else if (index < 0xa || index > 0xd) {
				want[index] = (uint8_t)next(&seed);
				put(index, want[index]);
			}
		}
		turns_run(path);
		for (unsigned int i = 0; i < 60; i++)
			cr_assert(!ops[i] || ops[i]->data == expect[i],
				  "round %u, access %u: %#lx, not %#x", round, i, ops[i]->data,
				  expect[i]);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	cr_expect(path == BY_VMM || turns.handled >= TURNS_MIN_HANDLED, "%lu handled",
		  turns.handled);
}

Test(rtc, bytes_of_the_vmm)
{
	check_bytes(BY_VMM);
}

Test(rtc, bytes_of_the_program)
{
	check_bytes(BY_PROGRAM);
}

Test(rtc, bytes_of_both_in_turns)
{
	check_bytes(IN_TURNS);
}

static unsigned int bcd(const struct script_op *op)
{
	return (unsigned int)(op->data >> 4) * 10 + (unsigned int)(op->data & 15);
}

/* The time by the bytes; read twice, as software does, unless the second changed meanwhile. */
static void check_time(enum path path)
{
	static const unsigned int index[] = { 0, 2, 4, 7, 8, 9, 0x32 };
	const struct script_op *op[2][7];
	uint64_t before, after, got, same = 0;

	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0;
	     round < 60 || (path == IN_TURNS && !turns_enough(path, round * 14) && round < 600);
	     round++) {
		struct tm tm = { 0 };

		before = (vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) - st->hdr.epoch_ns) / 1000000000;
		for (unsigned int i = 0; i < 2; i++) {
			for (unsigned int j = 0; j < 7; j++)
				op[i][j] = get(index[j]);
		}
		turns_run(path);
		after = (vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) - st->hdr.epoch_ns) / 1000000000;
		if (op[0][0]->data != op[1][0]->data)
			continue;
		tm.tm_sec = (int)bcd(op[0][0]);
		tm.tm_min = (int)bcd(op[0][1]);
		tm.tm_hour = (int)bcd(op[0][2]);
		tm.tm_mday = (int)bcd(op[0][3]);
		tm.tm_mon = (int)bcd(op[0][4]) - 1;
		tm.tm_year = (int)(bcd(op[0][6]) * 100 + bcd(op[0][5])) - 1900;
		got = (uint64_t)timegm(&tm) - START;
		cr_assert(got >= before && got <= after, "%lu s, not %lu to %lu", got, before,
			  after);
		same++;
		usleep(50000);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	cr_expect_gt(same, 20);
	cr_expect_gt(after, 2, "no date changed");
	cr_expect(path == BY_VMM || turns.handled >= TURNS_MIN_HANDLED, "%lu handled",
		  turns.handled);
}

Test(rtc, time_of_the_vmm)
{
	check_time(BY_VMM);
}

Test(rtc, time_of_the_program)
{
	check_time(BY_PROGRAM);
}

Test(rtc, time_of_both_in_turns)
{
	check_time(IN_TURNS);
}

static void setup_irqs(void)
{
	setup_chip(VMM_IRQCHIP_NO_PIT);
}

TestSuite(rtc_irq, .init = setup_irqs, .fini = teardown, .timeout = 240);

static uint32_t irqs(void)
{
	const struct script_params *p = vmm_params(vms.vm);

	return __atomic_load_n(&p->irqs[VECTOR], __ATOMIC_ACQUIRE);
}

/* @n interrupts by @b's enables; the handler reads C, which lets the next one come. */
static void start_irqs(unsigned int a, unsigned int b, unsigned int n)
{
	vms_add(0, SCRIPT_ON_IRQ, 0, VECTOR, 0, 2);
	get(0xc);
	vms_add(0, SCRIPT_ROUTE, 0, IRQ8_PIN, VECTOR, 1);
	put(1, 0xff);
	put(3, 0xff);
	put(5, 0xff);
	put(0xa, a);
	put(0xb, b);
	vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, n);
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
}

static void finish(void)
{
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	vms_clear();
}

static uint64_t heavy(void)
{
	return vmm_dev_count(vms.vm, vmm_rtc_index(rtc)).exits;
}

/* Interrupts and their acknowledgements with no heavy exit; no faster than the rate. */
static void check_irqs(unsigned int a, unsigned int b, unsigned int n, uint64_t period_ns)
{
	uint64_t exits, before, after;

	turns_attach();
	before = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
	start_irqs(a, b, n);
	while (irqs() < 1)
		usleep(1000);
	exits = heavy();
	finish();
	after = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
	cr_expect_eq(heavy(), exits, "%lu heavy exits", heavy() - exits);
	cr_expect_geq(after - before, (n - 2) * period_ns);
}

Test(rtc_irq, periodic_of_the_program)
{
	check_irqs(0x20 | 11, 0x42, 50, 31250000); /* 32 Hz */
}

Test(rtc_irq, update_of_the_program)
{
	check_irqs(0x20, 0x12, 3, 1000000000);
}

Test(rtc_irq, alarm_of_the_program)
{
	check_irqs(0x20, 0x22, 3, 1000000000);
}

Test(rtc_irq, periodic_of_the_vmm)
{
	start_irqs(0x20 | 11, 0x42, 20);
	finish();
	cr_expect_geq(irqs(), 20);
}

/* The program comes and goes; the handler reads C wherever it is answered. */
Test(rtc_irq, handover)
{
	const unsigned int n = 80;

	start_irqs(0x20 | 11, 0x42, n);
	while (irqs() < n) {
		turns_attach();
		usleep((useconds_t)rand() % 90000);
		lx_device_detach(irqdev.dev);
		usleep((useconds_t)rand() % 90000);
	}
	finish();
	cr_expect_leq(irqs(), st->irq.fired + 1, "%u interrupts of %u", irqs(), st->irq.fired);
}
