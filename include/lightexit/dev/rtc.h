/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RTC and CMOS RAM (MC146818): register map and state. Shared by the BPF program and
 * VMMs. Names and rules are those of Motorola's MC146818 data sheet; the ports, 128
 * bytes and the century byte are those of PCs.
 */
#ifndef LIGHTEXIT_DEV_RTC_H
#define LIGHTEXIT_DEV_RTC_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

/* Index at 70h, data at 71h. */
#define RTC_PORT 0x70U
#define RTC_LEN 2U
#define RTC_INDEX 0U
#define RTC_DATA 1U
/* Bit 7 of the index masks NMI, which is not the RTC's. */
#define RTC_INDEX_MASK 0x7fU
#define RTC_BYTES 128U

#define RTC_TIMER_IRQ 0U
#define RTC_SLOT_IRQ 0U

/* Address map */
#define RTC_SECONDS 0x00U
#define RTC_SECONDS_ALARM 0x01U
#define RTC_MINUTES 0x02U
#define RTC_MINUTES_ALARM 0x03U
#define RTC_HOURS 0x04U
#define RTC_HOURS_ALARM 0x05U
#define RTC_DAY 0x06U  /* of the week, Sunday = 1 */
#define RTC_DATE 0x07U /* of the month */
#define RTC_MONTH 0x08U
#define RTC_YEAR 0x09U
#define RTC_A 0x0aU
#define RTC_B 0x0bU
#define RTC_C 0x0cU
#define RTC_D 0x0dU
#define RTC_CENTURY 0x32U /* FADT.CENTURY of PCs */

/* Two most significant bits set: "don't care" in an alarm byte */
#define RTC_DONT_CARE 0xc0U
#define RTC_PM 0x80U

/* Register A: update in progress, divider, rate */
#define RTC_A_UIP 0x80U
#define RTC_A_DV 0x70U
#define RTC_A_DV_RUNS 0x20U /* and below: the dividers are on */
#define RTC_A_DV_RESET 0x60U
#define RTC_A_RS 0x0fU

/* Register B */
#define RTC_B_SET 0x80U
#define RTC_B_PIE 0x40U
#define RTC_B_AIE 0x20U
#define RTC_B_UIE 0x10U
#define RTC_B_DM 0x04U /* binary, not BCD */
#define RTC_B_24H 0x02U

/* Register C: flags; PF, AF and UF have the places of their enables in B. */
#define RTC_C_IRQF 0x80U
#define RTC_C_PF 0x40U
#define RTC_C_AF 0x20U
#define RTC_C_UF 0x10U
#define RTC_C_FLAGS 0x70U

/* Register D: valid RAM and time */
#define RTC_D_VRT 0x80U

/* Update cycle with 32.768 kHz: UIP 244 us before (tBUC), then 1984 us (tUC). */
#define RTC_UIP_NS 2228000U
#define RTC_SECOND_NS 1000000000U
/* From the end of a divider reset to the first update. */
#define RTC_HALF_NS 500000000U

/**
 * struct rtc_state - RTC and RAM
 * @hdr:     see state.h
 * @base_s:  time at @base_ns, in seconds since 0000-03-01, if it runs
 * @base_ns: device time at which an update ended: the dividers' phase. Modulo 2^64
 * @flags_ns: device time up to which @flags has what happened
 * @irq:     when an enabled interrupt is next due, if its line is not up
 * @index:   of the byte at 71h
 * @flags:   RTC_C_FLAGS
 * @line:    IRQF
 * @day:     what the day of the week is ahead of the calendar's, 0 to 6
 * @ram:     a byte each; of the time only while it does not run
 *
 * The state's lock protects all of it. Writers: program and VMM.
 */
struct rtc_state {
	struct lx_state hdr;
	__u64 base_s;
	__u64 base_ns;
	__u64 flags_ns;
	struct lx_timer irq;
	__u32 index;
	__u32 flags;
	__u32 line;
	__u32 day;
	__u32 ram[RTC_BYTES];
};

#endif /* LIGHTEXIT_DEV_RTC_H */
