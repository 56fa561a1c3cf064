/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The queue guest: numbers its writes to the device in vt_queue.h. Host and guest. */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdint.h>

#include "bpf/vt_queue.h"

/**
 * struct queue_vcpu - what a vCPU did. Writer, where nothing else is said: the guest
 * @writes:  of both kinds
 * @bad:     reads that did not count all writes before them
 * @got, @due: of the first bad one
 * @arrived: writes that the VMM has seen. Writer: the host
 */
struct queue_vcpu {
	uint64_t writes;
	uint64_t bad;
	uint64_t got;
	uint64_t due;
	uint64_t arrived;
};

/**
 * struct queue_params - the parameter block
 * @rounds:  each a write, and now and then a read. Writer: host, who may lessen it at any time
 * @read_of: one round of about so many reads. Writer: host
 * @alone:   no reads; after each round wait for @arrived: only the doorbell can tell the
 *           VMM. Writer: host
 * @seed:    Writer: host
 * @lock, @tickets: the guest's
 */
struct queue_params {
	uint64_t rounds;
	uint64_t seed;
	uint32_t read_of;
	uint32_t alone;
	uint32_t gate;
	uint32_t lock;
	uint64_t tickets;
	struct queue_vcpu vcpu[VT_QUEUE_VCPUS];
};

#endif /* QUEUE_H */
