// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Attach, move, replace, detach: each a struct_ops map of its own and one
 * operation on the link. A map lives as long as the link refers to it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

/*
 * In all, and between two tries. The kernel itself tries for 20 to 100 ms, under a lock of BPF's
 * that all VMs share; and while it tries to move a device, its programs pass.
 */
#define SLOTS_WAIT_MS 3000
#define SLOTS_PAUSE_MS 100

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* True if the VM's memory slots were locked, and it is not yet time to give up. */
static bool again(int err, uint64_t since_ms)
{
	const struct timespec pause = { .tv_nsec = SLOTS_PAUSE_MS * 1000000L };

	if (err != -EAGAIN || now_ms() - since_ms >= SLOTS_WAIT_MS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int create_link(int map_fd)
{
	uint64_t start = now_ms();
	int fd;

	do {
		fd = bpf_link_create(map_fd, 0, BPF_STRUCT_OPS, NULL);
	} while (again(fd, start));
	return fd;
}

static int update_link(int link_fd, int map_fd)
{
	uint64_t start = now_ms();
	int err;

	do {
		err = bpf_link_update(link_fd, map_fd, NULL);
	} while (again(err, start));
	return err;
}

static int check(const struct lx_device *dev, const char *what, const struct lx_request *req)
{
	int err;

	if (!dev->o.obj)
		return lx_fail(-EINVAL,
			       "%s: the device was made from fds and has no programs; it is for "
			       "the broker that loaded it",
			       what);
	if (!dev->state)
		return lx_fail(-EINVAL, "%s: %s is not loaded; call lx_device_load()", what,
			       dev->name);
	err = lx_check_vm_fd(req->vm_fd);
	return err ?: lx_check_regions(req->regions, req->nr_regions);
}

int lx_device_attach(struct lx_device *dev, int vm_fd)
{
	struct lx_request req = { .vm_fd = vm_fd };
	int map_fd, err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_attach: no device");
	if (dev->link_fd >= 0)
		return lx_fail(-EALREADY, "%s is attached; use lx_device_detach() first",
			       dev->name);
	req.regions = dev->regions;
	req.nr_regions = dev->nr_regions;
	req.eventfds = &dev->eventfds;
	req.name = dev->name;
	err = check(dev, "lx_device_attach", &req);
	if (err)
		return err;
	map_fd = lx_template_map(&dev->o, &req);
	if (map_fd < 0)
		return map_fd;
	err = lx_object_attach_others(&dev->o);
	if (err)
		goto close_map;
	err = create_link(map_fd);
	if (err >= 0) {
		dev->link_fd = err;
	} else {
		lx_explain(err, "attaching", &req);
		lx_object_detach_others(&dev->o);
	}
close_map:
	close(map_fd);
	return err < 0 ? err : 0;
}

static int update(struct lx_device *dev, const struct lx_object *o, const char *what,
		  const struct lx_request *req)
{
	int map_fd, err;

	if (dev->link_fd < 0)
		return lx_fail(-ENOTCONN, "%s: %s is not attached", what, dev->name);
	err = check(dev, what, req);
	if (err)
		return err;
	map_fd = lx_template_map(o, req);
	if (map_fd < 0)
		return map_fd;
	err = update_link(dev->link_fd, map_fd);
	if (err == -ENOLINK)
		err = lx_fail(-ENOTCONN,
			      "%s: somebody else detached %s; detach and attach it again", what,
			      dev->name);
	else if (err)
		lx_explain(err, what, req);
	close(map_fd);
	return err;
}

int lx_device_move(struct lx_device *dev, int vm_fd, const struct lx_region *regions,
		   unsigned int n)
{
	struct lx_request req = {
		.vm_fd = vm_fd,
		.flags = LX_OPS_MOVE,
		.regions = regions,
		.nr_regions = n,
	};
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_move: no device");
	req.name = dev->name;
	err = update(dev, &dev->o, "lx_device_move", &req);
	if (err)
		return err;
	memmove(dev->regions, regions, n * sizeof(*regions));
	dev->nr_regions = n;
	return 0;
}

static int map_id(int fd, __u32 *id)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int err = bpf_map_get_info_by_fd(fd, &info, &len);

	*id = info.id;
	return err;
}

static int check_with(const struct lx_device *dev, const struct lx_device *with)
{
	__u32 a, b;
	int err;

	if (!with || with == dev || !with->o.obj || !with->state || with->link_fd >= 0)
		return lx_fail(-EINVAL,
			       "lx_device_replace: the new device must be another one, loaded and "
			       "not attached");
	err = map_id(dev->state_fd, &a);
	err = err ?: map_id(with->state_fd, &b);
	if (err)
		return lx_fail(err, "lx_device_replace: cannot compare the states: %s",
			       strerror(-err));
	if (a != b)
		return lx_fail(-EINVAL,
			       "lx_device_replace: the new device has map %u as its state, %s has "
			       "map %u; open it with lx_open_opts.state_fd",
			       b, dev->name, a);
	return 0;
}

int lx_device_replace(struct lx_device *dev, int vm_fd, struct lx_device *with)
{
	struct lx_request req = { .vm_fd = vm_fd };
	struct lx_object old;
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_replace: no device");
	if (dev->link_fd < 0)
		return lx_fail(-ENOTCONN, "lx_device_replace: %s is not attached", dev->name);
	err = check_with(dev, with);
	if (err)
		return err;
	req.regions = dev->regions;
	req.nr_regions = dev->nr_regions;
	req.name = dev->name;
	err = lx_object_attach_others(&with->o);
	if (err)
		return err;
	err = update(dev, &with->o, "lx_device_replace", &req);
	if (!err) {
		old = dev->o;
		dev->o = with->o;
		with->o = old;
	}
	lx_object_detach_others(&with->o);
	return err;
}

int lx_device_detach(struct lx_device *dev)
{
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_detach: no device");
	if (dev->link_fd < 0)
		return lx_fail(-ENOTCONN, "%s is not attached", dev->name);
	err = bpf_link_detach(dev->link_fd);
	close(dev->link_fd);
	dev->link_fd = -1;
	if (err)
		lx_logf(LX_LOG_WARN, "%s: detaching: %s; its link is closed here, not detached",
			dev->name, strerror(-err));
	lx_object_detach_others(&dev->o);
	return err;
}
