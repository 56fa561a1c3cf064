// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A virtio disk over MMIO, by the VMM's back end: the guest has a sector read, halts, is
 * interrupted. All sleep then: so a thread that nothing waits for spins meanwhile.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "machine.h"
#include "virtio_blk.h"

#define MIRROR_SLOT 9U
#define GSI 5U

struct requests {
	struct vmm_loop *loop;
	struct vmm_blk *blk;
	uint8_t *image;
};

static int add_blk(struct machine *m, struct requests *r)
{
	struct vmm_blk_opts opts = {
		.base = m->region.addr,
		.gsi = GSI,
		.size = (size_t)BENCH_SECTORS * VMM_BLK_SECTOR,
		.state = vmm_accel_state(m->accel),
	};
	int err;

	r->image = calloc(1, opts.size);
	if (!r->image)
		return -ENOMEM;
	opts.image = r->image;
	err = vmm_loop_new(&r->loop);
	if (err)
		return err;
	opts.loop = r->loop;
	err = vmm_blk_new(m->vm, &opts, &r->blk);
	if (err)
		return err;
	m->index = vmm_virtio_index(vmm_blk_virtio(r->blk));
	m->addr = m->region.addr;
	return 0;
}

static int add_requests(struct machine *m)
{
	struct requests *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	m->back = r;
	return add_blk(m, r);
}

static int attach_requests(struct machine *m)
{
	struct requests *r = m->back;
	struct lx_eventfds e = { .sz = sizeof(e), .n = 1 };

	if (!m->accel)
		return 0;
	e.slots[0] = vmm_virtio_doorbell(vmm_blk_virtio(r->blk), 0);
	return lx_device_set_eventfds(vmm_accel_device(m->accel), &e);
}

static int mirror(struct machine *m)
{
	if (m->path != PATH_MIRROR)
		return 0;
	return lx_device_mirror(vmm_accel_device(m->accel), m->vm->fd, MIRROR_SLOT, m->region.addr,
				VIRTIO_MMIO_PAGE, VIRTIO_MMIO_PAGE);
}

/* That all were done, the last one well. */
static int check_requests(struct machine *m, const struct bench_params *warm,
			  const struct bench_params *p)
{
	const struct requests *r = m->back;
	uint64_t done = vmm_blk_requests(r->blk), due = warm->n + p->n;

	if (done == due && !p->last)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %lu requests, not %lu; status %lu", m->what->name,
			 bench_path_names[m->path], done, due, p->last);
}

static void free_requests(struct machine *m)
{
	struct requests *r = m->back;

	vmm_blk_free(r->blk);
	vmm_loop_free(r->loop);
	free(r->image);
	free(r);
}

const struct bench_dev bench_requests = {
	.program = "virtio_mmio",
	.dir = "bpf",
	.state_size = sizeof(struct virtio_mmio_state),
	.irqchip = VMM_IRQCHIP_KERNEL,
	.sleeps = true,
	.base = { [LX_SPACE_MMIO] = VIRTIO_MMIO_BASE },
	.len = VIRTIO_MMIO_PAGE,
	.add = add_requests,
	.attach = attach_requests,
	.attached = mirror,
	.check = check_requests,
	.free = free_requests,
};

static void *spin(void *arg)
{
	const bool *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

int bench_spinner_start(struct bench_spinner *s)
{
	const struct sched_param param = { 0 };
	int err;

	s->stop = false;
	err = pthread_create(&s->thread, NULL, spin, &s->stop);
	if (err)
		return vmm_error(-err, "the thread that spins");
	s->started = true;
	err = pthread_setschedparam(s->thread, SCHED_IDLE, &param);
	return err ? vmm_error(-err, "SCHED_IDLE") : 0;
}

uint64_t bench_spinner_ns(const struct bench_spinner *s)
{
	struct timespec ts;
	clockid_t clock;

	if (!s->started || pthread_getcpuclockid(s->thread, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void bench_spinner_end(struct bench_spinner *s)
{
	if (!s->started)
		return;
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
	s->started = false;
}
