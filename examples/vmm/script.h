/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The script guest: each vCPU does a list of accesses that the host wrote into
 * the parameter block, and leaves what it read there. For tests that want to
 * say exactly what a guest does. Host: VMM_GUEST(script); fill in the struct
 * script_params at vmm_params(); vmm_load(), vmm_run(). Shared by host and guest.
 */
#ifndef VMM_SCRIPT_H
#define VMM_SCRIPT_H

#include <stdint.h>

/* enum script_kind - what to do @count times */
enum script_kind {
	SCRIPT_IN = 0,	 /* @data: the last value read */
	SCRIPT_OUT,	 /* @data: the value */
	SCRIPT_READ,	 /* MMIO; @data: the last value read */
	SCRIPT_WRITE,	 /* MMIO; @data: the value */
	SCRIPT_REP_INS,	 /* one rep ins of @count elements to guest-physical @data */
	SCRIPT_REP_OUTS, /* one rep outs of @count elements from guest-physical @data */
	SCRIPT_BARRIER,	 /* wait for the other vCPUs' SCRIPT_BARRIER of the same @addr, 0 to 15 */
	SCRIPT_ROUTE, /* IO-APIC pin @addr interrupts this vCPU with vector @data; @len 1: level */
	SCRIPT_IRQ_WAIT, /* halt until vector @addr has come @count times in all */
	SCRIPT_ON_IRQ,	 /* the next @count lines are for interrupts of vector @addr, before EOI */
};

/*
 * A vCPU takes interrupts from its first SCRIPT_ROUTE on, between any two instructions
 * (needs VMM_IRQCHIP_KERNEL). Its SCRIPT_ON_IRQ come before. Vectors are 32 to 254.
 */

/**
 * struct script_op - one line
 * @kind:  enum script_kind
 * @len:   bytes: 1, 2, 4; MMIO also 8
 * @count: 1 or more
 * @addr:  port, or guest-physical address; need not be aligned
 * @data:  see enum script_kind
 */
struct script_op {
	uint32_t kind;
	uint32_t len;
	uint64_t count;
	uint64_t addr;
	uint64_t data;
};

#define SCRIPT_VCPUS 8U
#define SCRIPT_OPS 250U
#define SCRIPT_GATES 16U
#define SCRIPT_VECTORS 256U

/**
 * struct script - what one vCPU does
 * @n:     lines
 * @vcpus: vCPUs that meet at a barrier
 * @ops:   lines
 */
struct script {
	uint32_t n;
	uint32_t vcpus;
	struct script_op ops[SCRIPT_OPS];
};

/* The parameter block. @gates: 0 before each run. @irqs: how often each vector has come. */
struct script_params {
	uint32_t gates[SCRIPT_GATES];
	uint32_t irqs[SCRIPT_VECTORS];
	struct script vcpu[SCRIPT_VCPUS];
};

/* Exit code of a vCPU whose script has a line that makes no sense. */
#define SCRIPT_BAD_OP 99U

#endif /* VMM_SCRIPT_H */
