/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The queue device: takes numbered writes on both buses, so that a lost, a doubled and a
 * reordered one show. Guest, BPF and user.
 *
 *   region 0, ports; region 1, MMIO; the same registers in both:
 *   VT_QUEUE_OWN(vcpu)      written: that vCPU's next number, as much of it as fits
 *                           read: how many writes of that vCPU arrived
 *   VT_QUEUE_TICKET(vcpu)   written, 4 bytes: the vCPU's next number (15:0), and the next
 *                           of all vCPUs' tickets (31:16), drawn under the guest's lock
 *                           read: how many tickets arrived
 */
#ifndef VT_QUEUE_H
#define VT_QUEUE_H

#include <lightexit/bell.h>
#include <lightexit/queue.h>
#include <lightexit/state.h>

#define VT_QUEUE_VCPUS 2U
#define VT_QUEUE_PORT 0x500U
#define VT_QUEUE_MMIO 0xfe000000UL
#define VT_QUEUE_LEN 0x20U
#define VT_QUEUE_OWN(_vcpu) (8 * (_vcpu))
#define VT_QUEUE_TICKET(_vcpu) (0x10U + 8 * (_vcpu))
#define VT_QUEUE_IS_TICKET(_off) ((_off) & 0x10)
#define VT_QUEUE_VCPU(_off) ((_off) / 8 & 1)

/**
 * struct vt_queue_state - the device
 * @pass_of: one write of so many passes, at random; 0: none. Writer: the VMM
 * @full:    writes that found the queue full. Writer: the program
 */
struct vt_queue_state {
	struct lx_state hdr;
	struct lx_bell bell;
	__u32 pass_of;
	__u32 full;
	struct lx_queue queue;
};

#endif /* VT_QUEUE_H */
