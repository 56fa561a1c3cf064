// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * HPET back end. Reads of the counter take no lock; writers take turns, and
 * publish capabilities, configuration and counter by lx_state's seq, to other
 * vCPUs and to the device program alike.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "hpet.h"
#include "hpet_model.h"

/* 2.3.4: bits of HPET_CAP */
#define CAP_VENDOR (0x8086ULL << 16)
#define CAP_LEGACY (1ULL << 15) /* LEG_RT_CAP */
#define CAP_64BIT (1ULL << 13)	/* COUNT_SIZE_CAP */
#define CAP_TIMERS_SHIFT 8	/* NUM_TIM_CAP: the last timer's number */
#define CAP_REVISION 1ULL

/* 2.3.8: timer N's registers */
#define TIMER_BASE 0x100U
#define TIMER_SIZE 0x20U
#define TIMER_CONFIG 0x00U
#define TIMER_COMPARATOR 0x08U

/* 2.3.8: bits of Tn_CONF_CAP_REG */
#define TN_LEVEL (1ULL << 1)
#define TN_ENABLE (1ULL << 2)
#define TN_PERIODIC (1ULL << 3)
#define TN_PERIODIC_CAP (1ULL << 4)
#define TN_64BIT_CAP (1ULL << 5)
#define TN_32BIT (1ULL << 8)
#define TN_ROUTE_SHIFT 9
#define TN_ROUTE (0x1fULL << TN_ROUTE_SHIFT)
#define TN_ROUTES (0x00f00000ULL << 32) /* Tn_INT_ROUTE_CAP: inputs 20 to 23 */

/* 2.3.9: all ones after reset */
#define COMPARATOR_RESET (~0ULL)

struct timer {
	uint64_t config;
	uint64_t comparator;
};

/* @lock serialises writers; timers are read without it. */
struct vmm_hpet {
	struct hpet_state *st;
	struct hpet_state own;
	pthread_mutex_t lock;
	struct timer timers[VMM_HPET_TIMERS];
	struct vmm *vm;
	unsigned int index;
};

/* @val put over the @len bytes of @old that an access at @off names. */
static uint64_t merge(uint64_t old, uint64_t off, uint32_t len, uint64_t val)
{
	unsigned int shift = (off & 7) * 8;
	uint64_t mask = (len == 8 ? ~0ULL : (1ULL << len * 8) - 1) << shift;

	return (old & ~mask) | (val << shift & mask);
}

/* 2.3.2: naturally aligned; else the result is undefined, and here nothing. */
static bool aligned(uint64_t off, uint32_t len)
{
	return (len == 1 || len == 2 || len == 4 || len == 8) && !(off & (len - 1));
}

static uint64_t *timer_reg(struct vmm_hpet *hpet, uint64_t off)
{
	uint64_t n = (off - TIMER_BASE) / TIMER_SIZE;

	if (off < TIMER_BASE || n >= VMM_HPET_TIMERS)
		return NULL;
	switch (off & (TIMER_SIZE - 1) & ~7ULL) {
	case TIMER_CONFIG:
		return &hpet->timers[n].config;
	case TIMER_COMPARATOR:
		return &hpet->timers[n].comparator;
	default: /* Tn_FSB_ROUTE: no Tn_FSB_INT_DEL_CAP */
		return NULL;
	}
}

/* Now; but not before the state's time (somebody may set the VM's clock back). */
static uint64_t now_ns(const struct vmm_hpet *hpet)
{
	uint64_t now = vmm_clock_ns(hpet->vm, hpet->st->clock);

	return now < hpet->st->base_ns ? hpet->st->base_ns : now;
}

static uint64_t read_published(struct vmm_hpet *hpet, uint64_t off, uint32_t len)
{
	const struct hpet_state *st = hpet->st;
	uint64_t now = 0;
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
	uint64_t *reg;

	if (!aligned(off, len))
		return 0;
	if (hpet_is_fast(off & ~7ULL))
		return read_published(hpet, off, len);
	reg = timer_reg(hpet, off);
	/* 2.3.6: HPET_STATUS stays 0 as no comparator fires. */
	return reg ? __atomic_load_n(reg, __ATOMIC_ACQUIRE) >> (off & 7) * 8 : 0;
}

/* The clock is read after lx_write_begin(): see state.h. */
static void write_config(struct vmm_hpet *hpet, uint64_t val)
{
	struct hpet_state *st = hpet->st;
	bool on = val & HPET_CONFIG_ENABLE, was_on = st->config & HPET_CONFIG_ENABLE;

	lx_write_begin(&st->hdr);
	if (was_on && !on)
		st->counter = hpet_counter(st, now_ns(hpet));
	st->config = val & (HPET_CONFIG_ENABLE | HPET_CONFIG_LEGACY);
	if (on && !was_on)
		st->base_ns = vmm_clock_ns(hpet->vm, st->clock);
	lx_write_end(&st->hdr);
}

/* 2.3.7: written only while halted; a write to a running counter does nothing. */
static void write_counter(struct vmm_hpet *hpet, uint64_t val)
{
	struct hpet_state *st = hpet->st;

	if (st->config & HPET_CONFIG_ENABLE)
		return;
	lx_write_begin(&st->hdr);
	st->counter = val;
	lx_write_end(&st->hdr);
}

/* 2.3.8: a route that Tn_INT_ROUTE_CAP lacks does not read back; VAL_SET reads 0. */
static uint64_t timer_config(uint64_t old, uint64_t val)
{
	uint64_t can = TN_LEVEL | TN_ENABLE | TN_32BIT;
	uint64_t route = (val & TN_ROUTE) >> TN_ROUTE_SHIFT;

	if (old & TN_PERIODIC_CAP)
		can |= TN_PERIODIC;
	if (!route || TN_ROUTES >> 32 >> route & 1)
		can |= TN_ROUTE;
	return (old & ~can) | (val & can);
}

static void write_timer(uint64_t *reg, uint64_t off, uint32_t len, uint64_t val)
{
	val = merge(*reg, off, len, val);
	if ((off & (TIMER_SIZE - 1) & ~7ULL) == TIMER_CONFIG)
		val = timer_config(*reg, val);
	__atomic_store_n(reg, val, __ATOMIC_RELEASE);
}

void vmm_hpet_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct vmm_hpet *hpet = opaque;
	uint64_t *reg = timer_reg(hpet, off);

	if (!aligned(off, len))
		return;
	pthread_mutex_lock(&hpet->lock);
	switch (off & ~7ULL) {
	case HPET_CONFIG:
		write_config(hpet, merge(hpet->st->config, off, len, val));
		break;
	case HPET_COUNTER:
		write_counter(hpet, merge(hpet->st->counter, off, len, val));
		break;
	default:
		if (reg)
			write_timer(reg, off, len, val);
		break;
	}
	pthread_mutex_unlock(&hpet->lock);
}

/* All but the header, which the library filled in for a mapped state. */
static void publish(struct vmm_hpet *hpet, enum lx_clock clock)
{
	struct hpet_state *st = hpet->st;

	lx_write_begin(&st->hdr);
	st->cap = VMM_HPET_PERIOD_FS << HPET_CAP_PERIOD_SHIFT | CAP_VENDOR | CAP_LEGACY |
		  CAP_64BIT | (VMM_HPET_TIMERS - 1ULL) << CAP_TIMERS_SHIFT | CAP_REVISION;
	st->config = 0;
	st->counter = 0;
	st->base_ns = 0;
	st->clock = clock;
	lx_write_end(&st->hdr);
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
	pthread_mutex_init(&hpet->lock, NULL);
	for (unsigned int i = 0; i < VMM_HPET_TIMERS; i++) {
		hpet->timers[i].config = TN_ROUTES | TN_64BIT_CAP | (i ? 0 : TN_PERIODIC_CAP);
		hpet->timers[i].comparator = COMPARATOR_RESET;
	}
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

void vmm_hpet_free(struct vmm_hpet *hpet)
{
	if (!hpet)
		return;
	pthread_mutex_destroy(&hpet->lock);
	free(hpet);
}
