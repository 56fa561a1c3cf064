// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: program of this type cannot use helper bpf_timer_init
/* The kernel's own timers, which PREEMPT_RT cannot cancel where an op runs */
#include "verify.bpf.h"

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

READ_OP
{
#ifdef OK
	return LX_PASS;
#else
	struct timed *t = bpf_map_lookup_elem(&timers, &(__u32){ 0 });

	return t && !bpf_timer_init(&t->timer, &timers, 1) ? LX_HANDLED : LX_PASS;
#endif
}

READER;
