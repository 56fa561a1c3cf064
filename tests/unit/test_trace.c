// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `lightexit record` writes, read back by docs/trace-format.md. */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../loader/trace.c"
#include "tmpdir.h"
#include "tracefile.h"

static const struct record_filter filter = {
	.n_ranges = 1,
	.ranges = { { .addr = 0x608, .len = 4, .space = LX_SPACE_PIO } },
};

static struct vm vm;

static void setup(void)
{
	tmp_make();
	vm = (struct vm){ .pid = getpid(), .name = "toy" };
}

TestSuite(trace, .init = setup, .fini = tmp_remove);

static void add_access(struct trace *t, uint32_t val)
{
	struct record_event e = { .kind = RECORD_IN,
				  .vmm = 1,
				  .tid = getpid(),
				  .addr = 0x608,
				  .size = 4,
				  .count = 1,
				  .val = val,
				  .ns = 1000 + val };

	trace_event(t, &e);
}

/* Proves: the names of VM and threads, of any bytes, leave a trace its lines. */
Test(trace, names_of_any_bytes)
{
	struct tracefile read = { 0 };
	struct trace t = { 0 };
	char path[96], text[1024] = "";
	FILE *f;

	strcpy(vm.name, "a\nend 0 0\n\xff");
	cr_assert(!prctl(PR_SET_NAME, "t\rx\xff\033"));
	snprintf(path, sizeof(path), "%s/trace", tmp);
	cr_assert_eq(trace_open(&t, path, &vm, &filter), 0);
	add_access(&t, 7);
	cr_assert_eq(trace_close(&t, 0), 0);
	cr_expect(tracefile_read(&read, path), "%s", read.why);
	cr_expect_eq(read.records, 1);
	tracefile_free(&read);
	f = fopen(path, "r");
	cr_expect_geq(fread(text, 1, sizeof(text) - 1, f), 1);
	fclose(f);
	cr_expect_not_null(strstr(text, "\nvm a\uFFFDend 0 0\uFFFD\uFFFD\n"), "%s", text);
	cr_expect_not_null(strstr(text, "\nt 0 t\uFFFDx\uFFFD\uFFFD\n"), "%s", text);
}

/* Proves: what was flushed is in the file, each line once, and is not written again. */
Test(trace, flushed)
{
	struct tracefile read = { 0 };
	struct trace t = { 0 };
	unsigned int i;
	char path[96];

	snprintf(path, sizeof(path), "%s/trace", tmp);
	cr_assert_eq(trace_open(&t, path, &vm, &filter), 0);
	for (i = 0; i < 5000; i++) {
		add_access(&t, i);
		if (i % 700 == 0)
			cr_assert(trace_flush(&t));
	}
	cr_assert(trace_flush(&t) && trace_flush(&t));
	cr_assert_eq(trace_close(&t, 3), 0);
	cr_assert(tracefile_read(&read, path), "%s", read.why);
	cr_expect(read.records == 5000 && read.lost == 3 && read.n == 5001);
	for (i = 0; i < 5000; i++)
		cr_assert_eq(read.v[i].val, i);
	tracefile_free(&read);
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

/* Writes until there is a signal, as the command does. */
static void write_to(const char *path)
{
	const struct sigaction act = { .sa_handler = on_signal };
	struct trace t = { 0 };
	int i;

	if (trace_open(&t, path, &vm, &filter))
		_exit(100);
	sigaction(SIGINT, &act, NULL);
	do {
		for (i = 0; i < 1000; i++)
			add_access(&t, i);
	} while (trace_flush(&t) && !interrupted);
	_exit(trace_close(&t, 0));
}

/* It writes, and nothing else, so what it waits for is room. */
static bool waits(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	cr_assert(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
	fclose(f);
	return state == 'S';
}

static bool has_pending_signals(pid_t pid)
{
	char path[64], line[128];
	unsigned long set = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	cr_assert(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "ShdPnd: %lx", &set) != 1)
		;
	fclose(f);
	return set;
}

/* A writer into a pipe that is full has a signal. Its process; @fd: the other end. */
static pid_t interrupt_writer(int *fd)
{
	char path[96];
	pid_t pid;
	int full;

	snprintf(path, sizeof(path), "%s/fifo", tmp);
	cr_assert(!mkfifo(path, 0600));
	pid = fork();
	if (!pid)
		write_to(path);
	*fd = open(path, O_RDONLY);
	cr_assert_geq(*fd, 0);
	do {
		usleep(1000);
		cr_assert(!ioctl(*fd, FIONREAD, &full));
	} while (!full || !waits(pid));
	kill(pid, SIGINT);
	while (has_pending_signals(pid))
		usleep(1000);
	return pid;
}

static void expect_end(pid_t pid, int rc)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == rc, "status 0x%x", status);
}

/* Proves: a reader that does not read stops the writer, and one signal ends it. */
Test(trace, reader_that_does_not_read, .timeout = 60)
{
	int fd;
	pid_t pid = interrupt_writer(&fd);

	expect_end(pid, RC_FAILED);
	close(fd);
}

/* Proves: with a reader that reads, a signal is no reason to cut the trace off. */
Test(trace, reader_that_reads, .timeout = 60)
{
	struct tracefile read_back = { 0 };
	char path[96], buf[4096];
	int fd, to;
	ssize_t n;
	pid_t pid = interrupt_writer(&fd);

	snprintf(path, sizeof(path), "%s/trace", tmp);
	to = open(path, O_WRONLY | O_CREAT, 0600);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		cr_assert_eq(write(to, buf, n), n);
	expect_end(pid, RC_OK);
	cr_expect(tracefile_read(&read_back, path), "%s", read_back.why);
	tracefile_free(&read_back);
	close(to);
	close(fd);
}
