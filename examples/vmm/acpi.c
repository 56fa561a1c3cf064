// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* ACPI tables and PM1 registers. */
#include <errno.h>
#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>
#include <stdlib.h>
#include <string.h>

#include "acpi.h"

#define IOAPIC_GPA 0xfec00000U
#define LAPIC_GPA 0xfee00000U
#define SCI_IRQ 9U

/* 4.8.3.2.1 */
#define PM1_SCI_EN (1U << 0)
#define PM1_SLP_EN_HIGH (1U << 5) /* bit 13, in the upper byte */

/* 5.2.6 */
struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* 5.2.5.3 */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

/* 5.2.3.2 */
struct address {
	uint8_t space; /* 0: memory, 1: ports */
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

/* 5.2.9, without the fields from ACPI 5.0 on */
struct fadt {
	struct table hdr;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved;
	uint8_t profile;
	uint16_t sci;
	uint8_t smi[8];
	uint32_t pm1a_event;
	uint32_t pm1b_event;
	uint32_t pm1a_control;
	uint32_t pm1b_control;
	uint32_t pm2_control;
	uint32_t pm_timer;
	uint32_t gpe[2];
	uint8_t pm1_event_len;
	uint8_t pm1_control_len;
	uint8_t pm2_control_len;
	uint8_t pm_timer_len;
	uint8_t gpe_len[2];
	uint8_t gpe1_base;
	uint8_t cst_control;
	uint16_t c2_latency;
	uint16_t c3_latency;
	uint8_t flush[4];
	uint8_t duty[2];
	uint8_t day_alarm;
	uint8_t month_alarm;
	uint8_t century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint8_t reserved3[3];
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct address x_pm1a_event;
	struct address x_pm1b_event;
	struct address x_pm1a_control;
	struct address x_pm1b_control;
	struct address x_pm2_control;
	struct address x_pm_timer;
	struct address x_gpe[2];
} __attribute__((packed));

/* 5.2.9.3: legacy devices, no VGA */
#define BOOT_LEGACY_DEVICES (1U << 0)
#define BOOT_NO_VGA (1U << 2)
/* 5.2.9, flags: C1 by hlt, no fixed buttons, no RTC wake status, TMR_VAL has 32 bits */
#define FADT_WBINVD (1U << 0)
#define FADT_PROC_C1 (1U << 2)
#define FADT_NO_PWR_BUTTON (1U << 4)
#define FADT_NO_SLP_BUTTON (1U << 5)
#define FADT_NO_FIX_RTC (1U << 6)
#define FADT_TMR_VAL_EXT (1U << 8)
#define C2_NONE 101U
#define C3_NONE 1001U
#define RTC_CENTURY 0x32U

/* 5.2.10 */
struct facs {
	char signature[4];
	uint32_t length;
	uint8_t rest[56];
} __attribute__((packed, aligned(64)));

/* 5.2.12: local APIC (type 0), IO-APIC (1), interrupt source override (2) */
struct madt {
	struct table hdr;
	uint32_t lapic;
	uint32_t flags; /* 1: 8259s as well */
} __attribute__((packed));

struct madt_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t processor;
	uint8_t id;
	uint32_t enabled;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi;
} __attribute__((packed));

struct madt_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

#define ACTIVE_HIGH_LEVEL 0x000dU

/* IA-PC HPET specification 1.0a, 3.2.4 */
struct hpet_table {
	struct table hdr;
	uint32_t id;
	struct address base;
	uint8_t sequence;
	uint16_t min_tick;
	uint8_t flags;
} __attribute__((packed));

#define HPET_ID 0x8086a201U /* revision 1, 3 timers, 64 bits, legacy replacement, vendor */
#define HPET_MIN_TICK 100U

_Static_assert(sizeof(struct table) == 36, "5.2.6");
_Static_assert(sizeof(struct fadt) == 244, "5.2.9");
_Static_assert(sizeof(struct facs) == 64, "5.2.10");
_Static_assert(sizeof(struct hpet_table) == 56, "3.2.4");

/*
 * The definition block's code:
 *   Name (\_S5, Package () { 0, 0 })
 *   Device (\_SB.PCI0) {
 *       Name (_HID, EisaId ("PNP0A03"))
 *       Name (_CRS, ResourceTemplate () {
 *           WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
 *           IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
 *           DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
 *                        ReadWrite, 0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000)
 *           WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
 *                   0, 0x0D00, 0xFFFF, 0, 0xF300)
 *           WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
 *                   0, 0x0000, 0x0CF7, 0, 0x0CF8)
 *       })
 *   }
 */
static const uint8_t aml[] = {
	0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x04, 0x02, 0x00, 0x00, 0x5b, 0x82, 0x43, 0x07, 0x2e,
	0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30, 0x08, 0x5f, 0x48, 0x49, 0x44, 0x0c, 0x41,
	0xd0, 0x0a, 0x03, 0x08, 0x5f, 0x43, 0x52, 0x53, 0x11, 0x48, 0x05, 0x0a, 0x54, 0x88, 0x0d,
	0x00, 0x02, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x47,
	0x01, 0xf8, 0x0c, 0xf8, 0x0c, 0x01, 0x08, 0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xff, 0xff, 0xbf, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0xc0, 0x3e, 0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x0d, 0xff, 0xff,
	0x00, 0x00, 0x00, 0xf3, 0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0xf7,
	0x0c, 0x00, 0x00, 0xf8, 0x0c, 0x79, 0x00,
};

/* @gpa: the next table's; @xsdt: its entries */
struct tables {
	struct vmm *vm;
	uint64_t gpa;
	uint64_t xsdt[4];
	unsigned int n;
};

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return (uint8_t)-sum;
}

/* Room for a table. Return: its address */
static uint64_t reserve(struct tables *t, size_t len)
{
	uint64_t gpa = t->gpa;

	t->gpa += (len + 63) & ~63UL;
	return gpa;
}

/* Completes the header and copies the table. Return: its address */
static uint64_t put(struct tables *t, struct table *hdr, const char *signature, uint8_t revision,
		    size_t len)
{
	uint64_t gpa = reserve(t, len);

	memcpy(hdr->signature, signature, sizeof(hdr->signature));
	memcpy(hdr->oem, "LTEXIT", sizeof(hdr->oem));
	memcpy(hdr->oem_table, "LTEXITVM", sizeof(hdr->oem_table));
	memcpy(hdr->creator, "LTEX", sizeof(hdr->creator));
	hdr->length = (uint32_t)len;
	hdr->revision = revision;
	hdr->oem_revision = 1;
	hdr->creator_revision = 1;
	hdr->checksum = 0;
	hdr->checksum = checksum(hdr, len);
	memcpy(t->vm->mem + gpa, hdr, len);
	return gpa;
}

static uint64_t put_dsdt(struct tables *t)
{
	struct {
		struct table hdr;
		uint8_t code[sizeof(aml)];
	} __attribute__((packed)) dsdt = { 0 };

	memcpy(dsdt.code, aml, sizeof(aml));
	return put(t, &dsdt.hdr, "DSDT", 2, sizeof(dsdt));
}

static uint64_t put_facs(struct tables *t)
{
	struct facs facs = { .signature = "FACS", .length = sizeof(facs) };
	uint64_t gpa = reserve(t, sizeof(facs));

	memcpy(t->vm->mem + gpa, &facs, sizeof(facs));
	return gpa;
}

static struct address port(uint64_t address, uint8_t len)
{
	return (struct address){ .space = 1, .bits = (uint8_t)(len * 8), .address = address };
}

static void put_fadt(struct tables *t)
{
	const uint16_t pm1 = VMM_ACPI_PM1_PORT;
	struct fadt f = {
		.facs = (uint32_t)put_facs(t),
		.dsdt = (uint32_t)put_dsdt(t),
		.sci = SCI_IRQ,
		.pm1a_event = pm1,
		.pm1a_control = pm1 + VMM_ACPI_PM1_CONTROL,
		.pm_timer = PMTIMER_PORT,
		.pm1_event_len = VMM_ACPI_PM1_CONTROL,
		.pm1_control_len = VMM_ACPI_PM1_LEN - VMM_ACPI_PM1_CONTROL,
		.pm_timer_len = PMTIMER_LEN,
		.c2_latency = C2_NONE,
		.c3_latency = C3_NONE,
		.century = RTC_CENTURY,
		.boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_PWR_BUTTON | FADT_NO_SLP_BUTTON |
			 FADT_NO_FIX_RTC | FADT_TMR_VAL_EXT,
	};

	f.x_dsdt = f.dsdt;
	f.x_pm1a_event = port(f.pm1a_event, f.pm1_event_len);
	f.x_pm1a_control = port(f.pm1a_control, f.pm1_control_len);
	f.x_pm_timer = port(f.pm_timer, f.pm_timer_len);
	t->xsdt[t->n++] = put(t, &f.hdr, "FACP", 4, sizeof(f));
}

static void put_madt(struct tables *t)
{
	struct {
		struct madt madt;
		struct madt_ioapic ioapic;
		struct madt_override sci;
		struct madt_lapic lapics[VMM_MAX_VCPUS];
	} __attribute__((packed)) m = {
		.madt = { .lapic = LAPIC_GPA, .flags = 1 },
		.ioapic = { .type = 1, .length = sizeof(m.ioapic), .address = IOAPIC_GPA },
		.sci = { .type = 2,
			 .length = sizeof(m.sci),
			 .irq = SCI_IRQ,
			 .gsi = SCI_IRQ,
			 .flags = ACTIVE_HIGH_LEVEL },
	};
	const unsigned int n = t->vm->n_vcpus;

	for (unsigned int i = 0; i < n; i++) {
		m.lapics[i] = (struct madt_lapic){
			.length = sizeof(m.lapics[i]),
			.processor = (uint8_t)i,
			.id = (uint8_t)i,
			.enabled = 1,
		};
	}
	t->xsdt[t->n++] = put(t, &m.madt.hdr, "APIC", 4,
			      sizeof(m) - (VMM_MAX_VCPUS - n) * sizeof(m.lapics[0]));
}

static void put_hpet(struct tables *t)
{
	struct hpet_table h = {
		.id = HPET_ID,
		.base = { .address = HPET_BASE, .bits = 64 },
		.min_tick = HPET_MIN_TICK,
	};

	t->xsdt[t->n++] = put(t, &h.hdr, "HPET", 1, sizeof(h));
}

static uint64_t put_xsdt(struct tables *t)
{
	struct {
		struct table hdr;
		uint64_t entries[4];
	} __attribute__((packed)) x = { 0 };

	memcpy(x.entries, t->xsdt, sizeof(x.entries));
	return put(t, &x.hdr, "XSDT", 1, sizeof(x.hdr) + t->n * sizeof(x.entries[0]));
}

static void put_tables(struct vmm *vm)
{
	struct tables t = { .vm = vm, .gpa = VMM_ACPI_GPA };
	struct rsdp r = { .signature = "RSD PTR ", .revision = 2, .length = sizeof(r) };

	reserve(&t, sizeof(r));
	put_fadt(&t);
	put_madt(&t);
	put_hpet(&t);
	memcpy(r.oem, "LTEXIT", sizeof(r.oem));
	r.xsdt = put_xsdt(&t);
	r.checksum = checksum(&r, offsetof(struct rsdp, length));
	r.extended_checksum = checksum(&r, sizeof(r));
	memcpy(vm->mem + VMM_ACPI_GPA, &r, sizeof(r));
}

/* @regs: status, which stays 0 as nothing happens; enable; control */
struct vmm_acpi {
	uint8_t regs[VMM_ACPI_PM1_LEN];
};

static uint64_t read_pm1(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	const struct vmm_acpi *acpi = opaque;
	uint64_t val = 0;

	memcpy(&val, acpi->regs + off, len);
	return val;
}

static void write_pm1(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct vmm_acpi *acpi = opaque;
	uint8_t *control = acpi->regs + VMM_ACPI_PM1_CONTROL;

	memcpy(acpi->regs + off, &val, len);
	memset(acpi->regs, 0, VMM_ACPI_PM1_ENABLE);
	control[0] |= PM1_SCI_EN;
	if (control[1] & PM1_SLP_EN_HIGH)
		vcpu->exited = true;
	control[1] &= (uint8_t)~PM1_SLP_EN_HIGH;
}

int vmm_acpi_new(struct vmm *vm, struct vmm_acpi **out)
{
	struct vmm_dev dev = {
		.name = "acpi",
		.space = LX_SPACE_PIO,
		.base = VMM_ACPI_PM1_PORT,
		.len = VMM_ACPI_PM1_LEN,
		.read = read_pm1,
		.write = write_pm1,
	};
	struct vmm_acpi *acpi;
	int index;

	if (!vmm_mem(vm, VMM_ACPI_GPA, VMM_ACPI_SIZE))
		return vmm_error(-EINVAL, "ACPI tables: memory ends below %#lx", VMM_ACPI_GPA);
	acpi = calloc(1, sizeof(*acpi));
	if (!acpi)
		return vmm_error(-ENOMEM, "ACPI");
	acpi->regs[VMM_ACPI_PM1_CONTROL] = PM1_SCI_EN;
	dev.opaque = acpi;
	index = vmm_add_dev(vm, &dev);
	if (index < 0) {
		vmm_acpi_free(acpi);
		return index;
	}
	put_tables(vm);
	*out = acpi;
	return 0;
}

void vmm_acpi_free(struct vmm_acpi *acpi)
{
	free(acpi);
}
