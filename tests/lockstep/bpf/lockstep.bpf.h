/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A device program under the rig's clock: included before the program, it has other clocks and
 * timers for it than the kernel's. Time is what the map says. A timer that is due is the
 * kernel's own, set to go off at once; one that is not waits in the map for the rig, which
 * kicks when time has gone on.
 */
#ifndef LOCKSTEP_BPF_H
#define LOCKSTEP_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <lightexit/kfuncs.bpf.h>

#include "../clock.h"

static __always_inline struct ls_clock *ls_clock(void);

static __always_inline __u64 ls_now(void)
{
	struct ls_clock *c = ls_clock();

	return c ? *(volatile __u64 *)&c->now_ns : 0;
}

static __always_inline int ls_timer_fire(struct lx_io *io, struct ls_clock *c, __u32 idx)
{
	c->due[idx & (LX_MAX_TIMERS - 1)] = LS_NOT_SET;
	__sync_fetch_and_or(&c->pending, 1U << (idx & 31));
	return lx_timer_start(io, idx, 0, LX_TIMER_REL);
}

static __always_inline int ls_timer_start(struct lx_io *io, __u32 idx, __u64 ns, __u32 flags)
{
	struct ls_clock *c = ls_clock();

	if (!c || idx >= LX_MAX_TIMERS)
		return -22;
	if (ns <= *(volatile __u64 *)&c->now_ns)
		return ls_timer_fire(io, c, idx);
	c->due[idx & (LX_MAX_TIMERS - 1)] = ns;
	return 0;
}

static __always_inline int ls_timer_cancel(struct lx_io *io, __u32 idx)
{
	struct ls_clock *c = ls_clock();
	int was = lx_timer_cancel(io, idx);

	if (!c || idx >= LX_MAX_TIMERS)
		return was;
	if (was == 1)
		__sync_fetch_and_and(&c->pending, ~(1U << (idx & 31)));
	c->due[idx & (LX_MAX_TIMERS - 1)] = LS_NOT_SET;
	return was;
}

/* Before a timer op. Return: false if it is the rig's call alone. */
static __always_inline bool ls_begin(struct lx_io *io)
{
	struct ls_clock *c = ls_clock();
	__u32 tick;

	if (!c || !(io->flags & LX_IO_TIMER))
		return true;
	__sync_fetch_and_add(&c->busy, 1);
	if (io->addr != LX_TIMER_KICK) {
		__sync_fetch_and_and(&c->pending, ~(1U << (io->addr & 31)));
		return true;
	}
	tick = *(volatile __u32 *)&c->tick;
	if (tick != c->tick_done) {
		for (__u32 i = 0; i < LX_MAX_TIMERS; i++) {
			if (c->due[i] <= *(volatile __u64 *)&c->now_ns)
				ls_timer_fire(io, c, i);
		}
		c->tick_done = tick;
	}
	return __sync_lock_test_and_set(&c->kicked, 0);
}

/* After it. What retries is still to come. */
static __always_inline int ls_end(struct lx_io *io, int verdict)
{
	struct ls_clock *c = ls_clock();

	if (!c || !(io->flags & LX_IO_TIMER))
		return verdict;
	if (verdict == LX_RETRY && io->addr == LX_TIMER_KICK)
		__sync_lock_test_and_set(&c->kicked, 1);
	else if (verdict == LX_RETRY)
		__sync_fetch_and_or(&c->pending, 1U << (io->addr & 31));
	__sync_fetch_and_add(&c->busy, -1);
	return verdict;
}

#undef BPF_PROG
#define BPF_PROG(_name, _io)                                               \
	_name(unsigned long long *ctx);                                    \
	static __always_inline int ____##_name(_io);                       \
	int _name(unsigned long long *ctx)                                 \
	{                                                                  \
		struct lx_io *io = (void *)ctx[0];                         \
		int verdict = ls_begin(io) ? ____##_name(io) : LX_HANDLED; \
                                                                           \
		return ls_end(io, verdict);                                \
	}                                                                  \
	static __always_inline int ____##_name(_io)

#define lx_monotonic_ns() ls_now()
#define lx_kvmclock_ns(...) ls_now()
#define lx_timer_start ls_timer_start
#define lx_timer_cancel ls_timer_cancel

#include "lx.bpf.h"

#undef LX_STATE_MAP
#define LX_STATE_MAP(_name, _type)                                               \
	struct ls_value {                                                        \
		_type st;                                                        \
		struct ls_clock clock;                                           \
	};                                                                       \
	struct {                                                                 \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                \
		__uint(max_entries, 1);                                          \
		__uint(map_flags, BPF_F_MMAPABLE);                               \
		__type(key, __u32);                                              \
		__type(value, struct ls_value);                                  \
	} _name SEC(".maps");                                                    \
	static __always_inline struct ls_clock *ls_clock(void)                   \
	{                                                                        \
		struct ls_value *v = bpf_map_lookup_elem(&_name, &(__u32){ 0 }); \
                                                                                 \
		return v ? &v->clock : NULL;                                     \
	}                                                                        \
	struct ls_value

#endif /* LOCKSTEP_BPF_H */
