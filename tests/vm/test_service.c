// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `make install` installs for VMs that start: libvirt's hook, the unit, its rules. service.sh
 * has systemd, the hook and an unmodified QEMU, libvirt.sh has libvirtd. tests/unit has what is
 * wrong with rules.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtest.h"

TestSuite(service, .init = vmt_init, .timeout = 1800);

/* Runs a command; its output, and its status. */
static int run(const char *cmd, char *said, size_t size)
{
	FILE *f = popen(cmd, "r");
	int status;
	size_t n;

	cr_assert_not_null(f);
	n = fread(said, 1, size - 1, f);
	said[n] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * Proves: a domain that starts has the unit started and its devices attached, once; by the rules,
 * of which none, or a mistake, attaches nothing; the hook never fails; the unit ends with the VM.
 */
Test(service, a_domain_starts)
{
	char said[4096];

	cr_expect_eq(run("tests/vm/service.sh 2>&1", said, sizeof(said)), 0, "%s", said);
}

/* Proves: libvirtd runs the hook for a domain that it starts, and for one that it finds running. */
Test(service, libvirt_starts_a_domain)
{
	char said[4096];

	cr_expect_eq(run("tests/vm/libvirt.sh 2>&1", said, sizeof(said)), 0, "%s", said);
}

static char rules[64];

static void write_rules(const char *text)
{
	FILE *f = fopen(rules, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

/* The first numbers are there when all is attached. */
static void expect_attached(const char *text, const char *regions)
{
	char cmd[1024], said[4096];

	write_rules(text);
	snprintf(cmd, sizeof(cmd),
		 "lightexit attach --json --pid %d --rules %s >%s.out 2>&1 & "
		 "for i in $(seq %d); do [ -s %s.out ] && break; sleep 0.1; done; "
		 "lightexit list | grep -o ' [pm][a-z]*o 0x[^ ]*' | tr -d '\\n'; "
		 "kill -INT $!; wait $! || cat %s.out; rm %s.out",
		 getpid(), rules, rules, vmt_patience(300), rules, rules, rules);
	cr_expect_eq(run(cmd, said, sizeof(said)), 0);
	cr_expect_str_eq(said, regions, "%s: attached are%s", text, said);
}

/* Proves: the first rule that matches counts, with its options. */
Test(service, first_rule)
{
	struct vmm *vm;

	cr_assert_eq(vmm_create(&(struct vmm_opts){ .vcpus = 1 }, &vm), 0);
	snprintf(rules, sizeof(rules), "/tmp/lxrules.%d", getpid());
	expect_attached("other hpet\ntest_s* pmtimer --port=0x408 # here\n* hpet\n",
			" pio 0x408+0x4");
	expect_attached("test_servic? hpet --dry-run pmtimer\n",
			" pio 0x608+0x4 pio 0xb008+0x4 mmio 0xfed00000+0x400");
	unlink(rules);
	vmm_destroy(vm);
}
