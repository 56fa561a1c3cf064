/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads what `lightexit record` wrote, by docs/trace-format.md and not by the code that writes. */
#ifndef TRACEFILE_H
#define TRACEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_RANGES 8U
/* Where a trace's time begins, so that no exit is before 0. */
#define TRACE_START 1000000000000ULL

/* A line that begins with a thread's number, or 'l': @val events are missing here. */
struct trace_line {
	char kind;
	uint32_t thread;
	uint64_t ns;	  /* from TRACE_START on */
	uint64_t trap_ns; /* of an access */
	uint64_t addr;	  /* of an 'x': the reason */
	uint64_t val;
	uint32_t size;
	uint32_t count;
};

struct tracefile {
	struct trace_line *v;
	size_t n;
	unsigned int threads;
	unsigned int n_ranges;
	struct {
		bool mmio;
		uint64_t addr, len;
	} ranges[TRACE_RANGES];
	uint64_t records, lost; /* of its last line */
	bool ended;
	char why[128]; /* of a refusal */
};

/* Return: false: it is no whole trace of version 1, @t->why says what is wrong. */
bool tracefile_read(struct tracefile *t, const char *path);
void tracefile_free(struct tracefile *t);

#endif /* TRACEFILE_H */
