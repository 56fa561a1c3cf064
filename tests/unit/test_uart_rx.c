// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The UART's receiver in the model against National's PC16550D data sheet (June
 * 1995): the section or table is with each test. Registers, bits and times are literal
 * numbers from there.
 */
#include "uarttest.h"

TestSuite(uart_rx, .init = setup);

/* 8.4, bit 0, and table IV, 16450 mode. */
Test(uart_rx, receiver_without_fifo)
{
	setup_line(0x01, 0x00);
	for (__u32 c = 0; c < 0x100; c++) {
		EXPECT(uart_room(&st), 1);
		receive(c, 0);
		EXPECT(uart_room(&st), 0);
		EXPECT(rises(), 1);
		EXPECT(in(LSR), 0x61);
		EXPECT(in(IIR), 0x04);
		EXPECT(in(RBR), c);
		EXPECT(in(LSR), 0x60);
		EXPECT(in(IIR), 0x01);
	}
	/* Bit 3 of IIR is 0 in this mode (8.6): no time-out. */
	receive('x', 0);
	in(RBR);
	receive('y', 0);
	pass(1000 * MS);
	EXPECT(in(IIR), 0x04);
}

/* 8.5, bits 7:6, and 8.11 A: at the trigger level, and not below. */
Test(uart_rx, trigger_levels)
{
	static const __u8 levels[] = { 1, 4, 8, 14 };

	for (__u32 l = 0; l < 4; l++) {
		setup_line(0x01, 0x07 | l << 6);
		for (unsigned int n = 1; n <= 16; n++) {
			receive(n, 0);
			EXPECT(in(IIR), n >= levels[l] ? 0xc4 : 0xc1);
			EXPECT(in(LSR), 0x61);
			EXPECT(uart_room(&st), 16 - n);
		}
		EXPECT(rises(), 1);
		for (unsigned int n = 1; n <= 16; n++) {
			EXPECT(in(RBR), n);
			EXPECT(in(IIR), 16 - n >= levels[l] ? 0xc4 : 0xc1);
			EXPECT(in(LSR), n < 16 ? 0x61 : 0x60);
		}
		EXPECT(rises(), 0);
		out(FCR, 0x00);
	}
}

/* The FIFO's head wraps; the order stays. */
Test(uart_rx, fifo_order)
{
	__u32 next_in = 0, next_out = 0;

	setup_line(0x00, 0xc1);
	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < round % 17 && uart_room(&st); i++)
			receive(next_in++ & 0xff, 0);
		for (unsigned int i = 0; i < (round * 7) % 17 && in(LSR) & 1; i++)
			EXPECT(in(RBR), next_out++ & 0xff);
	}
	cr_expect_gt(next_out, 500);
}

/*
 * 8.11: four characters of start, data, parity and stop bits; at most 160 ms, with 12 bits
 * at 300 baud. 115,200 baud: 86.8 us for 10 bits.
 */
Test(uart_rx, character_timeout)
{
	static const struct {
		__u32 lcr;
		__u32 divisor;
		__u64 ns;
	} lines[] = {
		{ 0x03, 1, 347223 },	   /* 8N1 at 115,200: 40 / 115200 s */
		{ 0x03, 12, 4166667 },	   /* 8N1 at 9,600: 40 / 9600 s */
		{ 0x00, 12, 2916667 },	   /* 5N1: 28 / 9600 s */
		{ 0x04, 12, 3125000 },	   /* 5N1.5: 30 / 9600 s */
		{ 0x0a, 12, 4166667 },	   /* 7O1: 40 / 9600 s */
		{ 0x1f, 384, 160000000 },  /* 8E2 at 300 */
		{ 0x1f, 2304, 960000000 }, /* 8E2 at 50 */
	};

	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		setup_line(0x01, 0xc7);
		out(LCR, 0x80);
		out(DLL, lines[i].divisor & 0xff);
		out(DLM, lines[i].divisor >> 8);
		out(LCR, lines[i].lcr);
		receive('a', 0);
		pass(lines[i].ns - 2);
		EXPECT(in(IIR), 0xc1);
		EXPECT(rises(), 0);
		pass(2);
		EXPECT(rises(), 1);
		EXPECT(in(IIR), 0xcc);
		EXPECT(in(IIR), 0xcc);
		EXPECT(in(RBR), 'a');
		EXPECT(in(IIR), 0xc1);
		pass(10 * lines[i].ns);
		EXPECT(in(IIR), 0xc1);
		out(FCR, 0x00);
	}
}

/* 8.11 C and D: what starts the time anew, and what clears it. */
Test(uart_rx, timeout_starts_anew)
{
	setup_line(0x01, 0xc1);
	receive_n(3);
	pass(TIMEOUT - 1);
	receive('d', 0); /* by a character */
	pass(TIMEOUT - 1);
	EXPECT(in(RBR), 'a'); /* by a read */
	pass(TIMEOUT - 1);
	EXPECT(in(IIR), 0xc1);
	pass(1);
	EXPECT(in(IIR), 0xcc);
	receive('e', 0); /* does not clear it */
	EXPECT(in(IIR), 0xcc);
	EXPECT(in(RBR), 'b'); /* does, though there are more */
	EXPECT(in(IIR), 0xc1);
	pass(TIMEOUT);
	EXPECT(in(IIR), 0xcc);
	EXPECT(rises(), 2);
	for (unsigned int i = 0; i < 2; i++) {
		out(FCR, 0xc3); /* the FIFO is emptied */
		EXPECT(in(IIR), 0xc1);
		pass(10 * TIMEOUT);
		EXPECT(in(IIR), 0xc1);
		receive('f', 0);
	}
}

/* 8.6, bit 3: with the trigger level reached, the time-out shows all the same. */
Test(uart_rx, timeout_above_trigger)
{
	setup_line(0x01, 0x01);
	receive_n(2);
	EXPECT(in(IIR), 0xc4);
	pass(TIMEOUT);
	EXPECT(in(IIR), 0xcc);
	in(RBR);
	EXPECT(in(IIR), 0xc4);
	EXPECT(rises(), 1);
}

/* 8.7, bit 0: enables the time-out as well; it comes when it is enabled later. */
Test(uart_rx, timeout_needs_enabling)
{
	setup_line(0x00, 0xc1);
	receive('a', 0);
	pass(TIMEOUT);
	EXPECT(in(IIR), 0xc1);
	EXPECT(rises(), 0);
	out(IER, 0x01);
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0xcc);
}

/* IIR tells the truth even where the timer is late. */
Test(uart_rx, timeout_by_iir)
{
	setup_line(0x01, 0xc1);
	receive('a', 0);
	now += TIMEOUT;
	EXPECT(uart_needs_time(&st), 1);
	EXPECT(in(IIR), 0xcc);
	EXPECT(rises(), 1);
	pass(0);
	EXPECT(rises(), 0);
}

/* 8.11 C and D: one that has occurred, unseen as yet, is not put off by a character. */
Test(uart_rx, timeout_outlives_a_character)
{
	setup_line(0x00, 0xc1);
	receive('a', 0);
	now += TIMEOUT; /* no timer runs: nobody is interrupted */
	receive('b', 0);
	out(IER, 0x01);
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0xcc);
	EXPECT(in(RBR), 'a');
	EXPECT(in(IIR), 0xc1);
}

/* 8.4, bit 1: without FIFO the old character is destroyed, with it the new one lost. */
Test(uart_rx, overrun)
{
	setup_line(0x04, 0x00);
	receive('a', 0);
	receive('b', 0);
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0x06);
	EXPECT(in(LSR), 0x63);
	EXPECT(in(LSR), 0x61);
	EXPECT(in(RBR), 'b');

	out(FCR, 0xc1);
	receive_n(16);
	EXPECT(in(LSR), 0x61);
	receive('!', 0);
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0xc6);
	EXPECT(in(LSR), 0x63);
	EXPECT(in(LSR), 0x61);
	EXPECT(in(IIR), 0xc1);
	for (unsigned int i = 0; i < 16; i++)
		EXPECT(in(RBR), 'a' + i);
	EXPECT(in(LSR), 0x60);
	EXPECT(in(RBR), 0);
}

/* 8.4, bits 2 to 4: parity, framing, break; reading LSR clears them. */
Test(uart_rx, errors_without_fifo)
{
	setup_line(0x05, 0x00);
	for (__u32 e = 0x04; e <= 0x10; e <<= 1) {
		receive('e', e);
		EXPECT(rises(), 1);
		EXPECT(in(IIR), 0x06);
		EXPECT(in(LSR), 0x61 | e); /* bit 7 is 0 in this mode */
		EXPECT(in(IIR), 0x04);
		EXPECT(in(LSR), 0x61);
		in(RBR);
	}
}

/* 8.4: in the FIFO the error shows when its character is at the top; bit 7 as long as it is in. */
Test(uart_rx, errors_in_fifo)
{
	setup_line(0x04, 0xc1);
	receive('a', 0);
	receive('b', 0x04);
	receive('c', 0x18);
	receive('d', 0);
	EXPECT(in(IIR), 0xc1);
	EXPECT(in(LSR), 0xe1);
	EXPECT(in(RBR), 'a');
	EXPECT(rises(), 1);
	EXPECT(in(IIR), 0xc6);
	EXPECT(in(LSR), 0xe5);
	EXPECT(in(IIR), 0xc1);
	EXPECT(in(LSR), 0xe1); /* c's is a subsequent one */
	EXPECT(in(RBR), 'b');
	EXPECT(in(LSR), 0xf9);
	EXPECT(in(LSR), 0x61);
	EXPECT(in(RBR), 'c');
	EXPECT(in(LSR), 0x61);
	EXPECT(in(RBR), 'd');
	/* Read without a look at LSR: the error is told all the same, and is out of the FIFO. */
	receive(0, 0x10);
	EXPECT(in(RBR), 0);
	EXPECT(in(IIR), 0xc6);
	EXPECT(in(LSR), 0x70);
	EXPECT(in(LSR), 0x60);
	/* Cleared with the FIFO. */
	receive('e', 0x08);
	receive('e', 0x08);
	out(FCR, 0xc3);
	EXPECT(in(LSR), 0x60);
	receive('f', 0);
	EXPECT(in(LSR), 0x61);
}

/* 8.5: bit 0 for all others; a change of it empties both FIFOs; bit 1 the receiver's. */
Test(uart_rx, fifo_control)
{
	setup_line(0x01, 0x00);
	out(FCR, 0xc0); /* not programmed */
	EXPECT(in(IIR), 0x01);
	receive('a', 0);
	out(FCR, 0x02);
	EXPECT(in(LSR), 0x61);
	out(FCR, 0x81);
	EXPECT(in(LSR), 0x60);
	EXPECT(in(IIR), 0xc1);
	receive_n(8);
	EXPECT(in(IIR), 0xc4);
	out(FCR, 0xc1); /* another level, with the FIFO as it is */
	EXPECT(in(IIR), 0xc1);
	EXPECT(in(LSR), 0x61);
	out(FCR, 0x41);
	EXPECT(in(IIR), 0xc4);
	out(FCR, 0x45); /* the transmitter's alone */
	EXPECT(in(RBR), 'a');
	out(FCR, 0x43);
	EXPECT(in(LSR), 0x60);
	EXPECT(in(RBR), 0);
	receive('x', 0);
	out(FCR, 0x00);
	EXPECT(in(LSR), 0x60);
	EXPECT(in(IIR), 0x01);
	EXPECT(in(RBR), 0);
}

/* The VMM is asked for more when half of the receiver is free, and not in loop-back. */
Test(uart_rx, wants_vmm)
{
	setup_line(0x01, 0xc1);
	st.rx_more = 1;
	receive_n(16);
	for (unsigned int n = 16; n; n--) {
		EXPECT(uart_wants_vmm(&st), n <= 8);
		in(RBR);
	}
	EXPECT(uart_wants_vmm(&st), 1);
	out(MCR, 0x1b);
	EXPECT(uart_wants_vmm(&st), 0);
	out(MCR, 0x0b);
	out(FCR, 0x00);
	EXPECT(uart_wants_vmm(&st), 1);
	receive('x', 0);
	EXPECT(uart_wants_vmm(&st), 0);
	in(RBR);
	st.rx_more = 0;
	EXPECT(uart_wants_vmm(&st), 0);
}
