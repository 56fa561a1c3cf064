// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The layout of what crosses a boundary, in literal numbers. Proves: no edit
 * moves a field, a size or a value that built programs, VMMs and saved states
 * rely on. docs/abi.md says how these types may grow; a test that fails here
 * means that an edit broke that rule.
 */
#include <criterion/criterion.h>
#include <stddef.h>

#include <lightexit/bell.h>
#include <lightexit/dev/hpet.h>
#include <lightexit/dev/ide.h>
#include <lightexit/dev/pciconf.h>
#include <lightexit/dev/pit.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/dev/regtable.h>
#include <lightexit/dev/rtc.h>
#include <lightexit/dev/virtio_mmio.h>
#include <lightexit/dev/uart.h>
#include <lightexit/ops.h>
#include <lightexit/queue.h>
#include <lightexit/saved.h>
#include <lightexit/timer.h>

#define FIELD(type, field, offset, size)                                                          \
	do {                                                                                      \
		cr_expect_eq(offsetof(type, field), offset, #type "." #field " is at %zu",        \
			     offsetof(type, field));                                              \
		cr_expect_eq(sizeof(((type *)0)->field), size, #type "." #field " has %zu bytes", \
			     sizeof(((type *)0)->field));                                         \
	} while (0)

#define VALUE(name, value)                                                 \
	cr_expect_eq((unsigned long long)(name), value, #name " is %#llx", \
		     (unsigned long long)(name))

Test(abi, lx_io)
{
	FIELD(struct lx_io, addr, 0, 8);
	FIELD(struct lx_io, data, 8, 8);
	FIELD(struct lx_io, region, 16, 4);
	FIELD(struct lx_io, len, 20, 4);
	FIELD(struct lx_io, vcpu, 24, 4);
	FIELD(struct lx_io, flags, 28, 4);
	FIELD(struct lx_io, owner, 32, 8);
	VALUE(sizeof(struct lx_io), 40);
	VALUE(LX_IO_CONTINUED, 1);
	VALUE(LX_IO_TIMER, 2);
	VALUE(LX_NO_VCPU, 0xffffffff);
	VALUE(LX_TIMER_KICK, 0xffffffffffffffff);
}

Test(abi, lx_region)
{
	FIELD(struct lx_region, addr, 0, 8);
	FIELD(struct lx_region, len, 8, 8);
	FIELD(struct lx_region, space, 16, 4);
	FIELD(struct lx_region, flags, 20, 4);
	VALUE(sizeof(struct lx_region), 24);
	VALUE(LX_REGION_OVERLAY, 1);
	VALUE(LX_REGION_STRINGS, 2);
	VALUE(LX_REGION_FLAGS, 3);
}

Test(abi, lightexit_ops)
{
	FIELD(struct lightexit_ops, read, 0, 8);
	FIELD(struct lightexit_ops, write, 8, 8);
	FIELD(struct lightexit_ops, sz, 16, 4);
	FIELD(struct lightexit_ops, flags, 20, 4);
	FIELD(struct lightexit_ops, vm_fd, 24, 4);
	FIELD(struct lightexit_ops, nr_regions, 28, 4);
	FIELD(struct lightexit_ops, regions, 32, 192); /* 8 regions of 24 bytes */
	FIELD(struct lightexit_ops, name, 224, 16);
	FIELD(struct lightexit_ops, timer, 240, 8);
	FIELD(struct lightexit_ops, nr_eventfds, 248, 4);
	FIELD(struct lightexit_ops, eventfds, 252, 64); /* 16 slots */
	FIELD(struct lightexit_ops, handover_fd, 316, 4);
	FIELD(struct lightexit_ops, kick_fd, 320, 4);
	FIELD(struct lightexit_ops, pad, 324, 4);
	VALUE(sizeof(struct lightexit_ops), 328);
	VALUE(LX_OPS_MOVE, 1);
	VALUE(LX_OPS_FLAGS, 1);
}

Test(abi, lx_state)
{
	static const unsigned char magic[4] = { 'L', 'X', 'E', 'T' };
	struct lx_state st = { .magic = LX_STATE_MAGIC };

	FIELD(struct lx_state, magic, 0, 4);
	FIELD(struct lx_state, abi, 4, 4);
	FIELD(struct lx_state, size, 8, 4);
	FIELD(struct lx_state, seq, 12, 4);
	FIELD(struct lx_state, lock, 16, 4);
	FIELD(struct lx_state, owner, 20, 4);
	FIELD(struct lx_state, clock, 24, 4);
	FIELD(struct lx_state, pad, 28, 4);
	FIELD(struct lx_state, epoch_ns, 32, 8);
	FIELD(struct lx_state, frozen_ns, 40, 8);
	FIELD(struct lx_state, reserved, 48, 16);
	VALUE(sizeof(struct lx_state), 64);
	VALUE(LX_STATE_ABI, 2);
	VALUE(LX_STATE_FROZEN, 0x80000000);
	VALUE(LX_LOCK_FREE, 0);
	VALUE(LX_OWNER_MAX, 0x7fffffff);
	VALUE(LX_LOCK_PROGRAM, 0x80000000);
	cr_expect_arr_eq(&st.magic, magic, 4);
}

Test(abi, lx_saved)
{
	static const unsigned char magic[4] = { 'L', 'X', 'S', 'V' };
	struct lx_saved h = { .magic = LX_SAVED_MAGIC };

	FIELD(struct lx_saved, magic, 0, 4);
	FIELD(struct lx_saved, version, 4, 4);
	FIELD(struct lx_saved, size, 8, 4);
	FIELD(struct lx_saved, crc, 12, 4);
	FIELD(struct lx_saved, header_size, 16, 4);
	FIELD(struct lx_saved, state_abi, 20, 4);
	FIELD(struct lx_saved, state_size, 24, 4);
	FIELD(struct lx_saved, n_regions, 28, 4);
	FIELD(struct lx_saved, name, 32, 16);
	FIELD(struct lx_saved, device_ns, 48, 8);
	FIELD(struct lx_saved, overruns, 56, 8);
	FIELD(struct lx_saved, max_ns, 64, 8);
	FIELD(struct lx_saved, regions, 72, 256); /* 8 of 32 bytes */
	VALUE(sizeof(struct lx_saved), 328);
	FIELD(struct lx_saved_region, handled, 0, 8);
	FIELD(struct lx_saved_region, passed, 8, 8);
	FIELD(struct lx_saved_region, errors, 16, 8);
	FIELD(struct lx_saved_region, string_splits, 24, 8);
	VALUE(LX_SAVED_VERSION, 1);
	cr_expect_arr_eq(&h.magic, magic, 4);
}

/* lx_bell, lx_timer and lx_queue are parts of states, so saved with them. */
Test(abi, parts_of_states)
{
	FIELD(struct lx_bell, suppress, 0, 4);
	FIELD(struct lx_bell, rings, 4, 4);
	VALUE(sizeof(struct lx_bell), 8);
	FIELD(struct lx_timer, due_ns, 0, 8);
	FIELD(struct lx_timer, armed, 8, 4);
	FIELD(struct lx_timer, fired, 12, 4);
	VALUE(sizeof(struct lx_timer), 16);
	FIELD(struct lx_queued, addr, 0, 8);
	FIELD(struct lx_queued, data, 8, 8);
	FIELD(struct lx_queued, region, 16, 4);
	FIELD(struct lx_queued, len, 20, 4);
	FIELD(struct lx_queue, head, 0, 4);
	FIELD(struct lx_queue, tail, 4, 4);
	FIELD(struct lx_queue, e, 8, 6144); /* 256 of 24 bytes */
	VALUE(LX_QUEUE_LEN, 256);
}

Test(abi, hpet_state)
{
	FIELD(struct hpet_state, hdr, 0, 64);
	FIELD(struct hpet_state, cap, 64, 8);
	FIELD(struct hpet_state, config, 72, 8);
	FIELD(struct hpet_state, counter, 80, 8);
	FIELD(struct hpet_state, base_ns, 88, 8);
	FIELD(struct hpet_state, status, 96, 8);
	FIELD(struct hpet_state, timers, 104, 144);
	VALUE(sizeof(struct hpet_state), 248);
	FIELD(struct hpet_timer_state, config, 0, 8);
	FIELD(struct hpet_timer_state, comparator, 8, 8);
	FIELD(struct hpet_timer_state, period, 16, 8);
	FIELD(struct hpet_timer_state, from, 24, 8);
	FIELD(struct hpet_timer_state, timer, 32, 16);
}

Test(abi, pmtimer_state)
{
	FIELD(struct pmtimer_state, hdr, 0, 64);
	FIELD(struct pmtimer_state, bits, 64, 4);
	FIELD(struct pmtimer_state, pad, 68, 4);
	VALUE(sizeof(struct pmtimer_state), 72);
}

Test(abi, pit_state)
{
	FIELD(struct pit_counter, start, 0, 8);
	FIELD(struct pit_counter, control, 24, 4);
	FIELD(struct pit_counter, gate, 56, 4);
	FIELD(struct pit_counter, pad, 92, 4);
	VALUE(sizeof(struct pit_counter), 96);
	FIELD(struct pit_state, hdr, 0, 64);
	FIELD(struct pit_state, c, 64, 288);
	FIELD(struct pit_state, irq, 352, 16);
	FIELD(struct pit_state, port_b, 368, 4);
	VALUE(sizeof(struct pit_state), 376);
}

Test(abi, rtc_state)
{
	FIELD(struct rtc_state, hdr, 0, 64);
	FIELD(struct rtc_state, base_s, 64, 8);
	FIELD(struct rtc_state, irq, 88, 16);
	FIELD(struct rtc_state, index, 104, 4);
	FIELD(struct rtc_state, ram, 120, 512);
	VALUE(sizeof(struct rtc_state), 632);
}

Test(abi, ide_state)
{
	FIELD(struct ide_state, hdr, 0, 64);
	FIELD(struct ide_state, sectors, 64, 8);
	FIELD(struct ide_state, file, 80, 64);
	FIELD(struct ide_state, device, 144, 4);
	FIELD(struct ide_state, phase, 176, 4);
	FIELD(struct ide_state, mode, 208, 4);
	FIELD(struct ide_state, buf, 224, 65536);
	VALUE(sizeof(struct ide_state), 65760);
}

Test(abi, pciconf_state)
{
	FIELD(struct pciconf_function, config, 8, 256);
	FIELD(struct pciconf_state, hdr, 0, 64);
	FIELD(struct pciconf_state, address, 64, 4);
	FIELD(struct pciconf_state, slot, 72, 1024);
	FIELD(struct pciconf_state, functions, 1096, 8448);
	VALUE(sizeof(struct pciconf_state), 9544);
}

Test(abi, regtable_state)
{
	FIELD(struct regtable_state, hdr, 0, 64);
	FIELD(struct regtable_state, n_regs, 64, 4);
	FIELD(struct regtable_state, n_granules, 68, 4);
	FIELD(struct regtable_state, regions, 72, 128); /* 8 regions of 16 bytes */
	FIELD(struct regtable_state, regs, 200, 6656);	/* 64 registers of 104 bytes */
	FIELD(struct regtable_state, read_index, 6856, 4096);
	FIELD(struct regtable_state, write_index, 10952, 4096);
	VALUE(sizeof(struct regtable_state), 15048);
	FIELD(struct regtable_reg, value, 0, 8);
	FIELD(struct regtable_reg, pass_change, 56, 8);
	FIELD(struct regtable_reg, region, 64, 4);
	FIELD(struct regtable_reg, access, 80, 4);
	FIELD(struct regtable_reg, name, 88, 16);
	VALUE(sizeof(struct regtable_reg), 104);
	VALUE(REGTABLE_READ, 1);
	VALUE(REGTABLE_WRITE, 2);
}

Test(abi, virtio_mmio_state)
{
	FIELD(struct virtio_mmio_state, hdr, 0, 64);
	FIELD(struct virtio_mmio_state, device_features, 64, 8);
	FIELD(struct virtio_mmio_state, driver_features, 72, 8);
	FIELD(struct virtio_mmio_state, device_features_sel, 80, 4);
	FIELD(struct virtio_mmio_state, driver_features_sel, 84, 4);
	FIELD(struct virtio_mmio_state, queue_sel, 88, 4);
	FIELD(struct virtio_mmio_state, queues, 96, 448); /* 8 queues of 56 bytes */
	FIELD(struct virtio_mmio_state, page, 4096, 4096);
	VALUE(sizeof(struct virtio_mmio_state), 8192);
	FIELD(struct virtio_mmio_queue, doorbell, 12, 4);
	FIELD(struct virtio_mmio_queue, device, 32, 8);
	FIELD(struct virtio_mmio_queue, bell, 40, 8);
	VALUE(VIRTIO_MMIO_DOORBELL, 1);
	VALUE(VIRTIO_MMIO_DOORBELL_BELL, 2);
	VALUE(VIRTIO_MMIO_DOORBELL_QUIET, 4);
}

Test(abi, uart16550_state)
{
	FIELD(struct uart16550_state, hdr, 0, 64);
	FIELD(struct uart16550_state, ier, 64, 4);
	FIELD(struct uart16550_state, lcr, 68, 4);
	FIELD(struct uart16550_state, mcr, 72, 4);
	FIELD(struct uart16550_state, scr, 76, 4);
	FIELD(struct uart16550_state, fcr, 80, 4);
	FIELD(struct uart16550_state, divisor, 84, 4);
	FIELD(struct uart16550_state, lsr, 88, 4);
	FIELD(struct uart16550_state, msr, 92, 4);
	FIELD(struct uart16550_state, lines, 96, 4);
	FIELD(struct uart16550_state, thre, 100, 4);
	FIELD(struct uart16550_state, timeout, 104, 4);
	FIELD(struct uart16550_state, level, 108, 4);
	FIELD(struct uart16550_state, running, 112, 4);
	FIELD(struct uart16550_state, rx_more, 116, 4);
	FIELD(struct uart16550_state, rx_head, 120, 4);
	FIELD(struct uart16550_state, rx_count, 124, 4);
	FIELD(struct uart16550_state, rx_bad, 128, 4);
	FIELD(struct uart16550_state, pad, 132, 4);
	FIELD(struct uart16550_state, rx, 136, 64); /* 16 characters */
	FIELD(struct uart16550_state, timer, 200, 32);
	FIELD(struct uart16550_state, bell, 232, 8);
	FIELD(struct uart16550_state, tx, 240, 6152);
	VALUE(sizeof(struct uart16550_state), 6392);
}

Test(abi, values)
{
	VALUE(LX_HANDLED, 0);
	VALUE(LX_PASS, 1);
	VALUE(LX_RETRY, 2);
	VALUE(LX_SPACE_PIO, 0);
	VALUE(LX_SPACE_MMIO, 1);
	VALUE(LX_CLOCK_MONOTONIC, 0);
	VALUE(LX_CLOCK_KVM, 1);
	VALUE(LX_EJECT_NONE, 0);
	VALUE(LX_EJECT_ERRORS, 1);
	VALUE(LX_EJECT_OVERRUN, 2);
	VALUE(LX_EJECT_PROGRAM, 3);
	VALUE(LX_EJECT_RETRY, 4);
	VALUE(LX_MAX_REGIONS, 8);
	VALUE(LX_MAX_SLOTS, 16);
	VALUE(LX_MAX_TIMERS, 8);
	VALUE(LX_TIMER_MIN_NS, 100000);
	VALUE(LX_RETRY_LIMIT, 1000);
	VALUE(LX_GUEST_MAX, 4096);
	VALUE(LX_NAME_LEN, 16);
	VALUE(LX_ERROR_LIMIT, 16);
	VALUE(LX_OVERRUN_LIMIT, 8);
}

/* The registers' places, as the data sheets have them (HPET 1.0a 2.3.3, ACPI 6.5 4.8.3.3). */
Test(abi, registers)
{
	VALUE(HPET_BASE, 0xfed00000);
	VALUE(HPET_LEN, 0x400);
	VALUE(HPET_CAP, 0x000);
	VALUE(HPET_CONFIG, 0x010);
	VALUE(HPET_STATUS, 0x020);
	VALUE(HPET_COUNTER, 0x0f0);
	VALUE(HPET_PERIOD_MAX, 100000000); /* 2.3.4: 100 ns */
	VALUE(HPET_CONFIG_ENABLE, 1);
	VALUE(HPET_CONFIG_LEGACY, 2);
	VALUE(PMTIMER_HZ, 3579545);
	VALUE(PMTIMER_LEN, 4);
	VALUE(PMTIMER_PORT, 0x608);
	VALUE(UART_PORT, 0x3f8);
	VALUE(UART_LEN, 8);
	VALUE(UART_IRQ, 4);
	VALUE(UART_FIFO, 16);
	VALUE(UART_SLOT_IRQ, 0);
	VALUE(UART_SLOT_BELL, 1);
	VALUE(UART_TIMER_RX, 0);
	VALUE(UART_TIMER_EDGE, 1);
}
