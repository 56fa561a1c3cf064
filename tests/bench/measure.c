// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One measurement, and the proof that it measured what it says. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel.h"
#include "bench_model.h"
#include "hpet.h"
#include "measure.h"
#include "pmtimer.h"
#include "vmm.h"

VMM_GUEST(bench);

#define SPINS 1000000U
/* In how far a rate may be off: the timer tick's instructions are counted, too. */
#define SPIN_ERROR 0.005
#define RATE_ERROR 0.01

const char *const bench_path_names[PATH_COUNT] = { "vmm", "kernel-c", "bpf", "none", "declined" };

/* The machine and the one device that is measured. */
struct machine {
	const struct bench_case *what;
	enum bench_path path;
	struct vmm *vm;
	struct vmm_hpet *hpet;
	struct vmm_pmtimer *pmtimer;
	struct vmm_accel *accel;
	struct bench_state own;
	struct bench_state *bench;
	struct lx_region region;
	unsigned int index; /* of the back end */
	uint64_t addr;	    /* that the guest uses */
};

/* The device that a path without a device of the case's own has. */
static bool is_bare(const struct machine *m)
{
	return m->path == PATH_NONE || m->path == PATH_DECLINED;
}

static uint32_t kind_of(const struct machine *m)
{
	return is_bare(m) ? (uint32_t)LXBENCH_NOP : m->what->kind;
}

static uint64_t bench_dev_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	__u64 val;

	return bench_read(opaque, off, len, &val) == LX_HANDLED ? val : ~0ULL;
}

static void bench_dev_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			    uint64_t val)
{
	bench_write(opaque, off, len, val);
}

static int add_hpet(struct machine *m)
{
	int err = vmm_hpet_new(m->vm, HPET_BASE, LX_CLOCK_MONOTONIC, vmm_accel_state(m->accel),
			       &m->hpet);

	if (err)
		return err;
	m->index = vmm_hpet_index(m->hpet);
	m->addr = HPET_BASE + HPET_COUNTER;
	vmm_hpet_write(m->hpet, NULL, HPET_CONFIG, 4, HPET_CONFIG_ENABLE);
	return 0;
}

static int add_pmtimer(struct machine *m)
{
	const struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = 32,
		.clock = LX_CLOCK_MONOTONIC,
		.state = vmm_accel_state(m->accel),
	};
	int err = vmm_pmtimer_new(m->vm, &opts, &m->pmtimer);

	if (err)
		return err;
	m->index = vmm_pmtimer_index(m->pmtimer);
	m->addr = PMTIMER_PORT;
	return 0;
}

/* Without callbacks the VMM drops writes and reads all ones. */
static int add_bench(struct machine *m)
{
	const bool nop = kind_of(m) == LXBENCH_NOP;
	struct vmm_dev dev = {
		.name = "bench",
		.space = m->what->space,
		.base = m->region.addr,
		.len = BENCH_LEN,
		.read = nop ? NULL : bench_dev_read,
		.write = nop ? NULL : bench_dev_write,
	};
	int index;

	m->bench = vmm_accel_state(m->accel) ?: &m->own;
	dev.opaque = m->bench;
	index = vmm_add_dev(m->vm, &dev);
	if (index < 0)
		return index;
	m->index = (unsigned int)index;
	m->addr = m->region.addr + BENCH_VALUE;
	return 0;
}

static struct lx_region region_of(const struct machine *m)
{
	const bool pio = m->what->space == LX_SPACE_PIO;

	switch (kind_of(m)) {
	case LXBENCH_PMTIMER:
		return (struct lx_region){ PMTIMER_PORT, PMTIMER_LEN, LX_SPACE_PIO, 0 };
	case LXBENCH_HPET:
		return (struct lx_region){ HPET_BASE, HPET_LEN, LX_SPACE_MMIO, 0 };
	default:
		return (struct lx_region){ pio ? BENCH_PORT : BENCH_GPA, BENCH_LEN, m->what->space,
					   0 };
	}
}

/* The path's program; NULL stays for paths without. */
static int open_program(struct machine *m, const char *build)
{
	static const char *const names[LXBENCH_KINDS] = { "pmtimer", "hpet", "bench_write",
							  "bench_nop" };
	static const size_t sizes[LXBENCH_KINDS] = { sizeof(struct pmtimer_state),
						     sizeof(struct hpet_state),
						     sizeof(struct bench_state),
						     sizeof(struct bench_state) };
	const bool ours = kind_of(m) == LXBENCH_WRITE || kind_of(m) == LXBENCH_NOP;
	struct vmm_accel_opts opts = {
		.path = VMM_PATH_BPF,
		.regions = &m->region,
		.n_regions = 1,
	};
	char dir[4096];

	if (m->path != PATH_BPF && m->path != PATH_DECLINED)
		return 0;
	snprintf(dir, sizeof(dir), "%s/%s", build, ours ? "tests/bench" : "bpf");
	opts.bpf_dir = dir;
	return vmm_accel_open(m->path == PATH_DECLINED ? "bench_pass" : names[kind_of(m)],
			      sizes[kind_of(m)], &opts, &m->accel);
}

static int attach_kernel_c(const struct machine *m)
{
	const struct lxbench_attach arg = {
		.vm_fd = m->vm->fd,
		.kind = m->what->kind,
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
	uint64_t start = vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC);
	int err;

	*ms = 0;
	if (m->path == PATH_KERNEL_C)
		return attach_kernel_c(m);
	err = vmm_accel_attach(m->accel, m->vm);
	if (m->accel)
		*ms = (double)(vmm_clock_ns(m->vm, LX_CLOCK_MONOTONIC) - start) / 1e6;
	return err;
}

static int machine_create(struct machine *m, const char *build, double *attach_ms)
{
	const struct vmm_opts opts = { .vcpus = 1 };
	int err;

	m->region = region_of(m);
	err = vmm_create(&opts, &m->vm);
	if (!err)
		err = open_program(m, build);
	if (err)
		return err;
	switch (kind_of(m)) {
	case LXBENCH_PMTIMER:
		err = add_pmtimer(m);
		break;
	case LXBENCH_HPET:
		err = add_hpet(m);
		break;
	default:
		err = add_bench(m);
		break;
	}
	return err ?: attach(m, attach_ms);
}

static void machine_destroy(struct machine *m)
{
	vmm_destroy(m->vm);
	vmm_hpet_free(m->hpet);
	vmm_pmtimer_free(m->pmtimer);
	vmm_accel_close(m->accel);
}

/* Runs the guest's loop; what it left is returned. */
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

static int tsc_khz(const struct vmm *vm, double *khz)
{
	int ret = ioctl(vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);

	*khz = ret;
	return ret > 0 ? 0 : vmm_error(ret ? -errno : -ENOENT, "KVM_GET_TSC_KHZ");
}

static int calibrate(const struct vmm *vm, struct bench_unit *unit, const struct bench_params *p)
{
	double per_tick, khz;
	int err;

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
	err = tsc_khz(vm, &khz);
	if (!err)
		unit->per_tick = 1e6 / khz;
	return err;
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

/* That a time counter moved as far as time did, between the ends of two runs. */
static int check_counter(const struct machine *m, const struct bench_params *from,
			 const struct bench_params *to)
{
	const double hz = m->what->kind == LXBENCH_HPET ? 1e15 / VMM_HPET_PERIOD_FS : PMTIMER_HZ;
	double khz, seconds, ticks;
	int err = tsc_khz(m->vm, &khz);

	if (err)
		return err;
	seconds = (double)(to->end - from->end) / (khz * 1000);
	ticks = (double)(uint32_t)(to->last - from->last);
	if (fabs(ticks / hz - seconds) <= RATE_ERROR * seconds)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s counted %.0f in %.6f s, not %.0f", m->what->name,
			 bench_path_names[m->path], ticks, seconds, seconds * hz);
}

/* That every write was counted, by whoever answers. */
static int check_writes(const struct machine *m, uint64_t writes)
{
	const bool pio = m->what->space == LX_SPACE_PIO;
	struct bench_params p;
	int err = run(m->vm, pio ? BENCH_IN32 : BENCH_READ32, m->region.addr + BENCH_COUNT, 1, &p);

	if (!err && p.last != writes)
		err = vmm_error(-ERANGE, "%s on path %s counted %lu writes, not %lu", m->what->name,
				bench_path_names[m->path], p.last, writes);
	return err;
}

static int check_answers(const struct machine *m, const struct bench_params *warm,
			 const struct bench_params *p)
{
	switch (kind_of(m)) {
	case LXBENCH_PMTIMER:
	case LXBENCH_HPET:
		return check_counter(m, warm, p);
	case LXBENCH_WRITE:
		return check_writes(m, warm->n + p->n);
	default:
		return 0;
	}
}

/* That those answered who should have, and that a program that passes was asked. */
static int check_path(const struct machine *m, const struct bench_row *row)
{
	const bool light = m->path == PATH_KERNEL_C || m->path == PATH_BPF;
	struct lx_stats stats = { .sz = sizeof(stats) };
	uint64_t exits = light ? 0 : row->accesses;
	int err;

	if (row->heavy_exits != exits)
		return vmm_error(-ERANGE, "%s on path %s: %lu heavy exits, not %lu", m->what->name,
				 bench_path_names[m->path], row->heavy_exits, exits);
	if (m->path != PATH_DECLINED)
		return 0;
	err = lx_device_stats(vmm_accel_device(m->accel), &stats);
	if (err)
		return vmm_error(err, "counters of bench_pass");
	if (stats.regions[0].passed != row->accesses + BENCH_WARM_UP)
		return vmm_error(-ERANGE, "bench_pass passed %lu times, not %lu",
				 stats.regions[0].passed, row->accesses + BENCH_WARM_UP);
	return 0;
}

static int measure(struct machine *m, const struct bench_unit *unit, struct bench_row *row)
{
	struct bench_params warm, empty, p;
	int err;

	err = run(m->vm, BENCH_EMPTY, 0, row->accesses, &empty);
	if (!err)
		err = run(m->vm, m->what->access, m->addr, BENCH_WARM_UP, &warm);
	if (err)
		return err;
	row->heavy_exits = vmm_dev_count(m->vm, m->index).exits;
	err = run(m->vm, m->what->access, m->addr, row->accesses, &p);
	if (err)
		return err;
	row->heavy_exits = vmm_dev_count(m->vm, m->index).exits - row->heavy_exits;
	row->cost = (double)(p.ticks - empty.ticks) * unit->per_tick / (double)row->accesses;
	err = check_path(m, row);
	return err ?: check_answers(m, &warm, &p);
}

int bench_measure(const struct bench_case *what, enum bench_path path, const char *build,
		  uint64_t accesses, const struct bench_unit *unit, struct bench_row *row)
{
	struct machine m = { .what = what, .path = path };
	int err;

	*row = (struct bench_row){ .what = what, .path = path, .accesses = accesses };
	err = machine_create(&m, build, &row->attach_ms);
	if (!err)
		err = measure(&m, unit, row);
	machine_destroy(&m);
	return err;
}
