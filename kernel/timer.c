// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: a device's timers. They only call the timer op; what is armed is in the
 * device's state (include/lightexit/timer.h), so that nothing is lost when the
 * programs end.
 *
 * Life: lx_timers_begin() before the device is on a bus, lx_timers_end() when its
 * programs have ended for good, or when its last piece leaves a VM that is being
 * destroyed. In between, and only then, timers are started, and @kvm is there: its
 * clock is what absolute times may count by. lx_timers_end() waits for a timer op
 * that runs; it is not called from one.
 *
 * Context of a timer's expiry: softirq, or a thread of the kernel's on PREEMPT_RT.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "internal.h"

/* Behind the program's own timers: the one that does LX_TIMER_KICK. */
#define LX_TIMER_OF_KICK LX_MAX_TIMERS

/**
 * struct lx_ktimer - one timer
 * @hr:      the kernel's
 * @dev:     whose
 * @lock:    protects what follows, and starting @hr. Innermost; any context.
 * @live:    may be started
 * @set:     will expire; false while its op runs, unless that started it anew
 * @changes: grows with each start and cancel
 * @due:     when, by the clock that @flags says
 * @period:  0: one shot
 * @flags:   LX_TIMER_*
 * @ran:     CLOCK_MONOTONIC when its op last began
 * @retries: LX_RETRY answers in a row
 */
struct lx_ktimer {
	struct hrtimer hr;
	struct lx_device *dev;
	raw_spinlock_t lock;
	bool live;
	bool set;
	u32 changes;
	u32 flags;
	u32 retries;
	u64 due;
	u64 period;
	u64 ran;
};

/**
 * struct lx_timers - a device's timers
 * @piece: stands for the device where the op's caller needs a piece; on no bus
 * @kvm:   whose clock they count by. Written by lx_timers_begin().
 * @timer: the program's, and the kick's
 */
struct lx_timers {
	struct lx_piece piece;
	struct kvm *kvm;
	struct lx_ktimer timer[LX_MAX_TIMERS + 1];
};

struct kvm *lx_timers_kvm(struct lx_device *dev)
{
	return dev->timers->kvm;
}

struct lx_piece *lx_timers_piece(struct lx_device *dev)
{
	return &dev->timers->piece;
}

static u64 lx_timer_now(const struct lx_ktimer *t)
{
	if (t->flags & LX_TIMER_KVMCLOCK)
		return lx_clock_kvm_ns(t->dev->timers->kvm);
	return ktime_get_ns();
}

/* (Re)starts the hrtimer for @due, but not sooner than @gap after the last run. */
static void lx_timer_program(struct lx_ktimer *t, u64 now, u64 gap)
{
	u64 wait = t->due > now ? t->due - now : 0;
	u64 at = ktime_get_ns();

	lockdep_assert_held(&t->lock);
	if (check_add_overflow(at, wait, &at) || at > KTIME_MAX)
		at = KTIME_MAX;
	at = max(at, t->ran + gap);
	hrtimer_start(&t->hr, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

/* A periodic timer's next time after @due: periods that nobody could be called for are left out. */
static u64 lx_timer_next(const struct lx_ktimer *t, u64 due, u64 now)
{
	u64 next;

	if (now > due)
		due += div64_u64(now - due, t->period) * t->period;
	return check_add_overflow(due, t->period, &next) ? U64_MAX : next;
}

/* The op has run and nobody has started or cancelled its timer meanwhile: what comes next. */
static void lx_timer_after(struct lx_ktimer *t, u64 due, u32 retries)
{
	u64 gap = LX_TIMER_MIN_NS, now = lx_timer_now(t);

	lockdep_assert_held(&t->lock);
	if (!t->live || (!retries && !t->period))
		return;
	if (retries)
		gap += (u64)LX_TIMER_MIN_NS * retries / LX_RETRY_SLOWER;
	else
		due = lx_timer_next(t, due, now);
	t->set = true;
	t->due = due;
	lx_timer_program(t, now, gap);
}

/* Return: false if the programs may not be called; then somebody kicks or hands over. */
static bool lx_timer_run(struct lx_ktimer *t, u64 due)
{
	u64 which = t - t->dev->timers->timer;
	int verdict;

	if (which == LX_TIMER_OF_KICK)
		which = LX_TIMER_KICK;
	verdict = lx_dispatch_timer(t->dev, which, due);
	t->retries = verdict == LX_RETRY ? t->retries + 1 : 0;
	if (t->retries >= LX_RETRY_LIMIT)
		lx_eject_device(t->dev, LX_EJECT_RETRY, (u32)which);
	return verdict >= 0;
}

static enum hrtimer_restart lx_timer_expired(struct hrtimer *hr)
{
	struct lx_ktimer *t = container_of(hr, struct lx_ktimer, hr);
	unsigned long flags;
	u32 changes;
	u64 now, due;
	bool called;

	raw_spin_lock_irqsave(&t->lock, flags);
	if (!t->live || !t->set)
		goto unlock;
	now = lx_timer_now(t);
	if (now < t->due) { /* was set anew meanwhile, or the VM's clock is slower */
		lx_timer_program(t, now, LX_TIMER_MIN_NS);
		goto unlock;
	}
	t->set = false;
	t->ran = ktime_get_ns();
	due = t->due;
	changes = t->changes;
	raw_spin_unlock_irqrestore(&t->lock, flags);

	called = lx_timer_run(t, due);

	raw_spin_lock_irqsave(&t->lock, flags);
	if (called && t->changes == changes)
		lx_timer_after(t, due, t->retries);
unlock:
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return HRTIMER_NORESTART;
}

/* @t->lock is held. */
static int lx_ktimer_start(struct lx_ktimer *t, u64 ns, u32 flags)
{
	u64 now;

	lockdep_assert_held(&t->lock);
	if (!t->live || READ_ONCE(t->dev->eject))
		return -ESHUTDOWN;
	t->flags = flags;
	now = lx_timer_now(t);
	t->period = flags & LX_TIMER_PERIODIC ? max_t(u64, ns, LX_TIMER_MIN_NS) : 0;
	t->due = t->period ?: ns;
	if (flags & (LX_TIMER_REL | LX_TIMER_PERIODIC) && check_add_overflow(now, t->due, &t->due))
		t->due = U64_MAX;
	t->set = true;
	t->changes++;
	lx_timer_program(t, now, LX_TIMER_MIN_NS);
	return 0;
}

/* lx_timer_start(), @idx and @flags checked. Any context. */
int lx_timer_set(struct lx_device *dev, u32 idx, u64 ns, u32 flags)
{
	struct lx_ktimer *t = &dev->timers->timer[idx];
	unsigned long irq;
	int err;

	raw_spin_lock_irqsave(&t->lock, irq);
	err = lx_ktimer_start(t, ns, flags);
	raw_spin_unlock_irqrestore(&t->lock, irq);
	return err;
}

/* lx_timer_cancel(), @idx checked. Any context. */
int lx_timer_clear(struct lx_device *dev, u32 idx)
{
	struct lx_ktimer *t = &dev->timers->timer[idx];
	unsigned long flags;
	bool set;

	raw_spin_lock_irqsave(&t->lock, flags);
	set = t->set;
	t->set = false;
	t->changes++;
	hrtimer_try_to_cancel(&t->hr);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return set;
}

/* Has the timer op, if there is one, called with LX_TIMER_KICK, soon. Any context. */
void lx_timers_kick(struct lx_device *dev)
{
	struct lx_ktimer *t = &dev->timers->timer[LX_TIMER_OF_KICK];
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	if (!t->set) /* else its op is still to come, and sees what this kick is about */
		lx_ktimer_start(t, 0, LX_TIMER_REL);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

/* Before anything else is called; lx_device_free() frees. Return: 0 or -ENOMEM */
int lx_timers_init(struct lx_device *dev)
{
	struct lx_timers *timers = kzalloc(sizeof(*timers), GFP_KERNEL_ACCOUNT);
	int i;

	if (!timers)
		return -ENOMEM;
	timers->piece.dev = dev;
	timers->piece.counters = dev->counters + LX_COUNTERS_TIMER;
	for (i = 0; i < ARRAY_SIZE(timers->timer); i++) {
		timers->timer[i].dev = dev;
		raw_spin_lock_init(&timers->timer[i].lock);
		hrtimer_setup(&timers->timer[i].hr, lx_timer_expired, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS_SOFT);
	}
	dev->timers = timers;
	return 0;
}

static void lx_ktimer_set_live(struct lx_ktimer *t, bool live)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	t->live = live;
	t->set = false;
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

/* Once, before the device is on a bus. The caller holds @kvm. */
void lx_timers_begin(struct lx_device *dev, struct kvm *kvm)
{
	int i;

	dev->timers->kvm = kvm;
	for (i = 0; i < ARRAY_SIZE(dev->timers->timer); i++)
		lx_ktimer_set_live(&dev->timers->timer[i], true);
}

/*
 * No timer is started any more, and no timer op runs when this returns. May be called
 * again, and by two at once. Process context, none of our locks held.
 */
void lx_timers_end(struct lx_device *dev)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(dev->timers->timer); i++) {
		lx_ktimer_set_live(&dev->timers->timer[i], false);
		hrtimer_cancel(&dev->timers->timer[i].hr);
	}
}
