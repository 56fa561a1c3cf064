/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HPET: register map and state. Shared by the BPF program and VMMs. Section
 * numbers are those of the IA-PC HPET specification 1.0a.
 */
#ifndef LIGHTEXIT_DEV_HPET_H
#define LIGHTEXIT_DEV_HPET_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

/* 2.3.1: 1,024 bytes of registers; PC firmware puts them here. */
#define HPET_BASE 0xfed00000U
#define HPET_LEN 0x400U

/* 2.2: the recommended number; the first one is periodic, too */
#define HPET_TIMERS 3U

/* 2.3.1: register offsets */
#define HPET_CAP 0x000U	    /* General Capabilities and ID, read-only, 2.3.4 */
#define HPET_CONFIG 0x010U  /* General Configuration, 2.3.5 */
#define HPET_STATUS 0x020U  /* General Interrupt Status, 2.3.6 */
#define HPET_COUNTER 0x0f0U /* Main Counter Value, 2.3.7 */
#define HPET_TN_BASE 0x100U /* timer 0's registers; those of timer n HPET_TN_SIZE * n behind */
#define HPET_TN_SIZE 0x20U

/* Offsets from there; timers have no FSB Interrupt Route (2.3.10). */
#define HPET_TN_CONFIG 0x00U	 /* Configuration and Capabilities, 2.3.8 */
#define HPET_TN_COMPARATOR 0x08U /* Comparator Value, 2.3.9 */

/* 2.3.4: bits 63:32 of HPET_CAP, femtoseconds per tick, at most 0x05f5e100 */
#define HPET_CAP_PERIOD_SHIFT 32
#define HPET_PERIOD_MAX 0x05f5e100U

/* 2.3.5: bits of HPET_CONFIG */
#define HPET_CONFIG_ENABLE (1ULL << 0) /* ENABLE_CNF: the counter runs */
#define HPET_CONFIG_LEGACY (1ULL << 1) /* LEG_RT_CNF */

/* 2.3.8: bits of HPET_TN_CONFIG */
#define HPET_TN_LEVEL (1ULL << 1)	 /* Tn_INT_TYPE_CNF */
#define HPET_TN_ENABLE (1ULL << 2)	 /* Tn_INT_ENB_CNF */
#define HPET_TN_PERIODIC (1ULL << 3)	 /* Tn_TYPE_CNF */
#define HPET_TN_PERIODIC_CAP (1ULL << 4) /* Tn_PER_INT_CAP */
#define HPET_TN_64BIT_CAP (1ULL << 5)	 /* Tn_SIZE_CAP */
#define HPET_TN_VAL_SET (1ULL << 6)	 /* Tn_VAL_SET_CNF */
#define HPET_TN_32BIT (1ULL << 8)	 /* Tn_32MODE_CNF */
#define HPET_TN_ROUTE_SHIFT 9		 /* Tn_INT_ROUTE_CNF, 5 bits */
#define HPET_TN_ROUTE (0x1fULL << HPET_TN_ROUTE_SHIFT)
#define HPET_TN_ROUTE_CAP_SHIFT 32 /* Tn_INT_ROUTE_CAP */

/* 2.3.9.1: all ones after reset */
#define HPET_COMPARATOR_RESET (~0ULL)

/* Femtoseconds in a nanosecond. */
#define HPET_FS_PER_NS 1000000ULL

/*
 * Where interrupts go, 2.4.2: with legacy replacement timers 0 and 1 to the inputs of the
 * 8254 and the RTC; else each timer to one of the IO-APIC's inputs 20 to 23, or nowhere.
 */
#define HPET_ROUTE_LEGACY0 0U /* IRQ0 of the 8259s, input 2 of the IO-APIC */
#define HPET_ROUTE_LEGACY1 1U /* IRQ8, input 8 */
#define HPET_ROUTE_INPUT 2U   /* HPET_INPUT, and so on */
#define HPET_INPUT 20U
#define HPET_INPUTS 4U
#define HPET_ROUTES (HPET_ROUTE_INPUT + HPET_INPUTS)
#define HPET_ROUTE_NONE HPET_ROUTES

/*
 * The eventfds of an HPET, lightexit_ops.eventfds: two for each route. An edge-triggered
 * interrupt is one signal of the first, a plain irqfd. A level-triggered one is a signal
 * of the second, an irqfd with resample, whose resample eventfd is the device's kick_fd:
 * what is still asserted after the EOI is signalled again.
 */
#define HPET_SLOT(_route, _level) (2U * (_route) + !!(_level))
#define HPET_SLOTS (2U * HPET_ROUTES)

/**
 * struct hpet_timer_state - one timer
 * @config:     HPET_TN_CONFIG as the guest reads it
 * @comparator: the value of @from's next match; the guest reads that of the counter's
 * @period:     what a match adds to @comparator, if HPET_TN_PERIODIC
 * @from:       the next match is the first at this value of the counter or later
 * @timer:      armed for that match, if it interrupts
 *
 * The state's lock protects them.
 */
struct hpet_timer_state {
	__u64 config;
	__u64 comparator;
	__u64 period;
	__u64 from;
	struct lx_timer timer;
};

/**
 * struct hpet_state - an HPET
 * @hdr:     see state.h
 * @cap:     HPET_CAP as the guest reads it
 * @config:  HPET_CONFIG as the guest reads it
 * @counter: main counter at @base_ns; while halted, its value
 * @base_ns: device time at which the counter was @counter and running
 * @status:  HPET_STATUS, but for matches since each timer's @from
 * @timers:  the timers
 *
 * @cap to @base_ns are read by state.h's seq, the rest under the lock. Writers: the
 * program and the VMM; of @cap the VMM alone.
 */
struct hpet_state {
	struct lx_state hdr;
	__u64 cap;
	__u64 config;
	__u64 counter;
	__u64 base_ns;
	__u64 status;
	struct hpet_timer_state timers[HPET_TIMERS];
};

#endif /* LIGHTEXIT_DEV_HPET_H */
