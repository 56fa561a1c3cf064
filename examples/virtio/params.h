/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The parameter block of examples/virtio, and its disk. Shared by host and guest. */
#ifndef VIRTIO_PARAMS_H
#define VIRTIO_PARAMS_H

#include <stdint.h>

#define DISK_VECTOR 0x45U
#define DISK_GSI 5U
#define DISK_SECTORS 64U
#define DISK_SECTOR 512U
#define DEPTH_MAX 16U

/**
 * struct virtio_params - one run
 * @requests: reads and writes, at least; what is written is then read. Writer: host
 * @base:     guest-physical address of the device. Writer: host
 * @depth:    requests at a time, of one doorbell. Writer: host
 * @broken:   1: the device did not come up
 * @done:     requests
 * @errors:   of them, those that failed, or read something else than was written
 * @doorbells, @interrupts, @acks: as in vblk.h: writes of QueueNotify, interrupts, writes
 *            of InterruptACK
 * @writes:   of each sector
 * @counts:   irq.h's
 *
 * Writer, where nothing else is said: the guest.
 */
struct virtio_params {
	uint64_t requests;
	uint64_t base;
	uint32_t depth;
	uint32_t broken;
	uint64_t done;
	uint64_t errors;
	uint64_t doorbells;
	uint64_t interrupts;
	uint64_t acks;
	uint32_t writes[DISK_SECTORS];
	uint32_t counts[256];
};

/* What a sector has after so many writes. */
static inline uint8_t disk_byte(uint32_t sector, uint32_t writes, uint32_t i)
{
	return writes ? (uint8_t)(sector * 41 + writes * 89 + i * 5 + (i >> 8)) : 0;
}

#endif /* VIRTIO_PARAMS_H */
