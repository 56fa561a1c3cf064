// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See attached.h. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attached.h"
#include "vmtest.h"

struct search {
	const struct qemu *q;
	struct lx_stats found;
};

static int of_guest(const struct lx_stats *s, void *to)
{
	struct search *out = to;

	if (s->pid != out->q->pid || s->regions[0].region.addr != out->q->addr)
		return 0;
	out->found = *s;
	return 1;
}

/* The end of what the command has printed. */
static const char *said(const struct qemu *q)
{
	static char text[512];
	char file[128];
	size_t n = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/attach", q->dir);
	f = fopen(file, "r");
	if (f) {
		fseek(f, -(long)(sizeof(text) - 1), SEEK_END);
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

struct lx_stats attached_stats(const struct qemu *q)
{
	struct search s = { .q = q };
	unsigned int ms;

	for (ms = 0;
	     ms < (unsigned int)vmt_patience(30000) && lx_for_each_device(of_guest, &s) != 1;
	     ms += 20)
		usleep(20000);
	cr_assert_eq(s.found.pid, q->pid, "nothing is attached; the command: %s", said(q));
	return s.found;
}

void attached_wait_answered(const struct qemu *q, uint64_t n)
{
	uint64_t start = attached_stats(q).regions[0].handled;
	unsigned int ms;

	for (ms = 0; attached_stats(q).regions[0].handled - start < n; ms += 50) {
		cr_assert_lt(ms, (unsigned int)vmt_patience(60000), "not answered");
		usleep(50000);
	}
}

/* A map of that id, if it is the state of a program that has seen @q's accesses. */
static const volatile struct watch_state *map_state(const struct qemu *q, __u32 id)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	struct watch_state *st = MAP_FAILED;

	if (fd >= 0 && !bpf_map_get_info_by_fd(fd, &info, &len) &&
	    !strcmp(info.name, "watch_state"))
		st = mmap(NULL, sizeof(*st), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (st == MAP_FAILED)
		return NULL;
	if (st->addr == q->addr && st->tgid == (__u32)q->pid)
		return st;
	munmap(st, sizeof(*st));
	return NULL;
}

const volatile struct watch_state *attached_state(const struct qemu *q)
{
	const volatile struct watch_state *st = NULL;
	__u32 id = 0;

	while (!st && !bpf_map_get_next_id(id, &id))
		st = map_state(q, id);
	cr_assert_not_null(st, "no state of a program that watches QEMU");
	return st;
}

void attached_expect_forward(const struct qemu *q, const char *when)
{
	cr_expect_eq(q->t->steps, 0,
		     "%s: %u backward steps in %lu reads, worst %u ticks; the first: vCPU %u, "
		     "%u after %u",
		     when, q->t->steps, qemu_reads(q), q->t->worst, q->t->log[0].vcpu,
		     q->t->log[0].after, q->t->log[0].before);
}
