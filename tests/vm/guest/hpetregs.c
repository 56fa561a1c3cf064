// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See hpetregs_guest.h. Section numbers are those of the IA-PC HPET specification 1.0a; the
 * offsets and bits are written out, so as to be nobody's but the specification's.
 */
#include "guest.h"
#include "../../unit/longdiv.h"
#include "../hpetregs_guest.h"

#define CONFIG 0x10U
#define STATUS 0x20U
#define COUNTER 0xf0U
#define TN_CONFIG(_n) (0x100U + 0x20U * (_n))
#define TN_COMPARATOR(_n) (0x108U + 0x20U * (_n))
#define TIMERS 3U

/* 2.3.8 */
#define LEVEL 0x2ULL
#define ENB 0x4ULL
#define PERIODIC 0x8ULL
#define PERIODIC_CAP 0x10ULL
#define SIZE_CAP 0x20ULL
#define VAL_SET 0x40ULL
#define MODE32 0x100ULL
#define ROUTES 0xf0000000000000ULL /* inputs 20 to 23 */

static struct hpetregs_params *p;

static uint64_t dice(void)
{
	return repeatable_random(&p->seed);
}

static uint64_t get(uint32_t off, uint32_t len)
{
	switch (len) {
	case 1:
		return mmio_read8(p->base + off);
	case 2:
		return mmio_read16(p->base + off);
	case 4:
		return mmio_read32(p->base + off);
	default:
		return mmio_read64(p->base + off);
	}
}

/* 2.3.2: whole, or in halves. */
static void put(uint32_t off, uint64_t val)
{
	if (dice() & 1ULL << 40) {
		mmio_write64(p->base + off, val);
		return;
	}
	mmio_write32(p->base + off, (uint32_t)val);
	mmio_write32(p->base + off + 4, (uint32_t)(val >> 32));
}

static void wrong(uint32_t off, uint32_t len, uint64_t got, uint64_t due)
{
	if (p->wrong++)
		return;
	p->bad[0] = off;
	p->bad[1] = len;
	p->bad[2] = got;
	p->bad[3] = due;
}

/* Reads a register, of any length, HPETREGS_READS times. */
static void expect(uint32_t off, uint64_t due)
{
	for (uint32_t i = 0; i < HPETREGS_READS; i++) {
		uint32_t len = 1U << (dice() >> 33 & 3), at = (dice() >> 33 & 7) & ~(len - 1);
		uint64_t part = due >> (at * 8), got = get(off + at, len);

		part &= len == 8 ? ~0ULL : (1ULL << (len * 8)) - 1;
		if (got != part)
			wrong(off + at, len, got, part);
	}
	p->reads += HPETREGS_READS;
}

/* 2.3.4: read-only. */
static void cap(void)
{
	mmio_write64(p->base, dice());
	expect(0, p->cap);
}

/* 2.3.5: two bits. The timers are masked. */
static void config(void)
{
	uint64_t val = dice() >> 20;

	put(CONFIG, val);
	expect(CONFIG, val & 3);
}

/* 2.3.7: written while halted. */
static void counter(void)
{
	uint64_t val = dice() ^ dice() << 32;

	put(COUNTER, val);
	expect(COUNTER, val);
}

/*
 * 2.3.8: what cannot be written keeps its value; the capabilities do, too. Routes that there
 * are not are left out, and so is Tn_VAL_SET_CNF: it does something else.
 */
static void tn_config(void)
{
	static const uint64_t inputs[] = { 0, 20, 21, 22, 23 };
	uint64_t n = (dice() >> 33) % TIMERS, input = inputs[(dice() >> 33) % 5] << 9;
	uint64_t val = (dice() ^ dice() << 32) & ~(0x1fULL << 9) & ~VAL_SET;
	uint64_t can = LEVEL | ENB | MODE32 | (n ? 0 : PERIODIC);

	val |= input;
	put(TN_CONFIG((uint32_t)n), val);
	expect(TN_CONFIG((uint32_t)n),
	       (val & can) | input | SIZE_CAP | (n ? 0 : PERIODIC_CAP) | ROUTES);
}

/* 2.3.9.1, 2.4.7: in 32-bit mode the upper half is 0. */
static void one_shot(void)
{
	uint32_t n = (dice() >> 33) % TIMERS;
	uint64_t val = dice() ^ dice() << 32, mode = dice() >> 33 & 1 ? MODE32 : 0;

	put(TN_CONFIG(n), mode);
	put(TN_COMPARATOR(n), val);
	expect(TN_COMPARATOR(n), mode ? (uint32_t)val : val);
}

/*
 * 2.3.6, 2.3.8: bits of level-triggered timers that matched, masked or not; a written 1
 * clears one. Those that do not match are a second away.
 */
static void status(void)
{
	uint64_t set = dice() >> 33 & 7, level = dice() >> 33 & 7, clear = dice() >> 33 & 7;
	uint64_t from = dice() >> 2;

	put(CONFIG, 0);
	put(STATUS, 7);
	put(COUNTER, from);
	for (uint32_t n = 0; n < TIMERS; n++) {
		put(TN_CONFIG(n), level >> n & 1 ? LEVEL : 0);
		mmio_write64(p->base + TN_COMPARATOR(n), set >> n & 1 ? from + 100 : from - 1000);
	}
	mmio_write32(p->base + CONFIG, 1);
	while (mmio_read64(p->base + COUNTER) <= from + 200)
		cpu_relax();
	expect(STATUS, set & level);
	put(STATUS, clear);
	expect(STATUS, set & level & ~clear);
}

/*
 * 2.3.9.2.2: what is read is the next match: the first one and whole periods, after the
 * counter as it was before, within a period of what it was after.
 */
static void periodic(void)
{
	uint64_t from = dice() >> 2, first = 1000 + (dice() >> 33) % 10000;
	uint64_t period = 1000 + (dice() >> 33) % 100000;

	put(CONFIG, 0);
	put(COUNTER, from);
	put(TN_CONFIG(0), PERIODIC | VAL_SET);
	mmio_write64(p->base + TN_COMPARATOR(0), from + first);
	put(TN_COMPARATOR(0), period);
	mmio_write32(p->base + CONFIG, 1);
	for (uint32_t i = 0; i < HPETREGS_READS; i++) {
		uint64_t before = mmio_read64(p->base + COUNTER);
		uint64_t val = mmio_read64(p->base + TN_COMPARATOR(0));
		uint64_t after = mmio_read64(p->base + COUNTER);

		if (val <= before || (val - from - first) % period ||
		    (val > after + period && val != from + first))
			wrong(TN_COMPARATOR(0), 8, val, before);
	}
	p->reads += HPETREGS_READS;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	static void (*const fns[])(void) = {
		[HPETREGS_CAP] = cap,
		[HPETREGS_CONFIG] = config,
		[HPETREGS_STATUS] = status,
		[HPETREGS_COUNTER] = counter,
		[HPETREGS_TN_CONFIG] = tn_config,
		[HPETREGS_ONE_SHOT] = one_shot,
		[HPETREGS_PERIODIC] = periodic,
	};

	p = params;
	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE))
		fns[p->reg]();
	return 0;
}
