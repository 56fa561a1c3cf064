/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PIT (8254) and port 61h: register map and state. Shared by the BPF program and
 * VMMs. Names and rules are those of Intel's 8254 data sheet (231164); port 61h is
 * NMI_SC of the ICH9 data sheet, 13.7.1.
 */
#ifndef LIGHTEXIT_DEV_PIT_H
#define LIGHTEXIT_DEV_PIT_H

#include <lightexit/state.h>
#include <lightexit/timer.h>

/* Counters 0 to 2, and the Control Word Register. */
#define PIT_PORT 0x40U
#define PIT_LEN 4U
#define PIT_CONTROL 3U
#define PIT_COUNTERS 3U
/* NMI_SC: gate and output of counter 2, speaker, refresh toggle. */
#define PIT_PORT_B 0x61U
#define PIT_PORT_B_LEN 1U

/* Index of the program's regions, timers and eventfds. */
#define PIT_REGION_COUNTERS 0U
#define PIT_REGION_PORT_B 1U
#define PIT_TIMER_IRQ 0U
#define PIT_SLOT_IRQ 0U

/* 105/88 MHz: a CLK pulse each 17600/21 ns. */
#define PIT_NS_NUM 17600U
#define PIT_NS_DEN 21U

/* Control word: select counter, read/write, mode, BCD */
#define PIT_SC_SHIFT 6
#define PIT_SC_READ_BACK 3U
#define PIT_RW_SHIFT 4
#define PIT_RW_MASK 3U
#define PIT_RW_LATCH 0U
#define PIT_RW_LSB 1U
#define PIT_RW_MSB 2U
#define PIT_RW_WORD 3U
#define PIT_MODE_SHIFT 1
#define PIT_BCD (1U << 0)
/* The bits of a control word that status gives back. */
#define PIT_PROGRAMMED 0x3fU

/* Read-back command; the counters are bits 1 to 3. */
#define PIT_READ_BACK_NO_COUNT (1U << 5)
#define PIT_READ_BACK_NO_STATUS (1U << 4)

/* Status byte */
#define PIT_STATUS_OUT (1U << 7)
#define PIT_STATUS_NULL (1U << 6)

/* NMI_SC */
#define PIT_B_GATE2 (1U << 0)	/* TIM_CNT2_EN */
#define PIT_B_SPEAKER (1U << 1) /* SPKR_DAT_EN */
#define PIT_B_WRITABLE 0x0fU	/* and PCI_SERR_EN, IOCHK_NMI_EN */
#define PIT_B_REFRESH (1U << 4) /* REF_TOGGLE */
#define PIT_B_OUT2 (1U << 5)	/* TMR2_OUT_STS */
/* CLK pulses between two refresh cycles: 15.1 us. */
#define PIT_REFRESH_PULSES 18U

/**
 * struct pit_counter - one counter
 * @start:     CLK pulse that loaded CE
 * @elapsed:   if @held, the pulses that CE has counted
 * @next_at:   if @next, the pulse that loads it
 * @control:   control word, bits 5:0
 * @cr:        CR: initial count, 1 to 65536; 0: none was written yet
 * @ce:        count that CE was loaded with; 0: none
 * @value:     what CE reads if @ce is 0
 * @half:      mode 3: CE was loaded at the start of the low half
 * @next:      count that @next_at loads; 0: none
 * @next_half: as @half
 * @held:      GATE keeps CE from counting
 * @gate:      GATE
 * @null:      null count: CR was written and CE not loaded from it
 * @lsb:       byte that waits for the second one
 * @write_msb: the second byte of a count is to be written
 * @read_msb:  the second byte of a count is to be read
 * @latched:   bytes of @latch to be read: 1: LSB, 2: MSB, 3: both
 * @latch:     OL: latched count
 * @status:    latched status
 * @status_latched: it is to be read
 * @pad:       0
 */
struct pit_counter {
	__u64 start;
	__u64 elapsed;
	__u64 next_at;
	__u32 control;
	__u32 cr;
	__u32 ce;
	__u32 value;
	__u32 half;
	__u32 next;
	__u32 next_half;
	__u32 held;
	__u32 gate;
	__u32 null;
	__u32 lsb;
	__u32 write_msb;
	__u32 read_msb;
	__u32 latched;
	__u32 latch;
	__u32 status;
	__u32 status_latched;
	__u32 pad;
};

/**
 * struct pit_state - PIT and port 61h
 * @hdr:    see state.h
 * @c:      counters
 * @irq:    next rise of OUT 0, which is IRQ0
 * @port_b: what was written to port 61h
 * @pad:    0
 *
 * The state's lock protects all of it. Writers: program and VMM.
 */
struct pit_state {
	struct lx_state hdr;
	struct pit_counter c[PIT_COUNTERS];
	struct lx_timer irq;
	__u32 port_b;
	__u32 pad;
};

#endif /* LIGHTEXIT_DEV_PIT_H */
