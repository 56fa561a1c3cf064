// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* virtio block device, 5.2. One request a chain; how it is cut into segments is free (2.7.4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "virtio_blk.h"

#define QUEUE_NUM_MAX 128U

/* 5.2.6: the header, and the ID's length */
#define HEADER_LEN sizeof(struct virtio_blk_outhdr)
#define STATUS_LEN 1U

/* @sectors: Writers: vmm_blk_resize(); the others: the loop's thread. */
struct vmm_blk {
	struct vmm_virtio *v;
	uint8_t *image;
	uint64_t sectors;
	uint64_t requests;
	uint64_t wakeups;
};

/* The device-readable or the device-writable part of a chain. */
struct part {
	const struct vmm_virtq_segment *segments;
	unsigned int n;
};

static struct part out_part(const struct vmm_virtq_chain *c)
{
	return (struct part){ c->segments, c->n_out };
}

static struct part in_part(const struct vmm_virtq_chain *c)
{
	return (struct part){ c->segments + c->n_out, c->n_in };
}

static uint64_t part_len(struct part part)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < part.n; i++)
		len += part.segments[i].len;
	return len;
}

/* Copies between a part, from its byte @off on, and @buf. It has that many bytes. */
static void part_copy(struct part part, uint64_t off, uint8_t *buf, uint64_t len, bool to_guest)
{
	for (unsigned int i = 0; i < part.n && len; i++) {
		const struct vmm_virtq_segment *s = &part.segments[i];
		uint64_t n = s->len - off;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		n = n < len ? n : len;
		if (to_guest)
			memcpy(s->addr + off, buf, n);
		else
			memcpy(buf, s->addr + off, n);
		buf += n;
		len -= n;
		off = 0;
	}
}

/* 5.2.6.2: whole sectors, within the disk */
static bool in_disk(const struct vmm_blk *blk, uint64_t sector, uint64_t len)
{
	uint64_t sectors = __atomic_load_n(&blk->sectors, __ATOMIC_RELAXED);

	return len % VMM_BLK_SECTOR == 0 && sector <= sectors &&
	       len / VMM_BLK_SECTOR <= sectors - sector;
}

/**
 * serve() - do a request
 * @in:   what the device may write, without the status
 * @data: bytes that it wrote there
 * Return: the status, 5.2.6
 */
static uint8_t serve(struct vmm_blk *blk, const struct vmm_virtq_chain *c, uint64_t in,
		     uint64_t *data)
{
	const uint64_t out = part_len(out_part(c)) - HEADER_LEN;
	char id[VIRTIO_BLK_ID_BYTES] = "lightexit";
	struct virtio_blk_outhdr hdr;

	part_copy(out_part(c), 0, (uint8_t *)&hdr, HEADER_LEN, false);
	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
		if (!in_disk(blk, hdr.sector, in))
			return VIRTIO_BLK_S_IOERR;
		part_copy(in_part(c), 0, blk->image + hdr.sector * VMM_BLK_SECTOR, in, true);
		*data = in;
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_OUT:
		if (!in_disk(blk, hdr.sector, out))
			return VIRTIO_BLK_S_IOERR;
		part_copy(out_part(c), HEADER_LEN, blk->image + hdr.sector * VMM_BLK_SECTOR, out,
			  false);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		*data = in < sizeof(id) ? in : sizeof(id);
		part_copy(in_part(c), 0, (uint8_t *)id, *data, true);
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* 5.2.6: header, data, status. A chain that has no room for these is given back as it is. */
static uint32_t request(struct vmm_blk *blk, const struct vmm_virtq_chain *c)
{
	uint64_t in = part_len(in_part(c)), data = 0;
	uint8_t status;

	if (part_len(out_part(c)) < HEADER_LEN || in < STATUS_LEN)
		return 0;
	status = serve(blk, c, in - STATUS_LEN, &data);
	part_copy(in_part(c), in - STATUS_LEN, &status, STATUS_LEN, true);
	return (uint32_t)(data + STATUS_LEN);
}

static void blk_notify(void *opaque, unsigned int queue)
{
	struct vmm_blk *blk = opaque;
	struct vmm_virtq_chain chain;

	__atomic_fetch_add(&blk->wakeups, 1, __ATOMIC_RELAXED);
	do {
		while (vmm_virtq_take(blk->v, queue, &chain)) {
			vmm_virtq_put(blk->v, queue, &chain, request(blk, &chain));
			__atomic_fetch_add(&blk->requests, 1, __ATOMIC_RELAXED);
		}
	} while (!vmm_virtq_end(blk->v, queue));
}

int vmm_blk_new(struct vmm *vm, const struct vmm_blk_opts *opts, struct vmm_blk **out)
{
	const struct virtio_blk_config config = { .capacity = opts->size / VMM_BLK_SECTOR };
	struct vmm_virtio_opts virtio = {
		.base = opts->base,
		.gsi = opts->gsi,
		.loop = opts->loop,
		.state = opts->state,
		.id = VIRTIO_ID_BLOCK,
		.features = 1ULL << VIRTIO_BLK_F_FLUSH,
		.num_max = QUEUE_NUM_MAX,
		.queues = 1,
		.config = &config,
		.config_len = sizeof(config),
		.notify = blk_notify,
	};
	struct vmm_blk *blk;
	int err;

	if (opts->size % VMM_BLK_SECTOR)
		return vmm_error(-EINVAL, "disk of %zu bytes: give whole sectors", opts->size);
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return vmm_error(-ENOMEM, "disk");
	blk->image = opts->image;
	blk->sectors = config.capacity;
	virtio.opaque = blk;
	err = vmm_virtio_new(vm, &virtio, &blk->v);
	if (err) {
		vmm_blk_free(blk);
		return err;
	}
	*out = blk;
	return 0;
}

void vmm_blk_free(struct vmm_blk *blk)
{
	if (!blk)
		return;
	vmm_virtio_free(blk->v);
	free(blk);
}

struct vmm_virtio *vmm_blk_virtio(const struct vmm_blk *blk)
{
	return blk->v;
}

uint64_t vmm_blk_requests(const struct vmm_blk *blk)
{
	return __atomic_load_n(&blk->requests, __ATOMIC_RELAXED);
}

uint64_t vmm_blk_wakeups(const struct vmm_blk *blk)
{
	return __atomic_load_n(&blk->wakeups, __ATOMIC_RELAXED);
}

void vmm_blk_resize(struct vmm_blk *blk, size_t size)
{
	uint64_t sectors = size / VMM_BLK_SECTOR;

	__atomic_store_n(&blk->sectors, sectors, __ATOMIC_RELAXED);
	vmm_virtio_set_config(blk->v, offsetof(struct virtio_blk_config, capacity), &sectors,
			      sizeof(sectors));
}
