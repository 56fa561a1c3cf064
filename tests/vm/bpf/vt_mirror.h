/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vt_mirror's state: a page that guests read as memory. BPF and user. */
#ifndef VT_MIRROR_H
#define VT_MIRROR_H

#include <lightexit/state.h>

#define VT_PAGE 4096
#define VT_WORDS (VT_PAGE / 8)

/**
 * struct vt_mirror_state - a page of registers
 * @reads:  that the program was asked for
 * @writes: that it has carried out
 * @page:   the registers
 *
 * Writer: the program; of @page the VMM, too.
 */
struct vt_mirror_state {
	struct lx_state hdr;
	__u64 reads;
	__u64 writes;
	__u8 pad[VT_PAGE - sizeof(struct lx_state) - 16];
	__u64 page[VT_WORDS];
};

#endif /* VT_MIRROR_H */
