// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* QEMU behind qtest. The protocol: a line for a line; "IRQ ..." in between. */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lightexit/io.h>

#include "qemu.h"

/* Any time does: virtual time counts from the machine's start. */
#define CLOCK_START 1000000000ULL
#define ROM_SIZE 0x10000U
/* A port that nothing decodes: a command to let the main loop turn. */
#define NOWHERE 0x80U
/* An answer takes microseconds. Some values have QEMU loop for years, and then for ever. */
#define ANSWER_SECONDS 120U

static void make_rom(const char *path)
{
	/* At the reset vector: cli; hlt; back to hlt. */
	static const unsigned char sleeps[] = { 0xfa, 0xf4, 0xeb, 0xfd };
	FILE *f = fopen(path, "w");

	if (!f || ftruncate(fileno(f), ROM_SIZE) || fseek(f, ROM_SIZE - 16, SEEK_SET) ||
	    fwrite(sleeps, sizeof(sleeps), 1, f) != 1 || fclose(f))
		err(1, "%s", path);
}

static volatile uint64_t *make_clock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(uint64_t)))
		p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return p;
}

/* In the child. */
static void run(int in, int out, const char *machine, const char *dir, const char *disk)
{
	char preload[512], rom[512], drive[512];

	snprintf(preload, sizeof(preload), "%s/vclock.so", dir);
	snprintf(rom, sizeof(rom), "%s/rom", dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("LD_PRELOAD", preload, 1);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		err(1, "dup2");
	snprintf(drive, sizeof(drive), "if=ide,format=raw,cache=unsafe,file=%s", disk ? disk : "");
	execlp("qemu-system-x86_64", "qemu-system-x86_64", "-machine", machine, "-accel", "tcg",
	       "-nodefaults", "-serial", "null", "-display", "none", "-bios", rom, "-qtest",
	       "stdio", "-qtest-log", "none", "-rtc", "base=2024-02-28T23:59:50,clock=vm",
	       disk ? "-drive" : NULL, drive, (char *)NULL);
	err(1, "qemu-system-x86_64");
}

static void note_irq(struct qemu *q, const char *line)
{
	unsigned int n;
	bool up = !strncmp(line, "IRQ raise ", 10);

	if (sscanf(line, "IRQ %*s %u", &n) != 1 || n >= QEMU_IRQS)
		errx(1, "QEMU said: %s", line);
	if (up && !q->level[n])
		q->rises[n]++;
	q->level[n] = up;
}

static uint64_t command(struct qemu *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

char qemu_trace[128];
/* The command that QEMU was sent last. */
static char sent[128];

static void too_late(int sig)
{
	dprintf(STDERR_FILENO, "not ok - %s: QEMU has not answered for %u s: %s\n", qemu_trace,
		ANSWER_SECONDS, sent);
	_exit(1);
}

static uint64_t command(struct qemu *q, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sent, sizeof(sent), fmt, ap);
	va_end(ap);
	if (fprintf(q->in, "%s\n", sent) < 0 || fflush(q->in))
		err(1, "to QEMU");
	alarm(ANSWER_SECONDS);
	while (fgets(line, sizeof(line), q->out)) {
		if (!strncmp(line, "OK", 2)) {
			alarm(0);
			return strtoull(line + 2, NULL, 0);
		}
		if (strncmp(line, "IRQ ", 4))
			errx(1, "QEMU said: %s", line);
		note_irq(q, line);
	}
	errx(1, "QEMU is gone");
}

void qemu_start(struct qemu *q, const char *machine, const char *dir, bool interrupts,
		const char *disk)
{
	char clock[512], rom[512];
	int to[2], from[2];

	memset(q, 0, sizeof(*q));
	signal(SIGALRM, too_late);
	snprintf(clock, sizeof(clock), "%s/clock", dir);
	snprintf(rom, sizeof(rom), "%s/rom", dir);
	make_rom(rom);
	q->clock = make_clock(clock);
	*q->clock = CLOCK_START;
	setenv("ORACLE_CLOCK", clock, 1);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		err(1, "pipe");
	fflush(stdout);
	q->pid = fork();
	if (q->pid < 0)
		err(1, "fork");
	if (!q->pid)
		run(to[0], from[1], machine, dir, disk);
	close(to[0]);
	close(from[1]);
	q->in = fdopen(to[1], "w");
	q->out = fdopen(from[0], "r");
	if (!q->in || !q->out)
		err(1, "fdopen");
	if (interrupts)
		command(q, "irq_intercept_in ioapic");
}

void qemu_stop(struct qemu *q)
{
	fclose(q->in);
	fclose(q->out);
	kill(q->pid, SIGKILL);
	waitpid(q->pid, NULL, 0);
	munmap((void *)q->clock, sizeof(*q->clock));
}

static char width(uint32_t len)
{
	switch (len) {
	case 1:
		return 'b';
	case 2:
		return 'w';
	case 4:
		return 'l';
	case 8:
		return 'q';
	default:
		errx(1, "an access of %u bytes", len);
	}
}

uint64_t qemu_access(struct qemu *q, uint32_t space, bool write, uint64_t addr, uint32_t len,
		     uint64_t val)
{
	const char *name =
		space == LX_SPACE_PIO ? (write ? "out" : "in") : (write ? "write" : "read");

	if (write)
		return command(q, "%s%c 0x%" PRIx64 " 0x%" PRIx64, name, width(len), addr, val);
	val = command(q, "%s%c 0x%" PRIx64, name, width(len), addr);
	return len == 8 ? val : val & ((1ULL << len * 8) - 1);
}

/* Timers run after the loop served a command; so by the next command they have. */
void qemu_step(struct qemu *q, uint64_t ns)
{
	*q->clock += ns;
	command(q, "inb 0x%x", NOWHERE);
	command(q, "inb 0x%x", NOWHERE);
}
