// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Interrupts reach a guest: KVM's own PIT, eventfds, edge and level. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common.h"
#include "irqfd.h"

#define PIN 10U
#define VECTOR 0x45U
/* 8254, at PC addresses; KVM's default routing has its output at the IO-APIC's pin 0. */
#define PIT_COUNTER_0 0x40U
#define PIT_MODE 0x43U
#define PIT_MODE_0 0x30U
#define PIT_PIN 0U

static const struct script_params *params;

static void irq_setup(void)
{
	setup_vcpus(2, VMM_IRQCHIP_KERNEL);
	params = vmm_params(vm);
}

TestSuite(irq, .init = irq_setup, .fini = teardown, .timeout = 60);

static int irqfd(unsigned int pin, int resample)
{
	int fd = vmm_irqfd(vm, pin, resample);

	cr_assert_geq(fd, 0);
	return fd;
}

static void start(void)
{
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(script)), 0);
	cr_assert_eq(vmm_start(vm), 0);
}

static void wait_count(unsigned int vector, uint32_t n)
{
	for (int i = 0; i < 1000 && __atomic_load_n(&params->irqs[vector], __ATOMIC_ACQUIRE) < n;
	     i++)
		usleep(10000);
	cr_assert_eq(params->irqs[vector], n, "vector %#x came %u times, not %u", vector,
		     params->irqs[vector], n);
}

/* Mode 0 interrupts once, at terminal count. */
Test(irq, pit)
{
	add(0, SCRIPT_ROUTE, 0, PIT_PIN, VECTOR, 1);
	out(1, PIT_MODE, PIT_MODE_0);
	out(1, PIT_COUNTER_0, 100);
	out(1, PIT_COUNTER_0, 0);
	add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 1);
	run_script();
	cr_expect_eq(params->irqs[VECTOR], 1);
}

/* One edge for each signal, to the vCPU that asked for it, before its next line runs. */
Test(irq, edge)
{
	int fd = irqfd(PIN, -1);

	ports.next = 0x77;
	add(1, SCRIPT_ON_IRQ, 0, VECTOR, 0, 1);
	add(1, SCRIPT_IN, 1, TEST_PORT, 0, 1);
	add(1, SCRIPT_ROUTE, 0, PIN, VECTOR, 1);
	add(1, SCRIPT_BARRIER, 0, 0, 0, 1);
	add(1, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 3);
	add(0, SCRIPT_BARRIER, 0, 0, 0, 1);
	start();
	while (__atomic_load_n(&params->gates[0], __ATOMIC_ACQUIRE) < 2)
		usleep(1000);
	for (uint32_t i = 1; i <= 3; i++) {
		cr_assert_eq(eventfd_write(fd, 1), 0);
		wait_count(VECTOR, i);
	}
	cr_assert_eq(vmm_join(vm, TIMEOUT_MS), 0);
	cr_expect_eq(ports.n, 3, "the handler's line ran %u times", ports.n);
	close(fd);
}

/* Asserted until EOI, when the resample eventfd is signalled: by then it comes no second time. */
Test(irq, level)
{
	int resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd = irqfd(PIN, resample);
	struct pollfd p = { .fd = resample, .events = POLLIN };
	eventfd_t n = 0;

	add(0, SCRIPT_ROUTE, 1, PIN, VECTOR, 1);
	add(0, SCRIPT_BARRIER, 0, 0, 0, 1);
	add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 2);
	add(1, SCRIPT_BARRIER, 0, 0, 0, 1);
	start();
	while (__atomic_load_n(&params->gates[0], __ATOMIC_ACQUIRE) < 2)
		usleep(1000);
	for (uint32_t i = 1; i <= 2; i++) {
		cr_assert_eq(eventfd_write(fd, 1), 0);
		cr_assert_eq(poll(&p, 1, TIMEOUT_MS), 1, "no resample");
		cr_assert_eq(eventfd_read(resample, &n), 0);
		cr_expect_eq(n, 1);
		wait_count(VECTOR, i);
	}
	cr_assert_eq(vmm_join(vm, TIMEOUT_MS), 0);
	cr_expect_eq(params->irqs[VECTOR], 2);
	close(resample);
	close(fd);
}
