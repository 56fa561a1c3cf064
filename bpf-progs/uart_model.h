/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UART 16550A: state, access and device time in, verdict and value out. Pure: the BPF
 * program, the VMM's back end and the unit tests compile this very code. Section and
 * table numbers are those of National's PC16550D data sheet.
 *
 * The transmitter's character time is 0: what THR is given is in the VMM's queue at
 * once, so THRE and TEMT are always set (8.4). A queue that is full passes the write.
 * So no guest waits for a line that is not there, and a write to THR empties the
 * transmitter again at once: a THRE interrupt for each (8.7), if it is enabled.
 *
 * INTR goes to an ISA interrupt, which takes edges. Its level is a function of the
 * state; uart_update() tells when it has risen. A write to THR clears the THRE
 * interrupt (table IV) and, the character being sent at once, sets it again. The edge
 * of that is due only to a guest that does not read IIR: it comes when a full FIFO
 * would have been sent, unless IIR was read meanwhile.
 *
 * After each call, with the state's lock still held: uart_update(), uart_wants_vmm(),
 * and uart_timers().
 */
#ifndef UART_MODEL_H
#define UART_MODEL_H

#include <lightexit/dev/uart.h>
#include <lightexit/io.h>

/* Sixteen characters of ten bits at 115,200 baud, in nanoseconds. */
#define UART_EDGE_NS 1388889U

/* Above a character in the receiver: its PE, FE and BI. */
#define UART_RX_ERRORS ((UART_LSR_PE | UART_LSR_FE | UART_LSR_BI) << 8)

/* What the UART needs to know of the clock: if true, @now of the next call has to be right. */
static inline bool uart_needs_time(const struct uart16550_state *st)
{
	return st->rx_count || st->mcr & UART_MCR_LOOP ||
	       (st->level && !st->timer[UART_TIMER_EDGE].armed);
}

static inline bool uart_has_fifo(const struct uart16550_state *st)
{
	return st->fcr & UART_FCR_ENABLE_FIFO;
}

/* 8.5, bits 7:6; without FIFO each character interrupts. */
static inline __u32 uart_trigger(const struct uart16550_state *st)
{
	if (!uart_has_fifo(st))
		return 1;
	switch (st->fcr & UART_FCR_TRIGGER_MASK) {
	case UART_FCR_TRIGGER_4:
		return 4;
	case UART_FCR_TRIGGER_8:
		return 8;
	case UART_FCR_TRIGGER_14:
		return 14;
	default:
		return 1;
	}
}

/* 8.11: four character times; 8.1: start, data, parity and stop bits, these counted in halves. */
static inline __u64 uart_timeout_ns(const struct uart16550_state *st)
{
	__u32 data = 5 + (st->lcr & UART_LCR_WLEN8);
	__u32 halves = 2 + 2 * data + (st->lcr & UART_LCR_PARITY ? 2 : 0) + 2;
	__u64 divisor = st->divisor ? st->divisor : 1;

	if (st->lcr & UART_LCR_STOP)
		halves += data == 5 ? 1 : 2;
	/* halves / 2 * 4 * 16 * divisor / UART_HZ seconds */
	_Static_assert(32000000000 * 9 == 156250UL * UART_HZ, "nanoseconds of a divisor");
	return (halves * divisor * 156250 + 8) / 9;
}

/* 8.6 and table IV: the highest interrupt that is pending and enabled. */
static inline __u32 uart_interrupt(const struct uart16550_state *st)
{
	__u32 ier = st->ier;

	if (ier & UART_IER_RLSI && st->lsr)
		return UART_IIR_RLSI;
	if (ier & UART_IER_RDI && st->timeout)
		return UART_IIR_RX_TIMEOUT;
	if (ier & UART_IER_RDI && st->rx_count >= uart_trigger(st))
		return UART_IIR_RDI;
	if (ier & UART_IER_THRI && st->thre)
		return UART_IIR_THRI;
	if (ier & UART_IER_MSI && st->msr)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

/* INTR behind the PC's gate: OUT2, which loop-back makes inactive (8.8, bit 4). */
static inline __u32 uart_level(const struct uart16550_state *st)
{
	if (!st->ier || (st->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) != UART_MCR_OUT2)
		return 0;
	return uart_interrupt(st) != UART_IIR_NO_INT;
}

/**
 * uart_update() - follow the interrupt
 *
 * Return: true if an edge is to be signalled
 */
static inline bool uart_update(struct uart16550_state *st)
{
	__u32 was = st->level;

	st->level = uart_level(st);
	if (!st->level)
		lx_timer_disarm(&st->timer[UART_TIMER_EDGE]);
	return st->level && !was;
}

/* Characters that the VMM may put into the receiver; none in loop-back, where SIN is off. */
static inline __u32 uart_room(const struct uart16550_state *st)
{
	__u32 size = uart_has_fifo(st) ? UART_FIFO : 1;

	if (st->mcr & UART_MCR_LOOP || st->rx_count >= size)
		return 0;
	return size - st->rx_count;
}

/* The VMM has characters waiting, and half of the receiver is free. */
static inline bool uart_wants_vmm(const struct uart16550_state *st)
{
	return st->rx_more && uart_room(st) >= (uart_has_fifo(st) ? UART_FIFO / 2 : 1);
}

/* 8.11 C: once it has occurred, only a read of RBR clears it: so before what starts it anew. */
static inline void uart_see_timeout(struct uart16550_state *st, __u64 now)
{
	if (lx_timer_claim(&st->timer[UART_TIMER_RX], now))
		st->timeout = 1;
}

/**
 * uart_tick() - do what is due
 * @now: device time
 *
 * Return: true if an edge is to be signalled, whatever uart_update() says
 */
static inline bool uart_tick(struct uart16550_state *st, __u64 now)
{
	uart_see_timeout(st, now);
	return lx_timer_claim(&st->timer[UART_TIMER_EDGE], now) && st->level;
}

/* The timers that have to be set, 1 << UART_TIMER_*: of the time-out's if it interrupts. */
static inline __u32 uart_timers(const struct uart16550_state *st)
{
	return (st->timer[UART_TIMER_RX].armed && st->ier & UART_IER_RDI ? 1U << UART_TIMER_RX :
									   0) |
	       (st->timer[UART_TIMER_EDGE].armed ? 1U << UART_TIMER_EDGE : 0);
}

/*
 * 8.11: each character that comes or is read starts the four character times anew. Where they
 * are shorter than before (8.1, 8.3), a kernel timer may be set for later.
 */
static inline void uart_rx_touched(struct uart16550_state *st, __u64 now)
{
	struct lx_timer *t = &st->timer[UART_TIMER_RX];
	__u64 due = now + uart_timeout_ns(st);

	if (!uart_has_fifo(st) || !st->rx_count) {
		lx_timer_disarm(t);
		return;
	}
	if (due < t->due_ns)
		st->running &= ~(1U << UART_TIMER_RX);
	lx_timer_arm(t, due);
}

/**
 * uart_receive() - a character comes
 * @now: device time
 * @c:   0 to 0xff, and its PE, FE and BI times 256
 *
 * 8.4: without FIFO an unread character is lost, with a full FIFO the new one. The
 * errors of the character at the FIFO's top show in LSR.
 */
static inline void uart_receive(struct uart16550_state *st, __u64 now, __u32 c)
{
	__u32 size = uart_has_fifo(st) ? UART_FIFO : 1;

	uart_see_timeout(st, now);
	if (st->rx_count >= size)
		st->lsr |= UART_LSR_OE;
	if (st->rx_count >= size && size > 1) {
		uart_rx_touched(st, now);
		return;
	}
	if (size == 1)
		st->rx_count = 0;
	if (!st->rx_count)
		st->lsr |= c >> 8;
	st->rx[(st->rx_head + st->rx_count) & (UART_FIFO - 1)] = c;
	st->rx_count++;
	if (size > 1 && c & UART_RX_ERRORS)
		st->rx_bad++;
	uart_rx_touched(st, now);
}

/* 8.5, and table I: all bits low. What the top character's errors showed goes with it. */
static inline void uart_clear_receiver(struct uart16550_state *st)
{
	st->rx_head = 0;
	st->rx_count = 0;
	st->rx_bad = 0;
	st->rx[0] = 0;
	st->timeout = 0;
	st->lsr &= UART_LSR_OE;
	lx_timer_disarm(&st->timer[UART_TIMER_RX]);
}

/* 8.4: RBR keeps its character; an empty FIFO reads 0. */
static inline __u32 uart_read_rbr(struct uart16550_state *st, __u64 now)
{
	__u32 c = st->rx[st->rx_head & (UART_FIFO - 1)];

	if (!uart_has_fifo(st)) {
		st->rx_count = 0;
		return c & 0xff;
	}
	if (!st->rx_count)
		return 0;
	if (c & UART_RX_ERRORS)
		st->rx_bad--;
	st->rx_head = (st->rx_head + 1) & (UART_FIFO - 1);
	st->rx_count--;
	if (st->rx_count)
		st->lsr |= st->rx[st->rx_head & (UART_FIFO - 1)] >> 8;
	st->timeout = 0;
	uart_rx_touched(st, now);
	return c & 0xff;
}

/* 8.4: reading clears OE, PE, FE and BI; bit 7 stays for errors further down the FIFO. */
static inline __u32 uart_read_lsr(struct uart16550_state *st)
{
	__u32 val = UART_LSR_TEMT | UART_LSR_THRE | st->lsr, *top;

	if (!st->rx_count && !st->lsr)
		return val;
	if (st->rx_count)
		val |= UART_LSR_DR;
	if (st->rx_bad) {
		val |= UART_LSR_FIFOE;
		top = &st->rx[st->rx_head & (UART_FIFO - 1)];
		st->rx_bad -= *top & UART_RX_ERRORS ? 1 : 0;
		*top &= 0xff;
	}
	st->lsr = 0;
	return val;
}

/* Table IV: reading IIR clears the THRE interrupt if that is what it shows. */
static inline __u32 uart_read_iir(struct uart16550_state *st, __u64 now)
{
	__u32 id;

	uart_see_timeout(st, now);
	id = uart_interrupt(st);
	if (id == UART_IIR_THRI)
		st->thre = 0;
	return id | (uart_has_fifo(st) ? 0xc0 : 0);
}

/* 8.8, bit 4, and 8.9: in loop-back the outputs are the inputs. */
static inline __u32 uart_inputs(const struct uart16550_state *st)
{
	__u32 mcr = st->mcr;

	if (!(mcr & UART_MCR_LOOP))
		return st->lines;
	return (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) | (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

/* 8.9, bits 3:0: a change; of RI its end alone. */
static inline void uart_inputs_changed(struct uart16550_state *st, __u32 from)
{
	__u32 to = uart_inputs(st), changed = from ^ to;

	st->msr |= ((changed & ~UART_MSR_RI) | (from & ~to & UART_MSR_RI)) >> 4;
}

/* The modem's lines are now @lines, as MSR's bits 7:4. */
static inline void uart_set_lines(struct uart16550_state *st, __u32 lines)
{
	__u32 from = uart_inputs(st);

	st->lines = lines & 0xf0;
	uart_inputs_changed(st, from);
}

static inline __u32 uart_read_msr(struct uart16550_state *st)
{
	__u32 val = uart_inputs(st) | st->msr;

	st->msr = 0;
	return val;
}

/**
 * uart_read() - a guest's read
 * @now: device time, if uart_needs_time()
 * @val: the value, if handled
 *
 * Return: LX_HANDLED, or LX_PASS for what is no byte of the registers
 */
static inline int uart_read(struct uart16550_state *st, __u64 now, __u64 off, __u32 len, __u64 *val)
{
	if (len != 1 || off >= UART_LEN)
		return LX_PASS;
	switch (off) {
	case UART_RX:
		*val = st->lcr & UART_LCR_DLAB ? st->divisor & 0xff : uart_read_rbr(st, now);
		break;
	case UART_IER:
		*val = st->lcr & UART_LCR_DLAB ? st->divisor >> 8 : st->ier;
		break;
	case UART_IIR:
		*val = uart_read_iir(st, now);
		break;
	case UART_LCR:
		*val = st->lcr;
		break;
	case UART_MCR:
		*val = st->mcr;
		break;
	case UART_LSR:
		*val = uart_read_lsr(st);
		break;
	case UART_MSR:
		*val = uart_read_msr(st);
		break;
	default:
		*val = st->scr;
		break;
	}
	return LX_HANDLED;
}

/* Table IV: cleared by the write, set by the empty transmitter; see the top. */
static inline void uart_sent(struct uart16550_state *st, __u64 now)
{
	struct lx_timer *edge = &st->timer[UART_TIMER_EDGE];

	st->thre = 0;
	if (st->level && !uart_level(st) && !edge->armed)
		lx_timer_arm(edge, now + UART_EDGE_NS);
	st->thre = 1;
}

/* 8.8, bit 4: looped back; 8.1, bits 1:0: as many bits as a character has. */
static inline int uart_write_thr(struct uart16550_state *st, __u64 now, const struct lx_io *io)
{
	if (st->mcr & UART_MCR_LOOP)
		uart_receive(st, now, io->data & (0xffU >> (3 - (st->lcr & UART_LCR_WLEN8))));
	else if (!lx_queue_push(&st->tx, io))
		return LX_PASS;
	if (st->ier & UART_IER_THRI)
		uart_sent(st, now);
	return LX_HANDLED;
}

/*
 * 8.4, bit 5: the transmitter being empty, its interrupt comes when it is enabled. A time-out
 * that nobody waited for has come before that.
 */
static inline void uart_write_ier(struct uart16550_state *st, __u64 now, __u32 val)
{
	uart_see_timeout(st, now);
	if ((val ^ st->ier) & UART_IER_THRI)
		st->thre = !!(val & UART_IER_THRI);
	st->ier = val & (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI);
}

/*
 * 8.5: without bit 0 no other bit is programmed, and a change of it clears the FIFOs;
 * 8.11: and interrupts at once. The transmitter's FIFO is empty already.
 */
static inline void uart_write_fcr(struct uart16550_state *st, __u32 val)
{
	bool changed = (val ^ st->fcr) & UART_FCR_ENABLE_FIFO;

	if (!(val & UART_FCR_ENABLE_FIFO))
		val = 0;
	if (changed || val & UART_FCR_CLEAR_RCVR)
		uart_clear_receiver(st);
	if (changed && st->ier & UART_IER_THRI)
		st->thre = 1;
	st->fcr = val & (UART_FCR_TRIGGER_MASK | UART_FCR_DMA_SELECT | UART_FCR_ENABLE_FIFO);
}

static inline void uart_write_mcr(struct uart16550_state *st, __u32 val)
{
	__u32 from = uart_inputs(st);

	st->mcr =
		val & (UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_OUT1 | UART_MCR_RTS | UART_MCR_DTR);
	uart_inputs_changed(st, from);
}

/**
 * uart_write() - a guest's write
 * @now: device time, if uart_needs_time()
 * @io:  addr, len, data; and what else belongs into the queue
 *
 * 8.4 and 8.9: LSR and MSR are not for writing; nothing happens.
 *
 * Return: LX_HANDLED; LX_PASS, nothing changed, for what is no byte of the registers, or
 * if the queue is full
 */
static inline int uart_write(struct uart16550_state *st, __u64 now, const struct lx_io *io)
{
	__u32 val = io->data & 0xff;
	bool dlab = st->lcr & UART_LCR_DLAB;

	if (io->len != 1 || io->addr >= UART_LEN)
		return LX_PASS;
	switch (io->addr) {
	case UART_TX:
		if (!dlab)
			return uart_write_thr(st, now, io);
		st->divisor = (st->divisor & 0xff00) | val;
		break;
	case UART_IER:
		if (dlab)
			st->divisor = (st->divisor & 0xff) | val << 8;
		else
			uart_write_ier(st, now, val);
		break;
	case UART_FCR:
		uart_write_fcr(st, val);
		break;
	case UART_LCR:
		st->lcr = val;
		break;
	case UART_MCR:
		uart_write_mcr(st, val);
		break;
	case UART_SCR:
		st->scr = val;
		break;
	default:
		break;
	}
	return LX_HANDLED;
}

/**
 * uart_reset() - table I; and what it leaves open
 *
 * The modem's lines stay as they are. A divisor is not reset by the hardware; 9,600 baud
 * is what a guest may find that sets none. What was sent stays in the queue.
 */
static inline void uart_reset(struct uart16550_state *st)
{
	uart_clear_receiver(st);
	st->ier = 0;
	st->lcr = 0;
	st->mcr = 0;
	st->scr = 0;
	st->fcr = 0;
	st->divisor = 12;
	st->lsr = 0;
	st->msr = 0;
	st->thre = 0;
}

#endif /* UART_MODEL_H */
