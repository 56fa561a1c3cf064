/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What device programs take from libbpf, for user space. A program has one map, its state. */
#ifndef SHIM_BPF_HELPERS_H
#define SHIM_BPF_HELPERS_H

#define SEC(...)
#define __ksym
#define __noinline __attribute__((noinline))
#define __arg_nonnull
#define __uint(_name, _val) __typeof__(int(*)[_val]) _name
#define __type(_name, _val) __typeof__(__typeof__(_val) *) _name

enum {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_F_MMAPABLE = 1 << 10,
};

void *native_lookup(void);

#define bpf_map_lookup_elem(_map, ...) ((void)(_map), native_lookup())

#endif /* SHIM_BPF_HELPERS_H */
