// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See statefile.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "statefile.h"

/* A state is as large as its map; nobody means a file beyond that. */
#define FILE_MAX (64L << 20)
#define TEMPORARY ".lightexit.XXXXXX"

static int write_all(int fd, const char *buf, size_t size)
{
	ssize_t n;

	for (; size; buf += n, size -= n) {
		n = write(fd, buf, size);
		if (n < 0)
			return -errno;
	}
	return 0;
}

/* What is no regular file: a device, a pipe. */
static int write_into(const char *file, const void *buf, size_t size)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, buf, size);
	return close(fd) && !err ? -errno : err;
}

/* Writes @tmp, and gives it the name @path. */
static int write_and_rename(char *tmp, const char *path, const void *buf, size_t size)
{
	int fd = mkostemp(tmp, O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, buf, size);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

/* No signal may end this process between making the temporary file and renaming or removing it. */
static int replace(const char *path, const void *buf, size_t size)
{
	const char *slash = strrchr(path, '/');
	sigset_t all, old;
	char *tmp;
	int err;

	if (asprintf(&tmp, "%.*s" TEMPORARY, slash ? (int)(slash + 1 - path) : 0, path) < 0)
		return -ENOMEM;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	err = write_and_rename(tmp, path, buf, size);
	sigprocmask(SIG_SETMASK, &old, NULL);
	free(tmp);
	return err;
}

static int write_file(const char *file, const void *buf, size_t size)
{
	struct stat st;
	char *path;
	int err;

	if (stat(file, &st))
		return errno == ENOENT ? replace(file, buf, size) : -errno;
	if (!S_ISREG(st.st_mode))
		return write_into(file, buf, size);
	path = realpath(file, NULL);
	err = path ? replace(path, buf, size) : -errno;
	free(path);
	return err;
}

static bool leads_nowhere(const char *file)
{
	struct stat st;

	return stat(file, &st) && !lstat(file, &st) && S_ISLNK(st.st_mode);
}

int statefile_write(const char *file, const void *buf, size_t size)
{
	bool to_stdout = !strcmp(file, "-");
	int err;

	if (!to_stdout && leads_nowhere(file))
		return complain("%s: a symbolic link to what is not there", file);
	err = to_stdout ? write_all(STDOUT_FILENO, buf, size) : write_file(file, buf, size);
	return err ? complain("%s: %s", to_stdout ? "stdout" : file, strerror(-err)) : RC_OK;
}

static ssize_t read_open(FILE *f, const char *name, char **buf)
{
	size_t n;

	*buf = malloc(FILE_MAX + 1);
	if (!*buf)
		return -complain("%s: %s", name, strerror(ENOMEM));
	n = fread(*buf, 1, FILE_MAX + 1, f);
	if (ferror(f))
		return -complain("%s: %s", name, strerror(errno));
	if (n > FILE_MAX)
		return -complain("%s: more than %ld bytes are no saved state", name, FILE_MAX);
	return n;
}

ssize_t statefile_read(const char *file, char **buf)
{
	bool from_stdin = !strcmp(file, "-");
	FILE *f = from_stdin ? stdin : fopen(file, "re");
	ssize_t n;

	*buf = NULL;
	if (!f)
		return -complain("%s: %s", file, strerror(errno));
	n = read_open(f, from_stdin ? "stdin" : file, buf);
	if (!from_stdin)
		fclose(f);
	return n;
}
