// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A PC: its devices, put together. */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "irqfd.h"
#include "pc.h"

/* By their index in vmm_pc.irqs. The HPET's legacy replacement takes the first two. */
enum {
	IRQ_PIT = 0,
	IRQ_RTC,
	IRQ_UART,
	IRQ_IDE,
	IRQS,
};

static const uint32_t irq_gsi[IRQS] = { 0, 8, UART_IRQ, IDE_IRQ };

/* An Intel 82441FX and a PIIX3's ISA bridge, which systems know; they have no registers here. */
#define HOST_BRIDGE_ID 0x12378086U
#define HOST_BRIDGE_CLASS 0x06000002U
#define ISA_BRIDGE_ID 0x70008086U
#define ISA_BRIDGE_CLASS 0x06010000U
#define ISA_BRIDGE 8U
#define IDE_FUNCTION (ISA_BRIDGE + 1U)
#define CLASS_WORD 2U
#define HEADER_WORD 3U
#define HEADER_MULTI_FUNCTION (1U << 23)

const char *const vmm_pc_names[VMM_PC_DEVICES] = {
	[VMM_PC_UART] = "uart", [VMM_PC_RTC] = "rtc",	      [VMM_PC_PIT] = "pit",
	[VMM_PC_HPET] = "hpet", [VMM_PC_PMTIMER] = "pmtimer", [VMM_PC_PCICONF] = "pciconf",
	[VMM_PC_IDE] = "ide",
};

static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
	struct vmm_pc *pc = opaque;

	fwrite(c, 1, n, pc->opts.console);
	fflush(pc->opts.console);
}

/* The program of @dev, and the state that it shares with the back end. */
static int open_accel(struct vmm_pc *pc, enum vmm_pc_device dev, size_t state_size)
{
	const struct vmm_accel_opts opts = { .path = pc->opts.path, .bpf_dir = pc->opts.bpf_dir };

	return vmm_accel_open(vmm_pc_names[dev], state_size, &opts, &pc->accels[dev]);
}

static void *state_of(const struct vmm_pc *pc, enum vmm_pc_device dev)
{
	return vmm_accel_state(pc->accels[dev]);
}

static int attach(struct vmm_pc *pc, enum vmm_pc_device dev, const struct lx_eventfds *fds)
{
	int err = fds ? vmm_accel_set_eventfds(pc->accels[dev], fds) : 0;

	return err ? err : vmm_accel_attach(pc->accels[dev], pc->vm);
}

static int add_uart(struct vmm_pc *pc)
{
	struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = LX_CLOCK_MONOTONIC,
		.loop = pc->loop,
		.sent = on_sent,
		.opaque = pc,
	};
	struct lx_eventfds fds;
	int err;

	pc->irqs[IRQ_UART] = vmm_irqfd(pc->vm, UART_IRQ, -1);
	if (pc->irqs[IRQ_UART] < 0)
		return pc->irqs[IRQ_UART];
	err = open_accel(pc, VMM_PC_UART, sizeof(struct uart16550_state));
	opts.irq_fd = pc->irqs[IRQ_UART];
	opts.state = state_of(pc, VMM_PC_UART);
	if (!err)
		err = vmm_uart_new(pc->vm, &opts, &pc->uart);
	if (err)
		return err;
	vmm_uart_eventfds(pc->uart, &fds);
	err = attach(pc, VMM_PC_UART, &fds);
	if (!err && vmm_accel_active(pc->accels[VMM_PC_UART]))
		vmm_uart_attached(pc->uart);
	return err;
}

/* The eventfds of PIT or RTC. */
static int make_eventfds(struct vmm_pc *pc, unsigned int i, struct lx_eventfds *fds)
{
	pc->irqs[i] = vmm_irqfd(pc->vm, irq_gsi[i], -1);
	if (pc->irqs[i] < 0)
		return pc->irqs[i];
	for (unsigned int n = 0; n < 2; n++) {
		pc->timerfds[i][n] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (pc->timerfds[i][n] < 0)
			return vmm_error(-errno, "eventfd");
	}
	*fds = (struct lx_eventfds){
		.sz = sizeof(*fds),
		.n = 1,
		.slots = { pc->irqs[i] },
		.kick_fd = pc->timerfds[i][0],
		.handover_fd = pc->timerfds[i][1],
	};
	return 0;
}

static int add_pit(struct vmm_pc *pc)
{
	struct vmm_pit_opts opts = { .clock = LX_CLOCK_MONOTONIC, .loop = pc->loop };
	struct lx_eventfds fds;
	int err = make_eventfds(pc, IRQ_PIT, &fds);

	if (!err)
		err = open_accel(pc, VMM_PC_PIT, sizeof(struct pit_state));
	if (err)
		return err;
	opts.irq_fd = pc->irqs[IRQ_PIT];
	opts.kick_fd = fds.kick_fd;
	opts.handover_fd = fds.handover_fd;
	opts.state = state_of(pc, VMM_PC_PIT);
	err = vmm_pit_new(pc->vm, &opts, &pc->pit);
	if (!err)
		err = attach(pc, VMM_PC_PIT, &fds);
	if (!err && vmm_accel_active(pc->accels[VMM_PC_PIT]))
		vmm_pit_attached(pc->pit);
	return err;
}

static int add_rtc(struct vmm_pc *pc)
{
	struct vmm_rtc_opts opts = {
		.clock = LX_CLOCK_MONOTONIC,
		.time = (uint64_t)time(NULL),
		.loop = pc->loop,
	};
	struct lx_eventfds fds;
	int err = make_eventfds(pc, IRQ_RTC, &fds);

	if (!err)
		err = open_accel(pc, VMM_PC_RTC, sizeof(struct rtc_state));
	if (err)
		return err;
	opts.irq_fd = pc->irqs[IRQ_RTC];
	opts.kick_fd = fds.kick_fd;
	opts.handover_fd = fds.handover_fd;
	opts.state = state_of(pc, VMM_PC_RTC);
	err = vmm_rtc_new(pc->vm, &opts, &pc->rtc);
	if (!err)
		err = attach(pc, VMM_PC_RTC, &fds);
	if (!err && vmm_accel_active(pc->accels[VMM_PC_RTC]))
		vmm_rtc_attached(pc->rtc);
	return err;
}

/* With the HPET's legacy replacement PIT and RTC interrupt no more. */
static void on_legacy(void *opaque, bool on)
{
	struct vmm_pc *pc = opaque;

	for (unsigned int i = 0; i < 2 && on != pc->legacy; i++)
		vmm_irqfd_bind(pc->vm, pc->irqs[i], irq_gsi[i], !on);
	pc->legacy = on;
}

static int add_hpet(struct vmm_pc *pc)
{
	const struct vmm_hpet_irqs irqs = {
		.loop = pc->loop,
		.legacy_gsi = { irq_gsi[IRQ_PIT], irq_gsi[IRQ_RTC] },
		.legacy = on_legacy,
		.opaque = pc,
	};
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = HPET_SLOTS };
	int err = open_accel(pc, VMM_PC_HPET, sizeof(struct hpet_state));

	if (!err)
		err = vmm_hpet_new(pc->vm, HPET_BASE, LX_CLOCK_MONOTONIC, state_of(pc, VMM_PC_HPET),
				   &pc->hpet);
	if (!err)
		err = vmm_hpet_connect(pc->hpet, &irqs);
	if (err || !pc->accels[VMM_PC_HPET])
		return err;
	vmm_hpet_eventfds(pc->hpet, fds.slots, &fds.handover_fd, &fds.kick_fd);
	err = vmm_hpet_hand_out(pc->hpet);
	if (!err)
		err = attach(pc, VMM_PC_HPET, &fds);
	if (!err && !vmm_accel_active(pc->accels[VMM_PC_HPET]))
		vmm_hpet_take_back(pc->hpet);
	return err;
}

static int add_pmtimer(struct vmm_pc *pc)
{
	struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = 32,
		.clock = LX_CLOCK_MONOTONIC,
	};
	int err = open_accel(pc, VMM_PC_PMTIMER, sizeof(struct pmtimer_state));

	opts.state = state_of(pc, VMM_PC_PMTIMER);
	if (!err)
		err = vmm_pmtimer_new(pc->vm, &opts, &pc->pmtimer);
	return err ? err : attach(pc, VMM_PC_PMTIMER, NULL);
}

static int add_pciconf(struct vmm_pc *pc)
{
	struct vmm_pciconf_function bridge = { .config = { HOST_BRIDGE_ID } };
	int err = open_accel(pc, VMM_PC_PCICONF, sizeof(struct pciconf_state));

	bridge.config[CLASS_WORD] = HOST_BRIDGE_CLASS;
	if (!err)
		err = vmm_pciconf_new(pc->vm, state_of(pc, VMM_PC_PCICONF), &pc->pciconf);
	if (!err)
		err = vmm_pciconf_add(pc->pciconf, 0, &bridge);
	return err ? err : attach(pc, VMM_PC_PCICONF, NULL);
}

/* The PIIX3, if there is a disk. */
static int add_ide(struct vmm_pc *pc)
{
	struct vmm_pciconf_function f = { .config = { ISA_BRIDGE_ID } };
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };
	struct vmm_ide_opts opts = { .fd = pc->opts.disk };
	int err;

	if (pc->opts.disk <= 0)
		return 0;
	f.config[CLASS_WORD] = ISA_BRIDGE_CLASS;
	f.config[HEADER_WORD] = HEADER_MULTI_FUNCTION;
	err = vmm_pciconf_add(pc->pciconf, ISA_BRIDGE, &f);
	if (!err)
		err = open_accel(pc, VMM_PC_IDE, sizeof(struct ide_state));
	if (err)
		return err;
	pc->irqs[IRQ_IDE] = vmm_irqfd(pc->vm, IDE_IRQ, -1);
	if (pc->irqs[IRQ_IDE] < 0)
		return pc->irqs[IRQ_IDE];
	opts.irq_fd = pc->irqs[IRQ_IDE];
	opts.state = state_of(pc, VMM_PC_IDE);
	err = vmm_ide_new(pc->vm, &opts, &pc->ide);
	if (err)
		return err;
	vmm_ide_function(pc->ide, &f);
	fds.slots[IDE_SLOT_IRQ] = opts.irq_fd;
	err = vmm_pciconf_add(pc->pciconf, IDE_FUNCTION, &f);
	return err ? err : attach(pc, VMM_PC_IDE, &fds);
}

static int add_devices(struct vmm_pc *pc)
{
	int (*const add[])(struct vmm_pc *pc) = { add_uart,    add_rtc,	    add_pit, add_hpet,
						  add_pmtimer, add_pciconf, add_ide };
	int err = vmm_acpi_new(pc->vm, &pc->acpi);

	for (size_t i = 0; i < sizeof(add) / sizeof(add[0]) && !err; i++)
		err = add[i](pc);
	return err;
}

int vmm_pc_create(struct vmm_pc *pc, const struct vmm_pc_opts *opts)
{
	const struct vmm_opts vmm = {
		.mem_size = opts->mem_size,
		.irqchip = VMM_IRQCHIP_NO_PIT,
	};
	int err;

	*pc = (struct vmm_pc){
		.opts = *opts,
		.irqs = { -1, -1, -1, -1 },
		.timerfds = { { -1, -1 }, { -1, -1 } },
	};
	err = vmm_create(&vmm, &pc->vm);
	if (!err)
		err = vmm_loop_new(&pc->loop);
	if (!err)
		err = add_devices(pc);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void vmm_pc_destroy(struct vmm_pc *pc)
{
	if (pc->hpet)
		vmm_hpet_disconnect(pc->hpet);
	vmm_destroy(pc->vm);
	vmm_uart_free(pc->uart);
	vmm_rtc_free(pc->rtc);
	vmm_pit_free(pc->pit);
	vmm_hpet_free(pc->hpet);
	vmm_pmtimer_free(pc->pmtimer);
	vmm_ide_free(pc->ide);
	vmm_pciconf_free(pc->pciconf);
	vmm_acpi_free(pc->acpi);
	vmm_loop_free(pc->loop);
	for (unsigned int i = 0; i < VMM_PC_DEVICES; i++)
		vmm_accel_close(pc->accels[i]);
	for (unsigned int i = 0; i < IRQS; i++)
		close_fd(pc->irqs[i]);
	for (unsigned int i = 0; i < 2; i++) {
		close_fd(pc->timerfds[i][0]);
		close_fd(pc->timerfds[i][1]);
	}
}

struct vmm_count vmm_pc_count(const struct vmm_pc *pc, enum vmm_pc_device dev)
{
	struct vmm_count count, port_b;

	switch (dev) {
	case VMM_PC_UART:
		return vmm_dev_count(pc->vm, vmm_uart_index(pc->uart));
	case VMM_PC_RTC:
		return vmm_dev_count(pc->vm, vmm_rtc_index(pc->rtc));
	case VMM_PC_PIT:
		count = vmm_dev_count(pc->vm, vmm_pit_index(pc->pit, PIT_REGION_COUNTERS));
		port_b = vmm_dev_count(pc->vm, vmm_pit_index(pc->pit, PIT_REGION_PORT_B));
		count.exits += port_b.exits;
		count.accesses += port_b.accesses;
		return count;
	case VMM_PC_HPET:
		return vmm_dev_count(pc->vm, vmm_hpet_index(pc->hpet));
	case VMM_PC_PMTIMER:
		return vmm_dev_count(pc->vm, vmm_pmtimer_index(pc->pmtimer));
	case VMM_PC_PCICONF:
		return vmm_dev_count(pc->vm, vmm_pciconf_index(pc->pciconf));
	default:
		return pc->ide ? vmm_ide_count(pc->ide) : (struct vmm_count){ 0 };
	}
}
