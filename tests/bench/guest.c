// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does one access over and over, and reads the TSC before and after. All loops
 * are the same two instructions around the access.
 */
#include <linux/serial_reg.h>

#include "vblk.h"
#include "idedrv.h"
#include "params.h"

#define VIRTIO_PIN 5U
#define VIRTIO_VECTOR 0x40U

static struct vblk disk;
static uint8_t rings[VBLK_MEMORY] __attribute__((aligned(4096)));
static uint8_t sector[VBLK_SECTOR] __attribute__((aligned(VBLK_SECTOR)));
static uint32_t counts[IRQ_VECTORS];

#define LOOP(_access)                                    \
	do {                                             \
		for (uint64_t n = p->n; n; n--) {        \
			_access;                         \
			asm volatile("" : : : "memory"); \
		}                                        \
	} while (0)

/* 16550: what drivers do before they fill the transmitter's FIFO. */
static void wait_for_thre(uint16_t port)
{
	while (!(inb(port + UART_LSR) & UART_LSR_THRE))
		cpu_relax();
}

#define SEND(_when)                               \
	LOOP({                                    \
		if (_when)                        \
			wait_for_thre(port);      \
		outb(port + UART_TX, (uint8_t)n); \
	})

/* A sector, from submission to the end of the interrupt. */
static uint8_t request(uint64_t n)
{
	unsigned int slot =
		vblk_submit(&disk, VIRTIO_BLK_T_IN, n % BENCH_SECTORS, sector, sizeof(sector));

	vblk_kick(&disk);
	return vblk_wait(&disk, slot);
}

static uint64_t requests(const struct bench_params *p)
{
	uint8_t status = 0;

	irq_init(counts);
	if (!vblk_init(&disk, p->addr, rings, true))
		return ~0ULL;
	vblk_interrupts(&disk, VIRTIO_PIN, VIRTIO_VECTOR);
	irq_enable();
	outb(BENCH_MARK_PORT, 0);
	for (uint64_t n = p->n; n; n--)
		status |= request(n);
	outb(BENCH_MARK_PORT, 0);
	irq_disable();
	return status;
}

/* Of all times round: Status, and what a sector began with. */
static uint64_t ide_runs(const struct bench_params *p)
{
	uint64_t val = 0;

	*(uint16_t *)sector = BENCH_PATTERN;
	for (uint64_t n = p->n; n; n--)
		val |= ide_run(p->access, n % BENCH_SECTORS, sector);
	return val;
}

/* Whole requests to a disk, each of many accesses. */
static uint64_t commands(const struct bench_params *p)
{
	return p->access == BENCH_REQUEST ? requests(p) : ide_runs(p);
}

/* A PIT's: both bytes of counter 2. */
static uint64_t pit_count(uint16_t port)
{
	uint8_t low = inb(port + 2);

	return low | (uint64_t)inb(port + 2) << 8;
}

static void pit_start(uint16_t port)
{
	outb(0x61, (inb(0x61) & 0x0d) | 1); /* gate on, speaker off */
	outb(port + 3, 0xb4);
	outb(port + 2, 0);
	outb(port + 2, 0);
}

/* Registers of a PC's devices, each read as Linux does it; else the loop alone. */
static uint64_t pc_runs(const struct bench_params *p)
{
	uint16_t port = (uint16_t)p->addr;
	uint64_t val = 0;

	switch (p->access) {
	case BENCH_PIT_START:
		pit_start(port);
		break;
	case BENCH_PIT_READ:
		LOOP(val = pit_count(port));
		break;
	case BENCH_PIT_LATCH:
		LOOP(outb(port + 3, 0x80); val = pit_count(port));
		break;
	case BENCH_RTC:
		LOOP(outb(port, BENCH_RTC_INDEX); val = inb(port + 1));
		break;
	case BENCH_PCI_READ:
		LOOP(outl(port, BENCH_PCI_ADDRESS); val = inl(port + 4));
		break;
	default:
		LOOP((void)0);
		break;
	}
	return val;
}

/* Registers, so that the loops hold nothing but their access. */
static uint64_t run(struct bench_params *p)
{
	uint16_t port = (uint16_t)p->addr;
	uint64_t addr = p->addr, val = 0;

	switch (p->access) {
	case BENCH_SPIN:
		val = p->n;
		asm volatile("1: dec %0; jnz 1b" : "+r"(val));
		break;
	case BENCH_IN32:
		LOOP(val = inl(port));
		break;
	case BENCH_OUT32:
		LOOP(outl(port, 0x600d));
		break;
	case BENCH_READ32:
		LOOP(val = mmio_read32(addr));
		break;
	case BENCH_READ64:
		LOOP(val = mmio_read64(addr));
		break;
	case BENCH_WRITE32:
		LOOP(mmio_write32(addr, 0x600d));
		break;
	case BENCH_DOORBELL:
		LOOP(mmio_write32(addr, 0));
		break;
	case BENCH_DOORBELL_PIO:
		LOOP(outl(port, 0));
		break;
	case BENCH_INTERRUPT:
		LOOP(val = mmio_read32(addr); mmio_write32(addr + 4, (uint32_t)val));
		break;
	case BENCH_UART_EACH:
		SEND(true);
		break;
	case BENCH_UART_FIFO:
		SEND(n % 16 == 0);
		break;
	case BENCH_INS:
		LOOP(insw(port, sector, sizeof(sector) / 2));
		val = *(uint16_t *)sector;
		break;
	case BENCH_OUTS:
		LOOP(outsw(port, sector, sizeof(sector) / 2));
		break;
	case BENCH_IDE_STATUS:
		LOOP(val = inb(port + 7));
		break;
	case BENCH_IDE_DMA:
	case BENCH_IDE_READ:
	case BENCH_IDE_WRITE:
	case BENCH_REQUEST:
		val = commands(p);
		break;
	default:
		val = pc_runs(p);
		break;
	}
	return val;
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct bench_params *p = params;
	uint64_t start = rdtsc();
	uint64_t last = run(p);
	uint64_t end = rdtsc();

	p->last = last;
	p->end = end;
	p->ticks = end - start;
	return 0;
}
