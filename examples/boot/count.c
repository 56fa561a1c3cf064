// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See count.h. */
#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pciconf.h>
#include <lightexit/dev/pit.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/dev/rtc.h>
#include <lightexit/dev/uart.h>
#include <stdio.h>

#include "acpi.h"
#include "count.h"

static const struct {
	uint64_t addr;
	const char *name;
} names[] = {
	{ UART_PORT, "RBR, THR, DLL" },
	{ UART_PORT + 1, "IER, DLM" },
	{ UART_PORT + 2, "IIR, FCR" },
	{ UART_PORT + 3, "LCR" },
	{ UART_PORT + 4, "MCR" },
	{ UART_PORT + 5, "LSR" },
	{ UART_PORT + 6, "MSR" },
	{ UART_PORT + 7, "SCR" },
	{ RTC_PORT, "index" },
	{ RTC_PORT + RTC_DATA, "data" },
	{ PIT_PORT, "counter 0" },
	{ PIT_PORT + 1, "counter 1" },
	{ PIT_PORT + 2, "counter 2" },
	{ PIT_PORT + 3, "control word" },
	{ PIT_PORT_B, "port 61h" },
	{ HPET_BASE, "capabilities" },
	{ HPET_BASE + 0x10, "configuration" },
	{ HPET_BASE + 0x20, "status" },
	{ HPET_BASE + 0xf0, "counter" },
	{ HPET_BASE + 0x100, "T0 config" },
	{ HPET_BASE + 0x108, "T0 comparator" },
	{ HPET_BASE + 0x120, "T1 config" },
	{ HPET_BASE + 0x128, "T1 comparator" },
	{ HPET_BASE + 0x140, "T2 config" },
	{ HPET_BASE + 0x148, "T2 comparator" },
	{ PMTIMER_PORT, "value" },
	{ PCICONF_PORT, "address" },
	{ PCICONF_PORT + PCICONF_DATA, "data" },
	{ VMM_ACPI_PM1_PORT, "PM1 status" },
	{ VMM_ACPI_PM1_PORT + VMM_ACPI_PM1_ENABLE, "PM1 enable" },
	{ VMM_ACPI_PM1_PORT + VMM_ACPI_PM1_CONTROL, "PM1 control" },
};

const char *counts_register(const struct count_row *row, char buf[24])
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].addr == row->addr)
			return names[i].name;
	}
	snprintf(buf, 24, "%lxh", row->addr);
	return buf;
}

/* Parts of a PCI word and of a 64-bit register are accesses of that register. */
static uint64_t register_of(const struct vmm_dev *dev, uint64_t off)
{
	uint64_t addr = dev->base + off;

	if (dev->base == HPET_BASE)
		return addr & ~7UL;
	return dev->base == PCICONF_PORT ? addr & ~3UL : addr;
}

static void count(struct count_dev *d, uint64_t off, bool write)
{
	struct counts *c = d->counts;
	const uint64_t addr = register_of(&d->dev, off);

	for (size_t i = 0; i < c->n; i++) {
		if (c->rows[i].addr == addr && c->rows[i].write == write) {
			c->rows[i].exits++;
			return;
		}
	}
	if (c->n == COUNT_ROWS) {
		c->others++;
		return;
	}
	c->rows[c->n++] = (struct count_row){ d->dev.name, addr, write, 1 };
}

static uint64_t count_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct count_dev *d = opaque;

	count(d, off, false);
	return d->dev.read ? d->dev.read(d->dev.opaque, vcpu, off, len) : ~0ULL;
}

static void count_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			uint64_t val)
{
	struct count_dev *d = opaque;

	count(d, off, true);
	if (d->dev.write)
		d->dev.write(d->dev.opaque, vcpu, off, len, val);
}

void counts_attach(struct counts *c, struct vmm *vm)
{
	vm->devs[VMM_MAX_DEVS].name = "nobody";
	for (unsigned int i = 0; i <= VMM_MAX_DEVS; i++) {
		struct vmm_dev *dev = &vm->devs[i];

		if (i >= vm->n_devs && i < VMM_MAX_DEVS)
			continue;
		c->devs[i] = (struct count_dev){ c, *dev };
		dev->read = count_read;
		dev->write = count_write;
		dev->read_string = NULL; /* element by element */
		dev->opaque = &c->devs[i];
	}
}
