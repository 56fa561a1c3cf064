// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * virtio: a guest that writes and reads a disk by virtio over MMIO. This VMM answers its
 * registers; or a mirror page is what the guest reads of them, and lightexit's program
 * answers doorbells and acknowledgments of interrupts. Requests are the VMM's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "params.h"
#include "virtio_blk.h"

#define REQUESTS_DEFAULT 10000
#define REQUESTS_MAX 1000000000UL
/* A slot of the VM's that this VMM does not use itself. */
#define MIRROR_SLOT 9U

VMM_GUEST(virtio);

enum {
	OPT_REQUESTS = 'n',
	OPT_DEPTH = 'q',
};

struct config {
	struct example_opts common;
	uint64_t requests;
	uint32_t depth;
};

struct demo {
	struct vmm *vm;
	struct vmm_loop *loop;
	struct vmm_accel *accel;
	struct vmm_blk *disk;
	struct virtio_params params;
	struct example_cost cost;
	double ns; /* a request */
	uint8_t image[DISK_SECTORS * DISK_SECTOR];
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct config *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->common;
		return 0;
	case OPT_REQUESTS:
		c->requests = example_number(arg, 1, REQUESTS_MAX, state, "requests");
		return 0;
	case OPT_DEPTH:
		c->depth = (uint32_t)example_number(arg, 1, DEPTH_MAX, state, "depth");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "requests", OPT_REQUESTS, "N", 0,
	  "sectors to write and read, rounded up to whole batches (default: 10000)", 0 },
	{ "depth", OPT_DEPTH, "N", 0, "requests at a time, with one doorbell (default: 1)", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.children = example_argp,
	.doc = "Runs a guest that writes and reads a virtio disk over MMIO, and prints what its "
	       "doorbells and interrupts cost.\vExit status: 0; 1: failed, or data was wrong; 2: "
	       "usage.",
};

/* The guest's reads become memory, its writes the program's. */
static int accelerate(struct demo *demo)
{
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };
	int err;

	fds.slots[0] = vmm_virtio_doorbell(vmm_blk_virtio(demo->disk), 0);
	err = vmm_accel_set_eventfds(demo->accel, &fds);
	if (!err)
		err = vmm_accel_attach(demo->accel, demo->vm);
	if (err || !vmm_accel_active(demo->accel))
		return err;
	err = lx_device_mirror(vmm_accel_device(demo->accel), demo->vm->fd, MIRROR_SLOT,
			       VIRTIO_MMIO_BASE, offsetof(struct virtio_mmio_state, page),
			       VIRTIO_MMIO_PAGE);
	return err ? vmm_error(err, "mirror page") : 0;
}

static int demo_create(struct demo *demo, const struct config *c)
{
	const struct vmm_opts vm_opts = { .irqchip = VMM_IRQCHIP_KERNEL };
	struct vmm_blk_opts opts = {
		.base = VIRTIO_MMIO_BASE,
		.gsi = DISK_GSI,
		.image = demo->image,
		.size = sizeof(demo->image),
	};
	int err;

	err = vmm_create(&vm_opts, &demo->vm);
	if (!err)
		err = vmm_loop_new(&demo->loop);
	if (!err)
		err = example_open(&c->common, "virtio_mmio", sizeof(struct virtio_mmio_state),
				   NULL, 0, &demo->accel);
	if (err)
		return err;
	opts.loop = demo->loop;
	opts.state = vmm_accel_state(demo->accel);
	err = vmm_blk_new(demo->vm, &opts, &demo->disk);
	return err ? err : accelerate(demo);
}

static void demo_destroy(struct demo *demo)
{
	vmm_destroy(demo->vm);
	vmm_blk_free(demo->disk);
	vmm_loop_free(demo->loop);
	vmm_accel_close(demo->accel);
}

static int demo_run(struct demo *demo, const struct config *c)
{
	struct virtio_params *p = vmm_params(demo->vm);
	uint64_t start;
	int err;

	*p = (struct virtio_params){ .requests = c->requests,
				     .base = VIRTIO_MMIO_BASE,
				     .depth = c->depth };
	err = vmm_load(demo->vm, VMM_GUEST_ARGS(virtio));
	if (err)
		return err;
	start = vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC);
	err = vmm_run(demo->vm, -1);
	if (!err && p->broken)
		err = vmm_error(-EIO, "the guest's driver does not take the disk");
	if (err)
		return err;
	demo->ns = (double)(vmm_clock_ns(demo->vm, LX_CLOCK_MONOTONIC) - start) / (double)p->done;
	demo->params = *p;
	demo->cost = example_cost(
		vmm_dev_count(demo->vm, vmm_virtio_index(vmm_blk_virtio(demo->disk))), demo->accel);
	return 0;
}

/* Return: 0; -EIO: the guest did not read what it wrote, or the disk does not have it */
static int compare(const struct demo *demo)
{
	const struct virtio_params *p = &demo->params;

	if (p->errors)
		return vmm_error(-EIO, "%lu requests of %lu went wrong", p->errors, p->done);
	for (uint32_t i = 0; i < sizeof(demo->image); i++) {
		uint32_t sector = i / DISK_SECTOR;

		if (demo->image[i] != disk_byte(sector, p->writes[sector], i % DISK_SECTOR))
			return vmm_error(-EIO, "sector %u on the disk is wrong", sector);
	}
	return 0;
}

static json_t *row_json(const struct demo *demo)
{
	const struct virtio_params *p = &demo->params;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:f}", "path",
			 example_path(&demo->cost), "requests", (json_int_t)p->done, "doorbells",
			 (json_int_t)p->doorbells, "interrupts", (json_int_t)p->interrupts,
			 "acknowledgments", (json_int_t)p->acks, "heavy_exits",
			 (json_int_t)demo->cost.heavy, "answered",
			 example_answered_json(&demo->cost), "ns_per_request", demo->ns);
}

static void print_table(const struct demo *demo)
{
	const struct virtio_params *p = &demo->params;
	char buf[24];

	printf("%-5s %9s %9s %10s %12s %15s %10s\n", "PATH", "REQUESTS", "DOORBELLS", "INTERRUPTS",
	       "HEAVY EXITS", "ANSWERED BY BPF", "NS/REQUEST");
	printf("%-5s %9lu %9lu %10lu %12lu %15s %10.0f\n", example_path(&demo->cost), p->done,
	       p->doorbells, p->interrupts, demo->cost.heavy, example_answered(&demo->cost, buf),
	       demo->ns);
}

static int run(void *config)
{
	static struct demo demo;
	const struct config *c = config;
	int err = demo_create(&demo, c);

	if (!err)
		err = demo_run(&demo, c);
	if (!err)
		err = compare(&demo);
	if (!err && c->common.json)
		err = example_print_json(row_json(&demo));
	else if (!err)
		print_table(&demo);
	demo_destroy(&demo);
	return err;
}

int main(int argc, char **argv)
{
	struct config config = {
		.common.path = VMM_PATH_AUTO,
		.requests = REQUESTS_DEFAULT,
		.depth = 1,
	};

	return example_main(argc, argv, &argp, &config, run);
}
