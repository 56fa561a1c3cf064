/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The churn device: every access has a number, so that a lost, a doubled and a
 * reordered one show. The state is one for the program and the VMM: each vCPU's
 * part is changed on that vCPU's thread alone, in the kernel or in the VMM. BPF,
 * guest and user.
 *
 *   ports  offset 0x00, 4 bytes: number;  0x08, 2 bytes, strings: number
 *   MMIO   offset 0x00, 8 bytes: number
 *
 * The device lies in one of two places ("sets"); in the second one its registers
 * are VT_CHURN_SET higher in each region, so that the program knows where it is.
 */
#ifndef VT_CHURN_H
#define VT_CHURN_H

#include <lightexit/state.h>

#define VT_CHURN_VCPUS 2U
#define VT_CHURN_PROGS 2U
#define VT_CHURN_SETS 2U
#define VT_CHURN_PORT(_set) (0x600U + (_set) * 0x40U)
#define VT_CHURN_MMIO(_set) (0xfd000000UL + (_set) * 0x2000UL)
#define VT_CHURN_LEN 0x40U
#define VT_CHURN_SET 0x20U
#define VT_CHURN_STRING 0x08U

enum vt_churn_kind {
	VT_CHURN_READ = 0,
	VT_CHURN_WRITE,
	VT_CHURN_INS,
	VT_CHURN_OUTS,
	VT_CHURN_KINDS,
};

/* What the @n-th element of a vCPU's input strings reads: never 0, which a cut one gets. */
static inline __u64 vt_churn_word(__u64 n)
{
	return 0x8000 | (n & 0x7fff);
}

/**
 * struct vt_churn_vcpu - what a vCPU did so far
 * @n:   accesses of each enum vt_churn_kind
 * @bad: writes that did not bring the number that was due
 */
struct vt_churn_vcpu {
	__u64 n[VT_CHURN_KINDS];
	__u64 bad;
};

/**
 * struct vt_churn_state - the device
 * @handled: accesses that a program handled: by program, set and kind. Writer: the program.
 */
struct vt_churn_state {
	struct lx_state hdr;
	struct vt_churn_vcpu vcpu[VT_CHURN_VCPUS];
	__u64 handled[VT_CHURN_PROGS][VT_CHURN_SETS][VT_CHURN_KINDS];
};

static inline __u32 vt_churn_kind(bool pio, __u64 off, bool write)
{
	bool string = pio && (off & VT_CHURN_STRING);

	return (string ? VT_CHURN_INS : VT_CHURN_READ) + write;
}

static inline __u64 vt_churn_read(struct vt_churn_vcpu *v, __u32 kind)
{
	__u64 n = ++v->n[kind & 3];

	return kind == VT_CHURN_INS ? vt_churn_word(n) : n;
}

static inline void vt_churn_write(struct vt_churn_vcpu *v, __u32 kind, __u32 len, __u64 val)
{
	__u64 n = ++v->n[kind & 3];

	if ((val ^ n) & (~0ULL >> (64 - 8 * len)))
		v->bad++;
}

#endif /* VT_CHURN_H */
