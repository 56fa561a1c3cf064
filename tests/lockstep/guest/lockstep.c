// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See lockstep.h. */
#include "guest.h"
#include "irq.h"
#include "lockstep.h"

/* As enum ls_kind. */
enum {
	IN = 0,
	OUT,
	READ,
	WRITE,
	INS,
	OUTS,
};

static struct ls_guest_params *params;

static void came(unsigned int vector)
{
	params->log[params->n_log++ % LS_GUEST_LOG] = (uint8_t)vector;
}

static void take_interrupts(void)
{
	irq_init(params->irqs);
	for (unsigned int i = 0; i < LS_GUEST_GSIS; i++)
		irq_set_handler(LS_GUEST_VECTOR(i), came);
	irq_enable();
}

static uint64_t in(uint32_t len, uint16_t port)
{
	return len == 1 ? inb(port) : len == 2 ? inw(port) : inl(port);
}

static void out(uint32_t len, uint16_t port, uint64_t val)
{
	if (len == 1)
		outb(port, (uint8_t)val);
	else if (len == 2)
		outw(port, (uint16_t)val);
	else
		outl(port, (uint32_t)val);
}

static uint64_t read_mmio(uint32_t len, uint64_t addr)
{
	switch (len) {
	case 1:
		return mmio_read8(addr);
	case 2:
		return mmio_read16(addr);
	case 4:
		return mmio_read32(addr);
	default:
		return mmio_read64(addr);
	}
}

static void write_mmio(uint32_t len, uint64_t addr, uint64_t val)
{
	switch (len) {
	case 1:
		mmio_write8(addr, (uint8_t)val);
		break;
	case 2:
		mmio_write16(addr, (uint16_t)val);
		break;
	case 4:
		mmio_write32(addr, (uint32_t)val);
		break;
	default:
		mmio_write64(addr, val);
		break;
	}
}

static void string(struct ls_guest_access *a)
{
	uint16_t port = (uint16_t)a->addr;

	switch (a->kind << 4 | a->len) {
	case INS << 4 | 1:
		insb(port, a->string, a->count);
		break;
	case INS << 4 | 2:
		insw(port, a->string, a->count);
		break;
	case INS << 4 | 4:
		insl(port, a->string, a->count);
		break;
	case OUTS << 4 | 1:
		outsb(port, a->string, a->count);
		break;
	case OUTS << 4 | 2:
		outsw(port, a->string, a->count);
		break;
	case OUTS << 4 | 4:
		outsl(port, a->string, a->count);
		break;
	}
}

static void run(struct ls_guest_access *a)
{
	switch (a->kind) {
	case IN:
		a->val = in(a->len, (uint16_t)a->addr);
		break;
	case OUT:
		out(a->len, (uint16_t)a->addr, a->val);
		break;
	case READ:
		a->val = read_mmio(a->len, a->addr);
		break;
	case WRITE:
		write_mmio(a->len, a->addr, a->val);
		break;
	default:
		string(a);
		break;
	}
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	if (vcpu >= LS_GUEST_VCPUS)
		return 1;
	params = arg;
	if (!vcpu)
		take_interrupts();
	for (;;) {
		outb(LS_GUEST_PORT, 0);
		run(&params->access[vcpu]);
	}
}
