/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The lockstep guest: each vCPU does one access each time that it is run. Host and guest. */
#ifndef LS_GUEST_H
#define LS_GUEST_H

#include <stdint.h>

/* A write here: the access is done, and the next one may be put there. */
#define LS_GUEST_PORT 0x510U
#define LS_GUEST_VCPUS 2U
#define LS_GUEST_STRING 1280U
/* The vector of a GSI; those that a device here may have. */
#define LS_GUEST_VECTOR(_gsi) (0x40U + (_gsi))
#define LS_GUEST_GSIS 24U
#define LS_GUEST_LOG 4096U

/* struct ls_access, and the data. @kind is enum ls_kind; of others nothing is done. */
struct ls_guest_access {
	uint32_t kind;
	uint32_t len;
	uint32_t count;
	uint32_t pad;
	uint64_t addr;
	uint64_t val;
	uint8_t string[LS_GUEST_STRING];
};

/**
 * struct ls_guest_params - the parameter block
 * @irqs:   by vector
 * @n_log:  interrupts that vCPU 0 has taken; @log: their vectors. Host: empties it
 * @access: by vCPU
 */
struct ls_guest_params {
	uint32_t irqs[256];
	uint32_t n_log;
	uint8_t log[LS_GUEST_LOG];
	struct ls_guest_access access[LS_GUEST_VCPUS];
};

#endif /* LS_GUEST_H */
