// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* BPF objects that are not the recording program: without its maps; OLD: of another version. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#ifdef OLD
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} record_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} record_filter SEC(".maps");
#endif

SEC("socket")
int nothing(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
