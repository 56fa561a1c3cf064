/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every device program of lightexit begins with. BPF only. */
#ifndef LX_BPF_H
#define LX_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <lightexit/clock.h>
#include <lightexit/kfuncs.bpf.h>
#include <lightexit/ops.h>
#include <lightexit/state.h>
#include <lightexit/timer.h>

/* A device's state: one element that user space maps and bpftool shows by name. */
#define LX_STATE_MAP(_name, _type)                 \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(max_entries, 1);            \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__type(key, __u32);                \
		__type(value, _type);              \
	} _name SEC(".maps")

/* The state in an LX_STATE_MAP; never NULL in practice, but the verifier asks. */
#define lx_state_of(_map) bpf_map_lookup_elem(&(_map), &(__u32){ 0 })

/* lx_read_begin() of a state that is live; false: pass. */
static inline bool lx_read_live(const struct lx_state *st, __u32 *seq)
{
	return lx_read_begin(st, seq) && lx_state_live(st);
}

/* Now, by a clock. */
static inline __u64 lx_clock_ns(struct lx_io *io, __u32 clock)
{
	return clock == LX_CLOCK_KVM ? lx_kvmclock_ns(io) : lx_monotonic_ns();
}

/* Device time now; less than 0 if the clock was set back before the epoch: pass. */
static inline __s64 lx_device_ns(struct lx_io *io, const struct lx_state *st)
{
	return (__s64)(lx_clock_ns(io, st->clock) - st->epoch_ns);
}

/* Has the timer op called with @idx at a device time. The lock is held. */
static inline void lx_wake_at(struct lx_io *io, const struct lx_state *st, __u32 idx, __u64 ns)
{
	lx_timer_start(io, idx, st->epoch_ns + ns,
		       st->clock == LX_CLOCK_KVM ? LX_TIMER_KVMCLOCK : 0);
}

/* The kernel's timer @idx, as the state's @t is. The lock is held. */
static inline void lx_wake_for(struct lx_io *io, const struct lx_state *st, __u32 idx,
			       const struct lx_timer *t)
{
	if (t->armed)
		lx_wake_at(io, st, idx, t->due_ns);
	else
		lx_timer_cancel(io, idx);
}

#endif /* LX_BPF_H */
