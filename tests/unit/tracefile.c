// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See tracefile.h. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracefile.h"

static bool wrong(struct tracefile *t, unsigned int line, const char *what)
{
	snprintf(t->why, sizeof(t->why), "line %u: %s", line, what);
	return false;
}

static void push(struct tracefile *t, const struct trace_line *l)
{
	if ((t->n & (t->n - 1)) == 0)
		t->v = reallocarray(t->v, t->n ? 2 * t->n : 1, sizeof(*t->v));
	if (!t->v)
		abort();
	t->v[t->n++] = *l;
}

static bool read_range(struct tracefile *t, const char *s)
{
	char space[5];
	int end = 0;

	if (t->n_ranges == TRACE_RANGES ||
	    sscanf(s, "range %4[a-z]:0x%" SCNx64 "+0x%" SCNx64 "%n", space,
		   &t->ranges[t->n_ranges].addr, &t->ranges[t->n_ranges].len, &end) != 3 ||
	    s[end] || (strcmp(space, "pio") && strcmp(space, "mmio")))
		return false;
	t->ranges[t->n_ranges++].mmio = space[0] == 'm';
	return true;
}

/* TOOK ADDR SIZE[*COUNT] VALUE, or REASON ERRNO. */
static bool read_rest(struct trace_line *l, const char *s)
{
	uint64_t took;
	int end = 0;

	l->count = 1;
	if (l->kind == 'x')
		return sscanf(s, "%" SCNu64 " %" SCNu64 "%n", &l->addr, &l->val, &end) == 2 &&
		       !s[end];
	if (!strchr("iIorRw", l->kind) || sscanf(s, "%" SCNu64 " %n", &took, &end) != 1 || !end)
		return false;
	l->trap_ns = l->ns - took;
	s += end;
	end = 0;
	if (sscanf(s, "%" SCNx64 " %u*%u %" SCNx64 "%n", &l->addr, &l->size, &l->count, &l->val,
		   &end) == 4)
		return !s[end] && l->count > 1;
	l->count = 1;
	end = 0;
	return sscanf(s, "%" SCNx64 " %u %" SCNx64 "%n", &l->addr, &l->size, &l->val, &end) == 3 &&
	       !s[end];
}

/* THREAD GAP KIND ... */
static bool read_event(struct tracefile *t, const char *s, uint64_t *now)
{
	struct trace_line l = { 0 };
	int64_t gap;
	int end = 0;

	if (sscanf(s, "%u %" SCNd64 " %c %n", &l.thread, &gap, &l.kind, &end) != 3 ||
	    l.thread >= t->threads)
		return false;
	*now += gap;
	l.ns = *now;
	if (!read_rest(&l, s + end))
		return false;
	t->records += l.kind != 'x';
	push(t, &l);
	return true;
}

/* "l N": lines are missing; "t NUMBER NAME": a thread. */
static bool read_other(struct tracefile *t, const char *s, uint64_t now)
{
	struct trace_line l = { .kind = 'l', .ns = now };
	unsigned int thread;
	int end = 0;

	if (sscanf(s, "l %" SCNu64 "%n", &l.val, &end) == 1 && !s[end]) {
		t->lost += l.val;
		push(t, &l);
		return true;
	}
	if (sscanf(s, "t %u ", &thread) == 1 && thread == t->threads) {
		t->threads++;
		return true;
	}
	if (!strncmp(s, "range ", 6))
		return read_range(t, s);
	return !strncmp(s, "date ", 5) || !strncmp(s, "host ", 5) || !strncmp(s, "vm ", 3);
}

/* The last line: the sums. */
static bool read_end(struct tracefile *t, const char *s)
{
	uint64_t records, lost;

	t->ended = sscanf(s, "end %" SCNu64 " %" SCNu64, &records, &lost) == 2 &&
		   records == t->records && lost == t->lost;
	return t->ended;
}

static bool read_line(struct tracefile *t, char *s, unsigned int line, uint64_t *now)
{
	size_t len = strcspn(s, "#\n");

	while (len && s[len - 1] == ' ')
		len--;
	s[len] = '\0';
	if (line == 1)
		return !strcmp(s, "lightexit-trace 1") || wrong(t, line, "not lightexit-trace 1");
	if (!s[0])
		return true;
	if (t->ended)
		return wrong(t, line, "after the end");
	if (isdigit((unsigned char)s[0]))
		return read_event(t, s, now) || wrong(t, line, s);
	if (!strncmp(s, "end ", 4))
		return read_end(t, s) || wrong(t, line, "the sums differ");
	return read_other(t, s, *now) || wrong(t, line, s);
}

bool tracefile_read(struct tracefile *t, const char *path)
{
	uint64_t now = TRACE_START;
	unsigned int line = 0;
	size_t size = 0;
	char *s = NULL;
	bool ok = true;
	FILE *f = fopen(path, "re");

	*t = (struct tracefile){ 0 };
	if (!f)
		return wrong(t, 0, "cannot be opened");
	while (ok && getline(&s, &size, f) > 0)
		ok = read_line(t, s, ++line, &now);
	free(s);
	fclose(f);
	if (ok && !t->ended)
		ok = wrong(t, line, "it has no end: cut off");
	if (!ok)
		tracefile_free(t);
	return ok;
}

void tracefile_free(struct tracefile *t)
{
	free(t->v);
	t->v = NULL;
	t->n = 0;
}
