// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A device from its opening to its closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

static struct lx_device *new_device(void)
{
	struct lx_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->o.tmpl.btf_fd = -1;
	dev->state_fd = -1;
	dev->link_fd = -1;
	return dev;
}

int lx_device_open(const char *name, const struct lx_open_opts *opts, struct lx_device **out)
{
	const char *remedy = "";
	char path[LX_PATH_MAX];
	struct lx_open_opts o;
	struct lx_device *dev;
	int err;

	if (!name || !name[0] || !out)
		return lx_fail(-EINVAL, "lx_device_open: name or out is missing");
	*out = NULL;
	err = lx_copy_opts(&o, sizeof(o), opts, "lx_open_opts");
	err = err ?: lx_object_path(name, o.dir, path, sizeof(path));
	if (err)
		return err;
	dev = new_device();
	if (!dev)
		return -ENOMEM;
	if (!o.dir && !strchr(name, '/'))
		remedy = "; make install, or set LIGHTEXIT_BPF_DIR";
	err = lx_object_open(dev, path, remedy);
	if (!err && o.state_fd > 0)
		err = lx_object_reuse_state(dev, o.state_fd);
	if (err) {
		lx_device_close(dev);
		return err;
	}
	*out = dev;
	return 0;
}

/* By /proc, as a VMM may be denied bpf(2). */
static int state_fd_size(int fd, size_t *size)
{
	__u64 type, entries, flags, bytes;
	int err;

	err = lx_fdinfo(fd, "map_type", &type);
	err = err ?: lx_fdinfo(fd, "max_entries", &entries);
	err = err ?: lx_fdinfo(fd, "map_flags", &flags);
	err = err ?: lx_fdinfo(fd, "value_size", &bytes);
	if (err)
		return lx_fail(-EINVAL, "state fd %d is not an open BPF map", fd);
	if (type != BPF_MAP_TYPE_ARRAY || entries != 1 || !(flags & BPF_F_MMAPABLE) ||
	    bytes < sizeof(struct lx_state))
		return lx_fail(-EINVAL,
			       "state fd %d: a map of type %llu, %llu entries of %llu bytes, flags "
			       "0x%llx is no device's state",
			       fd, type, entries, bytes, flags);
	*size = bytes;
	return 0;
}

static int dup_fds(struct lx_device *dev, int state_fd, int link_fd)
{
	__u64 id;

	dev->state_fd = fcntl(state_fd, F_DUPFD_CLOEXEC, 0);
	if (dev->state_fd < 0)
		return -errno;
	if (link_fd < 0)
		return 0;
	if (lx_fdinfo(link_fd, "link_id", &id))
		return lx_fail(-EINVAL, "link fd %d is not an open BPF link", link_fd);
	dev->link_fd = fcntl(link_fd, F_DUPFD_CLOEXEC, 0);
	return dev->link_fd < 0 ? -errno : 0;
}

int lx_device_from_fds(int state_fd, int link_fd, struct lx_device **out)
{
	struct lx_device *dev;
	int err;

	if (!out)
		return lx_fail(-EINVAL, "lx_device_from_fds: out is missing");
	*out = NULL;
	dev = new_device();
	if (!dev)
		return -ENOMEM;
	strcpy(dev->name, "(from fds)");
	err = state_fd_size(state_fd, &dev->state_size);
	err = err ?: dup_fds(dev, state_fd, link_fd);
	if (!err && lx_state_open(dev))
		err = -EINVAL;
	if (!err && lx_state_adopt(dev->state) < 0)
		err = -EINVAL;
	if (err) {
		lx_device_close(dev);
		return err;
	}
	*out = dev;
	return 0;
}

int lx_device_set_regions(struct lx_device *dev, const struct lx_region *regions, unsigned int n)
{
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_set_regions: no device");
	if (dev->link_fd >= 0)
		return lx_fail(-EBUSY, "%s is attached; use lx_device_move()", dev->name);
	err = lx_check_regions(regions, n);
	if (err)
		return err;
	memmove(dev->regions, regions, n * sizeof(*regions));
	dev->nr_regions = n;
	return 0;
}

const struct lx_region *lx_device_regions(const struct lx_device *dev, unsigned int *n)
{
	if (n)
		*n = dev ? dev->nr_regions : 0;
	return dev ? dev->regions : NULL;
}

const char *lx_device_name(const struct lx_device *dev)
{
	return dev ? dev->name : "";
}

int lx_device_fd(const struct lx_device *dev, enum lx_fd which)
{
	if (!dev)
		return -1;
	if (which == LX_FD_STATE)
		return dev->state_fd;
	return which == LX_FD_LINK ? dev->link_fd : -1;
}

static int load_object(struct lx_object *o)
{
	int err;

	o->load_tried = true;
	lx_libbpf_begin();
	err = bpf_object__load(o->obj);
	lx_libbpf_end();
	if (err)
		err = lx_explain_load(err, bpf_object__name(o->obj), o->kernel_log);
	free(o->kernel_log);
	o->kernel_log = NULL;
	return err;
}

int lx_device_load(struct lx_device *dev)
{
	int err;

	if (!dev || !dev->o.obj)
		return lx_fail(-EINVAL, "lx_device_load: a device from lx_device_open() is needed");
	if (dev->state)
		return lx_fail(-EALREADY, "%s is loaded", dev->name);
	if (dev->o.load_tried)
		return lx_fail(-EINVAL, "%s: a second try to load needs a second lx_device_open()",
			       dev->name);
	err = lx_probe_load();
	err = err ?: lx_template_init(&dev->o.tmpl, &dev->o);
	if (err) {
		lx_template_free(&dev->o.tmpl);
		return err;
	}
	err = load_object(&dev->o);
	err = err ?: lx_template_bind(&dev->o.tmpl);
	if (err)
		return err;
	dev->state_fd = fcntl(bpf_map__fd(dev->o.state_map), F_DUPFD_CLOEXEC, 0);
	if (dev->state_fd < 0)
		return -errno;
	err = lx_state_open(dev);
	if (err)
		lx_state_close(dev);
	return err;
}

void lx_device_close(struct lx_device *dev)
{
	if (!dev)
		return;
	/* Who got the link from a broker is not the one who decides on it. */
	if (dev->link_fd >= 0 && dev->o.obj)
		lx_device_detach(dev);
	if (dev->link_fd >= 0)
		close(dev->link_fd);
	lx_mirrors_close(dev);
	lx_state_close(dev);
	lx_eventfds_close(&dev->eventfds);
	lx_object_close(&dev->o);
	free(dev);
}
