/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts a process's events of KVM's tracepoints. */
#ifndef BENCH_TRACED_H
#define BENCH_TRACED_H

#include <stdint.h>
#include <sys/types.h>

#define BENCH_TRACED_MAX 64U

/* @fds: one for each thread */
struct bench_traced {
	int fds[BENCH_TRACED_MAX];
	unsigned int n;
};

/* Counts from now on; all threads that there are. */
int bench_trace(pid_t pid, const char *event, struct bench_traced *t);
/* How often so far; and counts no more. */
uint64_t bench_traced(struct bench_traced *t);

#endif /* BENCH_TRACED_H */
