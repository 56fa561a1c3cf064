// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where `lightexit save` writes and `restore` reads: files, links, pipes, devices. */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../loader/statefile.c"
#include "complaint.h"
#include "tmpdir.h"

#define SIZE 8192U

static char state[SIZE];

static void setup(void)
{
	unsigned int i;

	tmp_make();
	cr_assert(!chdir(tmp));
	for (i = 0; i < SIZE; i++)
		state[i] = i * 7;
}

TestSuite(statefile, .init = setup, .fini = tmp_remove, .timeout = 60);

/* Just these files are in the directory, and no other. */
static void expect_files(const char *dir, unsigned int n)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned int found = 0;

	cr_assert(d);
	while ((e = readdir(d)))
		found += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	cr_expect_eq(found, n, "%u files in %s, not %u", found, dir, n);
}

static void expect_state(const char *file)
{
	char *buf;
	ssize_t n = statefile_read(file, &buf);

	cr_expect(n == SIZE && !memcmp(buf, state, SIZE), "%s: %zd bytes: %s", file, n, complaint);
	free(buf);
}

static void expect_text(const char *file, const char *text)
{
	char *buf;
	ssize_t n = statefile_read(file, &buf);

	cr_expect(n == (ssize_t)strlen(text) && !memcmp(buf, text, n), "%s: %zd bytes", file, n);
	free(buf);
}

static void expect_refused(int rc, const char *words)
{
	cr_expect_eq(rc, RC_FAILED, "'%s': not refused", words);
	cr_expect_str_eq(complaint, words);
}

/* Proves: a file is made for its owner alone, or replaced, and nothing else is left. */
Test(statefile, file)
{
	struct stat st;

	cr_expect_eq(statefile_write("new", state, SIZE), RC_OK);
	expect_state("new");
	cr_expect(!stat("new", &st) && (st.st_mode & 07777) == 0600);
	cr_expect_eq(statefile_write("new", "again", 5), RC_OK);
	expect_text("new", "again");
	put("dir/old", "old");
	cr_expect_eq(statefile_write("dir/old", state, SIZE), RC_OK);
	expect_state("dir/old");
	expect_files(".", 2);
	expect_files("dir", 1);
}

/* Proves: a symbolic link stays one, and what it leads to is replaced. */
Test(statefile, links)
{
	struct stat st;

	put("dir/old", "old");
	cr_assert(!symlink("dir/old", "one") && !symlink("one", "two") && !symlink("gone", "none"));
	cr_expect_eq(statefile_write("two", state, SIZE), RC_OK);
	cr_expect(!lstat("two", &st) && S_ISLNK(st.st_mode), "the link was replaced");
	cr_expect(!lstat("one", &st) && S_ISLNK(st.st_mode), "the link was replaced");
	expect_state("dir/old");
	expect_refused(statefile_write("none", state, SIZE),
		       "none: a symbolic link to what is not there");
	expect_files(".", 4);
	expect_files("dir", 1);
}

/* Proves: a pipe is written to and read from, to its end. */
Test(statefile, fifo)
{
	struct stat st;
	int status;
	pid_t pid;

	cr_assert(!mkfifo("fifo", 0600));
	pid = fork();
	if (!pid)
		_exit(statefile_write("fifo", state, SIZE));
	expect_state("fifo");
	cr_expect(waitpid(pid, &status, 0) == pid && !status, "status 0x%x", status);
	cr_expect(!stat("fifo", &st) && S_ISFIFO(st.st_mode), "the pipe was replaced");
}

/* Proves: a device is written to. By a user who could not replace it: were it tried, that fails. */
Test(statefile, devices)
{
	struct stat st;

	cr_assert(!symlink("/dev/full", "full") && !chmod(".", 0755));
	cr_assert(geteuid() || !seteuid(65534));
	cr_expect_eq(statefile_write("/dev/null", state, SIZE), RC_OK);
	cr_expect(!stat("/dev/null", &st) && S_ISCHR(st.st_mode));
	expect_refused(statefile_write("full", state, SIZE), "full: No space left on device");
	expect_text("/dev/null", "");
	cr_assert(getuid() || !seteuid(0));
}

/* Proves: "-" is stdout, and stdin. */
Test(statefile, standard_streams)
{
	cr_assert(freopen("out", "w", stdout) && freopen(put("in", "what was saved"), "r", stdin));
	cr_expect_eq(statefile_write("-", state, SIZE), RC_OK);
	expect_state("out");
	expect_text("-", "what was saved");
	expect_files(".", 2);
	cr_assert(freopen("/dev/full", "w", stdout));
	expect_refused(statefile_write("-", state, SIZE), "stdout: No space left on device");
}

/* Proves: the reason is given with the name that the user gave. */
Test(statefile, refusals)
{
	char *buf;

	put("file", "");
	cr_assert(!mkdir("dir", 0700) && !truncate("file", FILE_MAX + 1));
	expect_refused(statefile_write("dir", state, SIZE), "dir: Is a directory");
	expect_refused(statefile_write("none/x", state, SIZE), "none/x: No such file or directory");
	expect_refused(statefile_write("file/x", state, SIZE), "file/x: Not a directory");
	expect_refused(statefile_write("", state, SIZE), ": No such file or directory");
	expect_refused(-statefile_read("dir", &buf), "dir: Is a directory");
	free(buf);
	expect_refused(-statefile_read("none", &buf), "none: No such file or directory");
	free(buf);
	expect_refused(-statefile_read("file", &buf),
		       "file: more than 67108864 bytes are no saved state");
	free(buf);
	expect_files(".", 2);
}

/* Writes more than a file may have: the kernel sends SIGXFSZ after the first half. */
static void write_too_much(const char *file)
{
	struct rlimit half = { SIZE / 2, SIZE / 2 };

	setrlimit(RLIMIT_FSIZE, &half);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	signal(SIGXFSZ, SIG_DFL);
	_exit(statefile_write(file, state, SIZE));
}

/* Proves: a signal in the middle leaves what was there before, and nothing else. */
Test(statefile, signal)
{
	int status;
	pid_t pid;

	put("old", "old");
	pid = fork();
	if (!pid)
		write_too_much("old");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_neq(status, 0, "it was all written");
	expect_text("old", "old");
	expect_files(".", 1);
}
