// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Who fires a device's timer. */
#include <errno.h>
#include <unistd.h>

#include "irqtimer.h"

uint64_t vmm_irqtimer_ns(const struct vmm_irqtimer *t)
{
	int64_t now = lx_device_time(t->hdr, vmm_clock_ns(t->vm, t->hdr->clock));

	return now < 0 ? 0 : (uint64_t)now;
}

static void signal_fd(const struct vmm_irqtimer *t, int fd, const char *what)
{
	const uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		vmm_error(-errno, "%s: %s", t->name, what);
}

void vmm_irqtimer_raise(const struct vmm_irqtimer *t)
{
	signal_fd(t, t->irq_fd, "interrupt");
}

void vmm_irqtimer_changed(struct vmm_irqtimer *t)
{
	uint64_t now, ns;

	if (!t->mine) {
		signal_fd(t, t->kick_fd, "kick");
	} else if (t->watch) {
		ns = vmm_irqtimer_ns(t);
		now = vmm_clock_ns(t->vm, LX_CLOCK_MONOTONIC);
		vmm_timer_set(t->watch, t->timer->armed ? now + t->timer->due_ns - ns : 0);
	}
}

void vmm_irqtimer_expire(struct vmm_irqtimer *t)
{
	lx_lock(t->hdr);
	if (lx_state_live(t->hdr)) {
		if (t->expire(t->opaque, vmm_irqtimer_ns(t)))
			vmm_irqtimer_raise(t);
		if (t->mine)
			vmm_irqtimer_changed(t);
	}
	lx_unlock(t->hdr);
}

static void on_time(void *opaque)
{
	vmm_irqtimer_expire(opaque);
}

/* No program fires the timer any more; it may be overdue. */
static void on_handover(void *opaque)
{
	struct vmm_irqtimer *t = opaque;

	lx_lock(t->hdr);
	t->mine = true;
	lx_unlock(t->hdr);
	vmm_irqtimer_expire(t);
}

void vmm_irqtimer_attached(struct vmm_irqtimer *t)
{
	lx_lock(t->hdr);
	t->mine = false;
	lx_unlock(t->hdr);
	if (t->watch)
		vmm_timer_set(t->watch, 0);
}

int vmm_irqtimer_init(struct vmm_irqtimer *t, struct vmm_loop *loop)
{
	int err;

	t->mine = true;
	if (!loop)
		return 0;
	err = vmm_timer_new(loop, on_time, t, &t->watch);
	if (!err && t->handover_fd >= 0)
		err = vmm_watch_new(loop, t->handover_fd, on_handover, t, &t->handover);
	if (err)
		return err;
	vmm_irqtimer_expire(t);
	return 0;
}

void vmm_irqtimer_fini(struct vmm_irqtimer *t)
{
	vmm_watch_free(t->handover);
	vmm_watch_free(t->watch);
}
