// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * UART back end. Each use takes what is queued first, so that what the guest sends
 * stays in order. Who has nothing to do with an exit (the doorbell, time) is called on
 * the machine's own thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uart.h"
#include "uart_model.h"

/* While the guest sends, the queue is looked at so often, and no doorbell is rung. */
#define POLL_NS 1000000U
/* The next wake-up is not sooner than this. */
#define TIMER_MIN_NS 100000U
#define INPUT 4096U
#define OUTPUT (LX_QUEUE_LEN + 8)

/**
 * struct vmm_uart - the back end
 * @lock:     outside the state's lock; protects all that follows it, and is held while
 *            sent() runs, which keeps the order
 * @attached: the kernel's timers are in use
 * @wakeup:   CLOCK_MONOTONIC for which @timer is set; 0: it is not
 * @out:      taken from the queue, not given to sent() yet
 * @in:       characters that wait for room in the receiver: a ring, as in uart16550_state
 */
struct vmm_uart {
	struct uart16550_state *st;
	struct uart16550_state own;
	struct vmm_uart_opts opts;
	struct vmm *vm;
	unsigned int index;
	int bell_fd;
	int kick_fd;
	int handover_fd;
	struct vmm_watch *bell;
	struct vmm_watch *handover;
	struct vmm_watch *poll;
	struct vmm_watch *timer;

	pthread_mutex_t lock;
	bool attached;
	uint64_t wakeup;
	struct vmm_uart_count count;
	unsigned int n_out;
	uint8_t out[OUTPUT];
	unsigned int in_head;
	unsigned int n_in;
	uint16_t in[INPUT];
};

/* Device time; a clock that was set back before the state's epoch stands at 0. */
static uint64_t now_ns(const struct vmm_uart *uart)
{
	const struct lx_state *hdr = &uart->st->hdr;
	int64_t now = lx_device_time(hdr, vmm_clock_ns(uart->vm, hdr->clock));

	return now > 0 ? (uint64_t)now : 0;
}

static uint64_t time_if_needed(const struct vmm_uart *uart)
{
	return uart_needs_time(uart->st) ? now_ns(uart) : 0;
}

/* Takes the queue. Return: how many characters there were. */
static unsigned int take_output(struct vmm_uart *uart)
{
	unsigned int before = uart->n_out;
	struct lx_queued q;

	while (uart->n_out < OUTPUT && lx_queue_pop(&uart->st->tx, &q))
		uart->out[uart->n_out++] = (uint8_t)q.data;
	return uart->n_out - before;
}

/* Not by a guest's read: as on a line, the next character comes by itself. */
static void feed_receiver(struct vmm_uart *uart)
{
	struct uart16550_state *st = uart->st;

	while (uart->n_in && uart_room(st)) {
		uart_receive(st, now_ns(uart), uart->in[uart->in_head]);
		uart->in_head = (uart->in_head + 1) % INPUT;
		uart->n_in--;
	}
	st->rx_more = uart->n_in != 0;
}

/* Has somebody look at the clock when the state's next timer is due. */
static void set_timers(struct vmm_uart *uart, uint32_t which)
{
	const struct lx_timer *t = uart->st->timer;
	uint64_t now = now_ns(uart), due = UINT64_MAX, wakeup;

	for (unsigned int i = 0; i < 2; i++) {
		if (which & 1U << i && t[i].due_ns < due)
			due = t[i].due_ns;
	}
	due = due > now + TIMER_MIN_NS ? due - now : TIMER_MIN_NS;
	wakeup = vmm_clock_ns(uart->vm, LX_CLOCK_MONOTONIC) + due;
	if (uart->wakeup && uart->wakeup <= wakeup)
		return;
	uart->wakeup = wakeup;
	vmm_timer_set(uart->timer, wakeup);
}

static void begin(struct vmm_uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	lx_lock(&uart->st->hdr);
	uart->count.queued += take_output(uart);
}

/* What is frozen is saved: nothing but the guest changes it. Return: false if it is frozen */
static bool begin_live(struct vmm_uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	lx_lock(&uart->st->hdr);
	if (lx_state_live(&uart->st->hdr)) {
		uart->count.queued += take_output(uart);
		return true;
	}
	lx_unlock(&uart->st->hdr);
	pthread_mutex_unlock(&uart->lock);
	return false;
}

/* Carries out what follows from the access. @edge: an interrupt is due in any case. */
static void end(struct vmm_uart *uart, bool edge)
{
	struct uart16550_state *st = uart->st;
	uint32_t timers;
	bool ring;

	uart->count.exited += take_output(uart);
	edge |= uart_update(st);
	ring = uart_wants_vmm(st) && lx_bell_ring(&st->bell);
	timers = uart_timers(st);
	if (timers && !uart->attached)
		set_timers(uart, timers);
	timers &= ~st->running;
	lx_unlock(&st->hdr);
	if (timers && uart->attached)
		eventfd_write(uart->kick_fd, 1);
	if (ring)
		eventfd_write(uart->bell_fd, 1);
	if (edge && uart->opts.irq_fd > 0)
		eventfd_write(uart->opts.irq_fd, 1);
	if (uart->n_out)
		uart->opts.sent(uart->opts.opaque, uart->out, uart->n_out);
	uart->n_out = 0;
	pthread_mutex_unlock(&uart->lock);
}

/* The PC's bus: wider accesses are those of their bytes, in order. */
uint64_t vmm_uart_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	struct vmm_uart *uart = opaque;
	uint64_t val = 0;
	__u64 byte = 0xff;

	begin(uart);
	for (uint32_t i = 0; i < len; i++) {
		uart_read(uart->st, time_if_needed(uart), off + i, 1, &byte);
		val |= byte << 8 * i;
	}
	end(uart, false);
	return val;
}

void vmm_uart_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct vmm_uart *uart = opaque;

	begin(uart);
	for (uint32_t i = 0; i < len; i++) {
		const struct lx_io io = { .addr = off + i, .len = 1, .data = val >> 8 * i & 0xff };

		uart_write(uart->st, time_if_needed(uart), &io);
	}
	end(uart, false);
}

/* The doorbell was rung, by the program or by end(); and each POLL_NS, until all is done. */
static void work(void *opaque)
{
	struct vmm_uart *uart = opaque;
	struct uart16550_state *st = uart->st;
	bool idle;

	if (!begin_live(uart))
		return;
	feed_receiver(uart);
	idle = !uart->n_out && !uart_wants_vmm(st);
	/* The queue is empty: what is put into it from here on rings. */
	if (idle)
		lx_bell_rearm(&st->bell);
	end(uart, false);
	if (!idle)
		vmm_timer_set(uart->poll, vmm_clock_ns(uart->vm, LX_CLOCK_MONOTONIC) + POLL_NS);
}

static void on_timer(void *opaque)
{
	struct vmm_uart *uart = opaque;

	pthread_mutex_lock(&uart->lock);
	uart->wakeup = 0;
	pthread_mutex_unlock(&uart->lock);
	if (begin_live(uart))
		end(uart, uart_tick(uart->st, now_ns(uart)));
}

/* No program answers any more: what the state has armed is ours. */
static void on_handover(void *opaque)
{
	struct vmm_uart *uart = opaque;

	pthread_mutex_lock(&uart->lock);
	uart->attached = false;
	pthread_mutex_unlock(&uart->lock);
	work(uart);
}

void vmm_uart_kick(struct vmm_uart *uart)
{
	/* What was signalled elsewhere is not known here: timers, and the doorbell. */
	eventfd_write(uart->kick_fd, 1);
	eventfd_write(uart->bell_fd, 1);
}

void vmm_uart_attached(struct vmm_uart *uart)
{
	pthread_mutex_lock(&uart->lock);
	uart->attached = true;
	pthread_mutex_unlock(&uart->lock);
}

size_t vmm_uart_receive(struct vmm_uart *uart, const uint8_t *c, size_t n, uint8_t errors)
{
	size_t i;

	pthread_mutex_lock(&uart->lock);
	for (i = 0; i < n && uart->n_in < INPUT; i++)
		uart->in[(uart->in_head + uart->n_in++) % INPUT] = (uint16_t)(c[i] | errors << 8);
	pthread_mutex_unlock(&uart->lock);
	if (begin_live(uart)) {
		feed_receiver(uart);
		end(uart, false);
	}
	return i;
}

size_t vmm_uart_take_back(struct vmm_uart *uart, uint8_t *c, size_t n)
{
	size_t i;

	pthread_mutex_lock(&uart->lock);
	for (i = 0; i < n && uart->n_in; i++) {
		c[i] = (uint8_t)uart->in[uart->in_head];
		uart->in_head = (uart->in_head + 1) % INPUT;
		uart->n_in--;
	}
	pthread_mutex_unlock(&uart->lock);
	return i;
}

void vmm_uart_set_lines(struct vmm_uart *uart, uint8_t lines)
{
	begin(uart);
	uart_set_lines(uart->st, lines);
	end(uart, false);
}

struct vmm_uart_count vmm_uart_count(struct vmm_uart *uart)
{
	struct vmm_uart_count count;

	begin(uart);
	count = uart->count;
	end(uart, false);
	return count;
}

unsigned int vmm_uart_index(const struct vmm_uart *uart)
{
	return uart->index;
}

void vmm_uart_eventfds(const struct vmm_uart *uart, struct lx_eventfds *out)
{
	*out = (struct lx_eventfds){
		.sz = sizeof(*out),
		.n = 2,
		.slots = { [UART_SLOT_IRQ] = uart->opts.irq_fd, [UART_SLOT_BELL] = uart->bell_fd },
		.handover_fd = uart->handover_fd,
		.kick_fd = uart->kick_fd,
	};
}

static void publish(struct vmm_uart *uart)
{
	struct uart16550_state *st = uart->st;

	if (st == &uart->own) /* else the library did */
		lx_state_init(&st->hdr, sizeof(*st));
	lx_state_start(&st->hdr, uart->opts.clock, vmm_clock_ns(uart->vm, uart->opts.clock));
	lx_lock(&st->hdr);
	uart_reset(st);
	st->lines = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	lx_unlock(&st->hdr);
}

static int set_up(struct vmm_uart *uart)
{
	const struct vmm_dev dev = {
		.name = "uart",
		.space = LX_SPACE_PIO,
		.base = uart->opts.port,
		.len = UART_LEN,
		.read = vmm_uart_read,
		.write = vmm_uart_write,
		.opaque = uart,
	};
	struct vmm_loop *loop = uart->opts.loop;
	int err;

	uart->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uart->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uart->handover_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (uart->bell_fd < 0 || uart->kick_fd < 0 || uart->handover_fd < 0)
		return vmm_error(-errno, "eventfds of the UART");
	publish(uart);
	err = vmm_timer_new(loop, on_timer, uart, &uart->timer);
	if (!err)
		err = vmm_timer_new(loop, work, uart, &uart->poll);
	if (!err)
		err = vmm_watch_new(loop, uart->bell_fd, work, uart, &uart->bell);
	if (!err)
		err = vmm_watch_new(loop, uart->handover_fd, on_handover, uart, &uart->handover);
	return err ? err : vmm_add_dev(uart->vm, &dev);
}

int vmm_uart_new(struct vmm *vm, const struct vmm_uart_opts *opts, struct vmm_uart **out)
{
	struct vmm_uart *uart = calloc(1, sizeof(*uart));
	int index;

	if (!uart)
		return vmm_error(-ENOMEM, "UART");
	uart->vm = vm;
	uart->opts = *opts;
	uart->st = opts->state ? opts->state : &uart->own;
	uart->bell_fd = -1;
	uart->kick_fd = -1;
	uart->handover_fd = -1;
	pthread_mutex_init(&uart->lock, NULL);
	index = set_up(uart);
	if (index < 0) {
		vmm_uart_free(uart);
		return index;
	}
	uart->index = (unsigned int)index;
	*out = uart;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void vmm_uart_free(struct vmm_uart *uart)
{
	if (!uart)
		return;
	vmm_watch_free(uart->handover);
	vmm_watch_free(uart->bell);
	vmm_watch_free(uart->poll);
	vmm_watch_free(uart->timer);
	close_fd(uart->bell_fd);
	close_fd(uart->kick_fd);
	close_fd(uart->handover_fd);
	pthread_mutex_destroy(&uart->lock);
	free(uart);
}
