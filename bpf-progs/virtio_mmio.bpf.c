// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * virtio_mmio: answers for a virtio device over MMIO, version 2. (3 in docs/path.md)
 *
 * Regions: one of a page, MMIO. The VMM says where.
 * State:   map virtio_mmio_state, struct virtio_mmio_state; its second page is what the
 *          guest reads, and meant to be mirrored (lx_device_mirror()).
 * Slots:   of the eventfds, by queue: its doorbell.
 * Handles: writes of QueueNotify, InterruptACK, QueueSel and DeviceFeaturesSel; naturally
 *          aligned reads, for a VMM that has no memory slot left for a mirror.
 * Passes:  everything else, and all accesses while somebody holds the lock.
 */
#include "lx.bpf.h"
#include "virtio_mmio_model.h"

LX_STATE_MAP(virtio_mmio_state, struct virtio_mmio_state);

/* The lock keeps reads of the configuration in order with ConfigGeneration. */
SEC("struct_ops/virtio_mmio_io_read")
int BPF_PROG(virtio_mmio_io_read, struct lx_io *io)
{
	struct virtio_mmio_state *st = lx_state_of(virtio_mmio_state);
	__u64 val = 0;
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = virtio_mmio_read(st, io->addr, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

/*
 * In the lock, so that no reset comes in between: after one the rings are the guest's.
 * Without an eventfd in the slot it has not rung, and the VMM does.
 */
static int virtio_mmio_signal(struct lx_io *io, struct virtio_mmio_state *st,
			      const struct virtio_mmio_ring *ring)
{
	__u16 flags = VIRTIO_MMIO_NO_NOTIFY;

	if (lx_signal(io, ring->queue)) {
		virtio_mmio_unring(st, ring);
		return LX_PASS;
	}
	if (ring->quiet)
		lx_guest_write(io, ring->used, &flags, sizeof(flags));
	return LX_HANDLED;
}

SEC("struct_ops/virtio_mmio_io_write")
int BPF_PROG(virtio_mmio_io_write, struct lx_io *io)
{
	struct virtio_mmio_state *st = lx_state_of(virtio_mmio_state);
	struct virtio_mmio_ring ring = {};
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = virtio_mmio_write(st, io->addr, io->len, io->data, &ring);
	if (ring.signal)
		verdict = virtio_mmio_signal(io, st, &ring);
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops virtio_mmio = {
	.read = (void *)virtio_mmio_io_read,
	.write = (void *)virtio_mmio_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = VIRTIO_MMIO_BASE,
		       .len = VIRTIO_MMIO_PAGE,
		       .space = LX_SPACE_MMIO } },
	.name = "virtio_mmio",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
