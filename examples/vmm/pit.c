// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* PIT back end: the state's lock, the clock, and the model. */
#include <errno.h>
#include <stdlib.h>

#include "irqtimer.h"
#include "pit.h"
#include "pit_model.h"

struct port {
	struct vmm_pit *pit;
	unsigned int index;
};

/* @ports: by PIT_REGION_* */
struct vmm_pit {
	struct pit_state *st;
	struct pit_state own;
	struct vmm *vm;
	struct vmm_irqtimer irq;
	struct port ports[2];
};

/* ISA: each byte of a longer access is one of its own port. */
static uint64_t read_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	const struct port *port = opaque;
	struct vmm_pit *pit = port->pit;
	uint64_t val = 0;
	__u64 byte;

	lx_lock(&pit->st->hdr);
	for (uint32_t i = 0; i < len; i++) {
		if (pit_read(pit->st, vmm_irqtimer_ns(&pit->irq), (__u32)(port - pit->ports),
			     off + i, 1, &byte))
			byte = 0xff; /* the control word register's data bus is in 3-state */
		val |= byte << 8 * i;
	}
	lx_unlock(&pit->st->hdr);
	return val;
}

/* Programming a counter may raise OUT at once, and moves its next rise. */
static void write_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	const struct port *port = opaque;
	struct vmm_pit *pit = port->pit;
	const struct pit_counter *c = &pit->st->c[0];
	uint64_t ns;
	bool was;

	lx_lock(&pit->st->hdr);
	for (uint32_t i = 0; i < len; i++) {
		ns = vmm_irqtimer_ns(&pit->irq);
		if (pit_expire(pit->st, ns))
			vmm_irqtimer_raise(&pit->irq);
		was = pit_out(c, pit_pulses(ns));
		pit_set(pit->st, ns, (__u32)(port - pit->ports), off + i,
			(__u32)(val >> 8 * i & 0xff));
		if (!was && pit_out(c, pit_pulses(ns)))
			vmm_irqtimer_raise(&pit->irq);
		pit_arm(pit->st, ns);
		vmm_irqtimer_changed(&pit->irq);
	}
	lx_unlock(&pit->st->hdr);
}

static bool expire(void *opaque, uint64_t ns)
{
	return pit_expire(opaque, ns);
}

void vmm_pit_expire(struct vmm_pit *pit)
{
	vmm_irqtimer_expire(&pit->irq);
}

void vmm_pit_attached(struct vmm_pit *pit)
{
	vmm_irqtimer_attached(&pit->irq);
}

static void publish(struct vmm_pit *pit, enum lx_clock clock)
{
	struct pit_state *st = pit->st;

	if (st == &pit->own) /* else the library did */
		lx_state_init(&st->hdr, sizeof(*st));
	lx_state_start(&st->hdr, clock, vmm_clock_ns(pit->vm, clock));
	lx_lock(&st->hdr);
	pit_reset(st, 0);
	lx_unlock(&st->hdr);
}

static int add_port(struct vmm_pit *pit, unsigned int region, uint64_t base, uint64_t len)
{
	const struct vmm_dev dev = {
		.name = "pit",
		.space = LX_SPACE_PIO,
		.base = base,
		.len = len,
		.read = read_port,
		.write = write_port,
		.opaque = &pit->ports[region],
	};
	int index = vmm_add_dev(pit->vm, &dev);

	if (index < 0)
		return index;
	pit->ports[region].pit = pit;
	pit->ports[region].index = (unsigned int)index;
	return 0;
}

int vmm_pit_new(struct vmm *vm, const struct vmm_pit_opts *opts, struct vmm_pit **out)
{
	struct vmm_pit *pit = calloc(1, sizeof(*pit));
	int err;

	if (!pit)
		return vmm_error(-ENOMEM, "PIT");
	pit->vm = vm;
	pit->st = opts->state ? opts->state : &pit->own;
	pit->irq = (struct vmm_irqtimer){
		.vm = vm,
		.name = "PIT",
		.hdr = &pit->st->hdr,
		.timer = &pit->st->irq,
		.irq_fd = opts->irq_fd,
		.kick_fd = opts->kick_fd,
		.handover_fd = opts->handover_fd,
		.expire = expire,
		.opaque = pit->st,
	};
	publish(pit, opts->clock);
	err = vmm_irqtimer_init(&pit->irq, opts->loop);
	if (!err)
		err = add_port(pit, PIT_REGION_COUNTERS, PIT_PORT, PIT_LEN);
	if (!err)
		err = add_port(pit, PIT_REGION_PORT_B, PIT_PORT_B, PIT_PORT_B_LEN);
	if (err) {
		vmm_pit_free(pit);
		return err;
	}
	*out = pit;
	return 0;
}

unsigned int vmm_pit_index(const struct vmm_pit *pit, unsigned int region)
{
	return pit->ports[region].index;
}

void vmm_pit_free(struct vmm_pit *pit)
{
	if (!pit)
		return;
	vmm_irqtimer_fini(&pit->irq);
	free(pit);
}
