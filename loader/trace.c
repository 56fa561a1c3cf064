// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See trace.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "trace.h"

/* A reader that has not read for so long is waited for no more, after a signal. */
#define READER_MS 1000

static void write_head(struct trace *t, const struct vm *vm, const struct record_filter *filter)
{
	struct utsname u = { 0 };
	time_t now = time(NULL);
	char date[32], name[PLAIN_SIZE(VM_NAME_LEN)];
	__u32 i;

	uname(&u);
	strftime(date, sizeof(date), "%FT%TZ", gmtime(&now));
	fprintf(t->f, "lightexit-trace 1\ndate %s\nhost %s\nvm %s\n", date, u.release,
		plain_text(vm->name, name, sizeof(name)));
	for (i = 0; i < filter->n_ranges; i++) {
		const struct record_range *r = &filter->ranges[i];

		fprintf(t->f, "range %s:0x%" PRIx64 "+0x%x\n",
			r->space == LX_SPACE_PIO ? "pio" : "mmio", (uint64_t)r->addr, r->len);
	}
}

/* For its owner alone: it may tell more of a guest than its user knows. */
int trace_open(struct trace *t, const char *path, const struct vm *vm,
	       const struct record_filter *filter)
{
	int fd = STDOUT_FILENO;

	if (strcmp(path, "-"))
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return complain("%s: %s", path, strerror(errno));
	t->f = open_memstream(&t->text, &t->size);
	if (!t->f) {
		close(fd);
		return complain("out of memory");
	}
	t->fd = fd;
	t->pid = vm->pid;
	write_head(t, vm, filter);
	return RC_OK;
}

/* After a signal: whether there will be room for more, as whoever reads is at it. */
static bool will_have_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, READER_MS) > 0;
}

/* By as much as a pipe takes whole or, after a signal, not at all. */
bool trace_flush(struct trace *t)
{
	size_t at;
	ssize_t n;

	if (fflush(t->f))
		t->err = t->err ?: errno;
	for (at = 0; !t->err && at < t->size; at += n) {
		n = write(t->fd, t->text + at, MIN(t->size - at, PIPE_BUF));
		if (n >= 0)
			continue;
		t->err = errno;
		n = 0;
		if (t->err == EINTR && will_have_room(t->fd))
			t->err = 0;
	}
	rewind(t->f);
	return !t->err;
}

static void write_thread(const struct trace *t, unsigned int i, uint32_t tid)
{
	char path[64], comm[32] = "", name[PLAIN_SIZE(sizeof(comm))];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", t->pid, tid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	if (f)
		fclose(f);
	fprintf(t->f, "t %u %s\n", i, plain_text(comm, name, sizeof(name)));
}

/* The thread's number in the trace. */
static unsigned int thread_of(struct trace *t, uint32_t tid)
{
	unsigned int i;
	uint32_t *tids;

	for (i = 0; i < t->n_tids; i++) {
		if (t->tids[i] == tid)
			return i;
	}
	tids = reallocarray(t->tids, i + 1, sizeof(*tids));
	if (!tids)
		abort();
	t->tids = tids;
	tids[t->n_tids++] = tid;
	write_thread(t, i, tid);
	return i;
}

static void write_lost(struct trace *t, uint64_t lost)
{
	if (lost > t->lost)
		fprintf(t->f, "l %" PRIu64 "\n", lost - t->lost);
	t->lost = lost;
}

static void write_access(struct trace *t, const struct record_event *e)
{
	static const char kinds[][2] = {
		[RECORD_IN] = "Ii",
		[RECORD_OUT] = "oo",
		[RECORD_READ] = "Rr",
		[RECORD_WRITE] = "ww",
	};

	fprintf(t->f, " %c %" PRIu64 " %" PRIx64 " %u", kinds[e->kind][e->vmm & 1],
		(uint64_t)(e->ns - e->trap_ns), (uint64_t)e->addr, e->size);
	if (e->count > 1)
		fprintf(t->f, "*%u", e->count);
	fprintf(t->f, " %" PRIx64 "\n", (uint64_t)e->val);
	t->records++;
}

bool trace_is_full(const struct trace *t)
{
	return t->limit && t->records >= t->limit;
}

void trace_event(struct trace *t, const struct record_event *e)
{
	unsigned int thread;

	if (e->kind > RECORD_EXIT || trace_is_full(t))
		return;
	write_lost(t, e->lost);
	thread = thread_of(t, e->tid);
	if (!t->last_ns)
		t->last_ns = e->ns;
	fprintf(t->f, "%u %" PRId64, thread, (int64_t)(e->ns - t->last_ns));
	t->last_ns = e->ns;
	if (e->kind == RECORD_EXIT)
		fprintf(t->f, " x %" PRIu64 " %" PRIu64 "\n", (uint64_t)e->addr, (uint64_t)e->val);
	else
		write_access(t, e);
}

int trace_close(struct trace *t, uint64_t lost)
{
	if (!trace_is_full(t))
		write_lost(t, lost);
	fprintf(t->f, "end %" PRIu64 " %" PRIu64 "\n", t->records, t->lost);
	trace_flush(t);
	fclose(t->f);
	free(t->text);
	free(t->tids);
	t->tids = NULL;
	if (close(t->fd) && !t->err)
		t->err = errno;
	return t->err ? complain("the trace was not written: %s", strerror(t->err)) : RC_OK;
}
