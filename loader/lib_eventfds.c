// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The eventfds that a device's attach takes: checked and dup'ed when they are set. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "internal.h"

/* In ops.h 0 is "none". */
#define LOWEST_FD 3

static int check_fd(int fd, const char *what, unsigned int slot)
{
	char which[32];
	__u64 count;

	if (fd <= 0)
		return 0;
	snprintf(which, sizeof(which), what, slot);
	if (fcntl(fd, F_GETFD) < 0)
		return lx_fail(-EBADF, "eventfd of %s: fd %d is not open in this process", which,
			       fd);
	if (lx_fdinfo(fd, "eventfd-count", &count) == -ENOENT)
		return lx_fail(-EINVAL, "eventfd of %s: fd %d is none; make one with eventfd(2)",
			       which, fd);
	return 0;
}

/* A kick is emptied by the device, so nobody would see a handover there. */
static int check_kick(const struct lx_eventfds *e)
{
	__u64 kick, handover;

	if (e->kick_fd <= 0 || e->handover_fd <= 0 || lx_fdinfo(e->kick_fd, "eventfd-id", &kick) ||
	    lx_fdinfo(e->handover_fd, "eventfd-id", &handover) || kick != handover)
		return 0;
	return lx_fail(-EINVAL,
		       "eventfd of kick_fd: fd %d is handover_fd's (%d), too; make another",
		       e->kick_fd, e->handover_fd);
}

static int check(const struct lx_eventfds *e)
{
	unsigned int i;
	int err = 0;

	if (e->n > LX_MAX_SLOTS)
		return lx_fail(-EINVAL, "lx_eventfds.n is %u; a device has at most %d slots", e->n,
			       LX_MAX_SLOTS);
	for (i = 0; i < e->n && !err; i++)
		err = check_fd(e->slots[i], "slot %u", i);
	err = err ?: check_fd(e->handover_fd, "handover_fd", 0);
	err = err ?: check_fd(e->kick_fd, "kick_fd", 0);
	return err ?: check_kick(e);
}

static int dup_fd(int *to, int fd)
{
	int err;

	if (fd <= 0)
		return 0;
	*to = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
	if (*to >= 0)
		return 0;
	err = -errno;
	*to = 0;
	return lx_fail(err, "eventfd: fd %d cannot be duplicated (errno %d)", fd, -err);
}

static int dup_all(struct lx_eventfds *to, const struct lx_eventfds *from)
{
	unsigned int i;
	int err = 0;

	*to = (struct lx_eventfds){ .sz = sizeof(*to), .n = from->n };
	for (i = 0; i < from->n && !err; i++)
		err = dup_fd(&to->slots[i], from->slots[i]);
	err = err ?: dup_fd(&to->handover_fd, from->handover_fd);
	err = err ?: dup_fd(&to->kick_fd, from->kick_fd);
	if (err)
		lx_eventfds_close(to);
	return err;
}

static void close_fd(int fd)
{
	if (fd > 0)
		close(fd);
}

void lx_eventfds_close(struct lx_eventfds *e)
{
	unsigned int i;

	for (i = 0; i < e->n; i++)
		close_fd(e->slots[i]);
	close_fd(e->handover_fd);
	close_fd(e->kick_fd);
	*e = (struct lx_eventfds){ .sz = sizeof(*e) };
}

int lx_device_set_eventfds(struct lx_device *dev, const struct lx_eventfds *eventfds)
{
	struct lx_eventfds e, dups;
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_set_eventfds: no device");
	if (dev->link_fd >= 0)
		return lx_fail(
			-EBUSY,
			"%s is attached and keeps its eventfds; use lx_device_detach() first",
			dev->name);
	err = lx_copy_opts(&e, sizeof(e), eventfds, "lx_eventfds");
	err = err ?: check(&e);
	err = err ?: dup_all(&dups, &e);
	if (err)
		return err;
	lx_eventfds_close(&dev->eventfds);
	dev->eventfds = dups;
	return 0;
}
