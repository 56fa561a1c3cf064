// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The virtio guest; see virtio_guest.h. */
#include "vblk.h"
#include "../../unit/longdiv.h"
#include "../virtio_guest.h"

struct request {
	uint32_t type;
	uint32_t sector;
	unsigned int slot;
	uint8_t status; /* that is right */
	uint8_t buf[VBLK_SECTOR];
};

static struct vblk disk;
static struct request batch[VIRTIO_BATCH];
static uint8_t rings[VBLK_MEMORY] __attribute__((aligned(4096)));

/* One sector of the batch's own; now and then one that is not there, or no such request. */
static void prepare(struct virtio_params *p, struct request *r, uint32_t sector)
{
	uint64_t dice = repeatable_random(&p->seed) >> 32;

	r->type = dice & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	r->sector = sector;
	r->status = VIRTIO_BLK_S_OK;
	if (dice % 32 == 2)
		r->status = VIRTIO_BLK_S_IOERR;
	if (dice % 32 == 4) {
		r->type = 77;
		r->status = VIRTIO_BLK_S_UNSUPP;
	}
	if (r->type == VIRTIO_BLK_T_OUT && r->status == VIRTIO_BLK_S_OK)
		p->writes[sector]++;
	for (uint32_t i = 0; i < VBLK_SECTOR; i++)
		r->buf[i] = r->type == VIRTIO_BLK_T_OUT ?
				    virtio_byte(sector, p->writes[sector], i) :
				    0xee;
}

static bool is_right(const struct virtio_params *p, const struct request *r, uint8_t status)
{
	if (status != r->status)
		return false;
	if (r->type != VIRTIO_BLK_T_IN || status != VIRTIO_BLK_S_OK)
		return true;
	for (uint32_t i = 0; i < VBLK_SECTOR; i++) {
		if (r->buf[i] != virtio_byte(r->sector, p->writes[r->sector], i))
			return false;
	}
	return true;
}

/* Notified one by one, or at the end, for all. */
static void run_batch(struct virtio_params *p)
{
	uint64_t dice = repeatable_random(&p->seed) >> 32;
	uint32_t n = 1 + dice % VIRTIO_BATCH, first = (dice >> 8) % VIRTIO_SECTORS;
	bool each = dice & 0x80;

	for (uint32_t i = 0; i < n; i++) {
		struct request *r = &batch[i];

		prepare(p, r, (first + i) % VIRTIO_SECTORS);
		r->slot = vblk_submit(&disk, r->type,
				      r->status == VIRTIO_BLK_S_IOERR ? 1ULL << 40 : r->sector,
				      r->buf, VBLK_SECTOR);
		if (each)
			vblk_kick(&disk);
	}
	vblk_kick(&disk);
	for (uint32_t i = 0; i < n; i++)
		p->errors += !is_right(p, &batch[i], vblk_wait(&disk, batch[i].slot));
	__atomic_store_n(&p->done, p->done + n, __ATOMIC_RELAXED);
}

static void sum_up(struct virtio_params *p, uint64_t val)
{
	p->registers = virtio_sum(p->registers, val);
}

/* All registers but those whose values the device changes by itself. */
static void look_at_page(struct virtio_params *p)
{
	for (uint32_t reg = 0; reg < VIRTIO_MMIO_CONFIG_GENERATION; reg += 4) {
		if (reg != VIRTIO_MMIO_INTERRUPT_STATUS)
			sum_up(p, vblk_get(&disk, reg));
	}
	sum_up(p, mmio_read8(disk.base + 1));
	sum_up(p, mmio_read16(disk.base + 2));
	sum_up(p, mmio_read64(disk.base + VIRTIO_MMIO_MAGIC_VALUE));
	sum_up(p, mmio_read32(disk.base + 0xffc));
}

static void look(struct virtio_params *p)
{
	uint64_t capacity = vblk_capacity(&disk);

	p->looks++;
	for (unsigned int i = 0; i < VIRTIO_SELECTED; i++) {
		vblk_put(&disk, VIRTIO_MMIO_QUEUE_SEL, virtio_queues[i]);
		vblk_put(&disk, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		look_at_page(p);
	}
	/* What does nothing: a wrong length, a read-only register, a queue that runs. */
	mmio_write16(disk.base + VIRTIO_MMIO_QUEUE_SEL, 1);
	vblk_put(&disk, VIRTIO_MMIO_MAGIC_VALUE, 1);
	vblk_put(&disk, VIRTIO_MMIO_QUEUE_NUM, 1);
	vblk_put(&disk, VIRTIO_MMIO_QUEUE_NOTIFY, 5);
	look_at_page(p);
	if (capacity != p->capacity[0] && capacity != p->capacity[1])
		p->bad_capacities++;
}

/* 2.1.2: a chain that makes no sense stops the device, and a reset starts it again. */
static bool stop_and_reset(struct virtio_params *p, bool event_idx)
{
	unsigned int slot = vblk_submit(&disk, VIRTIO_BLK_T_IN, 0, batch[0].buf, VBLK_SECTOR);

	disk.desc[slot * 3 + 2].flags |= VRING_DESC_F_NEXT;
	disk.desc[slot * 3 + 2].next = (uint16_t)(slot * 3);
	vblk_kick(&disk);
	for (uint64_t i = 0; i < 100000000; i++) {
		if (vblk_get(&disk, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return vblk_init(&disk, p->base, rings, event_idx);
	}
	return false;
}

static void publish(struct virtio_params *p)
{
	p->notify = disk.notify;
	p->interrupts = disk.interrupts;
	p->acks = disk.acks;
	p->config_changes = disk.config_changes;
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct virtio_params *p = arg;
	bool event_idx = false;

	irq_init(p->counts);
	vblk_interrupts(&disk, p->pin, VIRTIO_VECTOR);
	irq_enable();
	for (uint64_t i = 0; p->done < p->requests; i++) {
		if (i % VIRTIO_RESET == 0) {
			p->bad_setups += !vblk_init(&disk, p->base, rings, event_idx);
			event_idx = !event_idx;
			if (p->bad_setups)
				break;
		}
		if (i % VIRTIO_LOOK == 0)
			look(p);
		run_batch(p);
	}
	p->stopped = !p->bad_setups && stop_and_reset(p, event_idx);
	if (p->stopped)
		run_batch(p);
	publish(p);
	return 0;
}
