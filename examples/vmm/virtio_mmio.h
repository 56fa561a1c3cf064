/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's side of virtio over MMIO, version 2, and of split virtqueues. Section
 * numbers are those of the Virtual I/O Device specification 1.2.
 *
 * Everything that a guest can read is in the state's page, everything that it can write
 * is handled by virtio_mmio_model.h or here. With a device program the same page is
 * mirrored into the guest, and the model's part answered in the kernel.
 *
 * Threads. vCPUs write registers; the loop's thread, woken by a doorbell, uses the
 * rings. The state's lock serialises registers, as for the program; the lock @io says
 * whose the rings are, and is taken before it. A reset, or a queue's end, waits in @io.
 *
 * Interrupts are edges: each signal of the eventfd is one, whatever InterruptStatus
 * already shows. So an acknowledgment has nothing to lower, and needs no VMM.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include <lightexit/dev/virtio_mmio.h>

#include "loop.h"
#include "vmm.h"

/* Descriptors of a chain. */
#define VMM_VIRTQ_SEGMENTS 32U
/* Chains that a device takes before it lets others have the loop. */
#define VMM_VIRTQ_BUDGET 64U

struct vmm_virtio;

/**
 * struct vmm_virtio_opts - a device
 * @base:     guest-physical address of its page
 * @gsi:      interrupt line
 * @loop:     whose thread calls @notify
 * @state:    a device program's mapped state (lx_device_state()), which outlives the
 *            device; NULL: a private one
 * @id:       DeviceID, 5
 * @features: that it offers; VIRTIO_F_VERSION_1 and VIRTIO_F_EVENT_IDX come to these
 * @num_max:  entries of each queue
 * @queues:   1 to VIRTIO_MMIO_QUEUES
 * @config:   its configuration space
 * @config_len: bytes
 * @notify:   there may be buffers in a queue that is ready. On the loop's thread
 * @opaque:   given to @notify
 */
struct vmm_virtio_opts {
	uint64_t base;
	uint32_t gsi;
	struct vmm_loop *loop;
	struct virtio_mmio_state *state;
	uint32_t id;
	uint64_t features;
	uint32_t num_max;
	unsigned int queues;
	const void *config;
	size_t config_len;
	void (*notify)(void *opaque, unsigned int queue);
	void *opaque;
};

/**
 * vmm_virtio_new() - a device after reset, on @vm's MMIO bus
 * @vm:  with VMM_IRQCHIP_KERNEL
 * @out: vmm_virtio_free() it, after the machine and before the loop
 * Return: 0; -EINVAL: @opts; what KVM says; or as vmm_add_dev()
 */
int vmm_virtio_new(struct vmm *vm, const struct vmm_virtio_opts *opts, struct vmm_virtio **out);
void vmm_virtio_free(struct vmm_virtio *v);

/* A queue's doorbell: the eventfd for its slot (lx_device_set_eventfds()). */
int vmm_virtio_doorbell(const struct vmm_virtio *v, unsigned int queue);

/**
 * vmm_virtio_settle() - after lx_freeze() or lx_state_freeze()
 *
 * When it returns @notify has ended, and is not called until the state is thawed.
 */
void vmm_virtio_settle(struct vmm_virtio *v);

/* After a thaw: has the loop look at all queues, whoever was notified of them. */
void vmm_virtio_kick(struct vmm_virtio *v);

/* Its index, for vmm_dev_count(). */
unsigned int vmm_virtio_index(const struct vmm_virtio *v);

/**
 * vmm_virtio_set_config() - change the configuration space, and tell the driver
 *
 * A driver that reads ConfigGeneration twice has to notice (2.5.3, 4.2.2.1): so no page is
 * mirrored meanwhile, and reads wait for the lock.
 */
void vmm_virtio_set_config(struct vmm_virtio *v, size_t off, const void *buf, size_t len);

/* A part of a buffer. */
struct vmm_virtq_segment {
	uint8_t *addr;
	uint32_t len;
};

/**
 * struct vmm_virtq_chain - a buffer that the driver made available
 * @head:   its first descriptor
 * @n_out:  segments that the device reads
 * @n_in:   segments that the device writes, behind these
 */
struct vmm_virtq_chain {
	uint16_t head;
	unsigned int n_out;
	unsigned int n_in;
	struct vmm_virtq_segment segments[VMM_VIRTQ_SEGMENTS];
};

/*
 * For @notify. It takes all chains, puts each back, and ends with vmm_virtq_end();
 * until that says true it goes on.
 *
 * vmm_virtq_take() - Return: false if there is none, or the budget is used up
 * vmm_virtq_put()  - give a chain back, of whose device-writable part @len bytes are written
 * vmm_virtq_end()  - interrupt the driver if it wants that; then ask for notifications, or
 *                    come back later. Return: false if more has come
 */
bool vmm_virtq_take(struct vmm_virtio *v, unsigned int queue, struct vmm_virtq_chain *chain);
void vmm_virtq_put(struct vmm_virtio *v, unsigned int queue, const struct vmm_virtq_chain *chain,
		   uint32_t len);
bool vmm_virtq_end(struct vmm_virtio *v, unsigned int queue);

#endif /* VMM_VIRTIO_MMIO_H */
