// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Writes sectors of a virtio disk and reads them back, waiting for interrupts. */
#include "vblk.h"

#include "params.h"

static struct vblk disk;
static uint8_t rings[VBLK_MEMORY] __attribute__((aligned(4096)));
static uint8_t bufs[DEPTH_MAX][DISK_SECTOR];

static void fill(const struct virtio_params *p, uint32_t sector, uint8_t *buf)
{
	for (uint32_t i = 0; i < DISK_SECTOR; i++)
		buf[i] = disk_byte(sector, p->writes[sector], i);
}

static bool is_right(const struct virtio_params *p, uint32_t sector, const uint8_t *buf)
{
	for (uint32_t i = 0; i < DISK_SECTOR; i++) {
		if (buf[i] != disk_byte(sector, p->writes[sector], i))
			return false;
	}
	return true;
}

/* @n sectors from @first on, with one doorbell. */
static void batch(struct virtio_params *p, uint32_t type, uint32_t first, uint32_t n)
{
	unsigned int slots[DEPTH_MAX];
	bool ok;

	for (uint32_t i = 0; i < n; i++) {
		if (type == VIRTIO_BLK_T_OUT) {
			p->writes[first + i]++;
			fill(p, first + i, bufs[i]);
		}
		slots[i] = vblk_submit(&disk, type, first + i, bufs[i], DISK_SECTOR);
	}
	vblk_kick(&disk);
	for (uint32_t i = 0; i < n; i++) {
		ok = vblk_wait(&disk, slots[i]) == VIRTIO_BLK_S_OK;
		if (type == VIRTIO_BLK_T_IN)
			ok = ok && is_right(p, first + i, bufs[i]);
		p->errors += !ok;
		p->done++;
	}
}

uint32_t guest_main(unsigned long vcpu, void *params)
{
	struct virtio_params *p = params;
	uint32_t first = 0;

	irq_init(p->counts);
	vblk_interrupts(&disk, DISK_GSI, DISK_VECTOR);
	irq_enable();
	p->broken = !vblk_init(&disk, p->base, rings, true) || vblk_capacity(&disk) != DISK_SECTORS;
	while (!p->broken && p->done < p->requests) {
		batch(p, VIRTIO_BLK_T_OUT, first, p->depth);
		/* So that what is compared has been read. */
		__builtin_memset(bufs, 0, sizeof(bufs));
		batch(p, VIRTIO_BLK_T_IN, first, p->depth);
		first = (first + p->depth) % (DISK_SECTORS - DEPTH_MAX);
	}
	p->doorbells = disk.notify;
	p->interrupts = disk.interrupts;
	p->acks = disk.acks;
	return 0;
}
