// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts a process's events of KVM's tracepoints; perf_event_open(2). */
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"
#include "traced.h"

static int event_id(const char *event)
{
	char path[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/kvm/%s/id", event);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &id) != 1)
		id = -1;
	if (f)
		fclose(f);
	return id;
}

int bench_trace(pid_t pid, const char *event, struct bench_traced *t)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (uint64_t)event_id(event),
	};
	char path[64];
	struct dirent *d;
	DIR *dir;
	int fd;

	t->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) && t->n < BENCH_TRACED_MAX) {
		if (*d->d_name == '.')
			continue;
		fd = (int)syscall(SYS_perf_event_open, &attr, atoi(d->d_name), -1, -1,
				  PERF_FLAG_FD_CLOEXEC);
		if (fd < 0)
			break;
		t->fds[t->n++] = fd;
	}
	if (dir && !d)
		return closedir(dir);
	if (dir)
		closedir(dir);
	return vmm_error(-EIO, "cannot count %s of process %d", event, pid);
}

uint64_t bench_traced(struct bench_traced *t)
{
	uint64_t sum = 0, v;

	for (; t->n; t->n--) {
		if (read(t->fds[t->n - 1], &v, sizeof(v)) == sizeof(v))
			sum += v;
		close(t->fds[t->n - 1]);
	}
	return sum;
}
