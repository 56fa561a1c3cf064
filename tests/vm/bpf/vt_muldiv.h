/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of vt_muldiv: a batch of triples. BPF and user. */
#ifndef VT_MULDIV_H
#define VT_MULDIV_H

#include <lightexit/state.h>

#define VT_MULDIV_BATCH 512

/* @q is lx_muldiv64(@a, @b, @c). Its writer is the program, of the rest the test. */
struct vt_triple {
	__u64 a;
	__u64 b;
	__u64 c;
	__u64 q;
};

struct vt_muldiv_state {
	struct lx_state hdr;
	struct vt_triple t[VT_MULDIV_BATCH];
};

#endif /* VT_MULDIV_H */
