// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The IDE channel: a poll of Status, 4 KiB by DMA, sectors by PIO. Nobody waits for IRQ14. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"
#include "machine.h"

#define SECTORS (2 * BENCH_SECTORS)

struct disk {
	struct vmm_ide *ide;
	int fd;
	int irq;
};

static int make_disk(struct disk *disk)
{
	const uint16_t pattern = BENCH_PATTERN;

	disk->fd = memfd_create("disk", MFD_CLOEXEC);
	disk->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (disk->fd < 0 || disk->irq < 0 || ftruncate(disk->fd, SECTORS * IDE_SECTOR))
		return vmm_error(-errno, "disk");
	for (off_t i = 0; i < SECTORS; i++) {
		if (pwrite(disk->fd, &pattern, sizeof(pattern), i * IDE_SECTOR) < 0)
			return vmm_error(-errno, "disk");
	}
	return 0;
}

static int add_ide(struct machine *m)
{
	struct vmm_ide_opts opts = { .state = vmm_accel_state(m->accel) };
	struct disk *disk = calloc(1, sizeof(*disk));
	int err;

	if (!disk)
		return -ENOMEM;
	m->back = disk;
	m->addr = IDE_COMMAND_PORT;
	err = make_disk(disk);
	opts.fd = disk->fd;
	opts.irq_fd = disk->irq;
	return err ? err : vmm_ide_new(m->vm, &opts, &disk->ide);
}

static int attach_ide(struct machine *m)
{
	const struct disk *disk = m->back;
	const struct lx_eventfds e = { .sz = sizeof(e), .n = 1, .slots = { disk->irq } };

	return m->accel ? lx_device_set_eventfds(vmm_accel_device(m->accel), &e) : 0;
}

static uint64_t heavy_ide(const struct machine *m)
{
	const struct disk *disk = m->back;

	return vmm_ide_count(disk->ide).exits;
}

/* That every command ended well, with the data that belongs there. */
static int check_ide(struct machine *m, const struct bench_params *warm,
		     const struct bench_params *p)
{
	uint64_t want = IDE_STATUS_READY;

	if (m->what->access != BENCH_IDE_STATUS)
		want |= BENCH_PATTERN << 8;
	if (p->last == want)
		return 0;
	return vmm_error(-ERANGE, "%s on path %s: %#lx, not %#lx", m->what->name,
			 bench_path_names[m->path], p->last, want);
}

static void free_ide(struct machine *m)
{
	struct disk *disk = m->back;

	vmm_ide_free(disk->ide);
	close(disk->fd);
	close(disk->irq);
	free(disk);
}

#define IDE_DEV(_fewer)                                        \
	{                                                      \
		.program = "ide",                              \
		.dir = "bpf",                                  \
		.state_size = sizeof(struct ide_state),        \
		.own_regions = true,                           \
		.fewer = _fewer,                               \
		.base = { [LX_SPACE_PIO] = IDE_COMMAND_PORT }, \
		.len = IDE_COMMAND_LEN,                        \
		.heavy = heavy_ide,                            \
		.add = add_ide,                                \
		.attach = attach_ide,                          \
		.check = check_ide,                            \
		.free = free_ide,                              \
	}

const struct bench_dev bench_ide_status = IDE_DEV(0);
const struct bench_dev bench_ide_dma = IDE_DEV(10);
const struct bench_dev bench_ide_pio = IDE_DEV(50);
const struct bench_dev bench_ide_pio_out = IDE_DEV(250);
