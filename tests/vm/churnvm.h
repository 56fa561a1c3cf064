/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A machine with the churn guest, and the VMM's half of the churn device. */
#ifndef CHURNVM_H
#define CHURNVM_H

#include "churn.h"
#include "vmtest.h"

/* What the VMM's half of the device answered, by set and kind. */
struct churn_half {
	struct vt_churn_state *st;
	uint64_t n[VT_CHURN_SETS][VT_CHURN_KINDS];
};

/* The two regions of a set, on the port and the MMIO bus. */
const struct lx_region *churn_regions(unsigned int set);

/* Makes the machine, its device on the state of @dev, and starts the vCPUs. */
struct vmm *churn_start(struct lx_device *dev, struct churn_half *half);

struct churn_params *churn_params(const struct vmm *vm);

/* Waits until each vCPU has used all registers @rounds times more; fails after a minute. */
void churn_wait(const struct vmm *vm, uint64_t rounds);

/* Has the guest end by itself, and checks that it did. */
void churn_stop(struct vmm *vm);

#endif /* CHURNVM_H */
