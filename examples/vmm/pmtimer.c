// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * ACPI PM timer back end. Reads take no lock: the counter follows from a state
 * that only vmm_pmtimer_set() changes. Guests' writes do nothing (4.8.3.3).
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "pmtimer.h"
#include "pmtimer_model.h"

/* @lock serialises writers. */
struct vmm_pmtimer {
	struct pmtimer_state *st;
	struct pmtimer_state own;
	pthread_mutex_t lock;
	struct vmm *vm;
	unsigned int index;
};

uint64_t vmm_pmtimer_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_pmtimer *pmt = opaque;
	const struct pmtimer_state *st = pmt->st;
	uint64_t now;
	__u64 val;
	__u32 seq;

	for (;;) {
		if (lx_read_begin(&st->hdr, &seq)) {
			now = vmm_clock_ns(pmt->vm, st->clock);
			/* Somebody may set the VM's clock back. */
			if (now < st->base_ns)
				now = st->base_ns;
			if (pmtimer_read(st, now, off, len, &val) != LX_HANDLED)
				val = ~0ULL;
			if (!lx_read_retry(&st->hdr, seq))
				return val;
		}
		sched_yield();
	}
}

/* When the counter was 0, if it is @ticks at @now; rounded so that it is not below. */
static uint64_t base_of(uint64_t now, uint32_t ticks)
{
	return now - ((uint64_t)ticks * 1000000000 + PMTIMER_HZ - 1) / PMTIMER_HZ;
}

int vmm_pmtimer_set(struct vmm_pmtimer *pmt, uint32_t ticks)
{
	struct pmtimer_state *st = pmt->st;
	uint64_t now, base;
	int err = 0;

	pthread_mutex_lock(&pmt->lock);
	lx_write_begin(&st->hdr);
	now = vmm_clock_ns(pmt->vm, st->clock);
	base = base_of(now, ticks);
	if (base > now)
		err = -ERANGE;
	else
		st->base_ns = base;
	lx_write_end(&st->hdr);
	pthread_mutex_unlock(&pmt->lock);
	if (err)
		vmm_error(err, "PM timer of %u ticks: the clock has counted %lu ns only", ticks,
			  now);
	return err;
}

static int publish(struct vmm_pmtimer *pmt, const struct vmm_pmtimer_opts *opts)
{
	struct pmtimer_state *st = pmt->st;

	lx_write_begin(&st->hdr);
	st->bits = opts->bits;
	st->clock = opts->clock;
	lx_write_end(&st->hdr);
	return vmm_pmtimer_set(pmt, opts->ticks);
}

int vmm_pmtimer_new(struct vmm *vm, const struct vmm_pmtimer_opts *opts, struct vmm_pmtimer **out)
{
	struct vmm_dev dev = {
		.name = "pmtimer",
		.space = LX_SPACE_PIO,
		.base = opts->port,
		.len = PMTIMER_LEN,
		.read = vmm_pmtimer_read,
	};
	struct vmm_pmtimer *pmt;
	int err;

	if (opts->bits != 24 && opts->bits != 32)
		return vmm_error(-EINVAL, "PM timer of %u bits: give 24 or 32", opts->bits);
	pmt = calloc(1, sizeof(*pmt));
	if (!pmt)
		return vmm_error(-ENOMEM, "PM timer");
	pmt->vm = vm;
	pmt->st = opts->state ? opts->state : &pmt->own;
	pthread_mutex_init(&pmt->lock, NULL);
	err = publish(pmt, opts);
	if (!err) {
		dev.opaque = pmt;
		err = vmm_add_dev(vm, &dev);
	}
	if (err < 0) {
		vmm_pmtimer_free(pmt);
		return err;
	}
	pmt->index = (unsigned int)err;
	*out = pmt;
	return 0;
}

unsigned int vmm_pmtimer_index(const struct vmm_pmtimer *pmt)
{
	return pmt->index;
}

void vmm_pmtimer_free(struct vmm_pmtimer *pmt)
{
	if (!pmt)
		return;
	pthread_mutex_destroy(&pmt->lock);
	free(pmt);
}
