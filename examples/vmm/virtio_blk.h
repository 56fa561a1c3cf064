/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's virtio block device (5.2 of the Virtual I/O Device specification 1.2) on an
 * image in memory, with one queue.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "virtio_mmio.h"

#define VMM_BLK_SECTOR 512U

struct vmm_blk;

/**
 * struct vmm_blk_opts - a disk
 * @base, @gsi, @loop, @state: as in struct vmm_virtio_opts
 * @image: its contents, which outlive it
 * @size:  bytes, a multiple of VMM_BLK_SECTOR
 */
struct vmm_blk_opts {
	uint64_t base;
	uint32_t gsi;
	struct vmm_loop *loop;
	struct virtio_mmio_state *state;
	uint8_t *image;
	size_t size;
};

/**
 * vmm_blk_new() - a disk
 * @out: vmm_blk_free() it, after the machine and before the loop
 * Return: 0; -EINVAL: size; or as vmm_virtio_new()
 */
int vmm_blk_new(struct vmm *vm, const struct vmm_blk_opts *opts, struct vmm_blk **out);
void vmm_blk_free(struct vmm_blk *blk);

/* The disk as a virtio device. */
struct vmm_virtio *vmm_blk_virtio(const struct vmm_blk *blk);

/* Requests done, and the wakeups of the loop's thread that it took. */
uint64_t vmm_blk_requests(const struct vmm_blk *blk);
uint64_t vmm_blk_wakeups(const struct vmm_blk *blk);

/*
 * Another size, up to the one that it was made with, while the guest runs; no page is
 * mirrored meanwhile (vmm_virtio_set_config()).
 */
void vmm_blk_resize(struct vmm_blk *blk, size_t size);

#endif /* VMM_VIRTIO_BLK_H */
