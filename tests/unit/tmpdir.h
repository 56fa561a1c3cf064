/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A directory of a test's own, and files in it. */
#ifndef TMPDIR_H
#define TMPDIR_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char tmp[64];

static inline void tmp_make(void)
{
	strcpy(tmp, "/tmp/lx_test.XXXXXX");
	cr_assert(mkdtemp(tmp));
}

static inline void tmp_remove(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", tmp);
	cr_assert(!system(cmd));
}

/* A file under tmp, with its directories. */
static inline const char *put(const char *path, const char *text)
{
	static char full[256];
	char *slash;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", tmp, path);
	for (slash = full + strlen(tmp) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
	return full;
}

#endif /* TMPDIR_H */
