// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * uart: a guest that prints a boot log through a 16550A, answered by this VMM or by
 * lightexit's program in the kernel, which queues what the guest sends for the VMM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "irqfd.h"
#include "params.h"
#include "uart.h"

#define BYTES_DEFAULT 19456U
#define BYTES_MAX 100000000U

VMM_GUEST(uart);

enum {
	OPT_BYTES = 'n',
	OPT_DRIVER = 'r',
	OPT_OUTPUT = 'o',
};

struct config {
	struct example_opts common;
	uint32_t bytes;
	bool drivers[DRIVER_COUNT];
	const char *output;
};

/* A machine, for one run. */
struct demo {
	const struct config *config;
	struct vmm *vm;
	struct vmm_loop *loop;
	struct vmm_accel *accel;
	struct vmm_uart *uart;
	int irq_fd;
	size_t received;
	uint8_t *text;
};

/* A line of the table. */
struct row {
	const char *driver;
	struct example_cost cost;
	uint64_t accesses;
	uint64_t received;
	uint32_t interrupts;
	double ns; /* a byte */
};

static const char *const drivers[] = { "poll", "interrupt", "all", NULL };

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;
	int i;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		return 0;
	case OPT_BYTES:
		c->bytes = (uint32_t)example_number(arg, 1, BYTES_MAX, state, "bytes");
		return 0;
	case OPT_DRIVER:
		i = example_word(arg, drivers, state, "driver");
		c->drivers[DRIVER_POLL] = i != DRIVER_INTERRUPT;
		c->drivers[DRIVER_INTERRUPT] = i != DRIVER_POLL;
		return 0;
	case OPT_OUTPUT:
		c->output = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "bytes", OPT_BYTES, "N", 0, "length of the log (default: 19456)", 0 },
	{ "driver", OPT_DRIVER, "poll|interrupt|all", 0,
	  "how the guest waits for the transmitter: by polling, or by an interrupt for each 16 "
	  "bytes (default: all)",
	  0 },
	{ "output", OPT_OUTPUT, "FILE", 0, "write what the last guest printed to FILE", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.children = example_argp,
	.doc = "Runs a guest that prints a boot log through a 16550A, and prints what that cost."
	       "\vExit status: 0; 1: failed, or other bytes arrived; 2: usage.",
};

/* One byte more than the log is kept, to be found wrong. */
static void on_sent(void *opaque, const uint8_t *c, size_t n)
{
	struct demo *demo = opaque;

	for (size_t i = 0; i < n && demo->received <= demo->config->bytes; i++)
		demo->text[demo->received++] = c[i];
}

static int add_uart(struct demo *demo)
{
	const struct vmm_uart_opts opts = {
		.port = UART_PORT,
		.clock = LX_CLOCK_MONOTONIC,
		.state = vmm_accel_state(demo->accel),
		.loop = demo->loop,
		.irq_fd = demo->irq_fd,
		.sent = on_sent,
		.opaque = demo,
	};
	struct lx_eventfds fds;
	int err = vmm_uart_new(demo->vm, &opts, &demo->uart);

	if (err)
		return err;
	vmm_uart_eventfds(demo->uart, &fds);
	err = vmm_accel_set_eventfds(demo->accel, &fds);
	if (!err)
		err = vmm_accel_attach(demo->accel, demo->vm);
	if (!err && vmm_accel_active(demo->accel))
		vmm_uart_attached(demo->uart);
	return err;
}

static int demo_create(struct demo *demo, const struct config *c)
{
	const struct vmm_opts opts = { .irqchip = VMM_IRQCHIP_KERNEL };
	int err;

	*demo = (struct demo){ .config = c, .irq_fd = -1 };
	demo->text = malloc(c->bytes + 1UL);
	if (!demo->text)
		return vmm_error(-ENOMEM, "a log of %u bytes", c->bytes);
	err = vmm_create(&opts, &demo->vm);
	if (!err)
		err = vmm_loop_new(&demo->loop);
	if (err)
		return err;
	demo->irq_fd = vmm_irqfd(demo->vm, UART_IRQ, -1);
	if (demo->irq_fd < 0)
		return demo->irq_fd;
	err = example_open(&c->common, "uart", sizeof(struct uart16550_state), NULL, 0,
			   &demo->accel);
	return err ? err : add_uart(demo);
}

static void demo_destroy(struct demo *demo)
{
	vmm_destroy(demo->vm);
	vmm_uart_free(demo->uart);
	vmm_loop_free(demo->loop);
	vmm_accel_close(demo->accel);
	if (demo->irq_fd >= 0)
		close(demo->irq_fd);
	free(demo->text);
}

/* Return: 0; -EIO: not the guest's log, byte for byte */
static int compare(const struct demo *demo)
{
	const uint32_t n = demo->config->bytes;

	for (uint32_t i = 0; i < n && i < demo->received; i++) {
		if (demo->text[i] != log_byte(i))
			return vmm_error(-EIO, "byte %u of the log arrived as %#x, not %#x", i,
					 demo->text[i], log_byte(i));
	}
	if (demo->received != n)
		return vmm_error(-EIO, "%zu bytes arrived of %u", demo->received, n);
	return 0;
}

static int save(const struct demo *demo)
{
	const char *name = demo->config->output;
	FILE *f = name ? fopen(name, "w") : NULL;
	bool ok;

	if (!name)
		return 0;
	if (!f)
		return vmm_error(-errno, "%s", name);
	ok = fwrite(demo->text, 1, demo->received, f) == demo->received;
	ok &= !fclose(f);
	return ok ? 0 : vmm_error(-EIO, "%s", name);
}

static int run_guest(struct demo *demo, enum uart_driver driver, struct row *row)
{
	struct uart_params *p = vmm_params(demo->vm);
	uint64_t start;
	int err;

	*p = (struct uart_params){ .driver = driver, .bytes = demo->config->bytes };
	err = vmm_load(demo->vm, VMM_GUEST_ARGS(uart));
	if (err)
		return err;
	start = vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC);
	err = vmm_run(demo->vm, -1);
	vmm_uart_count(demo->uart); /* takes what is queued */
	*row = (struct row){
		.driver = drivers[driver],
		.cost = example_cost(vmm_dev_count(demo->vm, vmm_uart_index(demo->uart)),
				     demo->accel),
		.accesses = p->accesses,
		.received = demo->received,
		.interrupts = p->counts[UART_VECTOR],
		.ns = (double)(vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC) - start) / p->bytes,
	};
	return err;
}

static int measure(const struct config *c, enum uart_driver driver, struct row *row)
{
	struct demo demo;
	int err = demo_create(&demo, c);

	if (!err)
		err = run_guest(&demo, driver, row);
	if (!err)
		err = save(&demo);
	if (!err)
		err = compare(&demo);
	demo_destroy(&demo);
	return err;
}

static void print_table(const struct row *rows, unsigned int n)
{
	printf("%-10s %-5s %9s %9s %10s %12s %15s %8s\n", "DRIVER", "PATH", "BYTES", "ACCESSES",
	       "INTERRUPTS", "HEAVY EXITS", "ANSWERED BY BPF", "NS/BYTE");
	for (unsigned int i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		char buf[24];

		printf("%-10s %-5s %9lu %9lu %10u %12lu %15s %8.0f\n", r->driver,
		       example_path(&r->cost), r->received, r->accesses, r->interrupts,
		       r->cost.heavy, example_answered(&r->cost, buf), r->ns);
	}
}

static json_t *row_json(const struct row *r)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:f}", "driver", r->driver, "path",
			 example_path(&r->cost), "bytes", (json_int_t)r->received, "accesses",
			 (json_int_t)r->accesses, "interrupts", (json_int_t)r->interrupts,
			 "heavy_exits", (json_int_t)r->cost.heavy, "answered",
			 example_answered_json(&r->cost), "ns_per_byte", r->ns);
}

static int run(void *config)
{
	const struct config *c = config;
	struct row rows[DRIVER_COUNT];
	unsigned int n = 0;
	json_t *json;
	int err = 0;

	for (enum uart_driver i = 0; i < DRIVER_COUNT && !err; i++) {
		if (c->drivers[i])
			err = measure(c, i, &rows[n++]);
	}
	if (err)
		return err;
	if (!c->common.json) {
		print_table(rows, n);
		return 0;
	}
	json = json_array();
	for (unsigned int i = 0; i < n; i++)
		json = example_append(json, row_json(&rows[i]));
	return example_print_json(json);
}

int main(int argc, char **argv)
{
	struct config config = {
		.common.path = VMM_PATH_AUTO,
		.bytes = BYTES_DEFAULT,
		.drivers = { true, true },
	};

	return example_main(argc, argv, &argp, &config, run);
}
