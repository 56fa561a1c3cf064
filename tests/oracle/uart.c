// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The 16550A of QEMU's i440fx machine and ours, in loop-back, where both receive what
 * they send. Sentences: National's PC16550D data sheet. Interrupts are compared by IIR.
 */
#include <stdlib.h>

#include "replay.h"
#include "uart.h"

enum {
	LOOP_DELTA,
	WORD_LENGTH,
	XMIT_RESET,
	FCR_BITS,
	OLD_RBR,
	TIMEOUT,
};

static struct difference differences[] = {
	[LOOP_DELTA] = { .name = "modem changes in loop-back",
			 .sentence = "8.8, bit 4: \"The MODEM Control Interrupts are also "
				     "operational\". QEMU sets no delta bits." },
	[WORD_LENGTH] = { .name = "short characters",
			  .sentence = "8.1: bits 0 and 1 \"specify the number of bits in each "
				      "transmitted or received serial character\". QEMU loops "
				      "back all 8." },
	[XMIT_RESET] = { .name = "reset of an empty XMIT FIFO",
			 .sentence =
				 "8.11 A: the interrupt \"occurs when the XMIT FIFO is empty\", "
				 "which it was. QEMU interrupts once more." },
	[FCR_BITS] = { .name = "FCR without bit 0",
		       .sentence = "8.5: bit 0 \"must be a 1 when other FCR bits are written to or "
				   "they will not be programmed\". QEMU resets FIFOs." },
	[OLD_RBR] = { .name = "RBR after a change of FCR0",
		      .sentence = "Table I: the RCVR FIFO is \"all bits low\" after it. QEMU shows "
				  "the last character of before, though LSR says there is none." },
	[TIMEOUT] = { .name = "length of the character time-out",
		      .sentence =
			      "8.1: with 5 bits and bit 2 set \"1.5 stop bits\", QEMU has 2. 8.3: "
			      "\"using a divisor of 0 is not recommended\"; QEMU goes on with the last "
			      "one, ours with 1. The trace does not look in between." },
	{ 0 },
};

/*
 * @frame, @qemu_frame: of lockstep's traces: a character in ns, by the data sheet; and QEMU's
 * @armed: our time-out as it was last looked at
 * @due, @qemu_due: when it is due, as above
 */
struct context {
	struct vmm_loop *loop;
	struct vmm_uart *uart;
	struct uart16550_state st;
	int expected; /* the difference that the next read may show; -1: none */
	bool empty;   /* the receiver, before the next read */
	bool shorter; /* the receiver has characters of less than 8 bits */
	uint64_t frame;
	uint64_t qemu_frame;
	uint64_t armed;
	uint64_t due;
	uint64_t qemu_due;
	uint64_t seen; /* time-outs that both have had */
};

static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
}

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct context *c = rig->ctx;
	uint64_t reg = a->addr - UART_PORT;

	switch (c->expected) {
	case LOOP_DELTA:
		return reg == UART_MSR && !((qemu ^ ours) & 0xf0) && !(qemu & 0x0f) ?
			       &differences[LOOP_DELTA] :
			       NULL;
	case WORD_LENGTH:
		return reg == UART_RX && (qemu & ours) == ours ? &differences[WORD_LENGTH] : NULL;
	case XMIT_RESET:
		return reg == UART_IIR && qemu == 0xc2 && ours == 0xc1 ? &differences[XMIT_RESET] :
									 NULL;
	case FCR_BITS:
		return reg == UART_LSR && qemu == 0x60 && ours == 0x61 ? &differences[FCR_BITS] :
									 NULL;
	default:
		return reg == UART_RX && c->empty && !ours ? &differences[OLD_RBR] : NULL;
	}
}

static uint64_t in(struct rig *rig, uint32_t reg)
{
	struct context *c = rig->ctx;

	c->empty = !c->st.rx_count;
	return rig_in(rig, 1, UART_PORT + reg);
}

/* A read that shows a difference. */
static void in_but(struct rig *rig, uint32_t reg, int difference)
{
	struct context *c = rig->ctx;

	c->expected = difference;
	in(rig, reg);
	c->expected = -1;
}

static void out(struct rig *rig, uint32_t reg, uint32_t val)
{
	rig_out(rig, 1, UART_PORT + reg, val);
	if (reg == UART_MCR)
		in_but(rig, UART_MSR, LOOP_DELTA);
}

static void set_line(struct rig *rig, uint32_t divisor, uint32_t lcr)
{
	out(rig, UART_LCR, UART_LCR_DLAB);
	out(rig, UART_DLL, divisor & 0xff);
	out(rig, UART_DLM, divisor >> 8);
	in(rig, UART_DLL);
	in(rig, UART_DLM);
	out(rig, UART_LCR, lcr);
}

static void setup(struct rig *rig)
{
	struct context *c = calloc(1, sizeof(*c));
	struct vmm_uart_opts opts = { .port = UART_PORT,
				      .clock = LX_CLOCK_MONOTONIC,
				      .sent = on_sent };

	rig_start(rig, "pc", false);
	if (!c || vmm_loop_new(&c->loop))
		exit(1);
	lx_state_init(&c->st.hdr, sizeof(c->st));
	opts.state = &c->st;
	opts.loop = c->loop;
	if (vmm_uart_new(&rig->vm, &opts, &c->uart))
		exit(1);
	c->expected = -1;
	rig->ctx = c;
	rig->excuse = excuse;
	/* QEMU's reset leaves OUT2 set, table I does not. */
	out(rig, UART_MCR, UART_MCR_LOOP);
	set_line(rig, 1, UART_LCR_WLEN8);
}

static void teardown(struct rig *rig)
{
	struct context *c = rig->ctx;

	vmm_uart_free(c->uart);
	vmm_loop_free(c->loop);
	free(c);
	rig_stop(rig);
}

static void read_all(struct rig *rig)
{
	for (uint32_t reg = UART_IER; reg <= UART_SCR; reg++)
		in(rig, reg);
}

/* Each trigger level, up and down, with the time-out in between; an overrun. */
static void fifo(struct rig *rig, uint32_t level)
{
	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | level);
	out(rig, UART_IER, UART_IER_RDI | UART_IER_RLSI);
	for (uint32_t i = 0; i < 18; i++) {
		out(rig, UART_TX, i);
		in(rig, UART_IIR);
		in(rig, UART_LSR);
	}
	for (uint32_t i = 0; i < 17; i++) {
		rig_step(rig, i & 1 ? 400000 : 300000); /* 40 bits are 347 us */
		in(rig, UART_IIR);
		in(rig, UART_RX);
		in(rig, UART_IIR);
		in(rig, UART_LSR);
	}
}

static void thre(struct rig *rig)
{
	out(rig, UART_IER, UART_IER_THRI);
	in(rig, UART_IIR);
	in(rig, UART_IIR);
	out(rig, UART_TX, 'x');
	in(rig, UART_IIR);
	in(rig, UART_IIR);
	out(rig, UART_IER, 0);
	in(rig, UART_IIR);
	out(rig, UART_IER, UART_IER_THRI | UART_IER_RDI);
	in(rig, UART_IIR);
	in(rig, UART_RX);
	in(rig, UART_IIR);
	in(rig, UART_IIR);
}

static void directed(struct rig *rig, unsigned int n)
{
	read_all(rig);
	for (uint32_t v = 0; v < 0x100; v++) {
		out(rig, UART_SCR, v);
		out(rig, UART_IER, v);
		out(rig, UART_MCR, UART_MCR_LOOP | v);
		read_all(rig);
	}
	out(rig, UART_MCR, UART_MCR_LOOP);
	out(rig, UART_IER, 0);
	for (uint32_t level = 0; level < 4; level++)
		fifo(rig, level << 6);
	thre(rig);
	in(rig, UART_IIR);
	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_XMIT);
	in_but(rig, UART_IIR, XMIT_RESET);
	out(rig, UART_IER, 0);
	out(rig, UART_FCR, 0);
	thre(rig);
	out(rig, UART_TX, 'a');
	out(rig, UART_TX, 'b');
	in(rig, UART_LSR);
	in(rig, UART_LSR);
	out(rig, UART_FCR, UART_FCR_CLEAR_RCVR);
	in_but(rig, UART_LSR, FCR_BITS);
	in(rig, UART_RX);
	out(rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(rig, UART_FCR, 0);
	in(rig, UART_RX);
	for (uint32_t bits = UART_LCR_WLEN5; bits <= UART_LCR_WLEN7; bits++) {
		out(rig, UART_LCR, bits);
		out(rig, UART_TX, 0xff);
		in_but(rig, UART_RX, WORD_LENGTH);
	}
}

/* A character time-out is 347 us or 42 ms; time goes on by far less, or by far more. */
static void random_step(struct rig *rig)
{
	switch (rig_below(rig, 16)) {
	case 0:
		rig_step(rig, 50000000 + rig_below(rig, 1000000));
		break;
	case 1:
		set_line(rig, rig_below(rig, 2) ? 1 : 120, UART_LCR_WLEN8);
		break;
	case 2:
		out(rig, UART_FCR,
		    UART_FCR_ENABLE_FIFO |
			    (rig_random(rig) & (UART_FCR_TRIGGER_MASK | UART_FCR_CLEAR_RCVR)));
		break;
	case 3:
		out(rig, UART_FCR, 0);
		break;
	case 4:
		out(rig, UART_MCR, UART_MCR_LOOP | (rig_random(rig) & 0x0f));
		break;
	case 5:
		out(rig, UART_IER, rig_random(rig) & 0xff);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		out(rig, UART_TX, rig_random(rig) & 0xff);
		break;
	default:
		in(rig, rig_below(rig, 8));
		break;
	}
}

static void at_random(struct rig *rig, unsigned int n)
{
	while (n--)
		random_step(rig);
}

static struct difference *excuse_lockstep(struct rig *rig, const struct access *a, uint64_t qemu,
					  uint64_t ours)
{
	const struct context *c = rig->ctx;

	if (a->addr == UART_PORT + UART_RX && c->shorter && (qemu & ours) == ours)
		return &differences[WORD_LENGTH];
	return excuse(rig, a, qemu, ours);
}

/* 8.1, 8.3: the time for a character. QEMU has whole stop bits, and no divisor of 0. */
static void follow_line(struct context *c)
{
	unsigned int data = 5 + (c->st.lcr & UART_LCR_WLEN8), stop = c->st.lcr & UART_LCR_STOP;
	uint64_t bits = 2 + data + !!(c->st.lcr & UART_LCR_PARITY) + !!stop;
	uint64_t half = 500000000ULL * (c->st.divisor ? c->st.divisor : 1);

	c->frame = (2 * bits - (stop && data == 5)) * half / 115200;
	if (c->st.divisor)
		c->qemu_frame = 2 * bits * half / 115200;
}

/* A time-out that begins anew. */
static void follow_timeout(struct rig *rig)
{
	struct context *c = rig->ctx;
	const struct lx_timer *t = &c->st.timer[UART_TIMER_RX];

	if (t->armed && t->due_ns != c->armed) {
		c->armed = t->due_ns;
		c->due = rig->ours + 4 * c->frame;
		c->qemu_due = rig->ours + 4 * c->qemu_frame;
	}
	if (!c->st.rx_count && c->st.fcr & UART_FCR_ENABLE_FIFO)
		c->shorter = false;
}

/* Not where one of both has timed out; both count in their own nanoseconds. */
static void feed_time(struct rig *rig, uint64_t ns)
{
	struct context *c = rig->ctx;
	uint64_t to = rig->ours + ns, from = c->due < c->qemu_due ? c->due : c->qemu_due;
	uint64_t end = c->due < c->qemu_due ? c->qemu_due : c->due,
		 slack = 1000 + (c->frame + c->qemu_frame) / 1000;

	if (to + slack >= from && to <= end + slack && rig->ours < end) {
		to = end + slack + 1;
		differences[TIMEOUT].met += end - from > slack;
	}
	c->seen += c->st.timer[UART_TIMER_RX].armed && rig->ours < end && to > end;
	rig_step(rig, to - rig->ours);
}

static void write_fcr(struct rig *rig, unsigned int val)
{
	const struct context *c = rig->ctx;
	unsigned int qemu = val;

	if (!(val & UART_FCR_ENABLE_FIFO)) {
		qemu = 0;
		differences[FCR_BITS].met += val != 0;
	} else if (val & UART_FCR_CLEAR_XMIT && c->st.fcr & UART_FCR_ENABLE_FIFO) {
		qemu &= ~UART_FCR_CLEAR_XMIT;
		differences[XMIT_RESET].met++;
	}
	rig_write_two(rig, LX_SPACE_PIO, 1, UART_PORT + UART_FCR, qemu, val);
}

static void write_reg(struct rig *rig, unsigned int reg, unsigned int val)
{
	struct context *c = rig->ctx;
	bool loops = reg == UART_TX && c->st.mcr & UART_MCR_LOOP && !(c->st.lcr & UART_LCR_DLAB);

	if (loops && !(c->st.fcr & UART_FCR_ENABLE_FIFO))
		c->shorter = false;
	if (loops && (c->st.lcr & UART_LCR_WLEN8) != UART_LCR_WLEN8)
		c->shorter = true;
	if (reg == UART_FCR)
		write_fcr(rig, val);
	else
		out(rig, reg, val);
	follow_line(c);
}

/* ISA: each byte of a longer access is one of its own port. */
static bool feed(struct rig *rig, const struct ls_access *a)
{
	if (a->kind >= LS_TIME) {
		feed_time(rig, a->val);
		return true;
	}
	for (unsigned int i = 0; i < a->len; i++) {
		const struct ls_access byte = replay_byte(a, i);
		unsigned int reg = (unsigned int)(byte.addr - UART_PORT);

		if (a->kind == LS_IN)
			in(rig, reg);
		else
			write_reg(rig, reg, (unsigned int)byte.val);
		follow_timeout(rig);
	}
	return true;
}

/* Characters come by loop-back: QEMU's line has nobody at its end. Left out: errors, the modem. */
static bool extra(struct rig *rig, const struct ls_access *a)
{
	const struct context *c = rig->ctx;
	unsigned int lcr = c->st.lcr, mcr = c->st.mcr;

	if (!a->len || a->val >> 8 & 0x1c)
		return false;
	write_reg(rig, UART_LCR, lcr & ~UART_LCR_DLAB);
	write_reg(rig, UART_MCR, mcr | UART_MCR_LOOP);
	for (unsigned int i = 0; i < a->len; i++) {
		write_reg(rig, UART_TX, (a->val ^ !i) & 0xff);
		follow_timeout(rig);
	}
	write_reg(rig, UART_MCR, mcr);
	write_reg(rig, UART_LCR, lcr);
	return true;
}

static void by_lockstep(struct rig *rig, unsigned int n)
{
	struct context *c = rig->ctx;

	rig->excuse = excuse_lockstep;
	rig->extra = extra;
	follow_line(c);
	replay(rig, &ls_uart, &c->st, n, 85, feed);
	replay_least(rig, "time-outs", c->seen, n / 200);
}

const struct oracle_test uart_tests[] = {
	{ "uart.directed", false, setup, directed, teardown, differences },
	{ "uart.random", true, setup, at_random, teardown, differences },
	{ "uart.lockstep", true, setup, by_lockstep, teardown, differences },
	{ 0 },
};
