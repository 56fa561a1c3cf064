/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UART 16550A: state, and what program and VMM agree on. Registers and their bits are
 * those of <linux/serial_reg.h>. Shared by the BPF program and VMMs. Section and table
 * numbers are those of National's PC16550D data sheet (June 1995).
 */
#ifndef LIGHTEXIT_DEV_UART_H
#define LIGHTEXIT_DEV_UART_H

#include <linux/serial_reg.h>

#include <lightexit/bell.h>
#include <lightexit/clock.h>
#include <lightexit/queue.h>
#include <lightexit/state.h>
#include <lightexit/timer.h>

/* COM1 of PCs, at ISA interrupt 4; table II: 8 registers of a byte. */
#define UART_PORT 0x3f8U
#define UART_LEN 8U
#define UART_IRQ 4U
/* 8.3: the crystal of PCs (table III); the divisor counts sixteenths of a bit. */
#define UART_HZ 1843200U
/* 8.5: characters in each FIFO */
#define UART_FIFO 16U

/* Eventfds: the interrupt, an irqfd; and what wakes the VMM to look at queue and receiver. */
#define UART_SLOT_IRQ 0U
#define UART_SLOT_BELL 1U

/* Timers: the character time-out, and the edge of the interrupt that is still due. */
#define UART_TIMER_RX 0U
#define UART_TIMER_EDGE 1U

/**
 * struct uart16550_state - the UART (the kernel has a struct uart_state)
 * @hdr:     see state.h
 * @ier, @lcr, @mcr, @scr, @fcr: the registers; bits that read 0 are 0
 * @divisor: DLM and DLL
 * @lsr:     OE, PE, FE and BI as LSR shows them next
 * @msr:     the delta bits (3:0) of MSR
 * @lines:   modem inputs, as MSR's bits 7:4. Writer: the VMM
 * @thre:    1: the transmitter has something to tell; shown if IER says so
 * @timeout: 1: the character time-out has come
 * @level:   INTR as the PC's bus has it: gated by OUT2; 1: an edge was signalled
 * @running: 1 << UART_TIMER_*: kernel timers that are set, for no later than the state's
 * @rx_more: 1: the VMM has characters that did not fit. Writer: the VMM
 * @rx_head, @rx_count: the receiver's FIFO, or RBR, in @rx
 * @rx_bad:  characters in @rx with an error that LSR has not shown
 * @rx:      character, and above it the bits of its errors in LSR, times 256
 * @timer:   UART_TIMER_*, by device time
 * @bell:    UART_SLOT_BELL's
 * @tx:      what THR was given: region, offset 0 and a byte each
 *
 * Writers, where nothing else is said: program and VMM, with the state's lock held.
 */
struct uart16550_state {
	struct lx_state hdr;
	__u32 ier;
	__u32 lcr;
	__u32 mcr;
	__u32 scr;
	__u32 fcr;
	__u32 divisor;
	__u32 lsr;
	__u32 msr;
	__u32 lines;
	__u32 thre;
	__u32 timeout;
	__u32 level;
	__u32 running;
	__u32 rx_more;
	__u32 rx_head;
	__u32 rx_count;
	__u32 rx_bad;
	__u32 pad;
	__u32 rx[UART_FIFO];
	struct lx_timer timer[2];
	struct lx_bell bell;
	struct lx_queue tx;
};

#endif /* LIGHTEXIT_DEV_UART_H */
