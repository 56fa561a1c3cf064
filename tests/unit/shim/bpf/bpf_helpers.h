/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the watching programs take from libbpf, for user space; the rest of the shim is
 * tests/lockstep's. replay.c has the functions.
 */
#ifndef SHIM_BPF_HELPERS_H
#define SHIM_BPF_HELPERS_H

#define SEC(...)
#define __ksym
#define __uint(_name, _val) __typeof__(int(*)[_val]) _name
#define __type(_name, _val) __typeof__(__typeof__(_val) *) _name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_NOEXIST = 1,
};

struct bpf_raw_tracepoint_args {
	__u64 args[5];
};

/* Maps are known by the ends of their names. */
void *replay_lookup(const char *map, const void *key);
void replay_insert(const char *map, const void *key, const void *val);
__u64 bpf_get_current_pid_tgid(void);
__u64 bpf_ktime_get_ns(void);
long bpf_probe_read_kernel(void *to, __u32 len, const void *from);

#define bpf_map_lookup_elem(_map, _key) ((void)(_map), replay_lookup(#_map, _key))
#define bpf_map_update_elem(_map, _key, _val, _flags) \
	((void)(_map), (void)(_flags), replay_insert(#_map, _key, _val))

#endif /* SHIM_BPF_HELPERS_H */
