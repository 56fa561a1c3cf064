// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The UART guest; see uartguest.h. Which values are right, the host knows. */
#include <linux/serial_reg.h>

#include "irq.h"
#include "../uartguest.h"

#define COM1 0x3f8U
#define COM1_PIN 4U
#define BURST 16U

static struct uartguest_params *p;
static uint8_t *const bytes = (uint8_t *)UARTGUEST_BYTES_GPA;

static uint8_t in(uint32_t reg)
{
	uint8_t val = inb((uint16_t)(COM1 + reg));

	if (reg == UART_IIR)
		p->iir[val & 15]++;
	return val;
}

static void out(uint32_t reg, uint32_t val)
{
	outb((uint16_t)(COM1 + reg), (uint8_t)val);
}

static void note(uint32_t val)
{
	if (p->n_notes < UARTGUEST_NOTES)
		p->notes[p->n_notes++] = val;
}

static void expect(uint32_t reg, uint32_t due)
{
	uint32_t got = in(reg);

	if (got == due || p->wrong++)
		return;
	p->first_wrong[0] = reg;
	p->first_wrong[1] = got;
	p->first_wrong[2] = due;
}

/* 8 bits, no parity, 1 stop bit. */
static void set_line(uint32_t divisor)
{
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(UART_DLL, divisor & 0xff);
	out(UART_DLM, divisor >> 8);
	out(UART_LCR, UART_LCR_WLEN8);
}

static void take_interrupts(void (*fn)(unsigned int vector))
{
	irq_init(p->irqs);
	irq_set_handler(UARTGUEST_VECTOR, fn);
	ioapic_route(COM1_PIN, UARTGUEST_VECTOR, false, lapic_id());
	irq_enable();
	__atomic_store_n(&p->ready, 1, __ATOMIC_RELEASE);
}

/* Interrupts count up to the end. */
static void wait_for_all(void)
{
	irq_disable();
	while (p->count < p->n)
		asm volatile("sti; hlt; cli" : : : "memory");
	irq_enable();
}

static void poll_output(void)
{
	set_line(UARTGUEST_FAST);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	for (uint32_t i = 0; i < p->n; i++) {
		while (!(in(UART_LSR)&UART_LSR_THRE))
			cpu_relax();
		out(UART_TX, uartguest_text(i));
	}
	while (!(in(UART_LSR)&UART_LSR_TEMT))
		cpu_relax();
}

/* As much as the FIFO holds; without more to send there are to be no interrupts. */
static void send_burst(void)
{
	for (uint32_t i = 0; i < BURST && p->count < p->n; i++)
		out(UART_TX, uartguest_text(p->count++));
	if (p->count == p->n)
		out(UART_IER, 0);
}

static void on_thre(unsigned int vector)
{
	if ((in(UART_IIR) & 0x0f) == UART_IIR_THRI && in(UART_LSR)&UART_LSR_THRE)
		send_burst();
}

static void on_anything(unsigned int vector)
{
	send_burst();
}

static void interrupt_output(void (*fn)(unsigned int vector))
{
	set_line(UARTGUEST_FAST);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_10);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	take_interrupts(fn);
	out(UART_IER, UART_IER_THRI);
	wait_for_all();
}

/* What uart_dev_ns8250.c's probe asks: bits that are 0, IIR's FIFO bits, the FIFO's size. */
static void freebsd_probe(void)
{
	uint32_t lsr, n = 0;

	note(in(UART_IIR) & 0x30);
	note(in(UART_MCR) & 0xe0);
	out(UART_LCR, in(UART_LCR) & ~UART_LCR_DLAB);
	note(in(UART_IER) & 0xf0);
	set_line(12);
	out(UART_IER, 0);
	out(UART_FCR, 0);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_DTR | UART_MCR_RTS);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	note(in(UART_IIR) & 0xc0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	while (in(UART_LSR)&UART_LSR_DR)
		in(UART_RX);
	do {
		out(UART_TX, 0);
		n++;
		lsr = 0;
		while (!((lsr |= in(UART_LSR)) & UART_LSR_TEMT))
			cpu_relax();
	} while (!(lsr & UART_LSR_OE) && n < 130);
	note(n - 1);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
}

#define FREEBSD_IER (UART_IER_MSI | UART_IER_RLSI | UART_IER_RDI)

/* Enabled first, then the burst. */
static void freebsd_transmit(void)
{
	while (!(in(UART_LSR)&UART_LSR_THRE))
		cpu_relax();
	out(UART_IER, FREEBSD_IER | UART_IER_THRI);
	for (uint32_t i = 0; i < BURST && p->count < p->n; i++)
		out(UART_TX, uartguest_text(p->count++));
}

static void on_freebsd(unsigned int vector)
{
	uint32_t iir = in(UART_IIR);

	while (!(iir & UART_IIR_NO_INT)) {
		iir &= 0x0f;
		if (iir == UART_IIR_THRI && p->count < p->n)
			freebsd_transmit();
		else if (iir == UART_IIR_THRI)
			out(UART_IER, FREEBSD_IER);
		else if (iir == UART_IIR_RLSI)
			in(UART_LSR);
		else if (iir == UART_IIR_MSI)
			in(UART_MSR);
		else
			in(UART_RX);
		iir = in(UART_IIR);
	}
}

static void freebsd(void)
{
	freebsd_probe();
	set_line(UARTGUEST_FAST);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_10);
	note(in(UART_MSR) & 0xf0);
	take_interrupts(on_freebsd);
	irq_disable();
	freebsd_transmit();
	irq_enable();
	wait_for_all();
}

/* 8250_port.c: is there a UART, and does it loop its modem lines back? */
static void autoconf_present(void)
{
	out(UART_IER, 0);
	note(in(UART_IER));
	out(UART_IER, 0x0f);
	note(in(UART_IER));
	out(UART_IER, 0);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	note(in(UART_MSR) & 0xf0);
	out(UART_MCR, 0);
	out(UART_SCR, 0xa5);
	note(in(UART_SCR));
	out(UART_SCR, 0x5a);
	note(in(UART_SCR));
}

/* Which one: FIFOs; an EFR, a 64-byte FIFO, a UUE bit, an EXCR1 that others have. */
static void autoconf_kind(void)
{
	uint32_t mcr;

	out(UART_LCR, UART_LCR_CONF_MODE_B);
	out(UART_EFR, 0);
	out(UART_LCR, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	note(in(UART_IIR) >> 6);
	out(UART_LCR, UART_LCR_CONF_MODE_A);
	note(in(UART_EFR));
	out(UART_LCR, UART_LCR_CONF_MODE_B);
	note(in(UART_EFR));
	out(UART_LCR, 0);
	mcr = in(UART_MCR);
	out(UART_MCR, mcr ^ UART_MCR_LOOP);
	out(UART_LCR, 0xe0);
	note(in(UART_EFR));
	out(UART_LCR, 0);
	out(UART_MCR, mcr);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	note(in(UART_IIR) >> 5);
	out(UART_LCR, UART_LCR_CONF_MODE_A);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	note(in(UART_IIR) >> 5);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_LCR, 0);
	out(UART_IER, 0x40);
	note(in(UART_IER));
}

/* size_fifo(): 256 characters, looped back. */
static void autoconf_size(void)
{
	uint32_t n = 0;

	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out(UART_MCR, UART_MCR_LOOP);
	set_line(1);
	for (uint32_t i = 0; i < 256; i++)
		out(UART_TX, i);
	while (in(UART_LSR)&UART_LSR_DR && n < 256) {
		if (in(UART_RX) != n++)
			note(0xbad);
	}
	note(n);
	out(UART_MCR, 0);
	out(UART_FCR, 0);
}

/* serial8250_do_startup(): does the THRE interrupt come, and come again? */
static void autoconf_thre(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		out(UART_IER, UART_IER_THRI);
		note(in(UART_LSR));
		note(in(UART_IIR));
		out(UART_IER, 0);
		note(in(UART_IIR));
	}
}

static void autoconf(void)
{
	autoconf_present();
	autoconf_kind();
	autoconf_size();
	autoconf_thre();
}

static void take(void)
{
	bytes[p->count] = in(UART_RX);
	__atomic_store_n(&p->count, p->count + 1, __ATOMIC_RELEASE);
}

/* At the trigger level no look at LSR is needed; after a time-out it is. */
static void on_receive(unsigned int vector)
{
	for (;;) {
		switch (in(UART_IIR)) {
		case 0xc0 | UART_IIR_RDI:
			for (uint32_t i = 0; i < 14; i++)
				take();
			break;
		case 0xc0 | UART_IIR_RX_TIMEOUT:
			while (in(UART_LSR)&UART_LSR_DR)
				take();
			break;
		default:
			return;
		}
	}
}

static void receive(void)
{
	set_line(UARTGUEST_MEDIUM);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_11);
	out(UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	out(UART_IER, UART_IER_RDI);
	take_interrupts(on_receive);
	wait_for_all();
}

static void use_registers(uint32_t i)
{
	uint32_t v = i & 0xff;

	out(UART_SCR, v);
	expect(UART_SCR, v);
	out(UART_LCR, (v & 0x7c) | UART_LCR_WLEN8);
	expect(UART_LCR, (v & 0x7c) | UART_LCR_WLEN8);
	out(UART_IER, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_R_TRIG_11 | UART_FCR_CLEAR_RCVR);
	expect(UART_IIR, 0xc1);
	out(UART_IER, UART_IER_THRI);
	expect(UART_IER, UART_IER_THRI);
	expect(UART_IIR, 0xc2);
	out(UART_TX, v);
	expect(UART_LSR, 0x61);
	expect(UART_RX, v);
	expect(UART_LSR, 0x60);
	out(UART_MCR, UART_MCR_LOOP | (v & 1));
	expect(UART_MCR, UART_MCR_LOOP | (v & 1));
	expect(UART_MSR, (v & 1 ? UART_MSR_DSR : 0) | (i ? UART_MSR_DDSR : 0));
	out(UART_LSR, v);
	out(UART_MSR, v);
	out(UART_LCR, UART_LCR_DLAB);
	out(UART_DLL, v);
	out(UART_DLM, 0x80 | v);
	expect(UART_DLL, v);
	expect(UART_DLM, 0x80 | v);
	out(UART_LCR, UART_LCR_WLEN8);
}

static void registers(void)
{
	out(UART_MCR, UART_MCR_LOOP);
	in(UART_MSR);
	for (uint32_t i = 0; i < p->n; i++)
		use_registers(i);
}

/* splitmix64 */
static uint64_t random64(void)
{
	uint64_t z = p->seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void fuzz_write(uint32_t reg, uint32_t val)
{
	/* The divisor stays: a time-out would come at another moment each time. */
	if (reg == UART_LCR)
		val &= ~UART_LCR_DLAB;
	/* Mostly out of loop-back with an empty receiver, or in it. */
	if (reg == UART_MCR && val & 0x20)
		val ^= UART_MCR_LOOP;
	out(reg, val);
}

/* Each read's value is left behind; of wider accesses their bytes in one. */
static void fuzz_one(uint32_t i)
{
	uint64_t r = random64();
	uint32_t reg = r & 7, val = r >> 8 & 0xff;

	bytes[i] = 0;
	if (!(r >> 16 & 31) && reg < 5) {
		uint32_t wide =
			reg & 1 ? inw((uint16_t)(COM1 + reg)) : inl((uint16_t)(COM1 + (reg & 4)));

		bytes[i] = (uint8_t)(wide ^ wide >> 8 ^ wide >> 16 ^ wide >> 24);
	} else if (r >> 24 & 1) {
		bytes[i] = in(reg);
	} else {
		fuzz_write(reg, val);
	}
}

static void fuzz(void)
{
	set_line(UARTGUEST_SLOW);
	for (uint32_t i = 0; i < p->n; i++)
		fuzz_one(i);
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	p = params;
	switch (p->mode) {
	case UARTGUEST_POLL:
		poll_output();
		break;
	case UARTGUEST_THRE:
		interrupt_output(on_thre);
		break;
	case UARTGUEST_BLIND:
		interrupt_output(on_anything);
		break;
	case UARTGUEST_FREEBSD:
		freebsd();
		break;
	case UARTGUEST_AUTOCONF:
		for (uint32_t i = 0; i < p->n; i++) {
			p->n_notes = 0;
			autoconf();
		}
		break;
	case UARTGUEST_RECEIVE:
		receive();
		break;
	case UARTGUEST_REGISTERS:
		registers();
		break;
	default:
		fuzz();
		break;
	}
	while (__atomic_load_n(&p->hold, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
	return 0;
}
