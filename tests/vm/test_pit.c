// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The PIT as a guest sees it, from the VMM, from the program, and from both in turns:
 * counts, latches and read-back; IRQ0. Expected values are the 8254 data sheet's.
 */
#include <stdlib.h>
#include <unistd.h>

#include "irqdev.h"
#include "pit.h"

#define COUNTER0 0x40U
#define COUNTER2 0x42U
#define CONTROL 0x43U
#define PORT_B 0x61U
#define IRQ0_PIN 0U
#define VECTOR 0x30U
#define SEED 0x38323534ULL
#define CLK_HZ 1193182ULL

static struct vmm_pit *pit;
static struct pit_state *st;

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	vmm_pit_free(pit);
	irqdev_teardown();
}

static void attached(void)
{
	vmm_pit_attached(pit);
}

static void setup_chip(enum vmm_irqchip irqchip)
{
	struct vmm_pit_opts opts = { .clock = LX_CLOCK_MONOTONIC };

	irqdev_setup(irqchip, "pit", IRQ0_PIN, attached);
	st = irqdev.state;
	opts.irq_fd = irqdev.irq;
	opts.loop = irqdev.loop;
	opts.state = st;
	opts.kick_fd = irqdev.kick;
	opts.handover_fd = irqdev.handover;
	cr_assert_eq(vmm_pit_new(vms.vm, &opts, &pit), 0);
}

static void setup(void)
{
	setup_chip(VMM_IRQCHIP_NONE);
}

TestSuite(pit, .init = setup, .fini = teardown, .timeout = 240);

/*
 * Counter 2 in mode 0 with GATE low: it is loaded and does not count, so that every read
 * is known. What the data sheet's "Read Operations" say of it, in the order asked.
 */
#define READS 90U

static struct {
	const struct script_op *op[READS];
	uint8_t want[READS];
	unsigned int n;
	uint64_t seed;
} reads;

static uint64_t next(unsigned int below)
{
	reads.seed = reads.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (reads.seed >> 33) % below;
}

static void want(unsigned int val)
{
	reads.op[reads.n] = vms_in(1, COUNTER2);
	reads.want[reads.n++] = (uint8_t)val;
}

/* Programs the counter; returns what its count reads. @rw: 1: LSB, 2: MSB, 3: both */
static unsigned int program(unsigned int rw, bool bcd)
{
	unsigned int val = (unsigned int)next(0x10000);

	if (bcd)
		val = (unsigned int)(next(10) << 12 | next(10) << 8 | next(10) << 4 | next(10));
	vms_out(1, CONTROL, 2 << 6 | rw << 4 | bcd);
	if (rw & 1)
		vms_out(1, COUNTER2, val & 0xff);
	if (rw & 2)
		vms_out(1, COUNTER2, val >> 8);
	return rw == 1 ? val & 0xff : rw == 2 ? val & 0xff00 : val;
}

static void read_count(unsigned int rw, unsigned int val)
{
	if (rw & 1)
		want(val & 0xff);
	if (rw & 2)
		want(val >> 8);
}

/* OUT is low until the count is over; the count has been loaded. */
static unsigned int status(unsigned int rw, bool bcd)
{
	return rw << 4 | bcd;
}

/* One of the ways to read; each leaves nothing latched, and the flip-flop at the LSB. */
static void ask(unsigned int rw, bool bcd, unsigned int val)
{
	switch (next(5)) {
	case 0: /* a latched count stays, however often it is latched again */
		vms_out(1, CONTROL, 2 << 6);
		vms_out(1, CONTROL, 2 << 6);
		break;
	case 1: /* read-back of the status, then the count */
		vms_out(1, CONTROL, 0xe8);
		want(status(rw, bcd));
		break;
	case 2: /* of both: the status comes first */
		vms_out(1, CONTROL, 0xc8);
		want(status(rw, bcd));
		break;
	case 3: /* of other counters */
		vms_out(1, CONTROL, 0xc6);
		break;
	default:
		break;
	}
	read_count(rw, val);
}

static void check_counts(enum path path)
{
	uint64_t answers = 0;

	reads.seed = SEED;
	vms_out(1, PORT_B, 0);
	vms_run();
	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0;
	     round < 40 || (path == IN_TURNS && !turns_enough(path, answers) && round < 2000);
	     round++) {
		reads.n = 0;
		while (reads.n + 20 < READS) {
			unsigned int rw = 1 + (unsigned int)next(3);
			bool bcd = next(2);
			unsigned int val = program(rw, bcd);

			for (uint64_t i = 1 + next(4); i; i--)
				ask(rw, bcd, val);
		}
		turns_run(path);
		for (unsigned int i = 0; i < reads.n; i++)
			cr_assert_eq(reads.op[i]->data, reads.want[i],
				     "round %u, read %u: %#lx, not %#x", round, i,
				     reads.op[i]->data, reads.want[i]);
		answers += reads.n;
	}
	if (path == BY_PROGRAM)
		turns_detach();
	cr_expect(turns_enough(path, answers), "%lu of %lu handled", turns.handled, answers);
}

Test(pit, counts_of_the_vmm)
{
	check_counts(BY_VMM);
}

Test(pit, counts_of_the_program)
{
	check_counts(BY_PROGRAM);
}

Test(pit, counts_of_both_in_turns)
{
	check_counts(IN_TURNS);
}

static void setup_irqs(void)
{
	setup_chip(VMM_IRQCHIP_NO_PIT);
}

TestSuite(pit_irq, .init = setup_irqs, .fini = teardown, .timeout = 240);

static uint32_t irqs(void)
{
	const struct script_params *p = vmm_params(vms.vm);

	return __atomic_load_n(&p->irqs[VECTOR], __ATOMIC_ACQUIRE);
}

/* Counter 0 in @mode, @count CLK pulses a period; until @n interrupts have come. */
static void start_irqs(unsigned int mode, unsigned int count, unsigned int n)
{
	vms_add(0, SCRIPT_ROUTE, 0, IRQ0_PIN, VECTOR, 1);
	vms_out(1, CONTROL, 3 << 4 | mode << 1);
	vms_out(1, COUNTER0, count & 0xff);
	vms_out(1, COUNTER0, count >> 8);
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
	return vmm_dev_count(vms.vm, vmm_pit_index(pit, PIT_REGION_COUNTERS)).exits;
}

/* Ticks without a heavy exit, and not faster than the rate. */
static void check_ticks(unsigned int mode)
{
	const unsigned int count = 23864, n = 50; /* 20 ms */
	uint64_t exits, before, after;

	turns_attach();
	before = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
	start_irqs(mode, count, n);
	while (irqs() < 3) /* the first may be the control word's: "OUT will initially be high" */
		usleep(1000);
	exits = heavy();
	finish();
	after = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
	cr_expect_eq(heavy(), exits, "%lu heavy exits", heavy() - exits);
	cr_expect_geq(after - before, (n - 3) * (count * 1000000000ULL / CLK_HZ));
}

Test(pit_irq, mode_2_of_the_program)
{
	check_ticks(2);
}

Test(pit_irq, mode_3_of_the_program)
{
	check_ticks(3);
}

/* Mode 0: OUT rises when the count is over, once; not before. */
Test(pit_irq, mode_0_of_the_program)
{
	uint64_t before;

	turns_attach();
	for (unsigned int i = 1; i <= 10; i++) {
		before = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
		start_irqs(0, 23864, i);
		finish();
		cr_expect_geq(vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) - before,
			      23864 * 1000000000ULL / CLK_HZ);
		cr_expect_eq(irqs(), i);
	}
}

Test(pit_irq, mode_2_of_the_vmm)
{
	start_irqs(2, 23864, 20);
	finish();
	cr_expect_geq(irqs(), 20);
}

/* The program comes and goes: each rise of OUT interrupts once, whoever sees to it. */
Test(pit_irq, handover)
{
	const unsigned int n = 80;

	start_irqs(2, 23864, n);
	while (irqs() < n) {
		turns_attach();
		usleep((useconds_t)rand() % 90000);
		turns_detach();
		usleep((useconds_t)rand() % 90000);
	}
	finish();
	cr_expect_leq(irqs(), st->irq.fired + 1, "%u interrupts of %u", irqs(), st->irq.fired);
}
