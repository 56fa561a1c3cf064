// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* An unmodified QEMU for tests; see qemu.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmtest.h"
#include "qemu.h"

#define MAX_ARGS 48
#define START_MS (unsigned int)vmt_patience(30000)

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void path(const struct qemu *q, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", q->dir, name);
}

/* In the child: output to a file, then the program. */
static void run(const struct qemu *q, const char *log, const char *const *argv)
{
	char to[128];
	int fd;

	path(q, log, to, sizeof(to));
	fd = open(to, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int connect_qmp(const struct qemu *q)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned int ms;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/qmp", q->dir);
	for (ms = 0; ms < START_MS; ms += 20) {
		if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
			return fd;
		cr_assert_eq(waitpid(q->pid, NULL, WNOHANG), 0, "QEMU ended: %s/log", q->dir);
		sleep_ms(20);
	}
	cr_assert_fail("QEMU's QMP socket did not come");
	return -1;
}

static uint64_t realtime_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* Notes when the VM was stopped. */
static void event(struct qemu *q, const json_t *o)
{
	const char *name = json_string_value(json_object_get(o, "event"));
	json_int_t s, us;

	if (name && !strcmp(name, "STOP") &&
	    !json_unpack((json_t *)o, "{s:{s:I, s:I}}", "timestamp", "seconds", &s, "microseconds",
			 &us))
		q->stopped_us = s * 1000000 + us;
}

/* The answer to a command. The caller drops the reference. */
static json_t *answer(struct qemu *q)
{
	json_t *o;

	for (;;) {
		o = json_loadfd(q->qmp, JSON_DISABLE_EOF_CHECK, NULL);
		cr_assert_not_null(o, "QMP is closed");
		if (json_object_get(o, "return") || json_object_get(o, "error") ||
		    json_object_get(o, "QMP"))
			return o;
		event(q, o);
		json_decref(o);
	}
}

json_t *qemu_ask(struct qemu *q, const char *command, const char *arguments)
{
	const char *why = NULL;
	json_t *o, *result;

	q->asked_us = realtime_us();
	dprintf(q->qmp, "{\"execute\": \"%s\", \"arguments\": %s}\n", command,
		arguments ? arguments : "{}");
	o = answer(q);
	json_unpack(o, "{s:{s:s}}", "error", "desc", &why);
	cr_assert_null(why, "QMP %s %s: %s", command, arguments ? arguments : "", why);
	result = json_incref(json_object_get(o, "return"));
	json_decref(o);
	return result;
}

void qemu_qmp(struct qemu *q, const char *command, const char *arguments)
{
	json_decref(qemu_ask(q, command, arguments));
}

uint64_t qemu_stop_us(const struct qemu *q)
{
	cr_assert_geq(q->stopped_us, q->asked_us, "the VM was not stopped");
	return q->stopped_us - q->asked_us;
}

void qemu_hmp(struct qemu *q, const char *line)
{
	char arguments[256];
	const char *said;
	json_t *o;

	snprintf(arguments, sizeof(arguments), "{\"command-line\": \"%s\"}", line);
	o = qemu_ask(q, "human-monitor-command", arguments);
	said = json_string_value(o);
	cr_assert(said && !said[0], "%s: %s", line, said ? said : "refused");
	json_decref(o);
}

static void map_memory(struct qemu *q)
{
	char mem[128];
	int fd;

	path(q, "mem", mem, sizeof(mem));
	fd = open(mem, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %s", mem, strerror(errno));
	q->mem = mmap(NULL, (size_t)QEMU_MEM_MB << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(q->mem, MAP_FAILED);
	close(fd);
	q->t = (void *)((char *)q->mem + TORTURE_GPA);
}

const char *qemu_binary = "qemu-system-x86_64";

void qemu_start(struct qemu *q, const char *machine, unsigned int vcpus, const char *const *more)
{
	char smp[16], bios[256], mem[160], qmp[128], m[96];
	const char *argv[MAX_ARGS] = {
		qemu_binary, "-nodefaults",
		"-display",  "none",
		"-S",	     "-no-user-config",
		"-name",     "guest=lxtorture,debug-threads=on",
		"-machine",  m,
		"-smp",	     smp,
		"-bios",     bios,
		"-object",   mem,
		"-qmp",	     qmp,
		"-accel",    "kvm",
		"-cpu",	     "host",
	};
	unsigned int n = 0;

	*q = (struct qemu){ .dir = "/tmp/lxqemu.XXXXXX", .vcpus = vcpus };
	cr_assert_not_null(mkdtemp(q->dir));
	snprintf(m, sizeof(m), "%s,memory-backend=ram", machine);
	snprintf(smp, sizeof(smp), "%u", vcpus);
	snprintf(bios, sizeof(bios), "%s/torture.rom", getenv("LX_TEST_BPF_DIR"));
	snprintf(mem, sizeof(mem), "memory-backend-file,id=ram,share=on,size=%uM,mem-path=%s/mem",
		 QEMU_MEM_MB, q->dir);
	snprintf(qmp, sizeof(qmp), "unix:%s/qmp,server=on,wait=off", q->dir);
	while (argv[n])
		n++;
	while (more && *more && n < MAX_ARGS - 1)
		argv[n++] = *more++;
	q->pid = fork();
	if (!q->pid)
		run(q, "log", argv);
	q->qmp = connect_qmp(q);
	json_decref(answer(q));
	qemu_qmp(q, "qmp_capabilities", NULL);
	map_memory(q);
}

void qemu_go(struct qemu *q, enum torture_kind kind, uint32_t addr, uint32_t mask)
{
	unsigned int ms;

	qemu_qmp(q, "cont", NULL);
	for (ms = 0; q->t->magic != TORTURE_MAGIC || q->t->online < q->vcpus; ms += 10) {
		if (ms >= START_MS)
			qemu_hmp(q, "info registers -a");
		sleep_ms(10);
	}
	q->t->kind = kind;
	q->addr = addr;
	q->t->addr = addr;
	q->t->mask = mask;
	__atomic_store_n(&q->t->go, 1, __ATOMIC_SEQ_CST);
}

uint64_t qemu_reads(const struct qemu *q)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < TORTURE_VCPUS; i++)
		n += q->t->reads[i];
	return n;
}

void qemu_wait_reads(const struct qemu *q, uint64_t n, unsigned int seconds)
{
	uint64_t start = qemu_reads(q), last = start, now;
	const unsigned int most = (unsigned int)vmt_patience((int)seconds * 1000);
	unsigned int ms = 0;

	while ((now = qemu_reads(q)) - start < n) {
		ms = now == last ? ms + 1 : 0;
		last = now;
		cr_assert_lt(ms, most, "no read for %u s, after %lu of %lu", most / 1000,
			     now - start, n);
		sleep_ms(1);
	}
}

void qemu_wait_each(const struct qemu *q)
{
	uint32_t start[TORTURE_VCPUS];
	unsigned int i, ms = 0;

	for (i = 0; i < q->vcpus; i++)
		start[i] = q->t->reads[i];
	for (i = 0; i < q->vcpus; i++) {
		while (q->t->reads[i] - start[i] < 2) {
			cr_assert_lt(ms, START_MS, "vCPU %u does not read", i);
			sleep_ms(1);
			ms++;
		}
	}
}

void qemu_end(struct qemu *q)
{
	char cmd[96];

	kill(q->pid, SIGCONT);
	kill(q->pid, SIGKILL);
	waitpid(q->pid, NULL, 0);
	munmap(q->mem, (size_t)QEMU_MEM_MB << 20);
	close(q->qmp);
	snprintf(cmd, sizeof(cmd), "rm -r %s", q->dir);
	cr_expect_eq(system(cmd), 0);
}

static pid_t attach(const struct qemu *q, const char *which, const char *const *args)
{
	const char *argv[MAX_ARGS] = { "lightexit", "attach", "--json", which };
	unsigned int n = 4;
	pid_t child;

	while (*args && n < MAX_ARGS - 1)
		argv[n++] = *args++;
	child = fork();
	if (!child)
		run(q, "attach", argv);
	return child;
}

pid_t attach_start(const struct qemu *q, const char *const *args)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "--pid=%d", q->pid);
	return attach(q, pid, args);
}

pid_t attach_start_all(const struct qemu *q, const char *const *args)
{
	return attach(q, "--all", args);
}

int attach_stop(pid_t pid)
{
	int status;

	kill(pid, SIGINT);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
