// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The UART: what comes over the line, in all kinds of receiver, interrupts, loop-back, strings. */
#include <string.h>
#include <unistd.h>

#include "lockstep.h"
#include "uart.h"
#include "uart_model.h"

/* vmm_uart looks at its queue so often. */
#define POLL_NS 1000000U

static void sent(void *opaque, const uint8_t *c, size_t n)
{
	struct ls_side *side = opaque;

	for (size_t i = 0; i < n; i++)
		side->out[side->n_out++ % LS_LOG] = c[i];
}

static void make(struct ls_side *side, uint64_t seed)
{
	const struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.state = (struct uart16550_state *)side->st,
		.loop = side->loop,
		.irq_fd = ls_irqfd(side, UART_IRQ),
		.sent = sent,
		.opaque = side,
	};
	struct vmm_uart *uart;

	if (vmm_uart_new(side->vm, &opts, &uart))
		ls_die("no UART");
	side->be = uart;
	vmm_uart_eventfds(uart, &side->fds);
}

static void unmake(struct ls_side *side)
{
	vmm_uart_free(side->be);
	close(side->fds.slots[UART_SLOT_IRQ]);
}

static void attached(struct ls_side *side)
{
	vmm_uart_attached(side->be);
}

static uint64_t due(const void *state, uint64_t ns)
{
	const struct uart16550_state *st = state;
	uint64_t next = LS_NEVER;

	for (unsigned int i = 0; i < 2; i++) {
		const struct lx_timer *t = &st->timer[i];

		if (t->armed && t->due_ns > ns && t->due_ns < next)
			next = t->due_ns;
	}
	return next;
}

/* Characters, some with errors; or the modem's lines. */
static void extra(struct ls_side *side, const struct ls_access *a)
{
	uint8_t c[24];

	if (!a->len) {
		vmm_uart_set_lines(side->be, (uint8_t)a->val);
		return;
	}
	memset(c, (int)a->val, sizeof(c));
	c[0] ^= 1;
	vmm_uart_receive(side->be, c, a->len, (uint8_t)(a->val >> 8) & 0x1c);
}

/* Characters that wait come when there is room, whenever the back end would have looked. */
static void settle(struct ls_side *side)
{
	vmm_uart_receive(side->be, NULL, 0, 0);
}

/*
 * Who takes what is sent, and when it does, is each side's affair, and so is a kernel timer. A
 * time-out that does not interrupt has come whether somebody has looked, and counted it, or not.
 */
static void normalise(struct uart16550_state *st)
{
	uart_see_timeout(st, ls_device_ns(&st->hdr));
	memset(&st->hdr, 0, sizeof(st->hdr));
	st->running = 0;
	st->timer[UART_TIMER_RX].fired = 0;
}

static bool same(const void *a, const void *b)
{
	struct uart16550_state x, y;
	const size_t size = offsetof(struct uart16550_state, bell);

	memcpy(&x, a, size);
	memcpy(&y, b, size);
	normalise(&x);
	normalise(&y);
	return !memcmp(&x, &y, size);
}

static void receive(struct ls_gen *g)
{
	uint64_t errors = ls_below(g, 4) ? 0 : ls_random(g) & 0x1c00;

	ls_push(g, LS_EXTRA, 1 + (uint32_t)(ls_below(g, 4) ? ls_below(g, 4) : ls_below(g, 24)), 0,
		0);
	g->queue[(g->first + g->n - 1) % LS_QUEUE].val = errors | (ls_random(g) & 0xff);
}

static void transmit(struct ls_gen *g)
{
	uint32_t n = 1 + (uint32_t)(ls_below(g, 64) ? ls_below(g, 20) : ls_below(g, LS_STRING));

	if (ls_below(g, 4))
		ls_out(g, UART_PORT + UART_TX, ls_random(g) & 0xff);
	else
		ls_string(g, LS_OUTS, 1, UART_PORT + UART_TX, n);
}

static void next(struct ls_gen *g, const void *state)
{
	switch (ls_below(g, 32)) {
	case 0:
		ls_out(g, UART_PORT + UART_LCR, ls_random(g) & (ls_below(g, 2) ? 0xff : 0x7f));
		break;
	case 1:
		ls_out(g, UART_PORT + UART_LCR, UART_LCR_WLEN8);
		break;
	case 2:
		ls_out(g, UART_PORT + UART_MCR, ls_random(g) & (ls_below(g, 4) ? 0x0f : 0xff));
		break;
	case 3:
		ls_out(g, UART_PORT + UART_MCR, UART_MCR_OUT2 | UART_MCR_RTS | UART_MCR_DTR);
		break;
	case 4:
		ls_out(g, UART_PORT + UART_FCR, ls_random(g) & 0xff);
		break;
	case 5:
		ls_out(g, UART_PORT + UART_FCR, UART_FCR_ENABLE_FIFO | (ls_random(g) & 0xc0));
		break;
	case 6:
	case 7:
		ls_out(g, UART_PORT + UART_IER, ls_random(g) & 0xff);
		break;
	case 8:
		ls_push(g, LS_EXTRA, 0, 0, ls_random(g) & 0xf0);
		break;
	case 9:
	case 10:
	case 11:
		receive(g);
		break;
	case 12:
	case 13:
	case 14:
		transmit(g);
		break;
	case 15:
		ls_string(g, LS_INS, 1, UART_PORT + UART_RX, 1 + (uint32_t)ls_below(g, 20));
		break;
	case 16:
	case 17:
		ls_push(g, LS_TIME, 0, 0, ls_skewed(g, 24));
		break;
	case 18:
		ls_out(g, UART_PORT + ls_below(g, UART_LEN), ls_random(g) & 0xff);
		break;
	case 19:
	case 20:
	case 21:
		ls_in(g, UART_PORT + UART_RX);
		break;
	default:
		ls_in(g, UART_PORT + ls_below(g, UART_LEN));
		break;
	}
}

static const struct lx_region region = { .addr = UART_PORT, .len = UART_LEN };

const struct ls_device ls_uart = {
	.name = "uart",
	.regions = &region,
	.n_regions = 1,
	.state_size = sizeof(struct uart16550_state),
	.irq_slots = 1U << UART_SLOT_IRQ,
	.slack_ns = POLL_NS,
	.make = make,
	.free = unmake,
	.attached = attached,
	.next = next,
	.due = due,
	.extra = extra,
	.settle = settle,
	.same = same,
};
