/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lock device: every access, in the program, in the VMM's back end or by a thread of
 * the VMM's, takes the next ticket under the state's lock, and looks whether somebody
 * else is in there. BPF, guest and user.
 */
#ifndef VT_LOCK_H
#define VT_LOCK_H

#include <lightexit/state.h>

#define VT_LOCK_PORT 0x600U /* 4 bytes, reads: a ticket */
#define VT_LOCK_LEN 4U
#define VT_LOCK_WORDS 4U

/* enum vt_actor - who takes tickets; vCPUs by program and by the VMM alike */
enum vt_actor {
	VT_VCPU0 = 0,
	VT_VCPU1,
	VT_THREAD,
	VT_ACTORS,
};

/**
 * struct vt_lock_state - what the lock protects
 * @ticket:   the last that was taken
 * @words:    all of them @ticket
 * @last_ns:  CLOCK_MONOTONIC when it was taken
 * @inside:   whether somebody is between lock and unlock
 * @overlaps: times that somebody else was
 * @torn:     times that @words were not alike
 * @backward: times that the clock was before that of an earlier ticket
 * @by:       tickets by actor
 * @handled:  of them, taken in the program
 */
struct vt_lock_state {
	struct lx_state hdr;
	__u64 ticket;
	__u64 words[VT_LOCK_WORDS];
	__u64 last_ns;
	__u32 inside;
	__u32 overlaps;
	__u32 torn;
	__u32 backward;
	__u64 by[VT_ACTORS];
	__u64 handled;
};

/* The lock is held; @ns was read since. Return: the ticket. */
static inline __u64 vt_lock_take(struct vt_lock_state *st, __u32 actor, __u64 ns)
{
	volatile __u64 *words = st->words;
	volatile __u32 *inside = &st->inside;
	__u64 ticket;
	__u32 i;

	if (*inside)
		st->overlaps++;
	*inside = 1;
	ticket = *(volatile __u64 *)&st->ticket;
	for (i = 0; i < VT_LOCK_WORDS; i++)
		st->torn += words[i] != ticket;
	ticket++;
	for (i = 0; i < VT_LOCK_WORDS; i++)
		words[i] = ticket;
	if (ns < st->last_ns)
		st->backward++;
	st->last_ns = ns;
	if (actor < VT_ACTORS)
		st->by[actor]++;
	*(volatile __u64 *)&st->ticket = ticket;
	*inside = 0;
	return ticket;
}

/**
 * struct vt_lock_params - the guest's parameter block
 * @reads: tickets of each vCPU
 * @gate:  0
 * @vcpus: that begin together
 * @back:  by vCPU: tickets that were not above its last one
 * @twice: by vCPU: tickets that it had before
 * @map:   by vCPU: guest-physical address of a bit for each ticket there can be; zeros
 */
struct vt_lock_params {
	__u64 reads;
	__u32 gate;
	__u32 vcpus;
	__u64 back[2];
	__u64 twice[2];
	__u64 map[2];
};

#endif /* VT_LOCK_H */
