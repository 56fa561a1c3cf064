/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The torture guest for QEMU: all vCPUs read a counter for ever and check that it takes
 * no backward step, neither on a vCPU nor from one to another: each reads the largest
 * value that any has read, then the counter. The host maps the guest's memory. Host and
 * guest, which is its own firmware: QEMU's -bios.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdint.h>

#define TORTURE_GPA 0x200000U
#define TORTURE_MAGIC 0x6c787478U
#define TORTURE_VCPUS 4U
#define TORTURE_LOG 8U

enum torture_kind {
	TORTURE_PMTIMER = 0, /* 4 bytes of port @addr */
	TORTURE_HPET = 1,    /* the lower 4 bytes of the counter of the HPET at @addr */
};

/* A backward step. */
struct torture_step {
	uint32_t vcpu;
	uint32_t before;
	uint32_t after;
	uint32_t pad;
};

/**
 * struct torture - at TORTURE_GPA
 * @magic:  TORTURE_MAGIC once the guest runs. Writer: guest; the rest outlives a reset.
 * @online: vCPUs that read
 * @kind:   enum torture_kind. Writer: host, at any time but 0 vCPUs read before @go.
 * @go:     0: wait; 1: read. Writer: host.
 * @addr:   of the counter, or of the HPET. Writer: host, before @go.
 * @mask:   of the counter's values. Writer: host, before @go.
 * @writes: if not 0: vCPU 0, after each so many reads, halts the HPET, sets its counter
 *          forward and starts it again. Writer: host.
 * @odd:    if not 0: after each so many reads, one of 2 bytes, one that begins 2 bytes
 *          before, and a string of 8. Writer: host.
 * @max:    largest value read, and in bits 63:32 the time before that read, in 2^20
 *          cycles of the TSC; forgotten at a reset, with which the TSC begins anew
 * @steps:  backward steps
 * @worst:  the largest one
 * @reads:  that were compared, by vCPU
 * @log:    the first steps
 * @pmbase: if not 0, vCPU 0 moves q35's PM block there, forgets @max, and sets this to 0.
 *          For one vCPU. Writer: host.
 */
struct torture {
	uint32_t magic;
	uint32_t online;
	uint32_t kind;
	uint32_t go;
	uint32_t addr;
	uint32_t mask;
	uint32_t writes;
	uint32_t odd;
	uint64_t max;
	uint32_t steps;
	uint32_t worst;
	uint32_t reads[TORTURE_VCPUS];
	struct torture_step log[TORTURE_LOG];
	uint32_t pmbase;
};

#endif /* TORTURE_H */
