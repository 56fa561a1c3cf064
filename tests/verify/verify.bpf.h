/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of tests/verify share: bad/ ones also load when built with -DOK. */
#ifndef VERIFY_BPF_H
#define VERIFY_BPF_H

#include "lx.bpf.h"

#define READ_OP                       \
	SEC("struct_ops/verify_read") \
	int BPF_PROG(verify_read, struct lx_io *io)

#define WRITE_OP                       \
	SEC("struct_ops/verify_write") \
	int BPF_PROG(verify_write, struct lx_io *io)

/* A device on four ports, with the ops given. */
#define DEVICE(...)                                                                       \
	SEC(".struct_ops.link")                                                           \
	struct lightexit_ops                                                              \
		verify = {                                                                \
			__VA_ARGS__,                                                      \
			.sz = sizeof(struct lightexit_ops),                               \
			.nr_regions = 1,                                                  \
			.regions = { { .addr = 0xe0, .len = 4, .space = LX_SPACE_PIO } }, \
			.name = "verify",                                                 \
		}

#define READER DEVICE(.read = (void *)verify_read)

#ifndef VERIFY_LICENSE
#define VERIFY_LICENSE "Dual BSD/GPL"
#endif
char LICENSE[] SEC("license") = VERIFY_LICENSE;

#endif /* VERIFY_BPF_H */
