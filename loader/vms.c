// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds VMs in /proc, and takes their fds out of the processes that hold them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd.h"
#include "vms.h"

#ifndef VM_LINK /* a test has files of its own */
#define VM_LINK "anon_inode:kvm-vm"
#endif
#define MAX_FDS 16

/* The fds of a process that are VMs: how many, at most @max of them in @fds; or -errno. */
static int vm_fds(pid_t pid, int *fds, int max)
{
	char path[64], to[32];
	struct dirent *d;
	ssize_t len;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		len = readlinkat(dirfd(dir), d->d_name, to, sizeof(to) - 1);
		if (len < 0)
			continue;
		to[len] = '\0';
		if (!strcmp(to, VM_LINK) && n < max)
			fds[n++] = atoi(d->d_name);
	}
	closedir(dir);
	return n;
}

/* Several fds may be one VM's, after dup(). */
static bool same_vm(pid_t pid, int a, int b)
{
	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b) == 0;
}

static int read_file(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	buf[n] = '\0';
	return n;
}

/* QEMU's -name takes NAME, or guest=NAME among other settings; a comma in it is doubled. */
static void copy_name(const char *arg, char *name)
{
	const char *guest = strstr(arg, "guest=");
	size_t n = 0;

	if (guest && (guest == arg || guest[-1] == ','))
		arg = guest + strlen("guest=");
	for (; *arg && n < VM_NAME_LEN - 1; arg++) {
		if (*arg == ',' && *++arg != ',')
			break;
		name[n++] = *arg;
	}
	name[n] = '\0';
}

static void name_of(pid_t pid, char *name)
{
	char buf[16384], *p, *end;
	int n = read_file(pid, "cmdline", buf, sizeof(buf));

	end = buf + (n > 0 ? n : 0);
	for (p = buf; p < end; p += strlen(p) + 1) {
		/* QEMU takes both. */
		if ((strcmp(p, "-name") && strcmp(p, "--name")) || p + strlen(p) + 1 >= end)
			continue;
		copy_name(p + strlen(p) + 1, name);
		return;
	}
	n = read_file(pid, "comm", buf, sizeof(buf));
	snprintf(name, VM_NAME_LEN, "%.*s", n > 0 ? (int)strcspn(buf, "\n") : 0, buf);
}

static int choose_fd(pid_t pid, int fd)
{
	int fds[MAX_FDS], i, n = vm_fds(pid, fds, MAX_FDS);

	if (n == -ENOENT)
		return complain("there is no process %d", pid), -1;
	if (n < 0)
		return complain("process %d: cannot look at its files: %s; run as root", pid,
				strerror(-n)),
		       -1;
	for (i = 0; fd >= 0 && i < n; i++) {
		if (fds[i] == fd)
			return fd;
	}
	if (fd >= 0)
		return complain("process %d: its fd %d is no VM", pid, fd), -1;
	if (!n)
		return complain("process %d has no VM: no fd of it is a " VM_LINK, pid), -1;
	for (i = 1; i < n; i++) {
		if (!same_vm(pid, fds[0], fds[i]))
			return complain(
				       "process %d has several VMs, fds %d and %d among them; attach takes "
				       "one with --vm-fd, record cannot tell them apart",
				       pid, fds[0], fds[i]),
			       -1;
	}
	return fds[0];
}

/* The process that a thread is of; 0: unknown */
static pid_t process_of(pid_t tid)
{
	char buf[1024], *at;
	int n = read_file(tid, "status", buf, sizeof(buf));

	at = n > 0 ? strstr(buf, "\nTgid:") : NULL;
	return at ? atoi(at + strlen("\nTgid:")) : 0;
}

static int open_pidfd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), err = errno;
	pid_t process;

	if (fd >= 0)
		return fd;
	process = process_of(pid);
	if (err == ESRCH)
		complain("there is no process %d", pid);
	else if (process && process != pid)
		complain("%d is a thread of process %d; give the process's", pid, process);
	else
		complain("process %d: %s", pid, strerror(err));
	return -1;
}

static int open_vm(pid_t pid, int fd, struct vm *vm)
{
	*vm = (struct vm){ .pid = pid, .pidfd = open_pidfd(pid), .fd = -1 };
	if (vm->pidfd < 0)
		return RC_FAILED;
	fd = choose_fd(pid, fd);
	if (fd < 0)
		goto close_pidfd;
	vm->fd = syscall(SYS_pidfd_getfd, vm->pidfd, fd, 0);
	if (vm->fd < 0) {
		complain("process %d: cannot take its VM's fd %d: %s%s", pid, fd, strerror(errno),
			 errno == EPERM ? "; that needs CAP_SYS_PTRACE, run as root" : "");
		goto close_pidfd;
	}
	name_of(pid, vm->name);
	return RC_OK;
close_pidfd:
	close(vm->pidfd);
	return RC_FAILED;
}

void vm_release(struct vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

static void close_vm(struct vm *vm)
{
	vm_release(vm);
	close(vm->pidfd);
}

/* Takes @vm over. Several processes may hold one VM, as after fork(): the first one has it. */
static int append(struct vms *vms, struct vm *vm)
{
	struct vm *v;
	size_t i;

	for (i = 0; i < vms->n; i++) {
		if (same_vm(getpid(), vms->v[i].fd, vm->fd)) {
			close_vm(vm);
			return RC_OK;
		}
	}
	v = realloc(vms->v, (vms->n + 1) * sizeof(*v));
	if (!v) {
		close_vm(vm);
		return complain("out of memory");
	}
	vms->v = v;
	v[vms->n++] = *vm;
	return RC_OK;
}

int vms_of_pid(pid_t pid, int fd, struct vms *vms)
{
	struct vm vm;

	*vms = (struct vms){ 0 };
	return open_vm(pid, fd, &vm) ?: append(vms, &vm);
}

/* This process's own fds are those that it has just taken. */
static bool wanted(pid_t pid, const char *name, const regex_t *match)
{
	char its[VM_NAME_LEN];
	int fd;

	if (pid == getpid() || vm_fds(pid, &fd, 1) < 1)
		return false;
	name_of(pid, its);
	return name ? !strcmp(name, its) : !match || !regexec(match, its, 0, NULL, 0);
}

int vms_by_name(const char *name, const regex_t *match, struct vms *vms)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	struct vm vm;
	int rc = RC_OK;

	*vms = (struct vms){ 0 };
	while (dir && rc == RC_OK && (d = readdir(dir))) {
		pid_t pid = atoi(d->d_name);

		if (pid > 0 && wanted(pid, name, match) && open_vm(pid, -1, &vm) == RC_OK)
			rc = append(vms, &vm);
	}
	if (dir)
		closedir(dir);
	if (rc != RC_OK || vms->n)
		return rc;
	if (name)
		return complain("no VM that this user may look at has the name '%s'", name);
	return complain("there is no VM%s that this user may look at",
			match ? " of such a name" : "");
}

void vms_free(struct vms *vms)
{
	size_t i;

	for (i = 0; i < vms->n; i++)
		close_vm(&vms->v[i]);
	free(vms->v);
	*vms = (struct vms){ 0 };
}
