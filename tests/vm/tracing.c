// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lightexit's tracepoints; see tracing.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tracing.h"

void trace_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACE "/%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %m", path);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text), "%s: %m", path);
	close(fd);
}

void trace_start(void)
{
	cr_assert_eq(mkdir(TRACE, 0700), 0, TRACE ": %m");
	trace_write("buffer_size_kb", "4096");
	trace_write("events/lightexit/enable", "1");
}

void trace_end(void)
{
	rmdir(TRACE);
}

void trace_each(const char *event, void (*fn)(void *arg, const char *text), void *arg)
{
	FILE *f = fopen(TRACE "/trace", "re");
	char text[512], key[64];

	cr_assert_not_null(f, TRACE ": %m");
	snprintf(key, sizeof(key), " %s: ", event);
	while (fgets(text, sizeof(text), f)) {
		const char *p = strstr(text, key);

		if (p)
			fn(arg, p + strlen(key));
	}
	fclose(f);
}
