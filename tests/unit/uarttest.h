/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A UART's model under test: accesses, characters, time, and how often INTR rose. */
#ifndef UARTTEST_H
#define UARTTEST_H

#include <criterion/criterion.h>
#include <string.h>

#include "uart_model.h"

/* Table II */
enum {
	RBR = 0,
	THR = 0,
	DLL = 0,
	IER = 1,
	DLM = 1,
	IIR = 2,
	FCR = 2,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
};

#define UNTOUCHED 0x5555aaaa5555aaaaULL
#define US 1000ULL
#define MS 1000000ULL
#define TIMEOUT 347223ULL /* 4 characters of 10 bits at 115,200 baud, in ns */

static struct uart16550_state st;
static __u64 now;
static unsigned int edges;

static inline void settle(void)
{
	edges += uart_update(&st);
}

static inline __u32 in(__u32 reg)
{
	__u64 val = UNTOUCHED;

	cr_assert_eq(uart_read(&st, now, reg, 1, &val), LX_HANDLED, "register %u: passed", reg);
	cr_assert_lt(val, 0x100, "register %u: %#llx", reg, val);
	settle();
	return (__u32)val;
}

static inline int try_out(__u32 reg, __u32 val)
{
	const struct lx_io io = { .addr = reg, .len = 1, .data = val };
	int ret = uart_write(&st, now, &io);

	if (ret == LX_HANDLED)
		settle();
	return ret;
}

static inline void out(__u32 reg, __u32 val)
{
	cr_assert_eq(try_out(reg, val), LX_HANDLED, "register %u: passed", reg);
}

/* A character, with error bits as LSR has them. */
static inline void receive(__u32 c, __u32 errors)
{
	uart_receive(&st, now, c | errors << 8);
	settle();
}

static inline void receive_n(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		receive('a' + i, 0);
}

/* Time goes on, and timers fire. */
static inline void pass(__u64 ns)
{
	now += ns;
	edges += uart_tick(&st, now);
	settle();
}

#define EXPECT(_what, _want)                                                       \
	do {                                                                       \
		__u32 got_ = (_what), want_ = (_want);                             \
		cr_expect_eq(got_, want_, #_what " is %#x, not %#x", got_, want_); \
	} while (0)

/* How often INTR rose since the last call. */
static inline unsigned int rises(void)
{
	unsigned int n = edges;

	edges = 0;
	return n;
}

static inline void setup(void)
{
	memset(&st, 0, sizeof(st));
	uart_reset(&st);
	now = 1000;
	edges = 0;
}

/* 115,200 baud, 8 bits, no parity, 1 stop bit; OUT2 on, as PCs need it; interrupts @ier. */
static inline void setup_line(__u32 ier, __u32 fcr)
{
	out(LCR, 0x83);
	out(DLL, 1);
	out(DLM, 0);
	out(LCR, 0x03);
	out(FCR, fcr);
	out(MCR, 0x0b);
	out(IER, ier);
	rises();
}

#endif /* UARTTEST_H */
