/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the VMM's own tests share: a machine with the script guest, and two
 * devices that record what they see. Every test is a process of its own.
 */
#ifndef VMM_TESTS_COMMON_H
#define VMM_TESTS_COMMON_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "script.h"
#include "vmm.h"

#define TIMEOUT_MS 20000
#define TEST_PORT 0x500U
#define TEST_MMIO 0xfe000000UL
#define LOG_SIZE 512

VMM_GUEST(script);

/* What the device under the script saw, in order. Used with one vCPU. */
struct access {
	uint64_t off;
	uint64_t val;
	uint32_t len;
	bool write;
};

struct recorder {
	struct access log[LOG_SIZE];
	unsigned int n;
	uint64_t next; /* what the next read answers; grows by one */
	int index;
};

extern struct vmm *vm;
extern struct recorder ports, mmio;

/* A machine with @ports at TEST_PORT and @mmio at TEST_MMIO; skips without KVM. */
void setup_vcpus(unsigned int vcpus, enum vmm_irqchip irqchip);
void setup(void);
void teardown(void);

/* A line of a vCPU's script. What it reads is in data after run_script(). */
struct script_op *add(unsigned int vcpu, enum script_kind kind, uint32_t len, uint64_t addr,
		      uint64_t data, uint64_t count);
struct script_op *in(uint32_t len, uint64_t port);
struct script_op *rd(uint32_t len, uint64_t addr);
void out(uint32_t len, uint64_t port, uint64_t val);
void wr(uint32_t len, uint64_t addr, uint64_t val);

/* Runs what was added, and makes room for more; results stay until then. */
void run_script(void);

#endif /* VMM_TESTS_COMMON_H */
