// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See machine.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "irqfd.h"
#include "machine.h"

/* 8254 and RTC, by their index in machine.irqs; without the HPET's legacy replacement. */
static const uint32_t irq_gsi[2] = { 0, 8 };

/* An Intel 82441FX, which systems take for a host bridge; it has no registers here. */
#define HOST_BRIDGE_ID 0x12378086U
#define HOST_BRIDGE_CLASS 0x06000002U
#define CLASS_WORD 2U

const char *const machine_devices[DEV_COUNT] = {
	[DEV_UART] = "uart", [DEV_RTC] = "rtc",		[DEV_PIT] = "pit",
	[DEV_HPET] = "hpet", [DEV_PMTIMER] = "pmtimer", [DEV_PCICONF] = "pciconf",
};

static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
	struct machine *m = opaque;

	fwrite(c, 1, n, m->opts.console);
	fflush(m->opts.console);
}

/* The program of @dev, and the state that it shares with the back end. */
static int open_accel(struct machine *m, enum machine_device dev, size_t state_size)
{
	return example_open(m->opts.common, machine_devices[dev], state_size, NULL, 0,
			    &m->accels[dev]);
}

static void *state_of(const struct machine *m, enum machine_device dev)
{
	return vmm_accel_state(m->accels[dev]);
}

static int attach(struct machine *m, enum machine_device dev, const struct lx_eventfds *fds)
{
	int err = fds ? vmm_accel_set_eventfds(m->accels[dev], fds) : 0;

	return err ? err : vmm_accel_attach(m->accels[dev], m->vm);
}

static int add_uart(struct machine *m)
{
	struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = LX_CLOCK_MONOTONIC,
		.loop = m->loop,
		.sent = on_sent,
		.opaque = m,
	};
	struct lx_eventfds fds;
	int err;

	m->uart_irq = vmm_irqfd(m->vm, UART_IRQ, -1);
	if (m->uart_irq < 0)
		return m->uart_irq;
	err = open_accel(m, DEV_UART, sizeof(struct uart16550_state));
	opts.irq_fd = m->uart_irq;
	opts.state = state_of(m, DEV_UART);
	if (!err)
		err = vmm_uart_new(m->vm, &opts, &m->uart);
	if (err)
		return err;
	vmm_uart_eventfds(m->uart, &fds);
	err = attach(m, DEV_UART, &fds);
	if (!err && vmm_accel_active(m->accels[DEV_UART]))
		vmm_uart_attached(m->uart);
	return err;
}

/* The eventfds of PIT (0) or RTC (1). */
static int make_eventfds(struct machine *m, unsigned int i, struct lx_eventfds *fds)
{
	m->irqs[i] = vmm_irqfd(m->vm, irq_gsi[i], -1);
	if (m->irqs[i] < 0)
		return m->irqs[i];
	for (unsigned int n = 0; n < 2; n++) {
		m->timerfds[i][n] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (m->timerfds[i][n] < 0)
			return vmm_error(-errno, "eventfd");
	}
	*fds = (struct lx_eventfds){
		.sz = sizeof(*fds),
		.n = 1,
		.slots = { m->irqs[i] },
		.kick_fd = m->timerfds[i][0],
		.handover_fd = m->timerfds[i][1],
	};
	return 0;
}

static int add_pit(struct machine *m)
{
	struct vmm_pit_opts opts = { .clock = LX_CLOCK_MONOTONIC, .loop = m->loop };
	struct lx_eventfds fds;
	int err = make_eventfds(m, 0, &fds);

	if (!err)
		err = open_accel(m, DEV_PIT, sizeof(struct pit_state));
	if (err)
		return err;
	opts.irq_fd = m->irqs[0];
	opts.kick_fd = fds.kick_fd;
	opts.handover_fd = fds.handover_fd;
	opts.state = state_of(m, DEV_PIT);
	err = vmm_pit_new(m->vm, &opts, &m->pit);
	if (!err)
		err = attach(m, DEV_PIT, &fds);
	if (!err && vmm_accel_active(m->accels[DEV_PIT]))
		vmm_pit_attached(m->pit);
	return err;
}

static int add_rtc(struct machine *m)
{
	struct vmm_rtc_opts opts = {
		.clock = LX_CLOCK_MONOTONIC,
		.time = (uint64_t)time(NULL),
		.loop = m->loop,
	};
	struct lx_eventfds fds;
	int err = make_eventfds(m, 1, &fds);

	if (!err)
		err = open_accel(m, DEV_RTC, sizeof(struct rtc_state));
	if (err)
		return err;
	opts.irq_fd = m->irqs[1];
	opts.kick_fd = fds.kick_fd;
	opts.handover_fd = fds.handover_fd;
	opts.state = state_of(m, DEV_RTC);
	err = vmm_rtc_new(m->vm, &opts, &m->rtc);
	if (!err)
		err = attach(m, DEV_RTC, &fds);
	if (!err && vmm_accel_active(m->accels[DEV_RTC]))
		vmm_rtc_attached(m->rtc);
	return err;
}

/* With the HPET's legacy replacement PIT and RTC interrupt no more. */
static void on_legacy(void *opaque, bool on)
{
	struct machine *m = opaque;

	for (unsigned int i = 0; i < 2 && on != m->legacy; i++)
		vmm_irqfd_bind(m->vm, m->irqs[i], irq_gsi[i], !on);
	m->legacy = on;
}

static int add_hpet(struct machine *m)
{
	const struct vmm_hpet_irqs irqs = {
		.loop = m->loop,
		.legacy_gsi = { irq_gsi[0], irq_gsi[1] },
		.legacy = on_legacy,
		.opaque = m,
	};
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = HPET_SLOTS };
	int err = open_accel(m, DEV_HPET, sizeof(struct hpet_state));

	if (!err)
		err = vmm_hpet_new(m->vm, HPET_BASE, LX_CLOCK_MONOTONIC, state_of(m, DEV_HPET),
				   &m->hpet);
	if (!err)
		err = vmm_hpet_connect(m->hpet, &irqs);
	if (err || !m->accels[DEV_HPET])
		return err;
	vmm_hpet_eventfds(m->hpet, fds.slots, &fds.handover_fd, &fds.kick_fd);
	err = vmm_hpet_hand_out(m->hpet);
	if (!err)
		err = attach(m, DEV_HPET, &fds);
	if (!err && !vmm_accel_active(m->accels[DEV_HPET]))
		vmm_hpet_take_back(m->hpet);
	return err;
}

static int add_pmtimer(struct machine *m)
{
	struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = 32,
		.clock = LX_CLOCK_MONOTONIC,
	};
	int err = open_accel(m, DEV_PMTIMER, sizeof(struct pmtimer_state));

	opts.state = state_of(m, DEV_PMTIMER);
	if (!err)
		err = vmm_pmtimer_new(m->vm, &opts, &m->pmtimer);
	return err ? err : attach(m, DEV_PMTIMER, NULL);
}

static int add_pciconf(struct machine *m)
{
	struct vmm_pciconf_function bridge = { .config = { HOST_BRIDGE_ID } };
	int err = open_accel(m, DEV_PCICONF, sizeof(struct pciconf_state));

	bridge.config[CLASS_WORD] = HOST_BRIDGE_CLASS;
	if (!err)
		err = vmm_pciconf_new(m->vm, state_of(m, DEV_PCICONF), &m->pciconf);
	if (!err)
		err = vmm_pciconf_add(m->pciconf, 0, &bridge);
	return err ? err : attach(m, DEV_PCICONF, NULL);
}

static int add_devices(struct machine *m)
{
	int (*const add[])(struct machine *m) = { add_uart, add_rtc,	 add_pit,
						  add_hpet, add_pmtimer, add_pciconf };
	int err = vmm_acpi_new(m->vm, &m->acpi);

	for (size_t i = 0; i < sizeof(add) / sizeof(add[0]) && !err; i++)
		err = add[i](m);
	return err;
}

int machine_create(struct machine *m, const struct machine_opts *opts)
{
	const struct vmm_opts vmm = {
		.mem_size = opts->mem_size,
		.irqchip = VMM_IRQCHIP_NO_PIT,
	};
	int err;

	*m = (struct machine){
		.opts = *opts,
		.uart_irq = -1,
		.irqs = { -1, -1 },
		.timerfds = { { -1, -1 }, { -1, -1 } },
	};
	err = vmm_create(&vmm, &m->vm);
	if (!err)
		err = vmm_loop_new(&m->loop);
	if (!err)
		err = add_devices(m);
	if (!err)
		counts_attach(&m->counts, m->vm);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void machine_destroy(struct machine *m)
{
	if (m->hpet)
		vmm_hpet_disconnect(m->hpet);
	vmm_destroy(m->vm);
	vmm_uart_free(m->uart);
	vmm_rtc_free(m->rtc);
	vmm_pit_free(m->pit);
	vmm_hpet_free(m->hpet);
	vmm_pmtimer_free(m->pmtimer);
	vmm_pciconf_free(m->pciconf);
	vmm_acpi_free(m->acpi);
	vmm_loop_free(m->loop);
	for (unsigned int i = 0; i < DEV_COUNT; i++)
		vmm_accel_close(m->accels[i]);
	close_fd(m->uart_irq);
	for (unsigned int i = 0; i < 2; i++) {
		close_fd(m->irqs[i]);
		close_fd(m->timerfds[i][0]);
		close_fd(m->timerfds[i][1]);
	}
}

static struct vmm_count count_of(const struct machine *m, enum machine_device dev)
{
	struct vmm_count count, port_b;

	switch (dev) {
	case DEV_UART:
		return vmm_dev_count(m->vm, vmm_uart_index(m->uart));
	case DEV_RTC:
		return vmm_dev_count(m->vm, vmm_rtc_index(m->rtc));
	case DEV_PIT:
		count = vmm_dev_count(m->vm, vmm_pit_index(m->pit, PIT_REGION_COUNTERS));
		port_b = vmm_dev_count(m->vm, vmm_pit_index(m->pit, PIT_REGION_PORT_B));
		count.exits += port_b.exits;
		count.accesses += port_b.accesses;
		return count;
	case DEV_HPET:
		return vmm_dev_count(m->vm, vmm_hpet_index(m->hpet));
	case DEV_PMTIMER:
		return vmm_dev_count(m->vm, vmm_pmtimer_index(m->pmtimer));
	default:
		return vmm_dev_count(m->vm, vmm_pciconf_index(m->pciconf));
	}
}

struct example_cost machine_cost(const struct machine *m, enum machine_device dev)
{
	return example_cost(count_of(m, dev), m->accels[dev]);
}
