/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lightexit's tracepoints, in a trace instance of the tests' own. */
#ifndef TRACING_H
#define TRACING_H

#define TRACE "/sys/kernel/tracing/instances/lightexit_test"

/* Makes the instance, with all of lightexit's events on. Fails the test if that fails. */
void trace_start(void);

/* Removes it, if it is there. */
void trace_end(void);

/* Writes to one of its files. */
void trace_write(const char *file, const char *text);

/* Calls @fn for each line with this event, with what follows "EVENT: ". */
void trace_each(const char *event, void (*fn)(void *arg, const char *text), void *arg);

#endif /* TRACING_H */
