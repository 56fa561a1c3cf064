// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Both sides of a trace. */
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

/* The clock of our side, which the back ends ask for: see the Makefile's --wrap. */
static const struct rig *running;

uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock);

uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock)
{
	return running->ours;
}

void rig_start(struct rig *rig, const char *machine, bool interrupts)
{
	running = rig;
	rig->vm.fd = -1;
	qemu_start(&rig->qemu, machine, getenv("ORACLE_DIR"), interrupts, rig->disk);
}

void rig_stop(struct rig *rig)
{
	qemu_stop(&rig->qemu);
}

void rig_step(struct rig *rig, uint64_t ns)
{
	rig_at(rig, rig->now + ns, rig->ours + ns);
}

void rig_at(struct rig *rig, uint64_t now, uint64_t ours)
{
	if (now < rig->now || ours < rig->ours)
		errx(1, "the trace goes back in time");
	if (now > rig->now)
		qemu_step(&rig->qemu, now - rig->now);
	rig->now = now;
	rig->ours = ours;
}

static const struct vmm_dev *find(const struct rig *rig, const struct access *a)
{
	for (unsigned int i = 0; i < rig->vm.n_devs; i++) {
		const struct vmm_dev *d = &rig->vm.devs[i];

		if (d->space == a->space && a->addr - d->base < d->len &&
		    a->len <= d->len - (a->addr - d->base))
			return d;
	}
	errx(1, "no device of ours at %#" PRIx64, a->addr);
}

static void print_trace(const struct rig *rig)
{
	unsigned int n = rig->n_kept < RIG_KEEP ? rig->n_kept : RIG_KEEP;

	for (unsigned int i = rig->n_kept - n; i < rig->n_kept; i++) {
		const struct access *a = &rig->kept[i % RIG_KEEP];

		printf("#   %12" PRIu64 " ns  %-5s %u  %#" PRIx64 "  %#" PRIx64 "\n", a->ns,
		       a->write ? "write" : "read", a->len, a->addr, a->val);
	}
}

static void compare(struct rig *rig, const char *what, const struct access *a, uint64_t qemu,
		    uint64_t ours)
{
	struct difference *d;

	rig->reads++;
	if (qemu == ours || rig->failed)
		return;
	d = rig->excuse ? rig->excuse(rig, a, qemu, ours) : NULL;
	if (d) {
		d->met++;
		return;
	}
	rig->failed++;
	printf("# %s at %#" PRIx64 ", %u bytes: QEMU %#" PRIx64 ", ours %#" PRIx64
	       "; number %" PRIu64 ", after:\n",
	       what, a->addr, a->len, qemu, ours, rig->reads);
	print_trace(rig);
}

void rig_same(struct rig *rig, const char *what, uint64_t addr, uint64_t qemu, uint64_t ours)
{
	const struct access a = { .addr = addr, .ns = rig->now };

	compare(rig, what, &a, qemu, ours);
}

static uint64_t both(struct rig *rig, struct access *a)
{
	const struct vmm_dev *d = find(rig, a);
	uint64_t ours = 0, theirs;

	a->ns = rig->now;
	if (a->write) {
		qemu_access(&rig->qemu, a->space, true, a->addr, a->len, a->val);
		if (d->write)
			d->write(d->opaque, NULL, a->addr - d->base, a->len, a->val);
	} else {
		ours = d->read(d->opaque, NULL, a->addr - d->base, a->len);
		ours &= ~0ULL >> (64 - 8 * a->len);
		a->val = ours;
		theirs = qemu_access(&rig->qemu, a->space, false, a->addr, a->len, 0);
		compare(rig, "read", a, theirs, ours);
	}
	rig->kept[rig->n_kept++ % RIG_KEEP] = *a;
	return ours;
}

uint64_t rig_in(struct rig *rig, uint32_t len, uint64_t port)
{
	return both(rig, &(struct access){ .space = LX_SPACE_PIO, .addr = port, .len = len });
}

void rig_out(struct rig *rig, uint32_t len, uint64_t port, uint64_t val)
{
	both(rig,
	     &(struct access){
		     .write = true, .space = LX_SPACE_PIO, .addr = port, .len = len, .val = val });
}

uint64_t rig_read(struct rig *rig, uint32_t len, uint64_t addr)
{
	return both(rig, &(struct access){ .space = LX_SPACE_MMIO, .addr = addr, .len = len });
}

void rig_write(struct rig *rig, uint32_t len, uint64_t addr, uint64_t val)
{
	both(rig,
	     &(struct access){
		     .write = true, .space = LX_SPACE_MMIO, .addr = addr, .len = len, .val = val });
}

void rig_write_two(struct rig *rig, uint32_t space, uint32_t len, uint64_t addr, uint64_t qemu,
		   uint64_t ours)
{
	struct access a = { .write = true, .space = space, .addr = addr, .len = len };
	const struct vmm_dev *d = find(rig, &a);

	a.val = ours;
	a.ns = rig->now;
	qemu_access(&rig->qemu, space, true, addr, len, qemu);
	d->write(d->opaque, NULL, addr - d->base, len, ours);
	rig->kept[rig->n_kept++ % RIG_KEEP] = a;
}

uint64_t rig_bytes(uint64_t val, uint64_t off, uint32_t len)
{
	return val >> 8 * off & ~0ULL >> (64 - 8 * len);
}

uint64_t rig_part(struct rig *rig, const struct access *a, uint64_t reg, uint32_t len)
{
	return rig_bytes(qemu_access(&rig->qemu, a->space, false, reg, len, 0), a->addr - reg,
			 a->len);
}

/* splitmix64 */
uint64_t rig_random(struct rig *rig)
{
	uint64_t z = rig->seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint64_t rig_below(struct rig *rig, uint64_t n)
{
	return rig_random(rig) % n;
}
