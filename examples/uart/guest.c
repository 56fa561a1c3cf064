// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Prints its boot log through a 16550A, as an operating system's driver would. */
#include <lightexit/dev/uart.h>

#include "irq.h"
#include "params.h"

static struct uart_params *p;

static uint8_t in(uint32_t reg)
{
	p->accesses++;
	return inb((uint16_t)(UART_PORT + reg));
}

static void out(uint32_t reg, uint32_t val)
{
	p->accesses++;
	outb((uint16_t)(UART_PORT + reg), (uint8_t)val);
}

/* 115,200 baud, 8 bits, no parity; FIFOs on. */
static void set_up(void)
{
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(UART_DLL, 1);
	out(UART_DLM, 0);
	out(UART_LCR, UART_LCR_WLEN8);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
}

static void wait_for(uint32_t bits)
{
	while ((in(UART_LSR)&bits) != bits)
		cpu_relax();
}

/* An early console: Linux's wait_for_xmitr(), FreeBSD's ns8250_putc(). */
static void poll(void)
{
	while (p->sent < p->bytes) {
		wait_for(UART_LSR_THRE);
		out(UART_TX, log_byte(p->sent++));
	}
	wait_for(UART_LSR_THRE | UART_LSR_TEMT);
}

/* Linux's serial8250_tx_chars(): as much as the FIFO holds, and off with the last. */
static void on_interrupt(unsigned int vector)
{
	if ((in(UART_IIR) & 0x0f) != UART_IIR_THRI || !(in(UART_LSR)&UART_LSR_THRE))
		return;
	for (uint32_t i = 0; i < UART_FIFO && p->sent < p->bytes; i++)
		out(UART_TX, log_byte(p->sent++));
	if (p->sent == p->bytes)
		out(UART_IER, 0);
}

static void interrupts(void)
{
	irq_init(p->counts);
	irq_set_handler(UART_VECTOR, on_interrupt);
	ioapic_route(UART_IRQ, UART_VECTOR, false, lapic_id());
	out(UART_IER, UART_IER_THRI);
	while (__atomic_load_n(&p->sent, __ATOMIC_ACQUIRE) < p->bytes)
		asm volatile("sti; hlt; cli" : : : "memory");
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	p = params;
	set_up();
	if (p->driver == DRIVER_POLL)
		poll();
	else
		interrupts();
	return 0;
}
