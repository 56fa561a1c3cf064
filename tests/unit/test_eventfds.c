// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lx_device_set_eventfds(): what it refuses and says, and that it keeps fds of its own. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../loader/internal.h"
#include "said.h"

static struct lx_device *dev;
static int efd, null_fd;

static void setup(void)
{
	said_listen();
	dev = calloc(1, sizeof(*dev));
	cr_assert_not_null(dev);
	dev->state_fd = -1;
	dev->link_fd = -1;
	dev->o.tmpl.btf_fd = -1;
	strcpy(dev->name, "thing");
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	null_fd = open("/dev/null", O_RDWR);
	cr_assert(efd > 0 && null_fd > 0);
}

static void teardown(void)
{
	lx_device_close(dev);
}

TestSuite(eventfds, .init = setup, .fini = teardown);

static struct lx_eventfds one(int fd)
{
	return (struct lx_eventfds){ .sz = sizeof(struct lx_eventfds), .n = 1, .slots = { fd } };
}

static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(eventfds, are_dup_ed)
{
	struct lx_eventfds e = one(efd);
	int kick = eventfd(0, 0);
	eventfd_t v;

	e.n = 3;
	e.slots[2] = efd;
	e.kick_fd = kick;
	e.handover_fd = efd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "%s", said);
	cr_assert_eq(dev->eventfds.n, 3);
	cr_assert_eq(dev->eventfds.slots[1], 0, "0 stays none");
	cr_assert(dev->eventfds.slots[0] > 2 && dev->eventfds.slots[0] != efd);
	cr_assert_eq(eventfd_write(dev->eventfds.slots[2], 1), 0);
	cr_assert_eq(eventfd_write(dev->eventfds.kick_fd, 1), 0);
	cr_assert_eq(eventfd_write(dev->eventfds.handover_fd, 1), 0);
	cr_assert_eq(eventfd_read(efd, &v), 0);
	cr_assert_eq(v, 2, "slot and handover are the same eventfd");
	cr_assert_eq(eventfd_read(kick, &v), 0);
	cr_assert_eq(v, 1);
	close(kick);
}

Test(eventfds, leave_no_fd_behind)
{
	unsigned int before = open_fds();
	struct lx_eventfds e = one(efd);

	e.handover_fd = efd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0);
	cr_assert_eq(open_fds(), before + 2);
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "a second call replaces");
	cr_assert_eq(open_fds(), before + 2);
	cr_assert_eq(lx_device_set_eventfds(dev, NULL), 0, "NULL is none");
	cr_assert_eq(open_fds(), before);
	cr_assert_eq(dev->eventfds.n, 0);
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0);
	lx_device_close(dev);
	dev = NULL;
	cr_assert_eq(open_fds(), before, "closing the device closes them");
}

Test(eventfds, what_is_none_is_refused)
{
	struct lx_eventfds e = one(efd), set;
	unsigned int before;

	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0);
	set = dev->eventfds;
	before = open_fds();
	e = one(null_fd);
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EINVAL);
	says("eventfd of slot 0: fd ");
	says("is none; make one with eventfd(2)");
	e = one(efd);
	e.kick_fd = null_fd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EINVAL);
	says("eventfd of kick_fd");
	e = one(efd);
	e.handover_fd = 255;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EBADF);
	says("eventfd of handover_fd: fd 255 is not open");
	e.handover_fd = efd;
	e.kick_fd = efd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EINVAL);
	says("is handover_fd's");
	e.kick_fd = 0;
	e.n = LX_MAX_SLOTS + 1;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EINVAL);
	says("lx_eventfds.n is 17; a device has at most 16 slots");
	cr_assert_eq(open_fds(), before, "a failed call opens nothing");
	cr_assert(!memcmp(&set, &dev->eventfds, sizeof(set)), "a failed call changes nothing");
}

Test(eventfds, slots_behind_n_are_not_looked_at)
{
	struct lx_eventfds e = one(efd);

	e.slots[1] = null_fd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0);
	e.n = 0;
	e.slots[0] = -1;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0);
}

Test(eventfds, not_while_attached)
{
	struct lx_eventfds e = one(efd);

	dev->link_fd = dup(null_fd);
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EBUSY);
	says("thing is attached and keeps its eventfds; use lx_device_detach() first");
}

Test(eventfds, structs_of_other_versions)
{
	struct {
		struct lx_eventfds e;
		char later[8];
	} bigger = { .e = one(efd) };
	struct lx_eventfds e = one(efd);

	bigger.e.sz = sizeof(bigger);
	cr_assert_eq(lx_device_set_eventfds(dev, &bigger.e), 0, "zeros of a later version");
	bigger.later[0] = 1;
	cr_assert_eq(lx_device_set_eventfds(dev, &bigger.e), -E2BIG);
	says("lx_eventfds: byte ");
	e.sz = offsetof(struct lx_eventfds, handover_fd);
	e.handover_fd = null_fd;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), 0, "a field that the caller did not have");
	cr_assert_eq(dev->eventfds.handover_fd, 0);
	e.sz = 0;
	cr_assert_eq(lx_device_set_eventfds(dev, &e), -EINVAL);
	says("lx_eventfds.sz is 0");
}

/* A loaded module's layout, without the members that @offsets leaves out. */
static struct lx_object with_layout(__u32 nr_eventfds, __u32 eventfds, __u32 max, __u32 handover,
				    __u32 kick)
{
	return (struct lx_object){
		.tmpl = {
			.btf_fd = -1,
			.size = 1024,
			.value = calloc(1, 1024),
			.vm_fd = 8,
			.flags = 12,
			.nr_regions = 16,
			.regions = 24,
			.name = 512,
			.max_regions = LX_MAX_REGIONS,
			.nr_eventfds = nr_eventfds,
			.eventfds = eventfds,
			.max_eventfds = max,
			.handover_fd = handover,
			.kick_fd = kick,
		},
	};
}

static int map_for(const struct lx_object *o, const struct lx_eventfds *e)
{
	const struct lx_request req = { .eventfds = e, .name = "thing\0\0\0\0\0\0\0\0\0\0" };
	int err;

	said[0] = '\0';
	err = lx_template_map(o, &req);
	free(o->tmpl.value);
	return err;
}

/* All that a module may lack is said by name, before the kernel is asked. */
Test(eventfds, a_module_that_does_not_know_them)
{
	struct lx_object o = with_layout(0, 0, 0, 0, 0);
	struct lx_eventfds e = one(efd);

	cr_assert_eq(map_for(&o, &e), -EOPNOTSUPP);
	says("module lightexit: its struct lightexit_ops has no member nr_eventfds; install the");
	o = with_layout(600, 604, 1, 0, 0);
	e.n = 2;
	e.slots[1] = efd;
	cr_assert_eq(map_for(&o, &e), -EOPNOTSUPP);
	says("no member eventfds");
	o = with_layout(600, 604, 16, 0, 700);
	e.handover_fd = efd;
	cr_assert_eq(map_for(&o, &e), -EOPNOTSUPP);
	says("no member handover_fd");
	o = with_layout(600, 604, 16, 700, 0);
	e.kick_fd = efd;
	cr_assert_eq(map_for(&o, &e), -EOPNOTSUPP);
	says("no member kick_fd");
}
