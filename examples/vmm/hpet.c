// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * HPET back end. Reads of the counter take no lock; all else takes the state's, as the
 * program does. Who changed a timer sees to it that somebody waits for it: the attached
 * program, which is kicked, or this file's own timers.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hpet.h"
#include "hpet_model.h"

/* 2.3.4: bits of HPET_CAP */
#define CAP_VENDOR (0x8086ULL << 16)
#define CAP_LEGACY (1ULL << 15) /* LEG_RT_CAP */
#define CAP_64BIT (1ULL << 13)	/* COUNT_SIZE_CAP */
#define CAP_TIMERS_SHIFT 8	/* NUM_TIM_CAP: the last timer's number */
#define CAP_REVISION 1ULL

#define ROUTE_CAP (((1ULL << HPET_INPUTS) - 1) << HPET_INPUT << HPET_TN_ROUTE_CAP_SHIFT)

/* Waits for one timer. @watch: NULL while not connected. */
struct waiter {
	struct vmm_hpet *hpet;
	struct vmm_watch *watch;
};

/**
 * struct vmm_hpet - the back end
 * @irqs:       as vmm_hpet_connect() was given it
 * @connected:  eventfds and watches are there
 * @handed_out: a program waits for the timers
 * @bound:      bit n: the irqfd of slot n is there
 * @slots:      the eventfds, by HPET_SLOT()
 * @handover:   signalled when the program ends
 * @kick:       kicks the program; and what EOIs of level-triggered interrupts signal
 * @waiters:    own timers
 * @on_handover: watches @handover
 * @on_kick:    watches @kick while not @handed_out, else NULL
 *
 * The state's lock protects @connected to @bound and the timers' @watch. The watches of
 * the eventfds belong to whoever attaches, and to the loop's thread while @on_handover is
 * there.
 */
struct vmm_hpet {
	struct hpet_state *st;
	struct hpet_state own;
	struct vmm *vm;
	unsigned int index;
	struct vmm_hpet_irqs irqs;
	bool connected;
	bool handed_out;
	uint32_t bound;
	int slots[HPET_SLOTS];
	int handover;
	int kick;
	struct waiter waiters[HPET_TIMERS];
	struct vmm_watch *on_handover;
	struct vmm_watch *on_kick;
};

/* Device time; but not before the counter's (somebody may set the VM's clock back). */
static int64_t now_ns(const struct vmm_hpet *hpet)
{
	const struct hpet_state *st = hpet->st;
	int64_t now = lx_device_time(&st->hdr, vmm_clock_ns(hpet->vm, st->hdr.clock));
	int64_t base = (int64_t)st->base_ns;

	return now < base ? base : now;
}

static uint64_t read_published(struct vmm_hpet *hpet, uint64_t off, uint32_t len)
{
	const struct hpet_state *st = hpet->st;
	int64_t now = 0;
	__u64 val;
	__u32 seq;

	for (;;) {
		if (lx_read_begin(&st->hdr, &seq)) {
			if ((off & ~7ULL) == HPET_COUNTER)
				now = now_ns(hpet);
			if (hpet_read(st, now, off, len, &val) != LX_HANDLED)
				val = 0;
			if (!lx_read_retry(&st->hdr, seq))
				return val;
		}
		sched_yield();
	}
}

uint64_t vmm_hpet_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_hpet *hpet = opaque;
	__u64 val;

	if (hpet_is_fast(off & ~7ULL))
		return read_published(hpet, off, len);
	lx_lock(&hpet->st->hdr);
	if (hpet_read_locked(hpet->st, now_ns(hpet), off, len, &val) != LX_HANDLED)
		val = 0;
	lx_unlock(&hpet->st->hdr);
	return val;
}

/* CLOCK_MONOTONIC at a device time; early by what the clocks drift: then it is waited anew. */
static uint64_t monotonic_ns(const struct vmm_hpet *hpet, uint64_t at, uint64_t now)
{
	const struct lx_state *hdr = &hpet->st->hdr;

	if (hdr->clock == LX_CLOCK_MONOTONIC)
		return hdr->epoch_ns + at;
	return vmm_clock_ns(hpet->vm, LX_CLOCK_MONOTONIC) + (at > now ? at - now : 0);
}

/* Carries out what the model says. The lock is held. */
static void apply(struct vmm_hpet *hpet, uint64_t now, const struct hpet_effect *eff)
{
	const struct hpet_state *st = hpet->st;

	if (!hpet->connected)
		return;
	for (unsigned int i = 0; i < HPET_SLOTS; i++) {
		if (eff->slots & 1U << i)
			eventfd_write(hpet->slots[i], 1);
	}
	if (hpet->handed_out && eff->moved)
		eventfd_write(hpet->kick, 1);
	for (unsigned int n = 0; n < HPET_TIMERS && !hpet->handed_out; n++) {
		uint64_t at = 0;

		if (!(eff->moved & 1U << n))
			continue;
		if (st->timers[n].timer.armed)
			at = monotonic_ns(hpet, hpet_wake_ns(st, n, now, eff), now);
		vmm_timer_set(hpet->waiters[n].watch, at);
	}
}

static uint32_t gsi_of(const struct vmm_hpet *hpet, uint32_t route)
{
	if (route < HPET_ROUTE_INPUT)
		return hpet->irqs.legacy_gsi[route];
	return HPET_INPUT + route - HPET_ROUTE_INPUT;
}

/* Makes an eventfd an irqfd, or undoes it; by that a line that is asserted falls. */
static int bind_slot(struct vmm_hpet *hpet, unsigned int slot, bool on)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)hpet->slots[slot],
		.gsi = gsi_of(hpet, slot / 2),
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (on && slot & 1) {
		irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
		irqfd.resamplefd = (uint32_t)hpet->kick;
	}
	if (ioctl(hpet->vm->fd, KVM_IRQFD, &irqfd))
		return vmm_error(-errno, "HPET: KVM_IRQFD of GSI %u", irqfd.gsi);
	hpet->bound ^= 1U << slot;
	return 0;
}

/*
 * The irqfds that the routes ask for. Those that resample are there only where a timer is
 * level-triggered: with them KVM tells of each EOI. The lock is held.
 */
static int rewire(struct vmm_hpet *hpet)
{
	uint32_t want = 0;
	int err = 0;

	if (!hpet->connected)
		return 0;
	for (unsigned int i = 0; i < HPET_SLOTS; i += 2)
		want |= 1U << i;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		if (hpet->st->timers[n].config & HPET_TN_LEVEL &&
		    hpet_route(hpet->st, n) != HPET_ROUTE_NONE)
			want |= hpet_slot_bit(hpet->st, n);
	}
	for (unsigned int i = 0; i < HPET_SLOTS && !err; i++) {
		if ((want ^ hpet->bound) & 1U << i)
			err = bind_slot(hpet, i, want & 1U << i);
	}
	if (hpet->irqs.legacy)
		hpet->irqs.legacy(hpet->irqs.opaque, hpet->st->config & HPET_CONFIG_LEGACY);
	return err;
}

/* The clock is read after lx_write_begin(): see state.h. */
static void write_locked(struct vmm_hpet *hpet, uint64_t off, uint32_t len, uint64_t val)
{
	struct hpet_state *st = hpet->st;
	bool published = hpet_is_published(off & ~7ULL), moves = hpet_needs_vmm(st, off, len, val);
	struct hpet_effect eff = { 0 };
	uint64_t now;

	if (published)
		lx_write_begin(&st->hdr);
	now = (uint64_t)now_ns(hpet);
	hpet_write(st, now, off, len, val, &eff);
	if (published)
		lx_write_end(&st->hdr);
	if (moves)
		rewire(hpet);
	apply(hpet, now, &eff);
}

void vmm_hpet_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct vmm_hpet *hpet = opaque;

	if (!hpet_aligned(off, len))
		return;
	lx_lock(&hpet->st->hdr);
	write_locked(hpet, off, len, val);
	lx_unlock(&hpet->st->hdr);
}

/* A timer of ours: the state says whether anything is due. While it is frozen nothing is. */
static void expired(void *opaque)
{
	struct waiter *w = opaque;
	struct vmm_hpet *hpet = w->hpet;
	unsigned int n = (unsigned int)(w - hpet->waiters);
	struct hpet_effect eff = { .moved = 1U << n };
	uint64_t now;

	lx_lock(&hpet->st->hdr);
	if (lx_state_live(&hpet->st->hdr) && !hpet->handed_out) {
		now = (uint64_t)now_ns(hpet);
		hpet_expired(hpet->st, n, now, &eff);
		apply(hpet, now, &eff);
	}
	lx_unlock(&hpet->st->hdr);
}

/* All timers and lines. The lock is held. */
static void look_again(struct vmm_hpet *hpet)
{
	struct hpet_effect eff = { 0 };

	if (!lx_state_live(&hpet->st->hdr))
		return;
	hpet_kicked(hpet->st, &eff);
	apply(hpet, (uint64_t)now_ns(hpet), &eff);
}

void vmm_hpet_kick(struct vmm_hpet *hpet)
{
	lx_lock(&hpet->st->hdr);
	rewire(hpet);
	look_again(hpet);
	lx_unlock(&hpet->st->hdr);
}

static void kicked(void *opaque)
{
	struct vmm_hpet *hpet = opaque;

	lx_lock(&hpet->st->hdr);
	look_again(hpet);
	lx_unlock(&hpet->st->hdr);
}

/* The program answers no more: from here on timers and EOIs are waited for here. */
static void handed_over(void *opaque)
{
	struct vmm_hpet *hpet = opaque;

	lx_lock(&hpet->st->hdr);
	hpet->handed_out = false;
	look_again(hpet);
	lx_unlock(&hpet->st->hdr);
	if (!hpet->on_kick)
		vmm_watch_new(hpet->irqs.loop, hpet->kick, kicked, hpet, &hpet->on_kick);
}

static int watch_handover(struct vmm_hpet *hpet)
{
	return vmm_watch_new(hpet->irqs.loop, hpet->handover, handed_over, hpet,
			     &hpet->on_handover);
}

/* When this returns no handover is being taken, and none of an earlier attach will be. */
static void forget_handover(struct vmm_hpet *hpet)
{
	eventfd_t count;

	vmm_watch_free(hpet->on_handover);
	hpet->on_handover = NULL;
	eventfd_read(hpet->handover, &count);
}

int vmm_hpet_hand_out(struct vmm_hpet *hpet)
{
	forget_handover(hpet);
	vmm_watch_free(hpet->on_kick);
	hpet->on_kick = NULL;
	lx_lock(&hpet->st->hdr);
	hpet->handed_out = true;
	for (unsigned int n = 0; n < HPET_TIMERS; n++)
		vmm_timer_set(hpet->waiters[n].watch, 0);
	lx_unlock(&hpet->st->hdr);
	return watch_handover(hpet);
}

void vmm_hpet_take_back(struct vmm_hpet *hpet)
{
	forget_handover(hpet);
	handed_over(hpet);
	watch_handover(hpet);
}

void vmm_hpet_eventfds(const struct vmm_hpet *hpet, int slots[HPET_SLOTS], int *handover, int *kick)
{
	memcpy(slots, hpet->slots, sizeof(hpet->slots));
	*handover = hpet->handover;
	*kick = hpet->kick;
}

static int make_eventfds(struct vmm_hpet *hpet)
{
	int *const fds[] = { &hpet->handover, &hpet->kick };
	int err = 0;

	for (unsigned int i = 0; i < HPET_SLOTS + 2 && !err; i++) {
		int *fd = i < HPET_SLOTS ? &hpet->slots[i] : fds[i - HPET_SLOTS];

		*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (*fd < 0)
			err = vmm_error(-errno, "HPET: eventfd");
	}
	return err;
}

int vmm_hpet_connect(struct vmm_hpet *hpet, const struct vmm_hpet_irqs *irqs)
{
	struct vmm_loop *loop = irqs->loop;
	int err;

	hpet->irqs = *irqs;
	err = make_eventfds(hpet);
	for (unsigned int n = 0; n < HPET_TIMERS && !err; n++) {
		struct waiter *w = &hpet->waiters[n];

		w->hpet = hpet;
		err = vmm_timer_new(loop, expired, w, &w->watch);
	}
	if (!err)
		err = vmm_watch_new(loop, hpet->kick, kicked, hpet, &hpet->on_kick);
	if (!err)
		err = watch_handover(hpet);
	if (err)
		return err;
	lx_lock(&hpet->st->hdr);
	hpet->connected = true;
	err = rewire(hpet);
	lx_unlock(&hpet->st->hdr);
	return err;
}

void vmm_hpet_disconnect(struct vmm_hpet *hpet)
{
	if (hpet->connected) {
		lx_lock(&hpet->st->hdr);
		hpet->connected = false;
		lx_unlock(&hpet->st->hdr);
	}
	vmm_watch_free(hpet->on_handover);
	vmm_watch_free(hpet->on_kick);
	hpet->on_handover = NULL;
	hpet->on_kick = NULL;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		vmm_watch_free(hpet->waiters[n].watch);
		hpet->waiters[n].watch = NULL;
	}
}

/* 3.1: after reset */
static void reset(struct hpet_state *st)
{
	st->cap = VMM_HPET_PERIOD_FS << HPET_CAP_PERIOD_SHIFT | CAP_VENDOR | CAP_LEGACY |
		  CAP_64BIT | (HPET_TIMERS - 1ULL) << CAP_TIMERS_SHIFT | CAP_REVISION;
	st->config = 0;
	st->counter = 0;
	st->base_ns = 0;
	st->status = 0;
	for (unsigned int n = 0; n < HPET_TIMERS; n++) {
		st->timers[n] = (struct hpet_timer_state){
			.config = ROUTE_CAP | HPET_TN_64BIT_CAP | (n ? 0 : HPET_TN_PERIODIC_CAP),
			.comparator = HPET_COMPARATOR_RESET,
		};
	}
}

static void publish(struct vmm_hpet *hpet, enum lx_clock clock)
{
	struct hpet_state *st = hpet->st;

	if (st == &hpet->own) /* else the library did */
		lx_state_init(&st->hdr, sizeof(*st));
	lx_state_start(&st->hdr, clock, vmm_clock_ns(hpet->vm, clock));
	lx_lock(&st->hdr);
	lx_write_begin(&st->hdr);
	reset(st);
	lx_write_end(&st->hdr);
	lx_unlock(&st->hdr);
}

int vmm_hpet_new(struct vmm *vm, uint64_t base, enum lx_clock clock, struct hpet_state *state,
		 struct vmm_hpet **out)
{
	struct vmm_dev dev = {
		.name = "hpet",
		.space = LX_SPACE_MMIO,
		.base = base,
		.len = HPET_LEN,
		.read = vmm_hpet_read,
		.write = vmm_hpet_write,
	};
	struct vmm_hpet *hpet = calloc(1, sizeof(*hpet));
	int index;

	if (!hpet)
		return vmm_error(-ENOMEM, "HPET");
	hpet->vm = vm;
	hpet->st = state ? state : &hpet->own;
	publish(hpet, clock);
	dev.opaque = hpet;
	index = vmm_add_dev(vm, &dev);
	if (index < 0) {
		vmm_hpet_free(hpet);
		return index;
	}
	hpet->index = (unsigned int)index;
	*out = hpet;
	return 0;
}

unsigned int vmm_hpet_index(const struct vmm_hpet *hpet)
{
	return hpet->index;
}

static void close_fd(int fd)
{
	if (fd > 0)
		close(fd);
}

void vmm_hpet_free(struct vmm_hpet *hpet)
{
	if (!hpet)
		return;
	vmm_hpet_disconnect(hpet);
	for (unsigned int i = 0; i < HPET_SLOTS; i++)
		close_fd(hpet->slots[i]);
	close_fd(hpet->handover);
	close_fd(hpet->kick);
	free(hpet);
}
