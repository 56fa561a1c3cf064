// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench: what one trapped access costs, by who answers it. A guest does the same
 * access over and over and reads the TSC around that; the loop without the access
 * is taken off. In the lab with --icount the TSC counts the instructions of
 * guest, kernel and VMM together, which bench checks before it starts.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lightexit/lightexit.h>

#include "measure.h"
#include "qemu.h"

#define EXIT_USAGE 2
#define ACCESSES_DEFAULT 10000
#define ACCESSES_MAX 100000000UL

#define ALL_PATHS ((1U << PATH_COUNT) - 1)
#define AT_ONCE                                                                    \
	(1U << PATH_VMM | 1U << PATH_KERNEL_C | 1U << PATH_BPF | 1U << PATH_NONE | \
	 1U << PATH_DECLINED)
#define CALLS (1U << PATH_KERNEL_C | 1U << PATH_BPF)
#define DOORBELLS (1U << PATH_VMM | 1U << PATH_IOEVENTFD | 1U << PATH_BPF)
#define QUEUES (1U << PATH_VMM | 1U << PATH_COALESCED | 1U << PATH_BPF)
#define MIRRORS (1U << PATH_VMM | 1U << PATH_BPF | 1U << PATH_MIRROR)
#define TIMERS (1U << PATH_VMM | 1U << PATH_KVM | 1U << PATH_BPF)
#define PLAIN (1U << PATH_VMM | 1U << PATH_BPF)
#define QEMUS (1U << PATH_QEMU | 1U << PATH_ATTACH)
#define BESIDE (1U << PATH_BESIDE)
#define WITH_QEMU (QEMUS | BESIDE)

#define PIO LX_SPACE_PIO
#define MMIO LX_SPACE_MMIO

/* In the order of struct bench_case. */
static const struct bench_case cases[] = {
	{ "pmtimer.read", "read", PIO, BENCH_IN32, 4, &bench_pmtimer, AT_ONCE | WITH_QEMU, 1, 0,
	  0 },
	{ "hpet.counter.read", "read", MMIO, BENCH_READ64, 8, &bench_hpet, AT_ONCE | WITH_QEMU, 1,
	  0, 0 },
	{ "hpet.counter.read32", "read", MMIO, BENCH_READ32, 4, &bench_hpet, AT_ONCE, 1, 0, 0 },
	/* Two vCPUs of QEMU's. */
	{ "pmtimer.read.2vcpus", "read", PIO, BENCH_IN32, 4, &bench_pmtimer_pair, QEMUS, 1, 0, 0 },
	{ "hpet.counter.read.2vcpus", "read", MMIO, BENCH_READ64, 8, &bench_hpet_pair, QEMUS, 1, 0,
	  0 },
	{ "pio.write", "write", PIO, BENCH_OUT32, 4, &bench_write_dev, AT_ONCE | BESIDE, 1, 0, 0 },
	{ "mmio.write", "write", MMIO, BENCH_WRITE32, 4, &bench_write_dev, AT_ONCE | BESIDE, 1, 0,
	  0 },
	/* A signal each time; and none, as whom it would wake is awake. */
	{ "doorbell", "write", MMIO, BENCH_DOORBELL, 4, &bench_doorbell, DOORBELLS, 1, 0, 0 },
	{ "doorbell.pio", "write", PIO, BENCH_DOORBELL_PIO, 4, &bench_doorbell, DOORBELLS, 1, 0,
	  0 },
	{ "doorbell.awake", "write", MMIO, BENCH_DOORBELL, 4, &bench_bell, PLAIN, 1, 0, 0 },
	/* A thread that sleeps, and is woken each time. */
	{ "doorbell.wake", "write", MMIO, BENCH_DOORBELL, 4, &bench_wake, DOORBELLS, 1, 0, 0 },
	{ "queue.write", "write", MMIO, BENCH_WRITE32, 4, &bench_queue, QUEUES, 1, 0, 160 },
	{ "queue.write.pio", "write", PIO, BENCH_OUT32, 4, &bench_queue, QUEUES, 1, 0, 160 },
	{ "mirror.read", "read", MMIO, BENCH_READ32, 4, &bench_virtio, MIRRORS, 1, 1, 0 },
	{ "virtio.interrupt", "both", MMIO, BENCH_INTERRUPT, 4, &bench_virtio, MIRRORS, 2, 1, 0 },
	{ "virtio.request", "both", MMIO, BENCH_REQUEST, 4, &bench_requests, MIRRORS, 3, 1, 50 },
	{ "uart.out", "both", PIO, BENCH_UART_FIFO, 1, &bench_uart, PLAIN, 1.0625, 0, 100 },
	{ "uart.out.poll", "both", PIO, BENCH_UART_EACH, 1, &bench_uart, PLAIN, 2, 0, 100 },
	/* A sector by a string: by the VMM, word by word, or copied in the kernel. */
	{ "pio.sector.in", "read", PIO, BENCH_INS, 2, &bench_sector_in, AT_ONCE, 256, 0, 0 },
	{ "pio.sector.out", "write", PIO, BENCH_OUTS, 2, &bench_sector_out, AT_ONCE, 256, 0, 0 },
	{ "ide.status", "read", PIO, BENCH_IDE_STATUS, 1, &bench_ide_status, PLAIN | BESIDE, 1, 0,
	  0 },
	{ "ide.dma.read4k", "both", PIO, BENCH_IDE_DMA, 1, &bench_ide_dma, PLAIN, 22, 0, 22 },
	{ "ide.pio.sector", "both", PIO, BENCH_IDE_READ, 1, &bench_ide_pio, PLAIN, 13, 0, 6 },
	{ "ide.pio.sector.out", "both", PIO, BENCH_IDE_WRITE, 1, &bench_ide_pio_out, PLAIN, 268, 0,
	  268 },
	{ "pit.read", "read", PIO, BENCH_PIT_READ, 1, &bench_pit, TIMERS, 2, 0, 0 },
	{ "pit.read.latched", "both", PIO, BENCH_PIT_LATCH, 1, &bench_pit, TIMERS, 3, 0, 0 },
	{ "rtc.read", "both", PIO, BENCH_RTC, 1, &bench_rtc, PLAIN, 2, 0, 0 },
	{ "pci.config.read", "both", PIO, BENCH_PCI_READ, 4, &bench_pci, PLAIN, 2, 0, 0 },
	/* A program that does nothing, and C that does nothing. */
	{ "struct_ops.call", "write", PIO, BENCH_OUT32, 4, &bench_nop, CALLS, 1, 0, 0 },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))
#define N_ROWS (N_CASES * PATH_COUNT)

enum {
	OPT_ACCESSES = 'n',
	OPT_BUILD = 'b',
	OPT_CASE = 'c',
	OPT_OUTPUT = 'o',
	OPT_PATH = 'p',
	OPT_UNIT = 'u'
};

struct config {
	const char *build;
	const char *output;
	uint64_t accesses;
	uint32_t cases; /* 1 << index */
	uint32_t paths; /* 1 << enum bench_path */
	struct bench_unit unit;
};

/* @paced: for each row of PATH_ATTACH with one vCPU */
struct results {
	struct bench_row rows[N_ROWS];
	struct bench_paced paced[N_ROWS];
	unsigned int n;
};

static uint64_t parse_number(const char *arg, struct argp_state *state)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || !n || n > ACCESSES_MAX)
		argp_error(state, "--accesses %s: give a number, 1 to %lu", arg, ACCESSES_MAX);
	return n;
}

static uint32_t case_bit(const char *arg, struct argp_state *state)
{
	for (unsigned int i = 0; i < N_CASES; i++) {
		if (!strcmp(arg, cases[i].name))
			return 1U << i;
	}
	argp_error(state, "--case %s: see --help for what there is", arg);
	return 0;
}

static uint32_t path_bit(const char *arg, struct argp_state *state)
{
	for (unsigned int i = 0; i < PATH_COUNT; i++) {
		if (!strcmp(arg, bench_path_names[i]))
			return 1U << i;
	}
	argp_error(state, "--path %s: see --help for what there is", arg);
	return 0;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case OPT_ACCESSES:
		c->accesses = parse_number(arg, state);
		return 0;
	case OPT_BUILD:
		c->build = arg;
		return 0;
	case OPT_OUTPUT:
		c->output = arg;
		return 0;
	case OPT_CASE:
		c->cases |= case_bit(arg, state);
		return 0;
	case OPT_PATH:
		c->paths |= path_bit(arg, state);
		return 0;
	case OPT_UNIT:
		c->unit.instructions = !strcmp(arg, "instructions");
		if (!c->unit.instructions && strcmp(arg, "ns"))
			argp_error(state, "--unit %s: give instructions or ns", arg);
		return 0;
	case ARGP_KEY_END:
		if (!c->build)
			argp_error(state, "--build is needed");
		c->cases = c->cases ?: (1U << N_CASES) - 1;
		c->paths = c->paths ?: ALL_PATHS;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "build", OPT_BUILD, "DIR", 0, "where bpf/ and tests/bench/ with the programs are", 0 },
	{ "output", OPT_OUTPUT, "FILE", 0, "write the results there as JSON", 0 },
	{ "accesses", OPT_ACCESSES, "N", 0, "how often each case is done (default: 10000)", 0 },
	{ "case", OPT_CASE, "NAME", 0,
	  "pmtimer.read, hpet.counter.read, hpet.counter.read32, pmtimer.read.2vcpus, "
	  "hpet.counter.read.2vcpus, pio.write, mmio.write, doorbell, "
	  "doorbell.pio, doorbell.awake, doorbell.wake, queue.write, queue.write.pio, mirror.read, "
	  "virtio.interrupt, virtio.request, uart.out, uart.out.poll, pio.sector.in, pio.sector.out, "
	  "ide.status, ide.dma.read4k, ide.pio.sector, ide.pio.sector.out, pit.read, "
	  "pit.read.latched, rtc.read, pci.config.read or struct_ops.call; may be repeated "
	  "(default: all)",
	  0 },
	{ "path", OPT_PATH, "NAME", 0,
	  "vmm, kernel-c, ioeventfd, coalesced, kvm, bpf, mirror, none, declined, beside, qemu or "
	  "attach; may be repeated (default: all)",
	  0 },
	{ "unit", OPT_UNIT, "instructions|ns", 0,
	  "instructions (default): where the TSC counts them; ns: time", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "Measures what a trapped access costs when the VMM, C in the kernel or a BPF "
	       "program answers it.\vExit status: 0; 1: failed; 2: usage.",
};

static const char *unit_name(const struct config *c)
{
	return c->unit.instructions ? "instructions" : "ns";
}

/* The row of a case on a path, if it was measured. */
static const struct bench_row *find(const struct results *res, const struct bench_case *what,
				    enum bench_path path)
{
	for (unsigned int i = 0; i < res->n; i++) {
		if (res->rows[i].what == what && res->rows[i].path == path)
			return &res->rows[i];
	}
	return NULL;
}

static const char *space_name(const struct bench_case *what)
{
	return what->space == LX_SPACE_PIO ? "pio" : "mmio";
}

static double each(const struct bench_row *r, uint64_t n)
{
	return (double)n / (double)r->rounds;
}

static void print_header(const struct config *c)
{
	printf("%-24s %-5s %-5s %3s  %-9s %8s %12s %9s %12s\n", "CASE", "SPACE", "OP", "LEN",
	       "PATH", "TIMES", "HEAVY EXITS", "ALL EXITS",
	       c->unit.instructions ? "INSTRUCTIONS" : "NS");
	fflush(stdout);
}

static void print_row(const struct bench_row *r)
{
	printf("%-24s %-5s %-5s %3u  %-9s %8lu %12.4f %9.3f %12.1f\n", r->what->name,
	       space_name(r->what), r->what->op, r->what->len, bench_path_names[r->path], r->rounds,
	       each(r, r->heavy_exits), each(r, r->exits), r->cost);
	fflush(stdout);
}

static void print_quotient(const struct bench_row *a, const struct bench_row *b)
{
	if (a && b)
		printf(" %12.3f", a->cost / b->cost);
	else
		printf(" %12s", "-");
}

static void print_difference(const struct bench_row *a, const struct bench_row *b)
{
	if (a && b)
		printf(" %15.1f", a->cost - b->cost);
	else
		printf(" %15s", "-");
}

/* What the kernel has of its own for a case, if it was measured. */
static const struct bench_row *find_kernels(const struct results *res,
					    const struct bench_case *what)
{
	static const enum bench_path paths[] = { PATH_KERNEL_C, PATH_IOEVENTFD, PATH_COALESCED,
						 PATH_KVM };
	const struct bench_row *row = NULL;

	for (unsigned int i = 0; !row && i < sizeof(paths) / sizeof(paths[0]); i++)
		row = find(res, what, paths[i]);
	return row;
}

static void print_ratios(const struct results *res, const struct config *c)
{
	printf("\nKERNEL: kernel-c, ioeventfd, coalesced or kvm\n%-24s %12s %12s %12s %15s %15s\n",
	       "CASE", "bpf/KERNEL", "vmm/bpf", "vmm/mirror", "bpf - KERNEL", "declined - none");
	for (unsigned int i = 0; i < N_CASES; i++) {
		const struct bench_row *kernels = find_kernels(res, &cases[i]);
		const struct bench_row *rows[PATH_COUNT];

		if (!(c->cases & 1U << i))
			continue;
		for (enum bench_path p = 0; p < PATH_COUNT; p++)
			rows[p] = find(res, &cases[i], p);
		printf("%-24s", cases[i].name);
		print_quotient(rows[PATH_BPF], kernels);
		print_quotient(rows[PATH_VMM], rows[PATH_BPF]);
		print_quotient(rows[PATH_VMM], rows[PATH_MIRROR]);
		print_difference(rows[PATH_BPF], kernels);
		print_difference(rows[PATH_DECLINED], rows[PATH_NONE]);
		putchar('\n');
	}
}

static void print_qemu(const struct results *res, const struct config *c)
{
	if (!(c->paths & WITH_QEMU))
		return;
	printf("\n%-24s %12s %15s\n", "CASE", "qemu/attach", "beside - vmm");
	for (unsigned int i = 0; i < N_CASES; i++) {
		if (!(c->cases & 1U << i) || !(cases[i].paths & WITH_QEMU))
			continue;
		printf("%-24s", cases[i].name);
		print_quotient(find(res, &cases[i], PATH_QEMU), find(res, &cases[i], PATH_ATTACH));
		print_difference(find(res, &cases[i], PATH_BESIDE), find(res, &cases[i], PATH_VMM));
		putchar('\n');
	}
	for (unsigned int i = 0; i < res->n; i++) {
		const struct bench_paced *p = &res->paced[i];

		if (p->reads)
			printf("%s: of %lu reads, %lu a second, %lu were passed to QEMU.\n",
			       res->rows[i].what->name, p->reads, p->per_second, p->passed);
	}
}

static void print_notes(const struct results *res, const struct config *c)
{
	const struct bench_case *call = &cases[N_CASES - 1];
	const struct bench_row *bpf = find(res, call, PATH_BPF);
	const struct bench_row *kernel_c = find(res, call, PATH_KERNEL_C);
	double attach_ms = 0;

	for (unsigned int i = 0; i < res->n; i++)
		attach_ms = fmax(attach_ms, res->rows[i].attach_ms);
	putchar('\n');
	if (bpf && kernel_c)
		printf("A struct_ops call, lightexit's dispatch included: %.1f %s.\n",
		       bpf->cost - kernel_c->cost, unit_name(c));
	if (attach_ms > 0)
		printf("Attaching took at most %.3f ms.\n", attach_ms);
	if (c->unit.instructions)
		printf("Counted: instructions of guest, kernel and VMM, from the guest's TSC under "
		       "QEMU's -icount.\nNot counted: what the world switch costs beyond its "
		       "instructions, caches and TLBs, the\nwaiting of fences and atomic "
		       "operations, contention of vCPUs. On a real host: make bench HOST=1.\n");
}

static double rounded(double v, double digits)
{
	return round(v * digits) / digits;
}

static json_t *row_json(const struct bench_row *r, const struct config *c)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:I, s:f, s:I, s:I}", "case", r->what->name,
			 "space", space_name(r->what), "op", r->what->op, "len", (int)r->what->len,
			 "path", bench_path_names[r->path], "accesses", (json_int_t)r->rounds,
			 c->unit.instructions ? "instructions_per_access" : "ns_per_access",
			 rounded(r->cost, 10), "heavy_exits", (json_int_t)r->heavy_exits, "exits",
			 (json_int_t)r->exits);
}

static int write_json(const struct results *res, const struct config *c)
{
	json_t *array = json_array();
	int err = array ? 0 : -1;

	for (unsigned int i = 0; !err && i < res->n; i++)
		err = json_array_append_new(array, row_json(&res->rows[i], c));
	if (!err)
		err = json_dump_file(array, c->output, JSON_INDENT(2) | JSON_REAL_PRECISION(8));
	json_decref(array);
	if (err)
		fprintf(stderr, "bench: cannot write %s\n", c->output);
	return err;
}

/* What is missing for the paths that were asked for, each with its remedy. */
static int check_host(const struct config *c)
{
	struct lx_probe probe = { .sz = sizeof(probe) };
	int err = 0;

	if (access("/dev/kvm", R_OK | W_OK)) {
		fprintf(stderr, "bench: /dev/kvm: %s: load kvm_intel or kvm_amd, be in group kvm\n",
			strerror(errno));
		return -1;
	}
	if (c->paths & (1U << PATH_BPF | 1U << PATH_MIRROR | 1U << PATH_DECLINED | WITH_QEMU) &&
	    lx_probe(&probe)) {
		for (unsigned int i = 0; i < probe.n; i++) {
			if (!probe.checks[i].ok)
				fprintf(stderr, "bench: %s: %s: %s\n", probe.checks[i].name,
					probe.checks[i].detail, probe.checks[i].remedy);
		}
		err = -1;
	}
	if (c->paths & 1U << PATH_KERNEL_C && access("/dev/lxbench", R_OK | W_OK)) {
		fprintf(stderr, "bench: /dev/lxbench: %s: insmod lxbench.ko, be root\n",
			strerror(errno));
		err = -1;
	}
	return err;
}

static bool is_wanted(const struct config *c, unsigned int i, enum bench_path path)
{
	return c->cases & 1U << i && c->paths & cases[i].paths & 1U << path;
}

static int measure_all(struct results *res, const struct config *c)
{
	for (unsigned int i = 0; i < N_CASES; i++) {
		for (enum bench_path p = 0; p < PATH_BESIDE; p++) {
			struct bench_row *row = &res->rows[res->n];

			if (!is_wanted(c, i, p))
				continue;
			if (bench_measure(&cases[i], p, c->build, c->accesses, &c->unit, row))
				return -1;
			print_row(row);
			res->n++;
		}
	}
	return 0;
}

static int measure_with_qemu(struct results *res, const struct config *c, struct bench_qemu *q,
			     const struct bench_case *what, enum bench_path path)
{
	struct bench_row *row = &res->rows[res->n];
	int err;

	if (path == PATH_BESIDE)
		err = bench_measure(what, path, c->build, c->accesses, &c->unit, row);
	else
		err = bench_qemu_measure(q, what, c->accesses, row);
	if (!err && path == PATH_ATTACH && bench_qemu_vcpus(what) == 1)
		err = bench_qemu_pace(q, what, &res->paced[res->n]);
	if (err)
		return err;
	print_row(row);
	res->n++;
	return 0;
}

/* One QEMU for all, first without lightexit. */
static int measure_qemu(struct results *res, const struct config *c)
{
	static const enum bench_path paths[] = { PATH_QEMU, PATH_ATTACH, PATH_BESIDE };
	struct bench_qemu *q = NULL;
	int err = 0;

	if (!(c->paths & WITH_QEMU))
		return 0;
	err = bench_qemu_open(c->build, &c->unit, &q);
	for (unsigned int p = 0; !err && p < sizeof(paths) / sizeof(paths[0]); p++) {
		if (paths[p] == PATH_ATTACH)
			err = bench_qemu_attach(q);
		for (unsigned int i = 0; !err && i < N_CASES; i++) {
			if (is_wanted(c, i, paths[p]))
				err = measure_with_qemu(res, c, q, &cases[i], paths[p]);
		}
	}
	bench_qemu_close(q);
	return err;
}

static int run_bench(struct config *c)
{
	static struct results res;

	if (check_host(c) || bench_calibrate(&c->unit))
		return -1;
	print_header(c);
	if (measure_all(&res, c) || measure_qemu(&res, c))
		return -1;
	print_ratios(&res, c);
	print_qemu(&res, c);
	print_notes(&res, c);
	return c->output ? write_json(&res, c) : 0;
}

int main(int argc, char **argv)
{
	struct config config = {
		.accesses = ACCESSES_DEFAULT,
		.unit.instructions = true,
	};

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &config))
		return EXIT_USAGE;
	return run_bench(&config) ? EXIT_FAILURE : EXIT_SUCCESS;
}
