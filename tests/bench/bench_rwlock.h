/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The HPET's state with a reader-writer lock beside it. For the scaling benchmark only. */
#ifndef BENCH_RWLOCK_H
#define BENCH_RWLOCK_H

#include <lightexit/dev/hpet.h>

/**
 * struct rwlock_state - what the VMM publishes, and the lock
 * @hpet:    as ever
 * @readers: programs that read now; a writer would take the top bit. Writers: programs
 */
struct rwlock_state {
	struct hpet_state hpet;
	__u32 readers;
	__u32 pad;
};

#define RWLOCK_WRITER (1U << 31)

#endif /* BENCH_RWLOCK_H */
