/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* @name@: register map and state. Shared by the BPF program and the VMM. */
#ifndef @NAME@_H
#define @NAME@_H

#include <lightexit/state.h>

/* Two registers of 32 bits, MMIO, guest-physical. */
#define @NAME@_BASE 0xfef00000ULL
#define @NAME@_LEN 8U
#define @NAME@_COUNT 0U   /* read only: microseconds since base_ns, modulo 2^32 */
#define @NAME@_SCRATCH 4U /* what was last written to it */

/* Writer of all fields: the VMM, between lx_write_begin() and lx_write_end(). */
struct @name@_state {
	struct lx_state hdr;
	__u32 scratch;
	__u32 reserved;
	__u64 base_ns; /* CLOCK_MONOTONIC at which the counter was 0 */
};

#endif /* @NAME@_H */
