/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* State of bench_queue: the register of bench_model.h, whose writes are queued. BPF and user. */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include <lightexit/bell.h>
#include <lightexit/queue.h>
#include <lightexit/state.h>

struct bench_queue_state {
	struct lx_state hdr;
	struct lx_bell bell;
	struct lx_queue queue;
};

#endif /* BENCH_QUEUE_H */
