// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tests of more than one process; see vmchild.h. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmchild.h"

union control {
	char buf[CMSG_SPACE(VMC_FDS * sizeof(int))];
	struct cmsghdr align;
};

int vmc_send(int sock, const void *msg, size_t len, const int *fds, unsigned int n)
{
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = len };
	union control control = { .buf = { 0 } };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (n) {
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	return sendmsg(sock, &hdr, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
}

int vmc_recv(int sock, void *msg, size_t len, int *fds, unsigned int n)
{
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	union control control;
	struct msghdr hdr = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	ssize_t got = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;

	if (got <= 0)
		return got ? -errno : -EPIPE;
	cmsg = CMSG_FIRSTHDR(&hdr);
	if ((size_t)got != len || !cmsg != !n)
		return -EPROTO;
	if (!n)
		return 0;
	if (cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(n * sizeof(int)))
		return -EPROTO;
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	return 0;
}

int vmc_become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(VMC_NOBODY, VMC_NOBODY, VMC_NOBODY) ||
	    setresuid(VMC_NOBODY, VMC_NOBODY, VMC_NOBODY))
		return -errno;
	return vmc_caps() ? -EPERM : 0;
}

static int get_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &hdr, data) ? -errno : 0;
}

int vmc_drop_cap(int cap)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int err = get_caps(data);

	if (err)
		return err;
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	data[cap / 32].inheritable &= ~(1U << cap % 32);
	return syscall(SYS_capset, &hdr, data) ? -errno : 0;
}

unsigned long long vmc_caps(void)
{
	struct __user_cap_data_struct data[2];

	if (get_caps(data))
		return ~0ULL;
	return data[0].effective | (unsigned long long)data[1].effective << 32;
}
