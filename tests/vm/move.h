/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A machine that goes on elsewhere, as in a migration: its memory, vCPUs and interrupt
 * controllers in an image that outlives the process; its devices save themselves. Each
 * host is a process of its own.
 */
#ifndef MOVE_H
#define MOVE_H

#include "vmtest.h"

#define MOVE_VCPUS 2U
#define MOVE_MEM (8UL << 20)
#define MOVE_DEVICE 65536U

struct move_vcpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;
};

/**
 * struct move_image - a machine on its way
 * @full:   it has been a machine
 * @device: its device, @device_size bytes
 */
struct move_image {
	bool full;
	struct move_vcpu vcpus[MOVE_VCPUS];
	struct kvm_irqchip chips[3];
	size_t device_size;
	uint8_t device[MOVE_DEVICE];
	uint8_t mem[MOVE_MEM];
};

/* Memory that hosts share, zeroed. Fails the test if there is none. */
void *move_shared(size_t size);

/* Runs @fn(@arg) in a process of its own, to its end; fails the test if that fails. */
void move_host(void (*fn)(void *arg), void *arg);

/* Fills the image in; the vCPUs are stopped, and irqfds signalled no more. */
void move_out(struct vmm *vm, struct move_image *image);

/* Makes the machine, with VMM_IRQCHIP_KERNEL, what is in the image; ready for vmm_start(). */
void move_in(struct vmm *vm, const struct move_image *image);

/* What an edge of the irqfd has to bring has been brought; it is no irqfd any more. */
void move_end_irqfd(const struct vmm *vm, int fd, unsigned int gsi);

/* KVM_SET_CLOCK */
void move_set_clock(const struct vmm *vm, uint64_t ns);

#endif /* MOVE_H */
