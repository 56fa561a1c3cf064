/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The parameter block of examples/uart, and the boot log. Shared by host and guest. */
#ifndef UART_PARAMS_H
#define UART_PARAMS_H

#include <stdint.h>

#define UART_VECTOR 0x44U

enum uart_driver {
	DRIVER_POLL = 0,  /* waits for THRE before each byte, as consoles do */
	DRIVER_INTERRUPT, /* a FIFO full of bytes for each THRE interrupt */
	DRIVER_COUNT,
};

/**
 * struct uart_params - one run: one driver
 * @driver:   enum uart_driver. Writer: host
 * @bytes:    to print. Writer: host
 * @sent:     bytes written to THR. Writer: guest
 * @accesses: to the UART's registers. Writer: guest
 * @counts:   interrupts by vector: irq.h's. Writer: guest
 */
struct uart_params {
	uint32_t driver;
	uint32_t bytes;
	uint32_t sent;
	uint32_t pad;
	uint64_t accesses;
	uint32_t counts[256];
};

/* A line of the log; its two numbers count the lines. */
#define LOG_LINE "[    0.000000] acpiphp: Slot [0000] registered, no hotplug here\n"
#define LOG_LINE_LEN (sizeof(LOG_LINE) - 1)
#define LOG_TIME_AT 13U
#define LOG_SLOT_AT 34U

/* Decimal digit of @n that ends up @back places before its last. */
static inline char log_digit(uint32_t n, uint32_t back)
{
	while (back--)
		n /= 10;
	return (char)('0' + n % 10);
}

/* The log's byte @i. */
static inline uint8_t log_byte(uint32_t i)
{
	static const char text[] = LOG_LINE;
	uint32_t line = i / LOG_LINE_LEN, at = i % LOG_LINE_LEN;

	if (at > LOG_TIME_AT - 6 && at < LOG_TIME_AT)
		return (uint8_t)log_digit(line * 37, LOG_TIME_AT - 1 - at);
	if (at > LOG_SLOT_AT - 5 && at < LOG_SLOT_AT)
		return (uint8_t)log_digit(line, LOG_SLOT_AT - 1 - at);
	return (uint8_t)text[at];
}

#endif /* UART_PARAMS_H */
