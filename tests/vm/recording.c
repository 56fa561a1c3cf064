// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See recording.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recording.h"
#include "vmtest.h"

#define MAX_ARGS 32

static void run(const struct recording *r, const char *const *argv)
{
	int fd = open(r->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	dup2(fd, STDOUT_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

void recording_start(struct recording *r, pid_t of, const char *const *args)
{
	char pid[16];
	const char *argv[MAX_ARGS] = { "lightexit", "record",	"--json", "--pid",
				       pid,	    "--output", r->trace };
	struct stat st = { 0 };
	unsigned int n = 7;
	int ms;

	*r = (struct recording){ .dir = "/tmp/lxrecord.XXXXXX" };
	cr_assert_not_null(mkdtemp(r->dir));
	snprintf(r->trace, sizeof(r->trace), "%s/trace", r->dir);
	snprintf(r->said, sizeof(r->said), "%s/said", r->dir);
	snprintf(pid, sizeof(pid), "%d", of);
	while (*args && n < MAX_ARGS - 1)
		argv[n++] = *args++;
	r->pid = fork();
	if (!r->pid)
		run(r, argv);
	for (ms = 0; stat(r->said, &st) || !st.st_size; ms += 10) {
		cr_assert_eq(waitpid(r->pid, NULL, WNOHANG), 0, "lightexit record ended at once");
		cr_assert_lt(ms, vmt_patience(30000), "it does not record");
		usleep(10000);
	}
}

int recording_end(struct recording *r, int sig, struct tracefile *t)
{
	int status;
	bool ok;

	if (sig)
		kill(r->pid, sig);
	cr_assert_eq(waitpid(r->pid, &status, 0), r->pid);
	ok = tracefile_read(t, r->trace);
	cr_expect(ok, "%s: %s", r->trace, t->why);
	unlink(r->trace);
	unlink(r->said);
	rmdir(r->dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
