/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The virtio guest: batches of reads and writes of a disk, each waited for by
 * interrupt; from time to time a look at all registers, and a reset. Host and guest.
 */
#ifndef VIRTIO_GUEST_H
#define VIRTIO_GUEST_H

#include <stdint.h>

/* Sectors that it uses, and what is on them at first and after the Nth write. */
#define VIRTIO_SECTORS 64U
#define VIRTIO_BATCH 8U
#define VIRTIO_VECTOR 0x50U
/* Batches between two looks at the registers, and between two resets. */
#define VIRTIO_LOOK 16U
#define VIRTIO_RESET 64U

static inline uint8_t virtio_byte(uint32_t sector, uint32_t writes, uint32_t i)
{
	return (uint8_t)(sector * 37 + writes * 101 + i * 3 + (i >> 8));
}

/* The queues that a look selects, each with the set of features of its place here. */
#define VIRTIO_SELECTED 5U
static const uint32_t virtio_queues[VIRTIO_SELECTED] = { 1, 7, 8, 0xffffffff, 0 };

/* Many values in one. */
static inline uint64_t virtio_sum(uint64_t sum, uint64_t val)
{
	return (sum ^ val) * 0x100000001b3ULL;
}

/**
 * struct virtio_params - the parameter block
 * @base:       of the device. Writer: host, as of @pin, @requests, @seed, @capacity
 * @capacity:   that it may have, in sectors
 * @done:       requests
 * @errors:     of them, those with a wrong status or data
 * @bad_setups: resets after which the device did not come up
 * @bad_capacities: what was neither
 * @stopped:    the device stopped at a chain that made no sense, and came up again
 * @looks:      at the registers
 * @registers:  what was read of them: virtio_sum()
 * @writes:     to each sector
 * @interrupts: and the rest: as in struct vblk
 * @counts:     interrupts, by vector
 */
struct virtio_params {
	uint64_t base;
	uint32_t pin;
	uint32_t pad;
	uint64_t requests;
	uint64_t seed;
	uint64_t capacity[2];
	uint64_t done;
	uint64_t errors;
	uint64_t bad_setups;
	uint64_t bad_capacities;
	uint64_t stopped;
	uint64_t looks;
	uint64_t registers;
	uint64_t notify;
	uint64_t interrupts;
	uint64_t acks;
	uint64_t config_changes;
	uint32_t writes[VIRTIO_SECTORS];
	uint32_t counts[256];
};

#endif /* VIRTIO_GUEST_H */
