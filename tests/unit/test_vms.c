// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which processes have which VMs, for `lightexit attach` and `record`. Only KVM makes VMs; here a
 * memfd of a name of its own is one: like a VM it is a file that processes share, and hand over.
 */
#include <criterion/criterion.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define VM_LINK "/memfd:lxvm (deleted)"
#include "../../loader/vms.c"
#include "complaint.h"

static int vm; /* this process's own */
static pid_t child;

static void setup(void)
{
	/* Whose fd a process may take, and compare, is ptrace's to say. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	vm = memfd_create("lxvm", 0);
	cr_assert_geq(vm, 0);
}

static void end_child(void)
{
	if (!child)
		return;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	child = 0;
}

TestSuite(vms, .init = setup, .fini = end_child);

/* How many VMs another process finds, one that holds none itself when it begins; or -1. */
static int found(void)
{
	struct vms vms;
	int status;
	pid_t pid = fork();

	if (!pid) {
		close(vm);
		_exit(vms_by_name(NULL, NULL, &vms) == RC_OK ? (int)vms.n : 255);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFEXITED(status));
	return (signed char)WEXITSTATUS(status);
}

/* A child with this VM's fd alone, and these two arguments among others; it is stopped. */
static void start_child(int its, const char *option, const char *value)
{
	int status;

	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (its != vm)
			close(vm);
		execl("/bin/sh", "sh", "-c", "kill -STOP $$", "sh", option, value, "-x", NULL);
		_exit(127);
	}
	waitpid(child, &status, WUNTRACED);
	cr_assert(WIFSTOPPED(status));
}

/* Proves: who looks for VMs is none of them, though it has taken their fds. */
Test(vms, not_its_own)
{
	cr_expect_eq(found(), 1, "%d VMs, of one process", found());
}

/* Proves: a VM is found once, however many processes and fds it has, and others beside it. */
Test(vms, once)
{
	int other;

	cr_assert_geq(fcntl(vm, F_DUPFD_CLOEXEC, 0), 0);
	start_child(vm, "", "");
	cr_expect_eq(found(), 1, "%d VMs, of two processes that share one", found());
	end_child();
	other = memfd_create("lxvm", 0);
	start_child(other, "", "");
	close(other);
	cr_expect_eq(found(), 2, "%d VMs, of two processes", found());
}

/* Proves: QEMU takes its options with two dashes, too. */
Test(vms, name_option)
{
	struct vms vms;

	start_child(vm, "-name", "guest=web0,debug-threads=on");
	cr_expect_eq(vms_by_name("web0", NULL, &vms), RC_OK, "-name: %s", complaint);
	cr_expect_eq(vms.n, 1);
	vms_free(&vms);
	end_child();
	start_child(vm, "--name", "web1");
	cr_expect_eq(vms_by_name("web1", NULL, &vms), RC_OK, "--name: %s", complaint);
	cr_assert_eq(vms.n, 1);
	cr_expect_eq(vms.v[0].pid, child);
	vms_free(&vms);
}

static void *look_for_itself(void *arg)
{
	struct vms vms;

	*(pid_t *)arg = gettid();
	cr_expect_eq(vms_of_pid(gettid(), -1, &vms), RC_FAILED);
	return NULL;
}

/* Proves: a thread's id is refused with its process's. */
Test(vms, thread)
{
	char want[128];
	pthread_t t;
	pid_t tid;

	pthread_create(&t, NULL, look_for_itself, &tid);
	pthread_join(t, NULL);
	snprintf(want, sizeof(want), "%d is a thread of process %d", tid, getpid());
	cr_expect_not_null(strstr(complaint, want), "said '%s', not '%s'", complaint, want);
}
