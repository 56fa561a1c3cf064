/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lxname: register map and state. Shared by the BPF program and the VMM. */
#ifndef LXNAME_H
#define LXNAME_H

#include <lightexit/state.h>

/* Two registers of 32 bits, MMIO, guest-physical. */
#define LXNAME_BASE 0xfef00000ULL
#define LXNAME_LEN 8U
#define LXNAME_COUNT 0U	  /* read only: microseconds of device time, modulo 2^32 */
#define LXNAME_SCRATCH 4U /* what was last written to it */

/* Writer of all fields: the VMM, with the lock, between lx_write_begin() and lx_write_end(). */
struct lxname_accel {
	struct lx_state hdr;
	__u32 scratch;
	__u32 reserved;
};

#endif /* LXNAME_H */
