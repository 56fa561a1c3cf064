// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine with an HPET that goes from host to host; see hpethost.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/logging.h>

#include "hpethost.h"

VMM_GUEST(hpet);

struct hh hh;

/* Ahead of the host before, behind it, and before the device's own age. */
#define LATER (1000000ULL * MS)

const struct hh_place hh_places[HH_PLACES] = {
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = LATER },
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = 1, .command = true, .process = true },
	{ .program = false, .clock = LX_CLOCK_KVM, .kvmclock = 5 * LATER },
	{ .program = true, .clock = LX_CLOCK_MONOTONIC, .process = true },
	{ .program = false, .clock = LX_CLOCK_MONOTONIC },
};

/* 2.3.1: what a guest can read */
static const uint32_t offsets[] = { 0x000, 0x010, 0x020, 0x0f0, 0x100,
				    0x108, 0x120, 0x128, 0x140, 0x148 };

void hh_setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	hh.travel = move_shared(sizeof(*hh.travel));
	srand((unsigned int)getpid());
}

void hh_shut(void)
{
	if (hh.hpet)
		vmm_hpet_disconnect(hh.hpet);
	vmm_loop_free(hh.loop);
	vms_teardown();
	vmm_hpet_free(hh.hpet);
	lx_device_close(hh.dev);
	hh.hpet = NULL;
	hh.loop = NULL;
	hh.dev = NULL;
}

void hh_teardown(void)
{
	hh_shut();
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
	unlink(HH_FILE);
}

void hh_at(const struct hh_place *place, void (*fn)(void *arg), void *arg)
{
	hh.travel->place = *place;
	if (place->process)
		move_host(fn, arg);
	else
		fn(arg);
}

uint64_t hh_ns(void)
{
	return vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC);
}

static void load(void)
{
	struct lx_eventfds e = { .sz = sizeof(e), .n = HPET_SLOTS };
	struct vmm_hpet_irqs irqs = { .loop = hh.loop, .legacy_gsi = { 2, 8 } };
	static struct hpet_state own;

	if (!hh.travel->place.program) {
		memset(&own, 0, sizeof(own));
		lx_state_init(&own.hdr, sizeof(own));
		hh.st = &own;
	} else {
		hh.dev = vmt_load(vmt_bpf_dir(), "hpet");
		hh.st = lx_device_state(hh.dev, NULL);
	}
	cr_assert_eq(vmm_hpet_new(vms.vm, HH_BASE, hh.travel->place.clock, hh.st, &hh.hpet), 0);
	cr_assert_eq(vmm_hpet_connect(hh.hpet, &irqs), 0);
	if (!hh.dev)
		return;
	vmm_hpet_eventfds(hh.hpet, e.slots, &e.handover_fd, &e.kick_fd);
	cr_assert_eq(lx_device_set_eventfds(hh.dev, &e), 0, "%s", vmt_log());
}

void hh_attach(void)
{
	if (!hh.dev)
		return;
	cr_assert_eq(vmm_hpet_hand_out(hh.hpet), 0);
	vmt_attach(hh.dev, vms.vm);
}

/* This host's machine, before it has run. */
void hh_make(unsigned int vcpus)
{
	vms_create(&(struct vmm_opts){ .vcpus = vcpus, .irqchip = VMM_IRQCHIP_KERNEL });
	move_set_clock(vms.vm, hh.travel->place.kvmclock);
	cr_assert_eq(vmm_loop_new(&hh.loop), 0);
	load();
}

static void read_registers(uint64_t *to)
{
	for (unsigned int i = 0; i < HH_REGISTERS; i++)
		to[i] = vmm_hpet_read(hh.hpet, NULL, offsets[i], 8);
}

void hh_expect_registers(const char *when)
{
	uint64_t now[HH_REGISTERS];

	read_registers(now);
	for (unsigned int i = 0; i < HH_REGISTERS; i++)
		cr_expect_eq(now[i], hh.travel->registers[i], "%s: register %#x is %#lx, not %#lx",
			     when, offsets[i], now[i], hh.travel->registers[i]);
}

void hh_freeze(void)
{
	lx_state_freeze(&hh.st->hdr, vmm_clock_ns(vms.vm, hh.st->hdr.clock));
}

/* As docs/vmm-integration.md has it. */
void hh_thaw(void)
{
	lx_state_thaw(&hh.st->hdr, vmm_clock_ns(vms.vm, hh.st->hdr.clock));
	vmm_hpet_kick(hh.hpet);
}

/* Runs `lightexit @verb ID FILE`; @out: what it said. Return: its exit status */
int hh_command(const char *verb, char *out, size_t size)
{
	char line[256];
	FILE *f;
	size_t n;

	snprintf(line, sizeof(line), "lightexit %s %u " HH_FILE " 2>&1", verb,
		 vmt_stats(hh.dev).id);
	f = popen(line, "re");
	cr_assert_not_null(f, "%m");
	n = fread(out, 1, size - 1, f);
	out[n] = 0;
	return WEXITSTATUS(pclose(f));
}

static void by_command(const char *verb)
{
	char out[1024];
	int rc = hh_command(verb, out, sizeof(out));

	cr_assert_eq(rc, 0, "%s: %d: %s", verb, rc, out);
}

static void read_file(void)
{
	int fd = open(HH_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, hh.travel->image.device, MOVE_DEVICE);

	cr_assert_gt(n, 0, HH_FILE ": %m");
	hh.travel->image.device_size = (size_t)n;
	close(fd);
}

void hh_write_file(const void *bytes, size_t size)
{
	int fd = open(HH_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, bytes, size), (ssize_t)size, HH_FILE ": %m");
	close(fd);
}

void hh_save(void)
{
	struct move_image *to = &hh.travel->image;
	ssize_t n;

	if (hh.dev && hh.travel->place.command) {
		by_command("save");
		read_file();
		return;
	}
	if (hh.dev)
		n = lx_device_save(hh.dev, vms.vm->fd, to->device, MOVE_DEVICE);
	else
		n = lx_state_save(&hh.st->hdr, "hpet", vmm_clock_ns(vms.vm, hh.st->hdr.clock),
				  to->device, MOVE_DEVICE);
	cr_assert(n > 0 && n < (ssize_t)MOVE_DEVICE, "save: %zd: %s", n, vmt_log());
	to->device_size = (size_t)n;
}

static void restore_device(void)
{
	const struct move_image *from = &hh.travel->image;
	int err;

	if (hh.dev && hh.travel->place.command)
		return; /* it needs the attached device */
	if (hh.dev)
		err = lx_device_restore(hh.dev, from->device, from->device_size);
	else
		err = lx_state_restore(&hh.st->hdr, "hpet", from->device, from->device_size);
	cr_assert_eq(err, 0, "restore: %d: %s", err, vmt_log());
}

/* The device leaves, frozen; the vCPUs are stopped. */
void hh_leave(void)
{
	hh_freeze();
	read_registers(hh.travel->registers);
	hh.travel->fired = hh.st->timers[hh.travel->begin.timer].timer.fired;
	hh_save();
}

/* It comes, still frozen. */
void hh_arrive(void)
{
	restore_device();
	hh_attach();
	if (hh.dev && hh.travel->place.command) {
		hh_freeze();
		hh_write_file(hh.travel->image.device, hh.travel->image.device_size);
		by_command("restore");
	}
	hh_expect_registers("restored");
}

struct hpet_guest_params *hh_guest(void)
{
	return vmm_params(vms.vm);
}

uint64_t hh_taken(void)
{
	return __atomic_load_n(&hh_guest()->taken, __ATOMIC_ACQUIRE);
}

void hh_begin_guest(void)
{
	hh.travel->begin.base = HH_BASE;
	hh_attach();
	*hh_guest() = hh.travel->begin;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(hpet)), 0);
}

void hh_wait_taken(uint64_t n)
{
	uint64_t end = hh_ns() + VMS_TIMEOUT_MS * MS;

	while (hh_taken() < n && hh_ns() < end)
		usleep(200);
	cr_assert_geq(hh_taken(), n, "%lu interrupts, not %lu", hh_taken(), n);
	usleep((useconds_t)(rand() % 3000));
}

struct lx_region_stats hh_counters(void)
{
	return vmt_stats(hh.dev).regions[0];
}

struct hpet_guest_params hh_params(uint32_t timer, uint32_t config, uint64_t ticks, uint64_t want,
				   uint32_t vcpus)
{
	return (struct hpet_guest_params){
		.timer = timer,
		.config = config | ENB | ROUTE(HH_GSI),
		.pin = HH_GSI,
		.level = !!(config & LEVEL),
		.vcpus = vcpus,
		.ticks = ticks,
		.want = want,
	};
}

/* What holds wherever it was, and however often it moved. */
void hh_expect_sound(const struct hpet_guest_params *p, uint32_t fired)
{
	cr_expect_geq(p->taken, p->want);
	cr_expect_eq(p->early, 0, "%lu interrupts were early", p->early);
	cr_expect_eq(p->stuck, 0, "%lu status bits could not be cleared", p->stuck);
	cr_expect_eq(p->wrong, 0, "%lu of %lu comparators; %#lx between %#lx and %#lx", p->wrong,
		     p->reads, p->bad[1], p->bad[0], p->bad[2]);
	cr_expect_eq(p->irqs[HPET_GUEST_VECTOR], p->taken + p->unasked);
	if (p->config & PERIODIC)
		cr_expect_leq(p->taken, fired, "%lu interrupts for %u matches", p->taken, fired);
	else
		cr_expect_eq(p->taken, fired, "%lu interrupts for %u matches", p->taken, fired);
	cr_log_info("%lu interrupts for %u matches, %lu unasked, %lu missed", p->taken, fired,
		    p->unasked, p->missed);
}
