// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Helpers of the kernel's that every program may call */
#include "verify.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u64);
} counts SEC(".maps");

WRITE_OP
{
	__u64 one = 1, addr = io->addr, *n;

	n = bpf_map_lookup_elem(&counts, &addr);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&counts, &addr, &one, BPF_NOEXIST);
	return bpf_ktime_get_ns() & 1 ? LX_HANDLED : LX_PASS;
}

DEVICE(.write = (void *)verify_write);
