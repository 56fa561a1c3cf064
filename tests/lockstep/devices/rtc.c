// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The RTC: times and alarms in all formats, rates, what stops it, interrupts and their reads. */
#include "lockstep.h"
#include "rtc.h"
#include "rtc_model.h"

#define IRQ8_GSI 8U
#define SECOND 1000000000ULL

static void make(struct ls_side *side, uint64_t seed)
{
	struct vmm_rtc_opts opts = {
		.time = seed * 86399,
		.loop = side->loop,
		.state = (struct rtc_state *)side->st,
	};
	struct vmm_rtc *rtc;

	ls_make_fds(side, IRQ8_GSI);
	opts.irq_fd = side->fds.slots[RTC_SLOT_IRQ];
	opts.kick_fd = side->fds.kick_fd;
	opts.handover_fd = side->fds.handover_fd;
	if (vmm_rtc_new(side->vm, &opts, &rtc))
		ls_die("no RTC");
	side->be = rtc;
}

static void unmake(struct ls_side *side)
{
	vmm_rtc_free(side->be);
	ls_close_fds(side);
}

static void attached(struct ls_side *side)
{
	vmm_rtc_attached(side->be);
}

/* An interrupt; or else the begin of UIP, or the next second. */
static uint64_t due(const void *state, uint64_t ns)
{
	const struct rtc_state *st = state;
	uint64_t part = (ns - st->base_ns) % SECOND;

	if (st->irq.armed && st->irq.due_ns > ns && st->irq.due_ns - ns < 4 * SECOND)
		return st->irq.due_ns;
	return ns + (part < SECOND - RTC_UIP_NS ? SECOND - RTC_UIP_NS : SECOND) - part;
}

static void put(struct ls_gen *g, unsigned int index, uint64_t val)
{
	ls_out(g, RTC_PORT + RTC_INDEX, index | (ls_below(g, 8) ? 0 : 0x80));
	ls_out(g, RTC_PORT + RTC_DATA, val);
}

static void get(struct ls_gen *g, unsigned int index)
{
	ls_out(g, RTC_PORT + RTC_INDEX, index);
	if (ls_below(g, 8))
		ls_in(g, RTC_PORT + RTC_DATA);
	else
		ls_string(g, LS_INS, 1, RTC_PORT + RTC_DATA, 3);
}

/* In the format that register B says; now and then what is no time at all. */
static uint64_t coded(struct ls_gen *g, const struct rtc_state *st, uint64_t v)
{
	if (!ls_below(g, 16))
		return ls_random(g);
	return st->ram[RTC_B] & RTC_B_DM ? v : v / 10 << 4 | v % 10;
}

static uint64_t hour(struct ls_gen *g, const struct rtc_state *st)
{
	uint64_t h = ls_below(g, 24);

	if (st->ram[RTC_B] & RTC_B_24H)
		return coded(g, st, h);
	return coded(g, st, h % 12 ? h % 12 : 12) | (h >= 12 ? RTC_PM : 0);
}

/* A time near a change of day, month and year as often as any other. */
static void set_time(struct ls_gen *g, const struct rtc_state *st)
{
	bool late = ls_below(g, 2);

	put(g, RTC_SECONDS, coded(g, st, late ? 58 : ls_below(g, 60)));
	put(g, RTC_MINUTES, coded(g, st, late ? 59 : ls_below(g, 60)));
	put(g, RTC_HOURS, late ? coded(g, st, 23) : hour(g, st));
	put(g, RTC_DATE, coded(g, st, late ? 28 + ls_below(g, 4) : 1 + ls_below(g, 31)));
	put(g, RTC_MONTH, coded(g, st, late ? 2 : 1 + ls_below(g, 12)));
	put(g, RTC_YEAR, coded(g, st, ls_below(g, 100)));
	put(g, RTC_CENTURY, coded(g, st, 19 + ls_below(g, 3)));
	put(g, RTC_DAY, coded(g, st, 1 + ls_below(g, 7)));
}

/* Parts that matter, and those that do not; many for soon. */
static void set_alarm(struct ls_gen *g, const struct rtc_state *st)
{
	bool soon = ls_below(g, 2);

	put(g, RTC_SECONDS_ALARM, ls_below(g, 3) ? coded(g, st, ls_below(g, 60)) : 0xff);
	put(g, RTC_MINUTES_ALARM,
	    soon || !ls_below(g, 3) ? 0xc0 + ls_below(g, 64) : coded(g, st, ls_below(g, 60)));
	put(g, RTC_HOURS_ALARM, soon || !ls_below(g, 3) ? 0xff : hour(g, st));
}

/* A clock that runs, with 24 hours, in the format that it has. */
static void set_going(struct ls_gen *g, const struct rtc_state *st)
{
	put(g, RTC_A, RTC_A_DV_RUNS | ls_below(g, 16));
	put(g, RTC_B, RTC_B_24H | RTC_B_AIE | (st->ram[RTC_B] & RTC_B_DM));
}

/* An alarm that comes: at each second, at each of a minute, or at one of the next three. */
static void await_alarm(struct ls_gen *g, const struct rtc_state *st)
{
	uint64_t which = ls_below(g, 3), ahead = 1 + ls_below(g, 3);
	uint64_t s = rtc_seconds(st, ls_device_ns(&st->hdr)) + ahead;

	if (!rtc_runs(st) || !(st->ram[RTC_B] & RTC_B_24H)) {
		set_going(g, st);
		return;
	}
	put(g, RTC_SECONDS_ALARM, which < 2 ? 0xff : rtc_time_byte(st, RTC_SECONDS, s));
	put(g, RTC_MINUTES_ALARM, which < 1 ? 0xff : rtc_time_byte(st, RTC_MINUTES, s));
	put(g, RTC_HOURS_ALARM, which < 1 ? 0xff : rtc_time_byte(st, RTC_HOURS, s));
	get(g, RTC_C);
	ls_push(g, LS_TIME, 0, 0, ahead * SECOND);
	get(g, RTC_C);
}

static void set_b(struct ls_gen *g)
{
	uint64_t b = ls_random(g) & 0x7f;

	put(g, RTC_B, ls_below(g, 4) ? b : b | RTC_B_SET);
}

/* Mostly a clock that runs. */
static void set_a(struct ls_gen *g)
{
	uint64_t a = ls_random(g) & 0x7f;

	put(g, RTC_A, ls_below(g, 4) ? RTC_A_DV_RUNS | (a & RTC_A_RS) : a);
}

static void next(struct ls_gen *g, const void *state)
{
	const struct rtc_state *st = state;

	switch (ls_below(g, 32)) {
	case 0:
		set_time(g, st);
		break;
	case 1:
		set_alarm(g, st);
		break;
	case 2:
		set_b(g);
		break;
	case 3:
		set_a(g);
		break;
	case 4:
		put(g, (unsigned int)ls_below(g, RTC_BYTES), ls_random(g));
		break;
	case 5:
		await_alarm(g, st);
		break;
	case 6:
	case 7:
		ls_push(g, LS_TIME, 0, 0, ls_skewed(g, 34));
		break;
	case 8:
	case 9:
	case 10:
		get(g, (unsigned int)ls_below(g, RTC_BYTES));
		break;
	case 11:
	case 12:
	case 13:
	case 14:
		get(g, RTC_C);
		break;
	default:
		get(g, (unsigned int)ls_below(g, RTC_D + 1));
		break;
	}
}

static const struct lx_region region = { .addr = RTC_PORT, .len = RTC_LEN };

const struct ls_device ls_rtc = {
	.name = "rtc",
	.regions = &region,
	.n_regions = 1,
	.state_size = sizeof(struct rtc_state),
	.irq_slots = 1U << RTC_SLOT_IRQ,
	.make = make,
	.free = unmake,
	.attached = attached,
	.next = next,
	.due = due,
};
