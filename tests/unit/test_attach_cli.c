// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `lightexit attach` as it is called: what it refuses before it looks for a VM, and how it ends. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tmpdir.h"

/* Each test runs in a directory of its own. */
static void setup(void)
{
	tmp_make();
	cr_assert_eq(chdir(tmp), 0);
}

TestSuite(attach_cli, .init = setup, .fini = tmp_remove, .timeout = 60);

/* Ends with this status, and these words. */
static void expect(int status, const char *words, const char *args)
{
	char cmd[512], said[1024] = "";
	int rc;
	FILE *f;

	snprintf(cmd, sizeof(cmd), LIGHTEXIT " attach %s 2>&1", args);
	f = popen(cmd, "r");
	cr_assert_not_null(f);
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	rc = pclose(f);
	cr_expect(WIFEXITED(rc) && WEXITSTATUS(rc) == status, "%s: status 0x%x: %s", cmd, rc, said);
	cr_expect_not_null(strstr(said, words), "%s: said '%s', not '%s'", cmd, said, words);
}

/* Proves: a file of rules is read and checked whatever VMs there are. */
Test(attach_cli, rules_come_first)
{
	expect(1, "lightexit: rules: No such file or directory\n", "--all --rules rules");
	expect(1, "lightexit: rules: No such file or directory\n", "--name nobody --rules rules");
	cr_assert_eq(system("echo '* hpett' >rules"), 0);
	expect(1, "lightexit: rules, line 1: 'hpett' is none of", "--pid 99999999 --rules rules");
	cr_assert_eq(system("echo '* hpet' >rules"), 0);
	expect(1, "there is no process 99999999\n", "--pid 99999999 --rules rules");
}

/* Proves: a call that cannot mean anything ends with 2, and says what is wrong. */
Test(attach_cli, wrong_calls)
{
	expect(2, "--match '(': Unmatched (", "--all --match '(' pmtimer");
	expect(2, "--match goes with --all", "--pid 1 --match x pmtimer");
	expect(2, "--port goes with pmtimer", "--pid 1 --port 0x608 hpet");
	expect(2, "--hpet-period goes with hpet", "--pid 1 --hpet-period 1 pmtimer");
	expect(2, "--port takes 0 to 65532, not '0xfffd'", "--pid 1 --port 0xfffd pmtimer");
	expect(2, "--interval takes 1 to 86400, not '0'", "--pid 1 --interval 0 pmtimer");
	expect(1, "there is no process 99999999\n", "--pid 99999999 --interval 08 hpet");
	expect(1, "there is no process 99999999\n",
	       "--pid 0x5f5e0ff --port 0x608 --hpet-period 1 hpet pmtimer");
}

/* Proves: while nothing is attached SIGTERM ends it, whatever it waits for: here, for the rules. */
Test(attach_cli, interrupted_before_the_first)
{
	int status, fd;
	pid_t pid;

	cr_assert_eq(mkfifo("rules", 0600), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(LIGHTEXIT, "lightexit", "attach", "--all", "--rules", "rules", NULL);
		_exit(127);
	}
	fd = open("rules", O_WRONLY); /* returns when the command has opened it */
	cr_assert_geq(fd, 0);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status 0x%x", status);
	close(fd);
}
