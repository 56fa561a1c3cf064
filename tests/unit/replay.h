/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recorded trace on a watching program, compiled for user space: what it would have answered,
 * had it been attached. What a guest got then is checked against what was recorded:
 *
 * back:  a read gave less than one that had ended before it began;
 * above: an answer was above what the VMM itself answered a moment later;
 * late:  an answer was further below the VMM's than docs/attach.md allows: the read's own way to
 *        and from the VMM, that of the last read that was passed, and the clock's margin.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>

#include <lightexit/dev/watch.h>

#include "tracefile.h"

struct lx_io;
struct lightexit_ops;
struct bpf_raw_tracepoint_args;

/**
 * struct replay_device - a counter, and the program that watches it
 * @len:    bytes at @base, the program's region
 * @counter: the counter's offset
 * @mul:    ticks in @div nanoseconds
 * @bits:   of the counter
 * @watch_bits: watch_state.bits
 * @traced: its program for kvm_pio or kvm_mmio
 * @exited: that for kvm_userspace_exit
 */
struct replay_device {
	bool mmio;
	uint64_t base, len, counter;
	uint32_t mul, div, bits, watch_bits;
	const struct lightexit_ops *ops;
	int (*traced)(struct bpf_raw_tracepoint_args *ctx);
	int (*exited)(struct bpf_raw_tracepoint_args *ctx);
};

/* @verify_ns, @trust_ns: see watch.h; @from: the program is attached at this line. */
struct replay_opts {
	uint64_t verify_ns, trust_ns;
	size_t from;
};

struct replay {
	struct watch_state st;
	uint64_t reads, answered, back, above, late;
	uint64_t lag_ns; /* the largest one */
	size_t line;	 /* of the first that went wrong */
};

void replay_run(const struct tracefile *t, const struct replay_device *dev,
		const struct replay_opts *opts, struct replay *r);

#endif /* REPLAY_H */
