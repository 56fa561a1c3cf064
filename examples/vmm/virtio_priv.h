/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What virtio_mmio.c and virtq.c share. */
#ifndef VMM_VIRTIO_PRIV_H
#define VMM_VIRTIO_PRIV_H

#include <linux/virtio_ring.h>

#include "virtio_mmio.h"
#include "virtio_mmio_model.h"

/**
 * struct vmm_virtq - a queue's rings, in use
 * @num:        entries; 0: the queue is not ready
 * @event_idx:  VIRTIO_F_EVENT_IDX was negotiated
 * @last_avail: entries taken; the state's has it after each vmm_virtq_end()
 * @last_used:  entries put
 * @signalled:  of them, those that the driver was interrupted for, or needs not be
 * @taken:      since vmm_virtq_end()
 *
 * Protected by vmm_virtio.io.
 */
struct vmm_virtq {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint32_t num;
	bool event_idx;
	uint16_t last_avail;
	uint16_t last_used;
	uint16_t signalled;
	unsigned int taken;
};

struct doorbell {
	struct vmm_virtio *v;
	struct vmm_watch *watch;
	unsigned int queue;
	int fd;
};

struct vmm_virtio {
	struct virtio_mmio_state own;
	struct virtio_mmio_state *st;
	struct vmm *vm;
	struct vmm_virtio_opts opts;
	unsigned int index;
	int irqfd;
	struct doorbell doorbells[VIRTIO_MMIO_QUEUES];
	pthread_mutex_t io;
	struct vmm_virtq rings[VIRTIO_MMIO_QUEUES];
};

/* InterruptStatus says why: interrupts the guest. */
void vmm_virtio_interrupt(struct vmm_virtio *v);

/* The driver broke the rules; nothing of its rings is looked at until a reset. @io is held. */
void vmm_virtio_fail(struct vmm_virtio *v, const char *why);

/* Looks at where the driver put a queue's rings. Return: false if they cannot be there. */
bool vmm_virtq_map(struct vmm_virtio *v, unsigned int queue);

#endif /* VMM_VIRTIO_PRIV_H */
