// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The native rig: no KVM, no kernel. An access goes to the program's ops, compiled for user
 * space, and what passes to the VMM's back end, as KVM's buses would have it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lockstep.h"
#include "native.h"

struct native native;

uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock);
int __wrap_ioctl(int fd, unsigned long request, ...);

/* The back ends ask for the time here. */
uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock)
{
	return ls_now;
}

/* There is no KVM whose irqfds an eventfd could be: the rig reads it. */
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	if (request == KVM_IRQFD)
		return 0;
	errno = EBADF;
	return -1;
}

static int irqfd(struct ls_side *side, uint32_t gsi)
{
	return ls_eventfd();
}

/* An op, and the signals of one that handled. */
static int call(int (*op)(struct lx_io *io), struct lx_io *io)
{
	const struct lx_eventfds *fds = &ls_rig.side[1].fds;
	int verdict;

	native.signals = 0;
	verdict = op(io);
	for (unsigned int i = 0; i < fds->n && verdict == LX_HANDLED; i++) {
		if (native.signals & 1U << i && fds->slots[i] > 0)
			eventfd_write(fds->slots[i], 1);
	}
	return verdict;
}

static void call_timer(uint64_t which, uint64_t due)
{
	struct lx_io io = { .addr = which, .data = due, .vcpu = LX_NO_VCPU, .flags = LX_IO_TIMER };

	if (native.ops->timer && call(native.ops->timer, &io) != LX_HANDLED)
		ls_die("%s: its timer op did not handle", native.ops->name);
}

static void run_timers(void)
{
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++) {
		uint64_t due = native.due[i];

		if (due > ls_now)
			continue;
		native.due[i] = LS_NEVER;
		call_timer(i, due);
	}
}

static void quiet(struct ls_rig *rig)
{
	eventfd_t count;
	int kick = rig->side[1].fds.kick_fd;

	if (!rig->side[1].attached)
		return;
	if (kick > 0 && !eventfd_read(kick, &count))
		call_timer(LX_TIMER_KICK, 0);
	run_timers();
}

static void tick(struct ls_rig *rig)
{
	if (rig->side[1].attached)
		run_timers();
}

static void toggle(struct ls_rig *rig)
{
	struct ls_side *side = &rig->side[1];

	if (side->attached) {
		for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
			native.due[i] = LS_NEVER;
		side->attached = false;
		if (side->fds.handover_fd > 0)
			eventfd_write(side->fds.handover_fd, 1);
		return;
	}
	if (side->dev->attaching)
		side->dev->attaching(side);
	side->attached = true;
	call_timer(LX_TIMER_KICK, 0);
	if (side->dev->attached)
		side->dev->attached(side);
}

static bool holds(uint64_t base, uint64_t len, uint64_t addr, uint32_t n)
{
	return addr - base < len && n <= len - (addr - base);
}

/* Return: the program's verdict; LX_PASS if it is not there. */
static int by_program(const struct ls_side *side, bool write, uint32_t space, struct lx_io *io,
		      uint64_t addr)
{
	const struct ls_device *dev = side->dev;
	int (*op)(struct lx_io *io) = write ? native.ops->write : native.ops->read;

	for (unsigned int i = 0; side->attached && op && i < dev->n_regions; i++) {
		const struct lx_region *r = &dev->regions[i];

		if (r->space != space || !holds(r->addr, r->len, addr, io->len))
			continue;
		io->region = i;
		io->addr = addr - r->addr;
		if (call(op, io) != LX_HANDLED)
			break;
		ls_rig.handled++;
		return LX_HANDLED;
	}
	return LX_PASS;
}

static const struct vmm_dev *find(const struct vmm *vm, uint32_t space, uint64_t addr, uint32_t len)
{
	for (unsigned int i = 0; i < vm->n_devs; i++) {
		if (vm->devs[i].space == space &&
		    holds(vm->devs[i].base, vm->devs[i].len, addr, len))
			return &vm->devs[i];
	}
	return NULL;
}

static uint64_t mask(uint32_t len)
{
	return ~0ULL >> (64 - 8 * len);
}

static void write_one(struct ls_side *side, uint32_t space, const struct ls_access *a, uint64_t val)
{
	struct lx_io io = { .len = a->len, .data = val, .vcpu = a->vcpu };
	const struct vmm_dev *d;

	if (by_program(side, true, space, &io, a->addr) == LX_HANDLED)
		return;
	d = find(side->vm, space, a->addr, a->len);
	if (d && d->write)
		d->write(d->opaque, NULL, a->addr - d->base, a->len, val);
}

static uint64_t by_vmm(struct ls_side *side, uint32_t space, const struct ls_access *a)
{
	const struct vmm_dev *d = find(side->vm, space, a->addr, a->len);

	return (d ? d->read(d->opaque, NULL, a->addr - d->base, a->len) : ~0ULL) & mask(a->len);
}

static uint64_t read_one(struct ls_side *side, uint32_t space, const struct ls_access *a)
{
	struct lx_io io = { .len = a->len, .vcpu = a->vcpu };

	if (by_program(side, false, space, &io, a->addr) == LX_HANDLED)
		return io.data & mask(a->len);
	return by_vmm(side, space, a);
}

/* No device here has LX_REGION_STRINGS: a string that is read passes. */
static void ins(struct ls_side *side, const struct ls_access *a, union ls_data *data)
{
	for (uint32_t i = 0; i < a->count; i++) {
		uint64_t val = by_vmm(side, LX_SPACE_PIO, a);

		memcpy(&data->string[i * a->len], &val, a->len);
	}
}

static void outs(struct ls_side *side, const struct ls_access *a, const union ls_data *data)
{
	for (uint32_t i = 0; i < a->count; i++) {
		uint64_t val = 0;

		memcpy(&val, &data->string[i * a->len], a->len);
		write_one(side, LX_SPACE_PIO, a, val);
	}
}

static void do_access(struct ls_rig *rig, struct ls_side *side, const struct ls_access *a,
		      union ls_data *data)
{
	uint32_t space = a->kind == LS_READ || a->kind == LS_WRITE ? LX_SPACE_MMIO : LX_SPACE_PIO;

	switch (a->kind) {
	case LS_IN:
	case LS_READ:
		data->val = read_one(side, space, a);
		break;
	case LS_OUT:
	case LS_WRITE:
		write_one(side, space, a, a->val);
		break;
	case LS_INS:
		ins(side, a, data);
		break;
	default:
		outs(side, a, data);
		break;
	}
}

void ls_rig_open(const struct ls_device *dev, uint64_t seed)
{
	ls_rig.irqfd = irqfd;
	ls_rig.access = do_access;
	ls_rig.tick = tick;
	ls_rig.toggle = toggle;
	ls_rig.quiet = quiet;
	memset(&native, 0, sizeof(native));
	native.ops = native_ops(dev->name);
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		native.due[i] = LS_NEVER;
	for (unsigned int i = 0; i < 2; i++) {
		struct ls_side *side = &ls_rig.side[i];

		memset(side, 0, sizeof(*side));
		side->dev = dev;
		side->vm = calloc(1, sizeof(*side->vm));
		side->st = calloc(1, dev->state_size);
		if (!side->vm || !side->st || vmm_loop_new(&side->loop))
			ls_die("no memory");
		side->vm->fd = -1;
		lx_state_init(side->st, (uint32_t)dev->state_size);
		dev->make(side, seed);
	}
	native.st = ls_rig.side[1].st;
	toggle(&ls_rig);
}

void ls_rig_close(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ls_side *side = &ls_rig.side[i];

		side->dev->free(side);
		vmm_loop_free(side->loop);
		free(side->st);
		free(side->vm);
	}
}
