// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The command itself, for a host whose module's files are the test's: what it says, how it ends. */
#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tmpdir.h"

#define INFO "sys/kernel/debug/lightexit"

static const char hpet[] =
	"id: 3\nname: hpet\npid: %d\nlink_id: %u\nstate: live\neject: 0\neject_detail: 0\nreason: "
	"\noverruns: 5\nmax_ns: 1234\nregions: 1\nregion 0: space=mmio addr=0xfed00000 len=0x400 "
	"flags=0x1 handled=1 passed=2 errors=3 string_splits=4 pieces=1 shadowed=6\n";

/* Of no link: the kernel counts from 1. */
#define NO_LINK 0xffffffffU

static char out[8192], err[8192];

static void make_host(void)
{
	tmp_make();
	put(INFO "/.module", "");
	put("sys/module/lightexit/version", "");
	cr_assert(!setenv("LX_ROOT", tmp, 1));
	cr_assert(!setenv("PATH", COMMAND_DIR ":/usr/bin:/bin", 1));
	cr_assert(!chdir(tmp));
}

static void add_device(pid_t pid)
{
	char info[sizeof(hpet) + 32];

	snprintf(info, sizeof(info), hpet, pid, NO_LINK);
	put(INFO "/3/info", info);
}

static void slurp(const char *name, char *buf, size_t size)
{
	FILE *f = fopen(name, "r");
	size_t n;

	cr_assert(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

/* Runs a line of shell, in tmp; its exit status, and what it said in out and err. */
static int sh(const char *fmt, ...)
{
	char line[512], cmd[640];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "( %s ) >out 2>err", line);
	rc = system(cmd);
	slurp("out", out, sizeof(out));
	slurp("err", err, sizeof(err));
	cr_assert(WIFEXITED(rc), "%s: status 0x%x", line, rc);
	return WEXITSTATUS(rc);
}

/* @words stand in @text once. */
static void expect_once(const char *line, const char *text, const char *words)
{
	const char *at = strstr(text, words);

	cr_expect(at && !strstr(at + 1, words), "%s: not once '%s': %s", line, words, text);
}

static void expect_error(int status, const char *words, const char *line)
{
	int rc = sh("%s", line);

	cr_expect_eq(rc, status, "%s: ended with %d: %s", line, rc, err);
	expect_once(line, err, words);
}

static void expect_out(const char *words, const char *line)
{
	int rc = sh("%s", line);

	cr_expect_eq(rc, 0, "%s: ended with %d: %s", line, rc, err);
	expect_once(line, out, words);
}

TestSuite(command, .init = make_host, .fini = tmp_remove, .timeout = 300);

/* Proves: what is said in vain is no success, and the reason is given, once. */
Test(command, lost_output)
{
	static const char *const lines[] = {
		"lightexit list",
		"lightexit list --json",
		"lightexit list --help",
		"lightexit list --usage",
		"lightexit list --version",
		"lightexit stats",
		"lightexit stats --json",
		"lightexit stats -w0.1",
		"lightexit stats -w0.1 --json",
		"lightexit doctor",
		"lightexit doctor --json",
		"lightexit help",
		"lightexit help stats",
		"lightexit --help",
		"lightexit --version",
		"lightexit new lost",
	};
	char line[128];
	size_t i;

	add_device(getpid());
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(line, sizeof(line), "%s >/dev/full", lines[i]);
		expect_error(1, "lightexit: stdout: No space left on device\n", line);
		snprintf(line, sizeof(line), "%s >&-", lines[i]);
		if (!strstr(lines[i], "new"))
			expect_error(1, "lightexit: stdout: Bad file descriptor\n", line);
	}
	expect_error(2, "Usage: lightexit COMMAND", "lightexit >&-");
}

/* Proves: help explains itself. */
Test(command, help)
{
	expect_out("Usage: lightexit COMMAND", "lightexit help");
	expect_out("Usage: lightexit COMMAND", "lightexit help help");
	expect_out("Usage: lightexit COMMAND", "lightexit help --help");
	expect_out("Usage: lightexit COMMAND", "lightexit --help");
	expect_out("Usage: lightexit stats", "lightexit help stats");
	expect_error(2, "there is no command 'x'", "lightexit help x");
	expect_error(2, "there is no command 'x'", "lightexit x");
}

/* Proves: a process's name may be of any bytes; it is shown, and nobody obeys it. */
Test(command, names_of_any_bytes)
{
	cr_assert(!prctl(PR_SET_NAME, "v\xff\033[2Jm\xc3\xa9"));
	add_device(getpid());
	expect_out("\"comm\": \"v\uFFFD\uFFFD[2Jm\u00e9\"", "lightexit list --json");
	expect_out(" v\uFFFD\uFFFD[2Jm\u00e9  4294967295  ", "lightexit list");
	expect_out("  COMM            LINK  MAP", "lightexit list");
	expect_out("\"0 in x\uFFFD\"",
		   "LIGHTEXIT_BPF_DIR=$(printf 'x\\377') lightexit doctor --json; [ $? = 3 ]");
}

/* Proves: where the module's files and the kernel's objects disagree, the reason is right. */
Test(command, no_such_link)
{
	static const char not_root[] = "setpriv --reuid 65534 --bounding-set -all --inh-caps -all";
	int fd = bpf_link_get_fd_by_id(NO_LINK);
	const char *why = fd == -ENOENT ? "detached meanwhile" : "not permitted; run as root";
	char line[256];

	cr_assert_lt(fd, 0);
	add_device(getpid());
	expect_error(1, why, "lightexit detach 3");
	expect_error(1, why, "lightexit save 3 file");
	expect_error(1, why, "lightexit restore 3 file");
	expect_error(2, "cannot both go to stdout", "lightexit save --json 3 -");
	cr_assert(!chmod(tmp, 0755));
	snprintf(line, sizeof(line), "%s lightexit detach 3", geteuid() ? "" : not_root);
	expect_error(1, "link 4294967295: not permitted; run as root\n", line);
	snprintf(line, sizeof(line), "%s lightexit save 3 file", geteuid() ? "" : not_root);
	expect_error(1, "its state: not permitted; run as root\n", line);
}

/* Proves: a range of `record` is two numbers, and lies in its space. */
Test(command, ranges)
{
	static const char *const good[] = {
		"pio:0x608+4",		 "pio:0+0x10000",     "pio:65535+1",
		"mmio:0xfed00000+0x400", "mmio:0+4294967295", "mmio:0xfffffffffffffffe+1",
	};
	static const char *const bad[] = {
		"mmio:-4096+16",
		"'mmio: 0x10+ 4'",
		"mmio:0x10+-4",
		"mmio:++4",
		"mmio:+4",
		"mmio:16+",
		"mmio:16",
		"mmio:",
		"mmio:0x10+4x",
		"mmio:16+4+4",
		"mmio:0x10+0",
		"mmio:0+4294967296",
		"mmio:0xffffffffffffffff+1",
		"mmio:0xfffffffffffffffe+2",
		"pio:65536+1",
		"pio:0xfffe+3",
		"pio:0+0x10001",
		"608+4",
		"PIO:0x608+4",
	};
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "lightexit record --pid 99999999 -o x %s", good[i]);
		expect_error(1, "there is no process", line);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "lightexit record --pid 99999999 -o x %s", bad[i]);
		expect_error(2, "is neither a device", line);
	}
}

#define WHEN_SHOWN "( until [ -s out ]; do sleep 0.1; done; "

/* Proves: watching says that there is nothing, and ends when what was asked for has gone. */
Test(command, watching_what_goes)
{
	expect_error(1, "no device has ID 2; see lightexit list\n", "lightexit stats 2");
	expect_error(1, "no device has ID 2; see lightexit list\n", "lightexit stats --watch=1 2");
	expect_error(1, "or is --watch=2 meant?\n", "lightexit stats --watch 2");
	expect_error(1, "or is --watch=2 meant?\n", "lightexit stats -w 2");
	expect_out("No device is attached.\n",
		   "timeout 60 lightexit stats --watch=0.1 | head -n 1");
	add_device(getpid());
	expect_error(1, "no device has ID 3; see lightexit list\n",
		     WHEN_SHOWN "rm -r " INFO "/3 ) & timeout 60 lightexit stats --watch=0.1 3");
	cr_expect(strstr(out, "mmio 0xfed00000"), "no rates before: %s", out);
	add_device(getpid());
	expect_error(1, "no device has ID 3; see lightexit list\n",
		     WHEN_SHOWN "rm -r " INFO "/3 ) & timeout 60 lightexit stats --json -w0.1 3");
}
