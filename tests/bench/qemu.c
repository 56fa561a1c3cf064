// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* An unmodified QEMU, its guest, and `lightexit attach`. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lightexit/dev/watch.h>
#include <lightexit/lightexit.h>

#include "hpet.h"
#include "machine.h"
#include "pmtimer.h"
#include "qemu.h"
#include "qemu/qguest.h"
#include "traced.h"

#define SPINS 5000000U
#define SPIN_ERROR 0.005
/* Of a run's time, what may have been neither QEMU's nor the bench's: switching, the tick. */
#define OTHERS 0.003
#define OTHERS_NS 10000
#define TRIES 8U
#define RUNS 3U
/* A row has so many times fewer accesses than others. */
#define FEWER 4U
/* Runs until it has been learnt what to answer. */
#define LEARNING 200U
#define START_MS 120000
#define PACE_PER_SECOND 100000U
#define PACE_READS 5000U
#define QEMU_PMTIMER_BITS 24

/*
 * @said: where the guest's serial port goes to
 * @g:    in the guest's memory
 * @tool: `lightexit attach`; 0: not started
 */
struct bench_qemu {
	const char *build;
	const struct bench_unit *unit;
	pid_t pid;
	pid_t tool;
	int said;
	int memory;
	void *map;
	volatile struct qguest *g;
};

/* Of all vCPUs; @end: when the first one found nothing left to do, @last: what it had read last. */
struct sum {
	uint64_t ticks;
	uint64_t end;
	uint64_t last;
	uint64_t ns; /* of CLOCK_MONOTONIC, the run's start and end included */
};

static void exec_qemu(const struct bench_qemu *q, int said)
{
	char bios[4096], ram[128];
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it may be stopped when the bench dies */
	dup2(null, STDIN_FILENO);
	dup2(said, STDOUT_FILENO);
	fcntl(q->memory, F_SETFD, 0);
	snprintf(bios, sizeof(bios), "%s/tests/bench/bench.rom", q->build);
	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%llu,mem-path=/proc/self/fd/%d",
		 QGUEST_MEM, q->memory);
	execlp("qemu-system-x86_64", "qemu-system-x86_64", "-nodefaults", "-no-user-config",
	       "-display", "none", "-machine", "q35,hpet=on,memory-backend=ram", "-object", ram,
	       "-smp", "2", "-accel", "kvm", "-cpu", "host", "-bios", bios, "-chardev",
	       "stdio,id=said,signal=off", "-serial", "chardev:said", NULL);
	_exit(127);
}

static int start(struct bench_qemu *q)
{
	int said[2];

	if (pipe2(said, O_CLOEXEC))
		return vmm_error(-errno, "pipe");
	q->said = said[0];
	q->pid = fork();
	if (!q->pid)
		exec_qemu(q, said[1]);
	close(said[1]);
	return q->pid < 0 ? vmm_error(-errno, "fork") : 0;
}

static int map_memory(struct bench_qemu *q)
{
	q->memory = memfd_create("bench", MFD_CLOEXEC);
	if (q->memory < 0 || ftruncate(q->memory, QGUEST_MEM))
		return vmm_error(-errno, "the guest's memory");
	q->map = mmap(NULL, QGUEST_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, q->memory, 0);
	if (q->map == MAP_FAILED)
		return vmm_error(-errno, "mmap");
	q->g = (void *)((char *)q->map + QGUEST_GPA);
	return 0;
}

/* Waits for the guest's next word. */
static int listen(const struct bench_qemu *q)
{
	struct pollfd p = { .fd = q->said, .events = POLLIN };
	char c;

	if (poll(&p, 1, START_MS) == 1 && read(q->said, &c, 1) == 1)
		return 0;
	return vmm_error(-ETIMEDOUT, "QEMU's guest does not answer, or QEMU has ended");
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Time of the CPU that QEMU and the bench had. */
static uint64_t cpu_ns(const struct bench_qemu *q)
{
	clockid_t clock;

	if (clock_getcpuclockid(q->pid, &clock))
		return 0;
	return clock_ns(clock) + clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static struct sum sum_up(const struct qguest *g)
{
	uint64_t first = g->start[0];
	uint32_t who = 0;

	for (uint32_t i = 1; i < g->vcpus; i++) {
		first = g->start[i] < first ? g->start[i] : first;
		who = g->end[i] < g->end[who] ? i : who;
	}
	return (struct sum){
		.ticks = g->end[who] - first,
		.end = g->end[who],
		.last = g->last[who],
	};
}

/* -EAGAIN: the CPU was idle, or others had it. */
static int run(struct bench_qemu *q, const struct qguest *what, struct sum *out)
{
	uint64_t from, cpu, all;
	uint32_t number = q->g->run + 1;
	struct qguest g = *what;
	int err;

	g.run = q->g->run;
	*(struct qguest *)q->g = g;
	from = clock_ns(CLOCK_MONOTONIC);
	cpu = cpu_ns(q);
	__atomic_store_n(&q->g->run, number, __ATOMIC_RELEASE);
	err = listen(q);
	if (err)
		return err;
	cpu = cpu_ns(q) - cpu;
	all = clock_ns(CLOCK_MONOTONIC) - from;
	g = *(struct qguest *)q->g;
	*out = sum_up(&g);
	out->ns = all;
	if (!q->unit->instructions || (double)cpu >= (1 - OTHERS) * (double)all - OTHERS_NS)
		return 0;
	fprintf(stderr, "bench: of %lu ns QEMU and the bench had the CPU for %lu\n", all, cpu);
	return -EAGAIN;
}

static void go_on(const struct bench_qemu *q, bool on)
{
	kill(q->pid, on ? SIGCONT : SIGSTOP);
}

/* That QEMU's guest has the clock that counts instructions, once QEMU's own threads are still. */
static int calibrate(struct bench_qemu *q)
{
	const struct qguest spin = { .access = BENCH_SPIN, .vcpus = 1, .n = SPINS };
	double per_tick = 0;
	struct sum s;
	int err;

	for (unsigned int i = 0; i < TRIES; i++) {
		err = run(q, &spin, &s);
		if ((err && err != -EAGAIN) || !q->unit->instructions)
			return err;
		per_tick = 2.0 * SPINS / (double)s.ticks;
		if (fabs(per_tick - 1) <= SPIN_ERROR)
			return 0;
	}
	return vmm_error(-EOPNOTSUPP,
			 "the TSC of QEMU's guest counts %.4f instructions a tick, not 1",
			 per_tick);
}

int bench_qemu_open(const char *build, const struct bench_unit *unit, struct bench_qemu **out)
{
	struct bench_qemu *q = calloc(1, sizeof(*q));
	int err;

	*out = q;
	if (!q)
		return -ENOMEM;
	*q = (struct bench_qemu){ .build = build, .unit = unit, .said = -1 };
	err = map_memory(q);
	if (!err)
		err = start(q);
	if (!err)
		err = listen(q);
	if (!err)
		err = calibrate(q);
	if (!err)
		go_on(q, false);
	return err;
}

static void end(pid_t pid, int sig)
{
	if (pid <= 0)
		return;
	kill(pid, sig);
	waitpid(pid, NULL, 0);
}

void bench_qemu_close(struct bench_qemu *q)
{
	if (!q)
		return;
	end(q->tool, SIGINT);
	end(q->pid, SIGKILL);
	if (q->map && q->map != MAP_FAILED)
		munmap(q->map, QGUEST_MEM);
	close(q->memory);
	close(q->said);
	free(q);
}

static void exec_tool(const struct bench_qemu *q)
{
	char path[4096], dir[4096], pid[16];
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(null, STDOUT_FILENO);
	snprintf(pid, sizeof(pid), "%d", q->pid);
	snprintf(path, sizeof(path), "%s/loader/lightexit", q->build);
	snprintf(dir, sizeof(dir), "%s/bpf", q->build);
	setenv("LIGHTEXIT_BPF_DIR", dir, 1);
	execl(path, path, "attach", "--interval", "86400", "--pid", pid, "--port", "0x608",
	      "pmtimer", "hpet", NULL);
	_exit(127);
}

/* @out of QEMU's device in space @out->regions[0].region.space. */
static int find_device(const struct lx_stats *s, void *ctx)
{
	struct {
		pid_t pid;
		struct lx_stats *out;
	} *want = ctx;

	if (s->pid != want->pid || s->regions[0].region.space != want->out->regions[0].region.space)
		return 0;
	*want->out = *s;
	return 1;
}

static bool get_stats(const struct bench_qemu *q, uint32_t space, struct lx_stats *out)
{
	struct {
		pid_t pid;
		struct lx_stats *out;
	} want = { q->pid, out };

	memset(out, 0, sizeof(*out));
	out->regions[0].region.space = space;
	return lx_for_each_device(find_device, &want) == 1;
}

int bench_qemu_attach(struct bench_qemu *q)
{
	const struct timespec ts = { .tv_nsec = 20000000 };
	struct lx_stats s;

	q->tool = fork();
	if (!q->tool)
		exec_tool(q);
	while (!get_stats(q, LX_SPACE_PIO, &s) || !get_stats(q, LX_SPACE_MMIO, &s)) {
		if (waitpid(q->tool, NULL, WNOHANG)) {
			q->tool = 0;
			return vmm_error(-ECHILD, "lightexit attach has ended");
		}
		nanosleep(&ts, NULL);
	}
	return 0;
}

unsigned int bench_qemu_vcpus(const struct bench_case *what)
{
	return what->dev->vcpus ?: 1;
}

static struct qguest qguest_of(const struct bench_case *what, uint64_t n)
{
	return (struct qguest){
		.access = what->access,
		.vcpus = bench_qemu_vcpus(what),
		.n = n,
		.addr = what->dev->base[what->space] +
			(what->space == LX_SPACE_MMIO ? HPET_COUNTER : 0),
	};
}

static bool has_program(const struct bench_qemu *q)
{
	return q->tool > 0;
}

/* Runs until most reads are answered in the kernel. */
static int learn(struct bench_qemu *q, const struct bench_case *what)
{
	const struct qguest g = qguest_of(what, BENCH_WARM_UP);
	struct lx_stats from, to;
	struct sum s;
	int err;

	for (unsigned int i = 0; i < LEARNING; i++) {
		get_stats(q, what->space, &from);
		err = run(q, &g, &s);
		if (err && err != -EAGAIN)
			return err;
		get_stats(q, what->space, &to);
		if (to.regions[0].handled - from.regions[0].handled >= BENCH_WARM_UP * 9 / 10)
			return 0;
	}
	return vmm_error(-ETIMEDOUT, "%s: lightexit attach has not learnt it", what->name);
}

/*
 * That the counter moved as far as time did, between the ends of two runs. By time, -EAGAIN: others
 * may have had the CPU between the last read and the look at the time.
 */
static int check_value(const struct bench_qemu *q, const struct bench_case *what,
		       const struct sum *from, const struct sum *to)
{
	const bool pio = what->space == LX_SPACE_PIO;
	double seconds = (double)(to->end - from->end) * q->unit->per_tick / 1e9;
	double hz = pio ? PMTIMER_HZ : 1e15 / VMM_HPET_PERIOD_FS;
	uint64_t mask = pio ? (1U << QEMU_PMTIMER_BITS) - 1 : ~0U;
	double ticks = (double)((to->last - from->last) & mask);
	double off = ticks - seconds * hz;

	if (pio) /* it may have wrapped, more than once */
		off = remainder(off, (double)mask + 1);
	if (fabs(off) <= BENCH_RATE_ERROR * seconds * hz)
		return 0;
	return vmm_error(q->unit->instructions ? -ERANGE : -EAGAIN,
			 "%s of QEMU counted %.0f in %.6f s, not %.0f", what->name, ticks, seconds,
			 seconds * hz);
}

/* The least of some runs: QEMU's other threads are on the CPU, too, now and then. */
static int run_some(struct bench_qemu *q, const struct bench_case *what, const struct qguest *g,
		    uint64_t *ticks)
{
	struct sum warm, s;
	int err = run(q, g, &warm);

	*ticks = ~0ULL;
	for (unsigned int i = 0; !err && i < RUNS; i++) {
		err = run(q, g, &s);
		*ticks = s.ticks < *ticks ? s.ticks : *ticks;
	}
	return err ? err : check_value(q, what, &warm, &s);
}

/* Without what the loop itself takes. */
static int measure_cost(struct bench_qemu *q, const struct bench_case *what, struct bench_row *row)
{
	struct qguest g = qguest_of(what, row->rounds), none = g;
	struct sum empty;
	uint64_t ticks;
	int err;

	none.access = BENCH_EMPTY;
	err = run(q, &none, &empty);
	if (!err)
		err = run_some(q, what, &g, &ticks);
	if (err)
		return err;
	row->cost =
		(double)(int64_t)(ticks - empty.ticks) * q->unit->per_tick / (double)row->rounds;
	return 0;
}

/* That those answered who should have; each vCPU may pass a read for each verification. */
static int check_exits(const struct bench_qemu *q, const struct bench_row *row, uint64_t ns)
{
	uint64_t verified = bench_qemu_vcpus(row->what) * (ns / WATCH_VERIFY_NS + 1);
	uint64_t few = row->rounds / 100 + verified;

	if (has_program(q) ? row->heavy_exits <= few : row->heavy_exits >= row->rounds - few)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu heavy exits of %lu accesses in %lu ms",
			 row->what->name, bench_path_names[row->path], row->heavy_exits,
			 row->rounds, ns / 1000000);
}

/* The same once more. */
static int count_exits(struct bench_qemu *q, const struct bench_case *what, struct bench_row *row)
{
	const struct qguest g = qguest_of(what, row->rounds);
	struct bench_traced heavy, all;
	struct sum s;
	int err = bench_trace(q->pid, "kvm_userspace_exit", &heavy);

	if (!err)
		err = bench_trace(q->pid, "kvm_exit", &all);
	if (!err)
		err = run(q, &g, &s);
	row->heavy_exits = bench_traced(&heavy);
	row->exits = bench_traced(&all);
	return err && err != -EAGAIN ? err : check_exits(q, row, s.ns);
}

int bench_qemu_measure(struct bench_qemu *q, const struct bench_case *what, uint64_t rounds,
		       struct bench_row *row)
{
	int err;

	*row = (struct bench_row){
		.what = what,
		.path = has_program(q) ? PATH_ATTACH : PATH_QEMU,
		.rounds = rounds > FEWER ? rounds / FEWER : rounds,
	};
	go_on(q, true);
	err = has_program(q) ? learn(q, what) : 0;
	if (!err)
		err = -EAGAIN;
	for (unsigned int i = 0; err == -EAGAIN && i < TRIES; i++)
		err = measure_cost(q, what, row);
	if (!err)
		err = count_exits(q, what, row);
	go_on(q, false);
	return err;
}

int bench_qemu_pace(struct bench_qemu *q, const struct bench_case *what, struct bench_paced *out)
{
	struct qguest g = qguest_of(what, PACE_READS);
	struct lx_stats from, to;
	struct sum s;
	int err;

	g.gap = (uint64_t)(1e9 / PACE_PER_SECOND / q->unit->per_tick);
	go_on(q, true);
	err = learn(q, what);
	get_stats(q, what->space, &from);
	if (!err)
		err = run(q, &g, &s);
	get_stats(q, what->space, &to);
	go_on(q, false);
	*out = (struct bench_paced){
		.per_second = PACE_PER_SECOND,
		.reads = PACE_READS,
		.passed = to.regions[0].passed - from.regions[0].passed,
	};
	return err == -EAGAIN ? 0 : err;
}

/* Two vCPUs, which share the one counter. */
const struct bench_dev bench_pmtimer_pair = {
	.base = { [LX_SPACE_PIO] = PMTIMER_PORT },
	.vcpus = 2,
};

const struct bench_dev bench_hpet_pair = {
	.base = { [LX_SPACE_MMIO] = HPET_BASE },
	.vcpus = 2,
};
