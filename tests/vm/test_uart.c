// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The UART as operating systems use it, answered by the VMM alone, by the program, and by
 * both in turns: what the guest reads, what it sends, byte for byte, and its interrupts
 * are the same. Expected values are those of National's PC16550D data sheet, and what the
 * drivers that are followed here take for a 16550A.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/serial_reg.h>

#include <criterion/logging.h>

#include "irqfd.h"
#include "uart.h"
#include "uartguest.h"
#include "vmscript.h"

VMM_GUEST(uart);

#define TEXT 19456U /* a boot log */
#define TIMEOUT_MS vmt_patience(30000)
#define MIN_HANDLED 1000U
#define OUTPUT (1U << 20)

enum path {
	PATH_VMM,
	PATH_BPF,
	PATH_BOTH,
};

static struct {
	enum path path;
	struct vmm *vm;
	struct vmm_loop *loop;
	struct lx_device *dev;
	struct vmm_uart *uart;
	struct uartguest_params *params;
	int irq_fd;
	bool attached;
	uint64_t handled; /* before the last detach */
	unsigned int attaches;
	size_t n_sent;
	uint8_t sent[OUTPUT];
} t;

static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
	for (size_t i = 0; i < n && t.n_sent < OUTPUT; i++)
		t.sent[t.n_sent++] = c[i];
}

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	srand((unsigned int)getpid());
}

static void destroy(void)
{
	vmm_destroy(t.vm);
	vmm_uart_free(t.uart);
	vmm_loop_free(t.loop);
	lx_device_close(t.dev);
	if (t.irq_fd > 0)
		close(t.irq_fd);
	memset(&t, 0, sizeof(t));
}

static void teardown(void)
{
	destroy();
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(uart, .init = setup, .fini = teardown, .timeout = 300);

static void attach(void)
{
	vmt_attach(t.dev, t.vm);
	vmm_uart_attached(t.uart);
	t.attached = true;
	t.attaches++;
}

static void detach(void)
{
	t.handled += vmt_stats(t.dev).regions[0].handled;
	cr_assert_eq(lx_device_detach(t.dev), 0, "detach: %s", vmt_log());
	t.attached = false;
}

static void create(enum path path)
{
	const struct vmm_opts vm_opts = { .irqchip = VMM_IRQCHIP_KERNEL };
	struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = LX_CLOCK_MONOTONIC,
		.sent = on_sent,
	};
	struct lx_eventfds fds;

	destroy();
	t.path = path;
	cr_assert_eq(vmm_create(&vm_opts, &t.vm), 0);
	cr_assert_eq(vmm_loop_new(&t.loop), 0);
	t.irq_fd = vmm_irqfd(t.vm, UART_IRQ, -1);
	cr_assert_geq(t.irq_fd, 0);
	if (path != PATH_VMM)
		t.dev = vmt_load(vmt_bpf_dir(), "uart");
	opts.loop = t.loop;
	opts.irq_fd = t.irq_fd;
	opts.state = t.dev ? lx_device_state(t.dev, NULL) : NULL;
	cr_assert_eq(vmm_uart_new(t.vm, &opts, &t.uart), 0);
	t.params = vmm_params(t.vm);
	if (!t.dev)
		return;
	vmm_uart_eventfds(t.uart, &fds);
	cr_assert_eq(lx_device_set_eventfds(t.dev, &fds), 0, "eventfds: %s", vmt_log());
	if (path == PATH_BPF)
		attach();
}

static void start(enum uartguest_mode mode, uint32_t n)
{
	t.params->mode = mode;
	t.params->n = n;
	cr_assert_eq(vmm_load(t.vm, VMM_GUEST_ARGS(uart)), 0);
	cr_assert_eq(vmm_start(t.vm), 0);
}

static uint32_t word(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* By both: the program comes and goes until the guest is done. */
static void finish(void)
{
	struct vmm_count vmm;

	while (t.path == PATH_BOTH && !word(&t.params->done)) {
		attach();
		vmt_stay(20000);
		detach();
		vmt_nap(4000);
	}
	cr_assert_eq(vmm_join(t.vm, TIMEOUT_MS), 0, "the guest did not end by itself");
	if (t.attached)
		detach();
	vmm_uart_count(t.uart); /* takes what is queued */
	vmm = vmm_dev_count(t.vm, vmm_uart_index(t.uart));
	cr_log_info("handled %lu, exited %lu; %u attaches; %zu sent", t.handled, vmm.accesses,
		    t.attaches, t.n_sent);
	cr_expect_eq(t.params->wrong, 0, "%u reads were wrong; the first: register %u, %#x not %#x",
		     t.params->wrong, t.params->first_wrong[0], t.params->first_wrong[1],
		     t.params->first_wrong[2]);
	if (t.path == PATH_VMM)
		cr_expect_eq(t.handled, 0);
}

/* Who answered. */
static void expect_paths(void)
{
	uint64_t vmm = vmm_dev_count(t.vm, vmm_uart_index(t.uart)).accesses;

	if (t.path != PATH_VMM)
		cr_expect(t.handled >= MIN_HANDLED && t.handled >= vmm / 4,
			  "%lu handled, %lu exited", t.handled, vmm);
	if (t.path == PATH_BPF)
		cr_expect_leq(vmm * 20, t.handled, "%lu handled, %lu exited", t.handled, vmm);
	if (t.path == PATH_BOTH)
		cr_expect(vmm >= 100 && t.attaches >= 3, "%lu exited, %u attaches", vmm,
			  t.attaches);
}

static void expect_text(uint32_t n)
{
	cr_expect_eq(t.n_sent, n, "%zu bytes were sent, not %u", t.n_sent, n);
	for (uint32_t i = 0; i < n && i < t.n_sent; i++)
		cr_assert_eq(t.sent[i], uartguest_text(i), "byte %u is %#x, not %#x", i, t.sent[i],
			     uartguest_text(i));
}

static void output(enum path path, enum uartguest_mode mode, uint32_t n)
{
	create(path);
	start(mode, n);
	finish();
	expect_text(n);
}

static void by_polling(enum path path)
{
	output(path, UARTGUEST_POLL, TEXT);
	expect_paths();
}

/* One interrupt for each burst: the first for having enabled it. */
static void by_interrupts(enum path path)
{
	output(path, UARTGUEST_THRE, TEXT);
	expect_paths();
	cr_expect_eq(t.params->iir[UART_IIR_THRI], TEXT / 16, "%u THRE interrupts",
		     t.params->iir[UART_IIR_THRI]);
	cr_log_info("%u interrupts, %u of them for nothing", t.params->irqs[UARTGUEST_VECTOR],
		    t.params->iir[UART_IIR_NO_INT]);
}

/* Table IV: writing THR clears the interrupt, so nobody has to read IIR. */
static void by_interrupts_without_iir(enum path path)
{
	output(path, UARTGUEST_BLIND, TEXT / 8);
	cr_expect_eq(t.params->iir[UART_IIR_THRI], 0);
	cr_expect_geq(t.params->irqs[UARTGUEST_VECTOR], TEXT / 8 / 16);
	if (path == PATH_BPF)
		cr_expect_geq(t.handled, TEXT / 8);
}

static void expect_notes(const uint32_t *want, uint32_t n)
{
	cr_expect_eq(t.params->n_notes, n);
	for (uint32_t i = 0; i < n; i++)
		cr_expect_eq(t.params->notes[i], want[i], "step %u: %#x, not %#x", i,
			     t.params->notes[i], want[i]);
}

/* Bits that are 0; FIFOs; 16 characters; CTS, DSR and DCD. */
static void freebsd(enum path path)
{
	static const uint32_t want[] = { 0, 0, 0, 0xc0, 16, 0xb0 };

	output(path, UARTGUEST_FREEBSD, TEXT);
	expect_paths();
	expect_notes(want, sizeof(want) / sizeof(want[0]));
}

/* 8250_port.c: a UART, 16550A, no later one; 16 characters; THRE interrupts work. */
static void linux_autoconfig(enum path path)
{
	static const uint32_t want[] = {
		0x00, 0x0f, 0x90, 0xa5, 0x5a, /* IER, loop-back, scratch */
		0x03, 0xc1, 0xc1, 0xc1,	      /* FIFOs; IIR where others have EFR, EXCR1 */
		0x06, 0x06, 0x00, 16,	      /* no 64-byte FIFO, no UUE bit; size_fifo() */
		0x60, 0x02, 0x01, 0x60, 0x02, 0x01,
	};

	create(path);
	start(UARTGUEST_AUTOCONF, (uint32_t)vmt_scale(path == PATH_BOTH ? 2000 : 200));
	finish();
	expect_paths();
	expect_notes(want, sizeof(want) / sizeof(want[0]));
	cr_expect_eq(t.n_sent, 0, "looped-back characters left the UART");
}

/* Every register, read and written, is answered by the program: there is no exit at all. */
static void every_register(enum path path)
{
	const uint32_t n = path == PATH_BPF ? 1200 : (uint32_t)vmt_scale(12000);

	create(path);
	start(UARTGUEST_REGISTERS, n);
	finish();
	expect_paths();
	if (path == PATH_BPF)
		cr_expect_eq(vmm_dev_count(t.vm, vmm_uart_index(t.uart)).accesses, 0);
	cr_expect_eq(t.n_sent, 0);
}

/* Some character time-outs at UARTGUEST_MEDIUM. */
#define QUIET_US 60000U

static void feed(uint32_t from, uint32_t n)
{
	uint8_t c[64];

	for (uint32_t i = 0; i < n; i++)
		c[i] = uartguest_text(from + i);
	for (uint32_t done = 0; done < n;)
		done += (uint32_t)vmm_uart_receive(t.uart, c + done, n - done, 0);
}

/* In bursts, whose last characters come by the time-out; the last three have no other way. */
static void feed_all(uint32_t n)
{
	uint32_t len;

	while (!word(&t.params->ready))
		usleep(1000);
	for (uint32_t done = 0; done < n - 3; done += len) {
		len = 1 + (uint32_t)rand() % 64;
		len = len < n - 3 - done ? len : n - 3 - done;
		feed(done, len);
		vmt_nap(rand() % 2 ? 5000 : QUIET_US);
		if (t.path == PATH_BOTH && !t.attached)
			attach();
		else if (t.path == PATH_BOTH && !(rand() % 6))
			detach();
	}
	for (int ms = 0; ms < TIMEOUT_MS && word(&t.params->count) < n - 3; ms++)
		usleep(1000);
	usleep(2 * QUIET_US);
	if (t.path == PATH_BOTH && !t.attached)
		attach();
	feed(n - 3, 3);
	/* The kernel's timer is set; now it is the VMM's to fire. */
	if (t.path == PATH_BOTH)
		detach();
}

static void receive(enum path path)
{
	const uint32_t n = (uint32_t)vmt_scale(20000) + 5;
	const uint8_t *got;

	create(path);
	start(UARTGUEST_RECEIVE, n);
	feed_all(n);
	cr_assert_eq(vmm_join(t.vm, TIMEOUT_MS), 0, "characters are missing");
	if (t.attached)
		detach();
	got = vmm_mem(t.vm, UARTGUEST_BYTES_GPA, n);
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(got[i], uartguest_text(i), "character %u is %#x, not %#x", i, got[i],
			     uartguest_text(i));
	cr_log_info("handled %lu; %u at the trigger level, %u time-outs, %u for nothing", t.handled,
		    t.params->iir[UART_IIR_RDI], t.params->iir[UART_IIR_RX_TIMEOUT],
		    t.params->iir[UART_IIR_NO_INT]);
	/* A slow kernel finds the time-out pending by the time it looks. */
	cr_expect_geq(t.params->iir[UART_IIR_RDI], 20U / (unsigned int)vmt_patience(1));
	cr_expect_geq(t.params->iir[UART_IIR_RX_TIMEOUT], 5);
	if (path != PATH_VMM)
		cr_expect(t.handled >= MIN_HANDLED && t.handled >= n / 5, "%lu handled", t.handled);
}

/* Any bytes to any register, and wider accesses: all that is read, and all that is sent. */
static void at_random(enum path path)
{
	const uint32_t n = (uint32_t)vmt_scale(300000);
	const uint64_t seed = (uint64_t)rand();
	uint8_t *want = malloc(n), *want_sent = malloc(OUTPUT);
	const uint8_t *got;
	size_t n_sent;

	cr_assert(want && want_sent);
	cr_log_info("seed %#lx", seed);
	create(PATH_VMM);
	t.params->seed = seed;
	start(UARTGUEST_FUZZ, n);
	finish();
	memcpy(want, vmm_mem(t.vm, UARTGUEST_BYTES_GPA, n), n);
	memcpy(want_sent, t.sent, OUTPUT);
	n_sent = t.n_sent;

	create(path);
	t.params->seed = seed;
	start(UARTGUEST_FUZZ, n);
	finish();
	got = vmm_mem(t.vm, UARTGUEST_BYTES_GPA, n);
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(got[i], want[i], "seed %#lx: access %u reads %#x, not %#x", seed, i,
			     got[i], want[i]);
	cr_expect_eq(t.n_sent, n_sent);
	cr_expect_arr_eq(t.sent, want_sent, n_sent, "seed %#lx: something else is sent", seed);
	cr_expect_gt(n_sent, n / 100);
	cr_expect(t.handled >= MIN_HANDLED && t.handled * 5 >= n, "%lu of %u handled", t.handled,
		  n);
	free(want);
	free(want_sent);
}

#define BY_EACH(_what)                    \
	Test(uart, _what##_vmm)           \
	{                                 \
		_what(PATH_VMM);          \
	}                                 \
	Test(uart, _what##_bpf)           \
	{                                 \
		_what(PATH_BPF);          \
	}                                 \
	Test(uart, _what##_both_in_turns) \
	{                                 \
		_what(PATH_BOTH);         \
	}

BY_EACH(by_polling)
BY_EACH(by_interrupts)
BY_EACH(by_interrupts_without_iir)
BY_EACH(freebsd)
BY_EACH(linux_autoconfig)
BY_EACH(every_register)
BY_EACH(receive)

Test(uart, at_random_bpf)
{
	at_random(PATH_BPF);
}

Test(uart, at_random_both_in_turns)
{
	at_random(PATH_BOTH);
}
