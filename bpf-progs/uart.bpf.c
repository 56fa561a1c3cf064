// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * uart: a 16550A, all of its registers. What is sent is queued for the VMM; characters
 * that come are the VMM's to put into the state. (3 in docs/path.md)
 *
 * Regions:  one of 8 bytes, PIO (UART_PORT by default) or MMIO.
 * State:    map uart_state, struct uart16550_state; program and VMM write it, under its lock.
 * Eventfds: UART_SLOT_IRQ, an irqfd of an edge-triggered interrupt; UART_SLOT_BELL, on
 *           which the VMM takes what is queued and fills the receiver. Handover, kick.
 * Timers:   UART_TIMER_*.
 * Handles:  accesses of one byte.
 * Passes:   other lengths, a write to THR when the queue is full, and everything while
 *           the VMM has the lock.
 */
#include "lx.bpf.h"
#include "uart_model.h"

LX_STATE_MAP(uart_state, struct uart16550_state);

static void start_timers(struct lx_io *io, struct uart16550_state *st, __u32 which)
{
	st->running |= which;
	for (__u32 i = 0; i < 2; i++) {
		if (which & 1U << i)
			lx_wake_at(io, &st->hdr, i, st->timer[i].due_ns);
	}
}

/* What follows from an op that handled something. The lock is held. */
static inline void follow(struct lx_io *io, struct uart16550_state *st, bool edge, bool work)
{
	__u32 timers;

	if (uart_update(st) || edge)
		lx_signal(io, UART_SLOT_IRQ);
	if ((work || uart_wants_vmm(st)) && lx_bell_ring(&st->bell))
		lx_signal(io, UART_SLOT_BELL);
	timers = uart_timers(st) & ~st->running;
	if (timers)
		start_timers(io, st, timers);
}

/* Device time, if the next access depends on it; less than 0: pass. */
static inline __s64 time_if_needed(struct lx_io *io, const struct uart16550_state *st)
{
	return uart_needs_time(st) ? lx_device_ns(io, &st->hdr) : 0;
}

SEC("struct_ops/uart_io_read")
int BPF_PROG(uart_io_read, struct lx_io *io)
{
	struct uart16550_state *st = lx_state_of(uart_state);
	int verdict = LX_PASS;
	__u64 val;
	__s64 now;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	now = time_if_needed(io, st);
	if (now >= 0)
		verdict = uart_read(st, now, io->addr, io->len, &val);
	if (verdict == LX_HANDLED) {
		io->data = val;
		follow(io, st, false, false);
	}
	lx_leave(&st->hdr);
	return verdict;
}

SEC("struct_ops/uart_io_write")
int BPF_PROG(uart_io_write, struct lx_io *io)
{
	struct uart16550_state *st = lx_state_of(uart_state);
	int verdict = LX_PASS;
	__u32 tail;
	__s64 now;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	tail = st->tx.tail;
	now = time_if_needed(io, st);
	if (now >= 0)
		verdict = uart_write(st, now, io);
	if (verdict == LX_HANDLED)
		follow(io, st, false, st->tx.tail != tail);
	lx_leave(&st->hdr);
	return verdict;
}

SEC("struct_ops/uart_timer")
int BPF_PROG(uart_timer, struct lx_io *io)
{
	struct uart16550_state *st = lx_state_of(uart_state);
	__s64 now;

	if (!st)
		return LX_HANDLED;
	if (!lx_enter(&st->hdr))
		return lx_state_live(&st->hdr) ? LX_RETRY : LX_HANDLED;
	st->running = io->addr == LX_TIMER_KICK ? 0 : st->running & ~(1U << (io->addr & 1));
	now = lx_device_ns(io, &st->hdr);
	follow(io, st, now >= 0 && uart_tick(st, now), false);
	lx_leave(&st->hdr);
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops uart = {
	.read = (void *)uart_io_read,
	.write = (void *)uart_io_write,
	.timer = (void *)uart_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = UART_PORT, .len = UART_LEN, .space = LX_SPACE_PIO } },
	.name = "uart",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
