// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is refused because of who asks, or on what host: another user's VM, too
 * few capabilities, a kernel without the module, a module for another kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <lightexit/dev/pmtimer.h>

#include "vmchild.h"
#include "vmraw.h"
#include "vmtest.h"

/* What a child did, for its parent. */
struct outcome {
	int err[8];
	char log[4096];
};

static struct outcome *outcome;
static struct lx_device *dev;
static int vm, link_fd, map_fd;

/* Runs @fn in a child process that shares nothing but @outcome and open files. */
static void in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		vmt_log_clear();
		fn();
		snprintf(outcome->log, sizeof(outcome->log), "%s", vmt_log());
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "the child ended with status 0x%x", status);
}

static int new_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int fd = kvm < 0 ? -errno : ioctl(kvm, KVM_CREATE_VM, 0);

	close(kvm);
	return fd;
}

static void users_setup(void)
{
	vmt_init();
	vmt_wait_module_refs(0);
	vmr_init();
	dev = vmt_load(vmt_bpf_dir(), "pmtimer");
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	cr_assert_neq(outcome, MAP_FAILED);
	memset(outcome->err, 0x7f, sizeof(outcome->err));
}

static void users_teardown(void)
{
	lx_device_close(dev);
	vmr_exit();
}

TestSuite(users, .init = users_setup, .fini = users_teardown, .timeout = 120);

/* A child of uid 65534 makes a VM and hands its fd over; it lives until @sock is closed. */
static int vm_of_nobody(int sock[2], pid_t *pid)
{
	int fd, err;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	*pid = fork();
	if (!*pid) {
		close(sock[0]);
		err = vmc_become_nobody();
		fd = err ?: new_vm();
		err = fd < 0 ? fd : 0;
		vmc_send(sock[1], &err, sizeof(err), &fd, err ? 0 : 1);
		vmc_recv(sock[1], &err, sizeof(err), NULL, 0);
		_exit(0);
	}
	close(sock[1]);
	cr_assert_eq(vmc_recv(sock[0], &err, sizeof(err), &fd, 1), 0, "the child: %d", err);
	return fd;
}

/* All that it needs but CAP_SYS_ADMIN, and a map that its parent filled in. */
static void attach_without_sys_admin(void)
{
	struct lightexit_ops own;

	outcome->err[0] = vmc_drop_cap(CAP_SYS_ADMIN);
	outcome->err[1] = vmr_link(map_fd);
	outcome->err[2] = bpf_link_update(link_fd, map_fd, NULL);
	outcome->err[3] = lx_device_attach(dev, vm);
	own = vmr_ops(new_vm());
	outcome->err[4] = vmr_attach(&own);
}

Test(users, another_users_vm)
{
	struct lightexit_ops ops;
	int sock[2], refs;
	pid_t pid;

	vm = vm_of_nobody(sock, &pid);
	ops = vmr_ops(vm);
	link_fd = vmr_attach(&ops);
	cr_assert_geq(link_fd, 0, "root, with CAP_SYS_ADMIN: %d", link_fd);
	ops.regions[0].addr = 0x800;
	ops.flags = LX_OPS_MOVE;
	map_fd = vmr_map(&ops, BPF_F_LINK);
	cr_assert_geq(map_fd, 0);
	refs = vmt_module_refs();

	in_child(attach_without_sys_admin);
	cr_assert_eq(outcome->err[0], 0);
	cr_assert_eq(outcome->err[1], -EPERM, "attach by bpf(2): %d", outcome->err[1]);
	cr_assert_eq(outcome->err[2], -EPERM, "update by bpf(2): %d", outcome->err[2]);
	cr_assert_eq(outcome->err[3], -EPERM, "attach by the library: %d", outcome->err[3]);
	cr_assert_not_null(strstr(outcome->log, "did not create the VM and lacks CAP_SYS_ADMIN"),
			   "%s", outcome->log);
	cr_assert_geq(outcome->err[4], 0, "its own VM: %d", outcome->err[4]);

	vmt_wait_module_refs(refs);
	cr_assert_eq(bpf_link_update(link_fd, map_fd, NULL), 0,
		     "the same update with CAP_SYS_ADMIN");
	close(link_fd);
	close(map_fd);
	cr_assert_eq(lx_device_attach(dev, vm), 0, "the library with CAP_SYS_ADMIN: %s", vmt_log());
	close(sock[0]);
	waitpid(pid, NULL, 0);
}

/* Another user with the root's map and the VM's fd, then one of its own; no capability at all. */
static void attach_as_nobody(void)
{
	struct lx_device *second;

	outcome->err[0] = vmc_become_nobody();
	outcome->err[1] = vmr_link(map_fd);
	outcome->err[2] = lx_device_open("pmtimer", NULL, &second);
	outcome->err[3] = lx_device_load(second);
	outcome->err[4] = dup2(new_vm(), vm) == vm ? vmr_link(map_fd) : -errno;
}

Test(users, nobody)
{
	struct lightexit_ops ops;

	vm = new_vm();
	ops = vmr_ops(vm);
	map_fd = vmr_map(&ops, BPF_F_LINK);
	in_child(attach_as_nobody);
	cr_assert_eq(outcome->err[0], 0);
	cr_assert_eq(outcome->err[1], -EPERM, "attach by bpf(2): %d", outcome->err[1]);
	cr_assert_eq(outcome->err[2], 0, "open: %d", outcome->err[2]);
	cr_assert_eq(outcome->err[3], -EPERM, "load: %d", outcome->err[3]);
	cr_assert_not_null(strstr(outcome->log, "none of CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN"),
			   "%s", outcome->log);
	cr_assert_eq(outcome->err[4], -EPERM, "attach to its own VM: %d", outcome->err[4]);
	link_fd = vmr_link(map_fd);
	cr_assert_geq(link_fd, 0, "root: %d", link_fd);
}

static void load_without_sys_admin(void)
{
	struct lx_device *second;

	outcome->err[0] = vmc_drop_cap(CAP_SYS_ADMIN);
	outcome->err[1] = lx_device_open("pmtimer", NULL, &second);
	outcome->err[2] = lx_device_load(second);
}

Test(users, load_without_sys_admin)
{
	in_child(load_without_sys_admin);
	cr_assert_eq(outcome->err[0], 0);
	cr_assert_eq(outcome->err[1], 0);
	cr_assert_eq(outcome->err[2], -EPERM, "load: %d", outcome->err[2]);
	cr_assert_not_null(strstr(outcome->log, "have a broker load and attach"), "%s",
			   outcome->log);
}

#define KO_MAX (8U << 20)

/* The module's file, and its length. */
static char *read_module(size_t *len)
{
	char path[512], *ko = malloc(KO_MAX);
	ssize_t n;
	FILE *f;

	cr_assert_not_null(getenv("LX_KMOD_DIR"), "LX_KMOD_DIR is not set; run tests/vm/run.sh");
	snprintf(path, sizeof(path), "%s/kernel/lightexit.ko", getenv("LX_KMOD_DIR"));
	f = fopen(path, "re");
	cr_assert_not_null(f, "%s: %m", path);
	n = fread(ko, 1, KO_MAX, f);
	cr_assert(n > 0 && n < KO_MAX);
	fclose(f);
	*len = n;
	return ko;
}

static int load_module(const char *ko, size_t len)
{
	return syscall(SYS_init_module, ko, len, "") ? -errno : 0;
}

static void unload_module(void)
{
	vmt_wait_module_refs(0);
	cr_assert_eq(syscall(SYS_delete_module, "lightexit", O_NONBLOCK), 0, "rmmod: %m");
}

/* The tests below unload the module; the next test has it again, whatever became of this one. */
static void module_teardown(void)
{
	size_t len;
	char *ko;

	if (!access("/sys/module/lightexit", F_OK))
		return;
	ko = read_module(&len);
	cr_assert_eq(load_module(ko, len), 0, "%m");
	free(ko);
}

TestSuite(module, .init = vmt_init, .fini = module_teardown, .timeout = 120);

/* What there is to say after a refusal: the module, once there, serves. */
static void module_serves(const char *ko, size_t len)
{
	struct lx_device *second;

	cr_assert_eq(load_module(ko, len), 0, "%m");
	vm = new_vm();
	second = vmt_load(vmt_bpf_dir(), "pmtimer");
	cr_assert_eq(lx_device_attach(second, vm), 0, "%s", vmt_log());
	lx_device_close(second);
	close(vm);
	vmt_wait_module_refs(0);
}

Test(module, not_loaded)
{
	struct lx_device *second;
	size_t len;
	char *ko = read_module(&len);

	unload_module();
	cr_assert_eq(lx_device_open("pmtimer", NULL, &second), 0, "open needs no module: %s",
		     vmt_log());
	cr_assert_eq(lx_device_load(second), -ENOENT);
	cr_assert_not_null(strstr(vmt_log(), "module: not loaded; none is installed"), "%s",
			   vmt_log());
	cr_assert_not_null(strstr(vmt_log(), "make dkms-install"), "the remedy: %s", vmt_log());
	cr_assert_eq(lx_probe(NULL), -ENOENT);
	lx_device_close(second);
	module_serves(ko, len);
	free(ko);
}

/* Changes the last character of each @text that does (or does not) follow @after. */
static unsigned int change(char *ko, size_t len, const char *text, const char *after, bool follows)
{
	size_t n = strlen(text), m = strlen(after);
	unsigned int changed = 0;
	char *at = ko;

	while ((at = memmem(at, ko + len - at, text, n))) {
		if ((at - ko >= (ssize_t)m && !memcmp(at - m, after, m)) == follows) {
			at[n - 1] ^= 1;
			changed++;
		}
		at += n;
	}
	return changed;
}

static int open_kmsg(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	cr_assert_geq(fd, 0, "/dev/kmsg: %m");
	cr_assert_geq(lseek(fd, 0, SEEK_END), 0);
	return fd;
}

/* True if the kernel has said @words since open_kmsg(). */
static bool kernel_said(int fd, const char *words)
{
	char line[8192];
	bool found = false;
	ssize_t n;

	while ((n = read(fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		found = found || strstr(line, words);
	}
	close(fd);
	return found;
}

/* Loading fails with @err, the kernel says @words, and the unchanged module serves. */
static void load_refused(const char *ko, size_t len, int err, const char *words)
{
	int kmsg = open_kmsg(), ret = load_module(ko, len);
	char *good;

	cr_assert_eq(ret, err, "init_module: %d, not %d", ret, err);
	cr_assert(kernel_said(kmsg, words), "the kernel did not say \"%s\"", words);
	cr_assert_neq(access("/sys/module/lightexit", F_OK), 0);
	good = read_module(&len);
	module_serves(good, len);
	free(good);
}

Test(module, for_another_kind_of_kernel)
{
	struct utsname uts;
	char words[512];
	size_t len;
	char *ko = read_module(&len);

	uname(&uts);
	unload_module();
	snprintf(words, sizeof(words), "vermagic=%s S", uts.release);
	cr_assert_eq(change(ko, len, words, "", true), 1);
	snprintf(words, sizeof(words), "should be '%s SMP", uts.release);
	load_refused(ko, len, -ENOEXEC, words);
	free(ko);
}

/* A rebuild of the same release, in which struct kvm may be another: only CRCs tell. */
Test(module, for_another_build_of_the_kernel)
{
	static const char record[56] = "kvm_get_kvm"; /* struct modversion_info, behind the CRC */
	size_t len;
	char *ko = read_module(&len), *crc;

	crc = memmem(ko, len, record, sizeof(record));
	if (!memmem(ko, len, "mod_unload modversions", 22)) {
		cr_assert_null(crc, "CRCs, in a kernel without modversions");
		return;
	}
	cr_assert_not_null(crc, "no CRC covers struct kvm");
	crc[-8] ^= 1;
	unload_module();
	load_refused(ko, len, -EINVAL, "disagrees about version of symbol kvm_get_kvm");
	free(ko);
}

/*
 * With CRCs, and when forced, the kernel does not compare releases: the module
 * does. To force would taint the kernel and end lockdep, so the kernel's own
 * check is left to pass: only the module's idea of its kernel is changed.
 */
Test(module, for_another_kernel)
{
	struct utsname uts;
	char words[512];
	size_t len;
	char *ko = read_module(&len);

	uname(&uts);
	unload_module();
	cr_assert_gt(change(ko, len, uts.release, "vermagic=", false), 0);
	snprintf(words, sizeof(words), ", this is %s: rebuild the module", uts.release);
	load_refused(ko, len, -ENOEXEC, words);
	free(ko);
}
