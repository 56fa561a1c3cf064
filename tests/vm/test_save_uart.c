// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A UART that goes from host to host while its guest sends and receives: with the program
 * or by the VMM alone, in other processes, under other clocks. Each character is sent and
 * received once, in its order; and each state that is saved while vCPUs run is of one instant.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/logging.h>
#include <linux/serial_reg.h>

#include "irqfd.h"
#include "move.h"
#include "uart.h"
#include "uartguest.h"
#include "vmscript.h"

VMM_GUEST(uart);

#define OUTPUT (1U << 18)
#define MS 1000000ULL

/* hpethost.h has the same places for an HPET: kvmclock ahead of the one before, and behind it. */
struct place {
	bool program;
	uint32_t clock;
	uint64_t kvmclock;
	bool process;
};

#define PLACES 5
static const struct place places[PLACES] = {
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = 1000000 * MS },
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = 1, .process = true },
	{ .program = false, .clock = LX_CLOCK_KVM, .kvmclock = 5000000 * MS },
	{ .program = true, .clock = LX_CLOCK_MONOTONIC, .process = true },
	{ .program = false, .clock = LX_CLOCK_MONOTONIC },
};

/* What goes along. @until: characters after which it leaves; @fed: those that came over the line */
struct travel {
	struct move_image image;
	struct place place;
	enum uartguest_mode mode;
	uint32_t n;
	uint32_t until;
	uint32_t fed;
	uint64_t handled;
	size_t n_sent;
	uint8_t sent[OUTPUT];
};

static struct travel *travel;

/* This process's. */
static struct {
	struct vmm_loop *loop;
	struct lx_device *dev;
	struct vmm_uart *uart;
	struct uart16550_state *st;
	struct uart16550_state own;
	struct uartguest_params *params;
	int irq_fd;
} h;

static void shut(void)
{
	vms_teardown();
	vmm_uart_free(h.uart);
	vmm_loop_free(h.loop);
	lx_device_close(h.dev);
	if (h.irq_fd > 0)
		close(h.irq_fd);
	memset(&h, 0, sizeof(h));
}

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	travel = move_shared(sizeof(*travel));
	srand((unsigned int)getpid());
}

static void teardown(void)
{
	shut();
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(save_uart, .init = setup, .fini = teardown, .timeout = 300);

static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
	for (size_t i = 0; i < n && travel->n_sent < OUTPUT; i++)
		travel->sent[travel->n_sent++] = c[i];
}

static uint64_t clock_ns(void)
{
	return vmm_clock_ns(vms.vm, h.st->hdr.clock);
}

static void make(void)
{
	struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = travel->place.clock,
		.sent = on_sent,
	};
	struct lx_eventfds fds;

	vms_create(&(struct vmm_opts){ .irqchip = VMM_IRQCHIP_KERNEL });
	move_set_clock(vms.vm, travel->place.kvmclock);
	cr_assert_eq(vmm_loop_new(&h.loop), 0);
	h.irq_fd = vmm_irqfd(vms.vm, UART_IRQ, -1);
	cr_assert_geq(h.irq_fd, 0);
	h.dev = travel->place.program ? vmt_load(vmt_bpf_dir(), "uart") : NULL;
	h.st = h.dev ? lx_device_state(h.dev, NULL) : &h.own;
	if (!h.dev)
		lx_state_init(&h.st->hdr, sizeof(*h.st));
	opts.loop = h.loop;
	opts.irq_fd = h.irq_fd;
	opts.state = h.st;
	cr_assert_eq(vmm_uart_new(vms.vm, &opts, &h.uart), 0);
	h.params = vmm_params(vms.vm);
	if (!h.dev)
		return;
	vmm_uart_eventfds(h.uart, &fds);
	cr_assert_eq(lx_device_set_eventfds(h.dev, &fds), 0, "%s", vmt_log());
}

static void attach(void)
{
	if (!h.dev)
		return;
	vmt_attach(h.dev, vms.vm);
	vmm_uart_attached(h.uart);
}

static void save(void)
{
	struct move_image *to = &travel->image;
	ssize_t n;

	if (h.dev)
		n = lx_device_save(h.dev, vms.vm->fd, to->device, MOVE_DEVICE);
	else
		n = lx_state_save(&h.st->hdr, "uart", clock_ns(), to->device, MOVE_DEVICE);
	cr_assert(n > 0 && n < (ssize_t)MOVE_DEVICE, "save: %zd: %s", n, vmt_log());
	to->device_size = (size_t)n;
}

/* Its time stops first: with what is queued, and with timers that have not fired. */
static void freeze(void)
{
	struct lx_state *hdr = &h.st->hdr;

	lx_lock(hdr);
	lx_write_begin(hdr);
	lx_freeze(hdr, clock_ns());
	lx_write_end(hdr);
	lx_unlock(hdr);
}

/* What the receiver had no room for comes again on the next host. */
static void leave(void)
{
	uint8_t c[4096];

	freeze();
	vmm_stop(vms.vm);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), -ECANCELED);
	travel->fed -= (uint32_t)vmm_uart_take_back(h.uart, c, sizeof(c));
	save();
	/* The loop runs on: it leaves alone what was saved. */
	usleep((useconds_t)(rand() % 5000));
	move_end_irqfd(vms.vm, h.irq_fd, UART_IRQ);
	move_out(vms.vm, &travel->image);
}

static void arrive(void)
{
	const struct move_image *from = &travel->image;
	int err;

	move_in(vms.vm, from);
	if (h.dev)
		err = lx_device_restore(h.dev, from->device, from->device_size);
	else
		err = lx_state_restore(&h.st->hdr, "uart", from->device, from->device_size);
	cr_assert_eq(err, 0, "restore: %d: %s", err, vmt_log());
	attach();
	lx_state_thaw(&h.st->hdr, clock_ns());
	vmm_uart_kick(h.uart);
}

static void begin(void)
{
	attach();
	h.params->mode = travel->mode;
	h.params->n = travel->n;
	cr_assert_eq(vmm_load(vms.vm, VMM_GUEST_ARGS(uart)), 0);
}

static uint32_t word(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* More than the receiver and the back end's own buffer take at a time, now and then. */
static void feed(void)
{
	uint8_t c[64];
	uint32_t len = 1 + (uint32_t)rand() % 64;

	if (travel->mode != UARTGUEST_RECEIVE || !word(&h.params->ready))
		return;
	if (len > travel->n - travel->fed)
		len = travel->n - travel->fed;
	for (uint32_t i = 0; i < len; i++)
		c[i] = uartguest_text(travel->fed + i);
	travel->fed += (uint32_t)vmm_uart_receive(h.uart, c, len, 0);
}

static void use(void)
{
	uint64_t end = vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC) + VMS_TIMEOUT_MS * MS;

	while (word(&h.params->count) < travel->until) {
		feed();
		usleep((useconds_t)(rand() % 3000));
		cr_assert_lt(vmm_clock_ns(vms.vm, LX_CLOCK_MONOTONIC), end,
			     "%u characters, not %u; %u came", word(&h.params->count),
			     travel->until, travel->fed);
	}
}

/* By the program, on this host and, as what is saved says so, before. */
static uint64_t handled(void)
{
	return h.dev ? vmt_stats(h.dev).regions[0].handled : 0;
}

static void host(void *arg)
{
	bool last = travel->until >= travel->n;
	uint64_t before;
	int err;

	make();
	if (travel->image.full)
		arrive();
	else
		begin();
	before = handled();
	h.params->hold = !last;
	cr_assert_eq(vmm_start(vms.vm), 0);
	use();
	if (!last) {
		leave();
	} else {
		err = vmm_join(vms.vm, VMS_TIMEOUT_MS);
		cr_assert_eq(err, 0, "%d: %u characters of %u", err, word(&h.params->count),
			     travel->n);
		vmm_uart_count(h.uart); /* takes what is queued */
		move_out(vms.vm, &travel->image);
	}
	travel->handled += handled() - before;
	shut();
}

static void go(enum uartguest_mode mode, uint32_t n, unsigned int rounds)
{
	const unsigned int hosts = PLACES * rounds;

	travel->mode = mode;
	travel->n = n;
	for (unsigned int i = 0; i < hosts; i++) {
		travel->place = places[i % PLACES];
		travel->until = (uint32_t)((uint64_t)n * (i + 1) / hosts);
		if (travel->place.process)
			move_host(host, NULL);
		else
			host(NULL);
	}
	cr_log_info("%lu handled on %u hosts", travel->handled, hosts);
	cr_expect(travel->handled >= 1000 && travel->handled * 5 >= n, "%lu handled",
		  travel->handled);
}

static void expect_sent(uint32_t n)
{
	cr_expect_eq(travel->n_sent, n, "%zu characters were sent, not %u", travel->n_sent, n);
	for (uint32_t i = 0; i < n && i < travel->n_sent; i++)
		cr_assert_eq(travel->sent[i], uartguest_text(i), "character %u is %#x, not %#x", i,
			     travel->sent[i], uartguest_text(i));
}

Test(save_uart, output_by_interrupts_goes_on)
{
	const uint32_t n = (uint32_t)vmt_scale(80000);

	go(UARTGUEST_THRE, n, 2);
	expect_sent(n);
}

/* Nobody reads IIR: the edges that are due come by the timer, wherever it was armed. */
Test(save_uart, output_without_iir_goes_on)
{
	const uint32_t n = (uint32_t)vmt_scale(30000);

	go(UARTGUEST_BLIND, n, 2);
	expect_sent(n);
}

/* At the trigger level, and by the time-out: what is there no other way for. */
Test(save_uart, input_goes_on)
{
	const uint32_t n = (uint32_t)vmt_scale(40000);
	const uint8_t *got = travel->image.mem + UARTGUEST_BYTES_GPA;

	go(UARTGUEST_RECEIVE, n, 2);
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(got[i], uartguest_text(i), "character %u is %#x, not %#x", i, got[i],
			     uartguest_text(i));
}

/* The queue holds the characters of one instant: none twice, and none left out. */
static void expect_snapshot(const struct uart16550_state *copy)
{
	const struct lx_queue *tx = &copy->tx;

	cr_assert_eq(copy->hdr.seq & 1, 0);
	cr_assert_leq(lx_queue_count(tx), LX_QUEUE_LEN);
	for (uint32_t i = tx->head; i != tx->tail; i++)
		cr_assert_eq(tx->e[i % LX_QUEUE_LEN].data, uartguest_text(i),
			     "character %u of %u to %u", i, tx->head, tx->tail);
}

/* So many characters at least, and until it was saved often enough. */
Test(save_uart, while_the_guest_sends)
{
	const uint32_t n = (uint32_t)vmt_scale(200000);
	unsigned int saves = 0, queued = 0;
	struct uart16550_state copy;

	travel->place = places[0];
	travel->mode = UARTGUEST_THRE;
	travel->n = OUTPUT;
	make();
	begin();
	cr_assert_eq(vmm_start(vms.vm), 0);
	while (!word(&h.params->done)) {
		save();
		memset(&copy, 0, sizeof(copy));
		lx_state_init(&copy.hdr, sizeof(copy));
		cr_assert_eq(lx_state_restore(&copy.hdr, "uart", travel->image.device,
					      travel->image.device_size),
			     0, "%s", vmt_log());
		expect_snapshot(&copy);
		saves++;
		queued += lx_queue_count(&copy.tx) != 0;
		if (word(&h.params->count) >= n && saves >= 100 && queued >= 10)
			__atomic_store_n(&h.params->n, n, __ATOMIC_RELEASE);
	}
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	vmm_uart_count(h.uart);
	expect_sent(word(&h.params->count));
	cr_log_info("saved %u times, %u with queued characters", saves, queued);
	cr_expect_geq(saves, 100);
	cr_expect_geq(queued, 10);
}
