/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `lightexit record` as a child of a test, and the trace that it writes. */
#ifndef RECORDING_H
#define RECORDING_H

#include <sys/types.h>

#include "tracefile.h"

struct recording {
	pid_t pid;
	char dir[32];
	char trace[64], said[64]; /* files: the trace; its JSON */
};

/* Starts it with these arguments (NULL ends them) on a process's VM; then it records. */
void recording_start(struct recording *r, pid_t of, const char *const *args);
/* Sends @sig, if not 0, waits for its end and reads the trace. Return: its exit code. */
int recording_end(struct recording *r, int sig, struct tracefile *t);

#endif /* RECORDING_H */
