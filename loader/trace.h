/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Writes the recorded trace of docs/trace-format.md. */
#ifndef LIGHTEXIT_TRACE_H
#define LIGHTEXIT_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <lightexit/dev/record.h>

#include "vms.h"

/**
 * struct trace - a trace being written
 * @f: what trace_flush() has not written yet, in @text
 * @err: why it could not be written; no more is then
 * @limit: so many accesses at most; 0: any number
 * @records: accesses written
 * @lost: events of which the trace says that they are missing
 */
struct trace {
	FILE *f;
	char *text;
	size_t size;
	int fd, err;
	pid_t pid;
	uint64_t limit;
	uint64_t records, lost, last_ns;
	uint32_t *tids;
	unsigned int n_tids;
};

/* Makes the file (-: stdout), with what stands in front; 0, or complained. */
int trace_open(struct trace *t, const char *path, const struct vm *vm,
	       const struct record_filter *filter);
void trace_event(struct trace *t, const struct record_event *e);
/* Writes what has come; false: it cannot, or there was a signal and nobody reads. */
bool trace_flush(struct trace *t);
/* Whether @limit is reached. */
bool trace_is_full(const struct trace *t);
/* @lost: events in all. 0, or complained: it was not written. */
int trace_close(struct trace *t, uint64_t lost);

#endif /* LIGHTEXIT_TRACE_H */
