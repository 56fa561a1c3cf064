/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HPET: register map and state. Shared by the BPF program and VMMs. Section
 * numbers are those of the IA-PC HPET specification 1.0a.
 */
#ifndef LIGHTEXIT_DEV_HPET_H
#define LIGHTEXIT_DEV_HPET_H

#include <lightexit/clock.h>
#include <lightexit/state.h>

/* 2.3.1: 1,024 bytes of registers; PC firmware puts them here. */
#define HPET_BASE 0xfed00000U
#define HPET_LEN 0x400U

/* 2.3.3: register offsets */
#define HPET_CAP 0x000U	    /* General Capabilities and ID, read-only, 2.3.4 */
#define HPET_CONFIG 0x010U  /* General Configuration, 2.3.5 */
#define HPET_STATUS 0x020U  /* General Interrupt Status, 2.3.6 */
#define HPET_COUNTER 0x0f0U /* Main Counter Value, 2.3.7 */

/* 2.3.4: bits 63:32 of HPET_CAP, femtoseconds per tick, at most 0x05f5e100 */
#define HPET_CAP_PERIOD_SHIFT 32
#define HPET_PERIOD_MAX 0x05f5e100U

/* 2.3.5: bits of HPET_CONFIG */
#define HPET_CONFIG_ENABLE (1ULL << 0) /* ENABLE_CNF: the counter runs */
#define HPET_CONFIG_LEGACY (1ULL << 1) /* LEG_RT_CNF */

/* Femtoseconds in a nanosecond. */
#define HPET_FS_PER_NS 1000000ULL

/**
 * struct hpet_state - what the readable registers follow from
 * @hdr:     see state.h
 * @cap:     HPET_CAP as the guest reads it
 * @config:  HPET_CONFIG as the guest reads it
 * @counter: main counter at @base_ns; while halted, its value
 * @base_ns: time, by @clock, at which the counter was @counter and running
 * @clock:   enum lx_clock
 * @pad:     0
 *
 * Writer of all fields: the VMM.
 */
struct hpet_state {
	struct lx_state hdr;
	__u64 cap;
	__u64 config;
	__u64 counter;
	__u64 base_ns;
	__u32 clock;
	__u32 pad;
};

#endif /* LIGHTEXIT_DEV_HPET_H */
