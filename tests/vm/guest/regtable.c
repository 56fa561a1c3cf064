// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The register table's guest; see regtable_guest.h. */
#include "guest.h"
#include "../regtable_guest.h"

static uint64_t port_read(uint16_t port, uint32_t len)
{
	return len == 1 ? inb(port) : len == 2 ? inw(port) : inl(port);
}

static void port_write(uint16_t port, uint32_t len, uint64_t val)
{
	if (len == 1)
		outb(port, (uint8_t)val);
	else if (len == 2)
		outw(port, (uint16_t)val);
	else
		outl(port, (uint32_t)val);
}

static uint64_t mmio_read(uint64_t addr, uint32_t len)
{
	if (len == 1)
		return mmio_read8(addr);
	if (len == 2)
		return mmio_read16(addr);
	return len == 4 ? mmio_read32(addr) : mmio_read64(addr);
}

static void mmio_write(uint64_t addr, uint32_t len, uint64_t val)
{
	if (len == 1)
		mmio_write8(addr, (uint8_t)val);
	else if (len == 2)
		mmio_write16(addr, (uint16_t)val);
	else if (len == 4)
		mmio_write32(addr, (uint32_t)val);
	else
		mmio_write64(addr, val);
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct regtable_params *p = arg;
	uint64_t seed = p->seed, *value = (uint64_t *)p->values;

	while (p->done < p->n) {
		struct regtable_access a = regtable_next(&seed);

		if (a.mmio && a.write)
			mmio_write(REGTABLE_MMIO + a.off, a.len, a.val);
		else if (a.mmio)
			*value++ = mmio_read(REGTABLE_MMIO + a.off, a.len);
		else if (a.write)
			port_write(REGTABLE_PORT + a.off, a.len, a.val);
		else
			*value++ = port_read(REGTABLE_PORT + a.off, a.len);
		__atomic_store_n(&p->done, p->done + 1, __ATOMIC_RELAXED);
	}
	return 0;
}
