// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Registers of a PC's devices: PIT, beside KVM's own, RTC, PCI configuration. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "pciconf.h"
#include "pit.h"
#include "rtc.h"

#define PIT_HZ (105e6 / 88)
/* Its LSB may be read before a borrow and its MSB after it. */
#define PIT_TORN 256
/* A second is 20 then. */
#define RTC_START 1700000000U
#define PCI_ID 0x12378086U

/* @irq: that nobody listens to */
struct timer {
	struct vmm_pit *pit;
	struct vmm_rtc *rtc;
	int irq;
	bool started;
	uint64_t start_ns;
};

static struct timer *new_timer(struct machine *m)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	m->back = t;
	m->addr = m->region.addr;
	t->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->start_ns = vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC);
	return t;
}

static void free_timer(struct machine *m)
{
	struct timer *t = m->back;

	vmm_pit_free(t->pit);
	vmm_rtc_free(t->rtc);
	close(t->irq);
	free(t);
}

static int add_pit(struct machine *m)
{
	struct vmm_pit_opts opts = {
		.clock = LX_CLOCK_MONOTONIC,
		.state = vmm_accel_state(m->accel),
		.kick_fd = -1,
		.handover_fd = -1,
	};
	struct timer *t = new_timer(m);
	int err;

	if (!t)
		return -ENOMEM;
	opts.irq_fd = t->irq;
	err = vmm_pit_new(m->vm, &opts, &t->pit);
	if (!err)
		m->index = vmm_pit_index(t->pit, PIT_REGION_COUNTERS);
	return err;
}

static int add_rtc(struct machine *m)
{
	struct vmm_rtc_opts opts = {
		.clock = LX_CLOCK_MONOTONIC,
		.time = RTC_START,
		.state = vmm_accel_state(m->accel),
		.kick_fd = -1,
		.handover_fd = -1,
	};
	struct timer *t = new_timer(m);
	int err;

	if (!t)
		return -ENOMEM;
	opts.irq_fd = t->irq;
	err = vmm_rtc_new(m->vm, &opts, &t->rtc);
	if (!err)
		m->index = vmm_rtc_index(t->rtc);
	return err;
}

/* KVM's PIT takes its ports before any exit; it answers port 61h if it is told to. */
static int attach_timer(struct machine *m)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	const struct timer *t = m->back;
	const struct lx_eventfds e = { .sz = sizeof(e), .n = 1, .slots = { t->irq } };

	if (m->path == PATH_KVM && ioctl(m->vm->fd, KVM_CREATE_PIT2, &pit))
		return vmm_error(-errno, "KVM_CREATE_PIT2");
	return m->accel ? lx_device_set_eventfds(vmm_accel_device(m->accel), &e) : 0;
}

/* Once: it counts on from run to run. */
static int prepare_pit(struct machine *m)
{
	struct timer *t = m->back;
	struct bench_params p;

	if (t->started)
		return 0;
	t->started = true;
	return machine_run(m, BENCH_PIT_START, m->addr, 1, &p);
}

/* That it counted down as far as time went on, but for whole turns. */
static int check_pit(struct machine *m, const struct bench_params *warm,
		     const struct bench_params *p)
{
	double seconds, off;
	int err = machine_seconds(m, warm, p, &seconds);

	if (err)
		return err;
	off = fabs(remainder((double)warm->last - (double)p->last - seconds * PIT_HZ, 0x10000));
	if (off <= BENCH_RATE_ERROR * seconds * PIT_HZ + PIT_TORN)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s went from %#lx to %#lx in %.6f s", m->what->name,
			 bench_path_names[m->path], warm->last, p->last, seconds);
}

/* That the last byte was the second, or the one before it. */
static int check_rtc(struct machine *m, const struct bench_params *warm,
		     const struct bench_params *p)
{
	const struct timer *t = m->back;
	uint64_t ns = vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC) - t->start_ns;
	uint64_t want = (RTC_START + ns / 1000000000) % 60, got = p->last / 16 * 10 + p->last % 16;

	if (got == want || (got + 1) % 60 == want)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: second %lxh, not %lu", m->what->name,
			 bench_path_names[m->path], p->last, want);
}

static int add_pci(struct machine *m)
{
	const struct vmm_pciconf_function f = { .config = { PCI_ID } };
	struct vmm_pciconf *pci;
	int err = vmm_pciconf_new(m->vm, vmm_accel_state(m->accel), &pci);

	if (err)
		return err;
	m->back = pci;
	m->index = vmm_pciconf_index(pci);
	m->addr = PCICONF_PORT;
	return vmm_pciconf_add(pci, 0, &f);
}

static int check_pci(struct machine *m, const struct bench_params *warm,
		     const struct bench_params *p)
{
	if (p->last == PCI_ID)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %#lx, not %#x", m->what->name,
			 bench_path_names[m->path], p->last, PCI_ID);
}

static void free_pci(struct machine *m)
{
	vmm_pciconf_free(m->back);
}

/* On all paths with the interrupt controllers that KVM's PIT needs. */
const struct bench_dev bench_pit = {
	.program = "pit",
	.dir = "bpf",
	.state_size = sizeof(struct pit_state),
	.irqchip = VMM_IRQCHIP_NO_PIT,
	.own_regions = true,
	.base = { [LX_SPACE_PIO] = PIT_PORT },
	.len = PIT_LEN,
	.add = add_pit,
	.attach = attach_timer,
	.prepare = prepare_pit,
	.check = check_pit,
	.free = free_timer,
};

const struct bench_dev bench_rtc = {
	.program = "rtc",
	.dir = "bpf",
	.state_size = sizeof(struct rtc_state),
	.base = { [LX_SPACE_PIO] = RTC_PORT },
	.len = RTC_LEN,
	.add = add_rtc,
	.attach = attach_timer,
	.check = check_rtc,
	.free = free_timer,
};

const struct bench_dev bench_pci = {
	.program = "pciconf",
	.dir = "bpf",
	.state_size = sizeof(struct pciconf_state),
	.base = { [LX_SPACE_PIO] = PCICONF_PORT },
	.len = PCICONF_LEN,
	.add = add_pci,
	.check = check_pci,
	.free = free_pci,
};
