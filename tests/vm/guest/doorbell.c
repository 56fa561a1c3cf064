// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The doorbell guest; see doorbell_guest.h. */
#include <linux/virtio_ring.h>

#include "guest.h"
#include "../../unit/longdiv.h"
#include "../doorbell_guest.h"

/* 2.7.13.4 of the virtio specification: publish, then look whether the device wants to know. */
static bool wanted(const struct doorbell_params *p, uint16_t idx)
{
	const struct vring_used *used = (const struct vring_used *)p->used;
	const uint16_t *event = (const uint16_t *)&used->ring[DOORBELL_NUM];

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	switch (p->mode) {
	case DOORBELL_FLAGS:
		return !(__atomic_load_n(&used->flags, __ATOMIC_ACQUIRE) & VRING_USED_F_NO_NOTIFY);
	case DOORBELL_EVENT:
		return vring_need_event(__atomic_load_n(event, __ATOMIC_ACQUIRE), idx,
					(uint16_t)(idx - 1));
	default:
		return true;
	}
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct doorbell_params *p = arg;
	struct vring_avail *avail = (struct vring_avail *)p->avail;
	uint64_t burst = 1;
	uint16_t idx = 0;

	while (p->made < p->items) {
		__atomic_store_n(&avail->idx, ++idx, __ATOMIC_RELEASE);
		__atomic_store_n(&p->made, p->made + 1, __ATOMIC_RELAXED);
		if (wanted(p, idx)) {
			mmio_write32(p->notify, 0);
			p->rings++;
		}
		if (--burst)
			continue;
		while ((uint16_t)__atomic_load_n(&p->seen, __ATOMIC_ACQUIRE) != idx)
			cpu_relax();
		p->waits++;
		burst = 1 + repeatable_random(&p->seed) % DOORBELL_BURST;
	}
	return 0;
}
