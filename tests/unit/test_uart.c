// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The UART's model without its receiver against National's PC16550D data sheet (June
 * 1995): the section or table is with each test. Registers, bits and times are literal
 * numbers from there.
 */
#include "uarttest.h"

TestSuite(uart, .init = setup);

/* Table I. */
Test(uart, reset)
{
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT(in(IER), 0x00);
		EXPECT(in(IIR), 0x01);
		EXPECT(in(LCR), 0x00);
		EXPECT(in(MCR), 0x00);
		EXPECT(in(LSR), 0x60);
		EXPECT(in(MSR), 0x00);
		EXPECT(in(RBR), 0x00);
		EXPECT(rises(), 0);
		/* Once more, after everything was used. */
		setup_line(0x0f, 0xc1);
		receive('x', 0x04);
		out(THR, 'y');
		uart_set_lines(&st, 0xf0);
		uart_set_lines(&st, 0x00);
		pass(MS);
		uart_reset(&st);
		settle();
		rises();
	}
}

/* 8.7, 8.8, 8.10: what is written reads back, but for the bits that are always 0. */
Test(uart, registers_keep_their_bits)
{
	for (__u32 v = 0; v < 0x100; v++) {
		out(SCR, v);
		EXPECT(in(SCR), v);
		out(MCR, v);
		EXPECT(in(MCR), v & 0x1f);
		out(LCR, v & 0x7f);
		out(IER, v);
		EXPECT(in(IER), v & 0x0f);
		out(LCR, v);
		EXPECT(in(LCR), v);
	}
}

/* 8.1, bit 7: the latches lie over RBR, THR and IER, and over nothing else. */
Test(uart, divisor_latches)
{
	setup_line(0x05, 0);
	receive('r', 0);
	out(LCR, 0x83);
	out(DLL, 0x34);
	out(DLM, 0x12);
	EXPECT(in(DLL), 0x34);
	EXPECT(in(DLM), 0x12);
	EXPECT(in(LSR), 0x61);
	EXPECT(in(IIR), 0x04);
	EXPECT(st.divisor, 0x1234);
	out(DLL, 0x56);
	EXPECT(st.divisor, 0x1256);
	EXPECT(lx_queue_count(&st.tx), 0);
	out(FCR, 0x01);
	EXPECT(in(IIR), 0xc1);
	out(LCR, 0x03);
	EXPECT(in(IER), 0x05);
	EXPECT(st.divisor, 0x1256);
}

/* Registers are bytes; other lengths, and what lies behind them, are the VMM's. */
Test(uart, other_lengths_and_offsets_pass)
{
	static const __u32 lens[] = { 0, 2, 3, 4, 5, 6, 7, 8, ~0U };
	static const __u64 offs[] = { 8, 9, 0x100, 1ULL << 32, ~0ULL };
	struct uart16550_state before;
	__u64 val = UNTOUCHED;

	setup_line(0x0f, 0x01);
	receive_n(3);
	before = st;
	for (__u64 off = 0; off < 8; off++) {
		for (unsigned int i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			const struct lx_io io = { .addr = off, .len = lens[i], .data = 0xff };

			cr_expect_eq(uart_read(&st, now, off, lens[i], &val), LX_PASS);
			cr_expect_eq(uart_write(&st, now, &io), LX_PASS);
		}
	}
	for (unsigned int i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		const struct lx_io io = { .addr = offs[i], .len = 1, .data = 0xff };

		cr_expect_eq(uart_read(&st, now, offs[i], 1, &val), LX_PASS);
		cr_expect_eq(uart_write(&st, now, &io), LX_PASS);
	}
	cr_expect_eq(val, UNTOUCHED);
	cr_expect_arr_eq(&st, &before, sizeof(st), "a pass changed the state");
}

/* 8.4 and 8.9: LSR and MSR are not changed by writes. */
Test(uart, status_is_read_only)
{
	uart_set_lines(&st, 0xb0);
	in(MSR);
	for (__u32 v = 0; v < 0x100; v += 0x11) {
		out(LSR, v);
		out(MSR, v);
		EXPECT(in(LSR), 0x60);
		EXPECT(in(MSR), 0xb0);
	}
}

/* What THR is given is queued in order; THRE and TEMT never go. A full queue passes. */
Test(uart, transmitter)
{
	struct uart16550_state before;
	struct lx_queued q;

	setup_line(0x00, 0x01);
	for (__u32 i = 0; i < 256; i++) {
		out(THR, i);
		EXPECT(in(LSR), 0x60);
	}
	before = st;
	cr_expect_eq(try_out(THR, 'x'), LX_PASS, "taken by a full queue");
	cr_expect_arr_eq(&st, &before, sizeof(st), "a pass changed the state");
	for (__u32 i = 0; i < 256; i++) {
		cr_assert(lx_queue_pop(&st.tx, &q));
		cr_assert(q.addr == 0 && q.data == i && q.len == 1, "write %u: %llx at %llx", i,
			  q.data, q.addr);
	}
	cr_expect_not(lx_queue_pop(&st.tx, &q));
	out(THR, 'x');
	cr_expect(lx_queue_pop(&st.tx, &q) && q.data == 'x');
}

/* 8.7 and table IV: with THRE set, to enable it interrupts; reading IIR clears it, once. */
Test(uart, thre_by_enabling)
{
	setup_line(0x00, 0x01);
	EXPECT(in(IIR), 0xc1);
	for (unsigned int i = 0; i < 3; i++) {
		out(IER, 0x02);
		EXPECT(rises(), 1);
		EXPECT(in(IIR), 0xc2);
		EXPECT(in(IIR), 0xc1);
		out(IER, 0x02); /* enabled already */
		EXPECT(in(IIR), 0xc1);
		EXPECT(rises(), 0);
		out(IER, 0x00);
		EXPECT(in(IIR), 0xc1);
	}
	/* Disabled before it was read: not to be seen (8.7). */
	out(IER, 0x02);
	out(IER, 0x00);
	EXPECT(in(IIR), 0xc1);
	EXPECT(rises(), 1);
}

/* 8.11 A: it comes when the transmitter is empty, after a byte as after sixteen. */
Test(uart, thre_after_each_burst)
{
	setup_line(0x02, 0x01);
	EXPECT(in(IIR), 0xc2);
	for (unsigned int burst = 1; burst < 16; burst++) {
		for (unsigned int i = 0; i < burst; i++)
			out(THR, 'x');
		EXPECT(rises(), 1);
		EXPECT(in(IIR), 0xc2);
		EXPECT(in(IIR), 0xc1);
		EXPECT(in(LSR), 0x60);
		pass(10 * MS);
		EXPECT(rises(), 0);
	}
}

/* An edge that was due is not, once IIR was read. */
Test(uart, thre_edges_do_not_outlive_iir)
{
	setup_line(0x02, 0x01);
	out(THR, 'x');
	out(THR, 'x');
	EXPECT(in(IIR), 0xc2);
	rises();
	pass(MS);
	out(THR, 'x');
	EXPECT(rises(), 1);
	pass(10 * MS);
	EXPECT(rises(), 0);
}

/* Nor is one due while something else holds INTR high. */
Test(uart, thre_under_another_interrupt)
{
	setup_line(0x03, 0x01);
	receive('a', 0);
	for (unsigned int i = 0; i < 16; i++)
		out(THR, 'x');
	pass(MS / 5);
	EXPECT(in(RBR), 'a');
	rises();
	pass(10 * MS);
	EXPECT(rises(), 0);
	EXPECT(in(IIR), 0xc2);
}

/* Table IV: writing THR clears it, too: who does not read IIR still gets an edge for each burst. */
Test(uart, thre_without_iir)
{
	setup_line(0x02, 0x01);
	for (unsigned int burst = 0; burst < 5; burst++) {
		for (unsigned int i = 0; i < 16; i++)
			out(THR, 'x');
		EXPECT(rises(), 0);
		/* 16 characters of 10 bits at 115,200 baud take 1.389 ms. */
		pass(1388 * US);
		EXPECT(rises(), 0);
		pass(2 * US);
		EXPECT(rises(), 1);
		pass(10 * MS);
		EXPECT(rises(), 0);
	}
	/* One that writes slowly does not put it off. */
	for (unsigned int i = 0; i < 10; i++) {
		out(THR, 'x');
		pass(500 * US);
	}
	EXPECT(rises(), 3);
	EXPECT(in(IIR), 0xc2);
}

/* 8.11 B: the first one after a change of FCR0 comes at once, if enabled. */
Test(uart, thre_after_fifo_change)
{
	setup_line(0x02, 0x00);
	EXPECT(in(IIR), 0x02);
	EXPECT(in(IIR), 0x01);
	out(FCR, 0x01);
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0xc2);
	out(FCR, 0x07); /* no change of FCR0 */
	EXPECT(in(IIR), 0xc1);
	out(FCR, 0x00);
	EXPECT(in(IIR), 0x02);
	out(IER, 0x00);
	out(FCR, 0x01);
	EXPECT(in(IIR), 0xc1);
}

/* Table IV: one after the other, each until its own reset. */
Test(uart, priorities)
{
	setup_line(0x0f, 0x00);
	uart_set_lines(&st, 0x10);
	receive('a', 0x04);
	EXPECT(in(IIR), 0x06);
	EXPECT(in(IIR), 0x06);
	EXPECT(in(LSR), 0x65);
	EXPECT(in(IIR), 0x04);
	EXPECT(in(IIR), 0x04);
	EXPECT(in(RBR), 'a');
	EXPECT(in(IIR), 0x02);
	EXPECT(in(IIR), 0x00);
	EXPECT(in(IIR), 0x00);
	EXPECT(in(MSR), 0x11);
	EXPECT(in(IIR), 0x01);
	EXPECT(rises(), 0); /* INTR was high all the time, and before */
}

/* 8.7: an interrupt that is not enabled neither shows in IIR nor moves INTR; states are kept. */
Test(uart, each_enable_bit)
{
	static const struct {
		__u8 ier;
		__u8 iir;
	} bits[] = { { 0x01, 0x04 }, { 0x02, 0x02 }, { 0x04, 0x06 }, { 0x08, 0x00 } };

	setup_line(0x00, 0x00);
	uart_set_lines(&st, 0x80);
	settle();
	receive('a', 0x08);
	EXPECT(in(IIR), 0x01);
	EXPECT(rises(), 0);
	for (unsigned int i = 0; i < 4; i++) {
		out(IER, bits[i].ier);
		EXPECT(rises(), 1);
		EXPECT(in(IIR), bits[i].iir);
		out(IER, 0x00);
		EXPECT(in(IIR), 0x01);
	}
	EXPECT(in(LSR), 0x69);
	EXPECT(in(MSR), 0x88);
}

/* 8.9: changes since the last read; of RI its trailing edge. */
Test(uart, modem_status)
{
	setup_line(0x08, 0x00);
	uart_set_lines(&st, 0x30); /* CTS, DSR */
	settle();
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0x00);
	EXPECT(in(MSR), 0x33);
	EXPECT(in(IIR), 0x01);
	EXPECT(in(MSR), 0x30);
	uart_set_lines(&st, 0x70); /* RI begins: no change to tell */
	settle();
	EXPECT(in(IIR), 0x01);
	EXPECT(in(MSR), 0x70);
	uart_set_lines(&st, 0xb0); /* RI ends, DCD begins */
	settle();
	EXPECT(in(MSR), 0xbc);
	uart_set_lines(&st, 0xa0); /* CTS goes and comes: the change stays */
	uart_set_lines(&st, 0xb0);
	settle();
	EXPECT(in(IIR), 0x00);
	EXPECT(in(MSR), 0xb1);
	EXPECT(rises(), 2);
	uart_set_lines(&st, 0x90); /* one after the other: both are told */
	uart_set_lines(&st, 0x10);
	EXPECT(in(MSR), 0x1a);
}

/* 8.8, bit 4, and 8.9: RTS is CTS, DTR is DSR, OUT1 is RI, OUT2 is DCD; INTR is off on a PC. */
Test(uart, loop_back_modem)
{
	static const __u8 msr[4] = { 0x20, 0x10, 0x40, 0x80 }; /* of DTR, RTS, OUT1, OUT2 */

	uart_set_lines(&st, 0xb0);
	in(MSR);
	out(MCR, 0x10);
	EXPECT(in(MSR), 0x0b); /* all gone */
	for (unsigned int i = 0; i < 16; i++) {
		__u32 want = 0;

		for (unsigned int b = 0; b < 4; b++)
			want |= i >> b & 1 ? msr[b] : 0;
		out(MCR, 0x10 | i);
		EXPECT(in(MSR) & 0xf0, want);
		EXPECT(in(MSR), want);
	}
	out(IER, 0x08);
	out(MCR, 0x1f & ~0x04); /* OUT1 goes: the trailing edge of RI */
	EXPECT(in(IIR), 0x00);
	EXPECT(in(MSR), 0xb4);
	EXPECT(rises(), 0);
	uart_set_lines(&st, 0x00); /* disconnected */
	EXPECT(in(MSR), 0xb0);
	out(MCR, 0x00);
	EXPECT(in(MSR), 0x0b);
}

/* 8.8, bit 4: what is sent is received at once, and not sent; interrupts work in IIR. */
Test(uart, loop_back_data)
{
	setup_line(0x07, 0x01);
	in(IIR);
	out(MCR, 0x1b);
	rises();
	EXPECT(uart_room(&st), 0); /* SIN is off */
	for (__u32 c = 0; c < 0x100; c++) {
		out(THR, c);
		EXPECT(in(LSR), 0x61);
		EXPECT(in(IIR), 0xc4);
		EXPECT(in(RBR), c);
		EXPECT(in(IIR), 0xc2);
		EXPECT(in(IIR), 0xc1);
	}
	for (unsigned int i = 0; i < 17; i++)
		out(THR, i);
	EXPECT(in(IIR), 0xc6);
	EXPECT(in(LSR), 0x63);
	for (unsigned int i = 0; i < 16; i++)
		EXPECT(in(RBR), i);
	EXPECT(in(LSR), 0x60);
	EXPECT(rises(), 0);
	EXPECT(lx_queue_count(&st.tx), 0);
	/* 8.1, bits 1:0: as many bits as a character has. */
	for (__u32 bits = 5; bits <= 8; bits++) {
		out(LCR, bits - 5);
		out(THR, 0xff);
		EXPECT(in(RBR), (1U << bits) - 1);
	}
	/* The time-out counts looped-back characters, too. */
	out(FCR, 0xc1);
	out(LCR, 0x03);
	out(THR, 'x');
	pass(TIMEOUT);
	EXPECT(in(IIR), 0xcc);
}

/* OUT2 is the gate to a PC's interrupt; IIR does not know of it. */
Test(uart, out2_gates)
{
	setup_line(0x01, 0x00);
	out(MCR, 0x03);
	receive('a', 0);
	EXPECT(rises(), 0);
	EXPECT(in(IIR), 0x04);
	out(MCR, 0x0b);
	EXPECT(rises(), 1);
	out(MCR, 0x1b);
	out(MCR, 0x0b); /* off in loop-back, and on again */
	EXPECT(rises(), 1);
	out(MCR, 0x0b);
	EXPECT(rises(), 0);
}
