// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One measurement, and the proof that it measured what it says. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"

VMM_GUEST(bench);

#define SPINS 1000000U
/* In how far a rate may be off: the timer tick's instructions are counted, too. */
#define SPIN_ERROR 0.005
/* Of the guest's time, what may not have been this process's; else it is measured again. */
#define OTHERS 0.003
/* The same where a round takes long: threads of the kernel come at each tick. */
#define OTHERS_FEWER 0.01
#define TRIES 4U

const char *const bench_path_names[PATH_COUNT] = { "vmm",      "kernel-c", "ioeventfd", "coalesced",
						   "kvm",      "bpf",	   "mirror",	"none",
						   "declined", "beside",   "qemu",	"attach" };

/* A path without a device of the case's own. */
static bool is_bare(const struct machine *m)
{
	return m->path == PATH_NONE || m->path == PATH_DECLINED;
}

/* A path on which all accesses are the VMM's. */
static bool is_heavy(const struct machine *m)
{
	return m->path == PATH_VMM || m->path == PATH_BESIDE || is_bare(m);
}

static bool has_program(const struct machine *m)
{
	return m->path == PATH_BPF || m->path == PATH_MIRROR || m->path == PATH_DECLINED;
}

/* The path's program; NULL stays for paths without. */
static int open_program(struct machine *m, const char *build)
{
	struct vmm_accel_opts opts = {
		.path = VMM_PATH_BPF,
		.regions = &m->region,
		.n_regions = 1,
	};
	char dir[4096];

	if (!has_program(m))
		return 0;
	snprintf(dir, sizeof(dir), "%s/%s", build, m->dev->dir);
	opts.bpf_dir = dir;
	if (m->dev->own_regions)
		opts.regions = NULL;
	return vmm_accel_open(m->path == PATH_DECLINED ? "bench_pass" : m->dev->program,
			      m->dev->state_size, &opts, &m->accel);
}

static int attach_kernel_c(const struct machine *m)
{
	const struct lxbench_attach arg = {
		.vm_fd = m->vm->fd,
		.kind = m->dev->kind,
		.space = m->region.space,
		.len = (uint32_t)m->region.len,
		.addr = m->region.addr,
	};
	int fd = open("/dev/lxbench", O_RDWR | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return vmm_error(-errno, "/dev/lxbench: load lxbench.ko, be root");
	if (ioctl(fd, LXBENCH_ATTACH, &arg))
		err = vmm_error(-errno, "LXBENCH_ATTACH of %s", m->what->name);
	close(fd);
	return err;
}

static int attach(struct machine *m, double *ms)
{
	uint64_t start;
	int err = 0;

	*ms = 0;
	if (m->path == PATH_KERNEL_C)
		return attach_kernel_c(m);
	if (m->dev->attach)
		err = m->dev->attach(m);
	if (err || !m->accel)
		return err;
	start = vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC);
	err = vmm_accel_attach(m->accel, m->vm);
	*ms = (double)(vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC) - start) / 1e6;
	return err || !m->dev->attached ? err : m->dev->attached(m);
}

static int run(struct vmm *vm, uint32_t access, uint64_t addr, uint64_t n, struct bench_params *out)
{
	struct bench_params *p = vmm_params(vm);
	int err;

	*p = (struct bench_params){ .access = access, .n = n, .addr = addr };
	err = vmm_load(vm, VMM_GUEST_ARGS(bench));
	if (!err)
		err = vmm_run(vm, -1);
	*out = *p;
	return err;
}

int machine_run(struct machine *m, uint32_t access, uint64_t addr, uint64_t n,
		struct bench_params *out)
{
	return run(m->vm, access, addr, n, out);
}

static int calibrate(const struct vmm *vm, struct bench_unit *unit, const struct bench_params *p)
{
	double per_tick;
	int khz;

	if (unit->instructions) {
		per_tick = 2.0 * SPINS / (double)p->ticks;
		unit->per_tick = 1;
		if (fabs(per_tick - 1) <= SPIN_ERROR)
			return 0;
		return vmm_error(-EOPNOTSUPP,
				 "the TSC counts %.4f instructions a tick, not 1: give --unit ns, "
				 "or run under lab/run --icount",
				 per_tick);
	}
	khz = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);
	if (khz <= 0)
		return vmm_error(khz ? -errno : -ENOENT, "KVM_GET_TSC_KHZ");
	unit->per_tick = 1e6 / khz;
	return 0;
}

int bench_calibrate(struct bench_unit *unit)
{
	const struct vmm_opts opts = { .vcpus = 1 };
	struct bench_params p;
	struct vmm *vm = NULL;
	int err;

	err = vmm_create(&opts, &vm);
	if (!err)
		err = run(vm, BENCH_SPIN, 0, SPINS, &p);
	if (!err)
		err = calibrate(vm, unit, &p);
	vmm_destroy(vm);
	return err;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int count(const struct machine *m, struct tally *t)
{
	struct lx_stats stats = { .sz = sizeof(stats) };
	int err = bench_exits(&m->vm->vcpus[0], &t->exits);

	t->heavy = m->dev->heavy ? m->dev->heavy(m) : vmm_dev_count(m->vm, m->index).exits;
	if (!err && m->accel) {
		err = lx_device_stats(vmm_accel_device(m->accel), &stats);
		if (err)
			vmm_error(err, "counters of %s", m->dev->program);
	}
	t->handled = 0;
	t->passed = 0;
	for (uint32_t i = 0; i < stats.n_regions; i++) {
		t->handled += stats.regions[i].handled;
		t->passed += stats.regions[i].passed;
	}
	t->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	t->work_ns = clock_ns(CLOCK_MONOTONIC) - bench_spinner_ns(&m->spinner);
	return err;
}

static void mark(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	struct machine *m = opaque;

	if (m->marks < 2 && !count(m, &m->mark[m->marks]))
		m->marks++;
}

static int add_marks(struct machine *m)
{
	const struct vmm_dev dev = {
		.name = "marks",
		.space = LX_SPACE_PIO,
		.base = BENCH_MARK_PORT,
		.len = 1,
		.write = mark,
		.opaque = m,
	};
	int index = m->dev->sleeps ? vmm_add_dev(m->vm, &dev) : 0;

	return index < 0 ? index : 0;
}

static int machine_create(struct machine *m, const char *build, double *attach_ms)
{
	struct vmm_opts opts = { .vcpus = 1 };
	int err;

	m->dev = is_bare(m) ? &bench_nop : m->what->dev;
	m->region = (struct lx_region){ .addr = m->dev->base[m->what->space],
					.len = m->dev->len,
					.space = m->what->space,
					.flags = m->dev->string ? LX_REGION_STRINGS : 0 };
	opts.irqchip = m->dev->irqchip;
	err = vmm_create(&opts, &m->vm);
	if (!err)
		err = open_program(m, build);
	if (!err)
		err = m->dev->add(m);
	if (!err)
		err = add_marks(m);
	return err ? err : attach(m, attach_ms);
}

static void machine_destroy(struct machine *m)
{
	vmm_destroy(m->vm);
	if (m->back && m->dev->free)
		m->dev->free(m);
	vmm_accel_close(m->accel);
}

/* Accesses of the device that trap. */
static uint64_t traps(const struct machine *m, uint64_t rounds)
{
	double each = m->what->accesses;

	if (m->path == PATH_MIRROR)
		each -= m->what->mirrored;
	if (m->what->dev->string && is_heavy(m))
		each /= m->what->dev->string;
	return (uint64_t)llround(each * (double)rounds);
}

/* Whether @n is @due; where threads meet, notifications may have been saved, one of a round. */
static bool is_near(const struct machine *m, uint64_t n, uint64_t due)
{
	return n <= due && n >= due - (m->dev->sleeps ? due / 3 : 0);
}

/* That those answered who should have, and that a program was asked and did. */
static int check_path(const struct machine *m, uint64_t rounds, const struct tally *t)
{
	const bool heavy = is_heavy(m);
	const uint64_t n = traps(m, rounds), posted = m->what->posted;
	uint64_t handled = m->accel ? n - t->heavy : 0, passed = m->accel ? t->heavy : 0;

	if (heavy ? !is_near(m, t->heavy, n) : t->heavy > (posted ? n / posted + 1 : 0))
		return vmm_error(-ERANGE, "%s on path %s: %lu heavy exits of %lu accesses",
				 m->what->name, bench_path_names[m->path], t->heavy, n);
	if (!is_near(m, t->handled, handled) || t->passed != passed)
		return vmm_error(-ERANGE,
				 "%s on path %s: the program handled %lu and passed %lu, "
				 "not %lu and %lu",
				 m->what->name, bench_path_names[m->path], t->handled, t->passed,
				 handled, passed);
	return 0;
}

/*
 * That the clock ran because of instructions, not because nobody had any: an idle CPU's time
 * is skipped. An instruction is a nanosecond.
 */
static int check_busy(const struct machine *m, const struct tally *t, const struct bench_params *p)
{
	double others = m->what->dev->fewer ? OTHERS_FEWER : OTHERS;

	if ((double)t->cpu_ns >= (1 - others) * (double)p->ticks)
		return 0;
	return vmm_error(-EAGAIN, "%s on path %s: of %lu ns the bench had the CPU for %lu",
			 m->what->name, bench_path_names[m->path], p->ticks, t->cpu_ns);
}

static int prepare(struct machine *m)
{
	return m->dev->prepare ? m->dev->prepare(m) : 0;
}

static struct tally difference(const struct tally *from, const struct tally *to)
{
	return (struct tally){
		.heavy = to->heavy - from->heavy,
		.exits = to->exits - from->exits,
		.handled = to->handled - from->handled,
		.passed = to->passed - from->passed,
		.cpu_ns = to->cpu_ns - from->cpu_ns,
		.work_ns = to->work_ns - from->work_ns,
	};
}

static int measure_run(struct machine *m, uint64_t rounds, struct tally *t, struct bench_params *p)
{
	struct tally from = { 0 }, to = { 0 };
	int err = prepare(m);

	if (!err)
		err = count(m, &from);
	m->marks = 0;
	if (!err)
		err = machine_run(m, m->what->access, m->addr, rounds, p);
	if (!err)
		err = count(m, &to);
	if (!err && m->dev->sleeps && m->marks != 2)
		err = vmm_error(-ENODATA, "%s: %u marks", m->what->name, m->marks);
	*t = m->dev->sleeps ? difference(&m->mark[0], &m->mark[1]) : difference(&from, &to);
	return err;
}

/* The work between the marks, if everybody sleeps now and then; else by the guest's clock. */
static double cost(const struct machine *m, const struct bench_unit *unit, const struct tally *t,
		   uint64_t ticks)
{
	if (m->dev->sleeps)
		return (double)t->work_ns;
	return (double)(int64_t)ticks * unit->per_tick;
}

/* Rounds of a case that takes longer than others. */
static uint64_t fewer(const struct machine *m, uint64_t rounds)
{
	unsigned int n = m->what->dev->fewer;

	return n && rounds > n ? rounds / n : rounds;
}

static int measure(struct machine *m, const struct bench_unit *unit, struct bench_row *row)
{
	struct bench_params warm, empty, p;
	struct tally t = { 0 };
	int err;

	row->rounds = fewer(m, row->rounds);
	err = machine_run(m, BENCH_EMPTY, 0, row->rounds, &empty);
	if (!err)
		err = prepare(m);
	if (!err)
		err = machine_run(m, m->what->access, m->addr, fewer(m, BENCH_WARM_UP), &warm);
	if (!err && m->dev->sleeps && unit->instructions)
		err = bench_spinner_start(&m->spinner);
	if (!err)
		err = measure_run(m, row->rounds, &t, &p);
	bench_spinner_end(&m->spinner);
	if (!err)
		err = check_path(m, row->rounds, &t);
	if (!err && unit->instructions && !m->dev->sleeps)
		err = check_busy(m, &t, &p);
	if (err)
		return err;
	row->heavy_exits = t.heavy;
	row->exits = t.exits;
	row->cost = cost(m, unit, &t, p.ticks - empty.ticks) / (double)row->rounds;
	return m->dev->check ? m->dev->check(m, &warm, &p) : 0;
}

int bench_measure(const struct bench_case *what, enum bench_path path, const char *build,
		  uint64_t rounds, const struct bench_unit *unit, struct bench_row *row)
{
	int err = -EAGAIN;

	for (unsigned int i = 0; err == -EAGAIN && i < TRIES; i++) {
		struct machine m = { .what = what, .path = path };

		*row = (struct bench_row){ .what = what, .path = path, .rounds = rounds };
		err = machine_create(&m, build, &row->attach_ms);
		if (!err)
			err = measure(&m, unit, row);
		machine_destroy(&m);
	}
	return err;
}
