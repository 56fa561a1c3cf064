/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HPET guest: vCPU 0 has one timer interrupt it, and checks at each interrupt what the
 * registers say; the other vCPUs read them meanwhile. Host and guest.
 */
#ifndef HPET_GUEST_H
#define HPET_GUEST_H

#include <stdint.h>

#define HPET_GUEST_VCPUS 4U
#define HPET_GUEST_VECTOR 0x50U
#define HPET_GUEST_OTHER 0x51U
/* Ticks after which an interrupt does not come any more: a second. */
#define HPET_GUEST_LATE 100000000U

/**
 * struct hpet_guest_params - the parameter block
 * @base:    of the HPET
 * @timer:   its number
 * @config:  what is written to its configuration register
 * @general: to the general one, to begin
 * @pin:     of the IO-APIC
 * @level:   that is level-triggered
 * @other:   another pin, edge-triggered, where nothing is to come; 0: none
 * @toggle:  one-shot: LEG_RT_CNF changes before each interrupt but the first, and @pin and
 *           @other take turns
 * @start:   of the counter
 * @vcpus:   that take part; all but the first one read
 * @ticks:   periodic: the period; one-shot: from each interrupt to the next one
 * @want:    interrupts; then vCPU 0 ends it, the HPET still running
 * @hold:    vCPU 0 does not end it before this is 0
 * @gate:    0
 * @done:    0; vCPU 0 has ended it
 * @irqs:    by vector
 * @taken:   interrupts, but for those unasked
 * @unasked: level-triggered ones whose status bit was 0
 * @early:   interrupts that came before their time, by the counter
 * @stuck:   status bits that stayed after they were written 1
 * @astray:  interrupts of the wrong pin
 * @end:     the counter in the end
 * @missed:  one-shots that were set too late
 * @reads:   by the other vCPUs, of the comparator
 * @wrong:   of them, not the next match: passed already, or more than a period ahead
 * @bad:     the first of those: counter before, comparator, counter after
 */
struct hpet_guest_params {
	uint64_t base;
	uint32_t timer;
	uint32_t config;
	uint32_t general;
	uint32_t pin;
	uint32_t level;
	uint32_t other;
	uint32_t toggle;
	uint64_t start;
	uint32_t vcpus;
	uint64_t ticks;
	uint64_t want;
	uint32_t hold;
	uint32_t gate;
	uint32_t done;
	uint32_t pad;
	uint32_t irqs[256];
	uint64_t taken;
	uint64_t unasked;
	uint64_t early;
	uint64_t stuck;
	uint64_t astray;
	uint64_t end;
	uint64_t missed;
	uint64_t reads;
	uint64_t wrong;
	uint64_t bad[3];
};

#endif /* HPET_GUEST_H */
