// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* RTC back end: the state's lock, the clock, and the model. */
#include <errno.h>
#include <stdlib.h>

#include "irqtimer.h"
#include "rtc.h"
#include "rtc_model.h"

struct vmm_rtc {
	struct rtc_state *st;
	struct rtc_state own;
	struct vmm_irqtimer irq;
	unsigned int index;
};

/* ISA: each byte of a longer access is one of its own port. */
static uint64_t read_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_rtc *rtc = opaque;
	uint64_t val = 0;
	__u64 byte;
	bool rose;

	lx_lock(&rtc->st->hdr);
	for (uint32_t i = 0; i < len; i++) {
		if (rtc_read(rtc->st, vmm_irqtimer_ns(&rtc->irq), off + i, 1, &byte, &rose))
			byte = 0xff; /* the index is not read */
		else if (rtc->st->index == RTC_C)
			vmm_irqtimer_changed(&rtc->irq);
		if (rose)
			vmm_irqtimer_raise(&rtc->irq);
		val |= byte << 8 * i;
	}
	lx_unlock(&rtc->st->hdr);
	return val;
}

static void write_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	struct vmm_rtc *rtc = opaque;

	lx_lock(&rtc->st->hdr);
	for (uint32_t i = 0; i < len; i++) {
		if (rtc_set(rtc->st, vmm_irqtimer_ns(&rtc->irq), off + i,
			    (__u32)(val >> 8 * i & 0xff)))
			vmm_irqtimer_raise(&rtc->irq);
		if (off + i == RTC_DATA)
			vmm_irqtimer_changed(&rtc->irq);
	}
	lx_unlock(&rtc->st->hdr);
}

static bool expire(void *opaque, uint64_t ns)
{
	return rtc_expire(opaque, ns);
}

void vmm_rtc_expire(struct vmm_rtc *rtc)
{
	vmm_irqtimer_expire(&rtc->irq);
}

void vmm_rtc_attached(struct vmm_rtc *rtc)
{
	vmm_irqtimer_attached(&rtc->irq);
}

static void publish(struct vmm_rtc *rtc, const struct vmm_rtc_opts *opts)
{
	struct rtc_state *st = rtc->st;

	if (st == &rtc->own) /* else the library did */
		lx_state_init(&st->hdr, sizeof(*st));
	lx_state_start(&st->hdr, opts->clock, vmm_clock_ns(rtc->irq.vm, opts->clock));
	lx_lock(&st->hdr);
	rtc_reset(st, 0, opts->time);
	lx_unlock(&st->hdr);
}

static int add_ports(struct vmm_rtc *rtc)
{
	const struct vmm_dev dev = {
		.name = "rtc",
		.space = LX_SPACE_PIO,
		.base = RTC_PORT,
		.len = RTC_LEN,
		.read = read_port,
		.write = write_port,
		.opaque = rtc,
	};
	int index = vmm_add_dev(rtc->irq.vm, &dev);

	if (index < 0)
		return index;
	rtc->index = (unsigned int)index;
	return 0;
}

int vmm_rtc_new(struct vmm *vm, const struct vmm_rtc_opts *opts, struct vmm_rtc **out)
{
	struct vmm_rtc *rtc = calloc(1, sizeof(*rtc));
	int err;

	if (!rtc)
		return vmm_error(-ENOMEM, "RTC");
	rtc->st = opts->state ? opts->state : &rtc->own;
	rtc->irq = (struct vmm_irqtimer){
		.vm = vm,
		.name = "RTC",
		.hdr = &rtc->st->hdr,
		.timer = &rtc->st->irq,
		.irq_fd = opts->irq_fd,
		.kick_fd = opts->kick_fd,
		.handover_fd = opts->handover_fd,
		.expire = expire,
		.opaque = rtc->st,
	};
	publish(rtc, opts);
	err = vmm_irqtimer_init(&rtc->irq, opts->loop);
	if (!err)
		err = add_ports(rtc);
	if (err) {
		vmm_rtc_free(rtc);
		return err;
	}
	*out = rtc;
	return 0;
}

unsigned int vmm_rtc_index(const struct vmm_rtc *rtc)
{
	return rtc->index;
}

void vmm_rtc_free(struct vmm_rtc *rtc)
{
	if (!rtc)
		return;
	vmm_irqtimer_fini(&rtc->irq);
	free(rtc);
}
