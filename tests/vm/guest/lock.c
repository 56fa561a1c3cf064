// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lock guest: each vCPU takes tickets, and keeps a bit for each; see bpf/vt_lock.h. */
#include "guest.h"
#include "../bpf/vt_lock.h"

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct vt_lock_params *p = arg;
	uint64_t *map = (uint64_t *)p->map[vcpu & 1], last = 0, bit;
	uint32_t ticket;

	guest_barrier(&p->gate, p->vcpus);
	for (uint64_t i = 0; i < p->reads; i++) {
		ticket = inl(VT_LOCK_PORT);
		bit = 1ULL << ticket % 64;
		p->back[vcpu & 1] += ticket <= last;
		p->twice[vcpu & 1] += !!(map[ticket / 64] & bit);
		map[ticket / 64] |= bit;
		last = ticket;
	}
	return 0;
}
