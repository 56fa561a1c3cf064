// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The devices that answer at once: counters, a register, and nothing. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "bench_model.h"
#include "hpet.h"
#include "machine.h"
#include "pmtimer.h"

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
	struct vmm_hpet *hpet;
	int err = vmm_hpet_new(m->vm, HPET_BASE, LX_CLOCK_MONOTONIC, vmm_accel_state(m->accel),
			       &hpet);

	if (err)
		return err;
	m->back = hpet;
	m->index = vmm_hpet_index(hpet);
	m->addr = HPET_BASE + HPET_COUNTER;
	vmm_hpet_write(hpet, NULL, HPET_CONFIG, 4, HPET_CONFIG_ENABLE);
	return 0;
}

static void free_hpet(struct machine *m)
{
	vmm_hpet_free(m->back);
}

static int add_pmtimer(struct machine *m)
{
	const struct vmm_pmtimer_opts opts = {
		.port = PMTIMER_PORT,
		.bits = 32,
		.clock = LX_CLOCK_MONOTONIC,
		.state = vmm_accel_state(m->accel),
	};
	struct vmm_pmtimer *pmtimer;
	int err = vmm_pmtimer_new(m->vm, &opts, &pmtimer);

	if (err)
		return err;
	m->back = pmtimer;
	m->index = vmm_pmtimer_index(pmtimer);
	m->addr = PMTIMER_PORT;
	return 0;
}

static void free_pmtimer(struct machine *m)
{
	vmm_pmtimer_free(m->back);
}

static int add_range(struct machine *m, struct vmm_dev dev)
{
	int index;

	dev.name = "bench";
	dev.space = m->region.space;
	dev.base = m->region.addr;
	dev.len = m->region.len;
	index = vmm_add_dev(m->vm, &dev);
	if (index < 0)
		return index;
	m->index = (unsigned int)index;
	m->addr = m->region.addr + BENCH_VALUE;
	return 0;
}

static int add_write(struct machine *m)
{
	struct vmm_dev dev = { .read = bench_dev_read, .write = bench_dev_write };

	m->back = calloc(1, sizeof(struct bench_state));
	if (!m->back)
		return -ENOMEM;
	dev.opaque = m->accel ? vmm_accel_state(m->accel) : m->back;
	return add_range(m, dev);
}

static void free_write(struct machine *m)
{
	free(m->back);
}

/* Without callbacks the VMM drops writes and reads all ones. */
static int add_nop(struct machine *m)
{
	return add_range(m, (struct vmm_dev){ 0 });
}

static uint64_t sector_read(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	__u64 val;

	return bench_sector_read(opaque, len, &val) == LX_HANDLED ? val : ~0ULL;
}

static void sector_write(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			 uint64_t val)
{
	bench_sector_write(opaque, len, val);
}

static int add_sector(struct machine *m)
{
	struct vmm_dev dev = { .read = sector_read, .write = sector_write };

	m->back = calloc(1, sizeof(struct bench_sector_state));
	if (!m->back)
		return -ENOMEM;
	dev.opaque = m->accel ? vmm_accel_state(m->accel) : m->back;
	return add_range(m, dev);
}

/* That each word went through the device that the VMM can see. */
static int check_sector(struct machine *m, const struct bench_params *warm,
			const struct bench_params *p)
{
	const struct bench_sector_state *st = m->accel ? vmm_accel_state(m->accel) : m->back;
	uint64_t due = (warm->n + p->n) * 256;

	if (m->path == PATH_KERNEL_C || st->pos == due)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %u words, not %lu", m->what->name,
			 bench_path_names[m->path], st->pos, due);
}

int machine_seconds(const struct machine *m, const struct bench_params *from,
		    const struct bench_params *to, double *seconds)
{
	int khz = ioctl(m->vm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		return vmm_error(khz ? -errno : -ENOENT, "KVM_GET_TSC_KHZ");
	*seconds = (double)(to->end - from->end) / (khz * 1000.0);
	return 0;
}

/* That a time counter moved as far as time did, between the ends of two runs. */
static int check_counter(const struct machine *m, double hz, const struct bench_params *from,
			 const struct bench_params *to)
{
	double seconds, ticks = (double)(uint32_t)(to->last - from->last);
	int err = machine_seconds(m, from, to, &seconds);

	if (err || fabs(ticks / hz - seconds) <= BENCH_RATE_ERROR * seconds)
		return err;
	return vmm_error(-ERANGE, "%s on path %s counted %.0f in %.6f s, not %.0f", m->what->name,
			 bench_path_names[m->path], ticks, seconds, seconds * hz);
}

static int check_hpet(struct machine *m, const struct bench_params *warm,
		      const struct bench_params *p)
{
	return check_counter(m, 1e15 / VMM_HPET_PERIOD_FS, warm, p);
}

static int check_pmtimer(struct machine *m, const struct bench_params *warm,
			 const struct bench_params *p)
{
	return check_counter(m, PMTIMER_HZ, warm, p);
}

/* That every write was counted, by whoever answers. */
static int check_writes(struct machine *m, const struct bench_params *warm,
			const struct bench_params *p)
{
	const bool pio = m->what->space == LX_SPACE_PIO;
	uint64_t writes = warm->n + p->n;
	struct bench_params got;
	int err = machine_run(m, pio ? BENCH_IN32 : BENCH_READ32, m->region.addr + BENCH_COUNT, 1,
			      &got);

	if (!err && got.last != writes)
		err = vmm_error(-ERANGE, "%s on path %s counted %lu writes, not %lu", m->what->name,
				bench_path_names[m->path], got.last, writes);
	return err;
}

const struct bench_dev bench_pmtimer = {
	.kind = LXBENCH_PMTIMER,
	.program = "pmtimer",
	.dir = "bpf",
	.state_size = sizeof(struct pmtimer_state),
	.base = { [LX_SPACE_PIO] = PMTIMER_PORT },
	.len = PMTIMER_LEN,
	.add = add_pmtimer,
	.check = check_pmtimer,
	.free = free_pmtimer,
};

const struct bench_dev bench_hpet = {
	.kind = LXBENCH_HPET,
	.program = "hpet",
	.dir = "bpf",
	.state_size = sizeof(struct hpet_state),
	.base = { [LX_SPACE_MMIO] = HPET_BASE },
	.len = HPET_LEN,
	.add = add_hpet,
	.check = check_hpet,
	.free = free_hpet,
};

const struct bench_dev bench_write_dev = {
	.kind = LXBENCH_WRITE,
	.program = "bench_write",
	.dir = "tests/bench",
	.state_size = sizeof(struct bench_state),
	.base = { BENCH_PORT, BENCH_GPA },
	.len = BENCH_LEN,
	.add = add_write,
	.check = check_writes,
	.free = free_write,
};

const struct bench_dev bench_nop = {
	.kind = LXBENCH_NOP,
	.program = "bench_nop",
	.dir = "tests/bench",
	.state_size = sizeof(struct bench_state),
	.base = { BENCH_PORT, BENCH_GPA },
	.len = BENCH_LEN,
	.add = add_nop,
};

#define SECTOR_DEV(_string, _fewer)                              \
	{                                                        \
		.kind = LXBENCH_SECTOR,                          \
		.program = "bench_sector",                       \
		.dir = "tests/bench",                            \
		.state_size = sizeof(struct bench_sector_state), \
		.fewer = _fewer,                                 \
		.string = _string,                               \
		.base = { [LX_SPACE_PIO] = BENCH_PORT },         \
		.len = BENCH_LEN,                                \
		.add = add_sector,                               \
		.check = check_sector,                           \
		.free = free_write,                              \
	}

/* A string of words is one heavy exit to the VMM if it is read, one a word if it is written. */
const struct bench_dev bench_sector_in = SECTOR_DEV(256, 50);
const struct bench_dev bench_sector_out = SECTOR_DEV(0, 250);
