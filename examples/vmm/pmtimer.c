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

struct vmm_pmtimer {
	struct pmtimer_state *st;
	struct pmtimer_state own;
	struct vmm *vm;
	unsigned int index;
};

uint64_t vmm_pmtimer_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_pmtimer *pmt = opaque;
	const struct pmtimer_state *st = pmt->st;
	int64_t now;
	__u64 val;
	__u32 seq;

	for (;;) {
		if (lx_read_begin(&st->hdr, &seq)) {
			now = lx_device_time(&st->hdr, vmm_clock_ns(pmt->vm, st->hdr.clock));
			if (now < 0) /* somebody may set the VM's clock back */
				now = 0;
			if (pmtimer_read(st, now, off, len, &val) != LX_HANDLED)
				val = ~0ULL;
			if (!lx_read_retry(&st->hdr, seq))
				return val;
		}
		sched_yield();
	}
}

/* Device time at which the counter becomes @ticks. */
static uint64_t time_of(uint32_t ticks)
{
	return ((uint64_t)ticks * 1000000000 + PMTIMER_HZ - 1) / PMTIMER_HZ;
}

void vmm_pmtimer_set(struct vmm_pmtimer *pmt, uint32_t ticks)
{
	struct lx_state *hdr = &pmt->st->hdr;

	lx_lock(hdr);
	lx_write_begin(hdr);
	lx_set_time(hdr, vmm_clock_ns(pmt->vm, hdr->clock), time_of(ticks));
	lx_write_end(hdr);
	lx_unlock(hdr);
}

static void publish(struct vmm_pmtimer *pmt, const struct vmm_pmtimer_opts *opts)
{
	struct pmtimer_state *st = pmt->st;

	if (st == &pmt->own)
		lx_state_init(&st->hdr, sizeof(*st));
	lx_lock(&st->hdr);
	lx_write_begin(&st->hdr);
	st->bits = opts->bits;
	lx_write_end(&st->hdr);
	lx_unlock(&st->hdr);
	lx_state_start(&st->hdr, opts->clock, vmm_clock_ns(pmt->vm, opts->clock));
	vmm_pmtimer_set(pmt, opts->ticks);
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
	publish(pmt, opts);
	dev.opaque = pmt;
	err = vmm_add_dev(vm, &dev);
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
	free(pmt);
}
