// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Pages of a state that guests read as memory: read-only memory slots over the mapping. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "internal.h"

static int check_range(const struct lx_device *dev, uint64_t gpa, size_t off, size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE), end = lx_map_len(dev->state_size);

	if (!len || (gpa | off | len) & (page - 1))
		return lx_fail(-EINVAL,
			       "lx_device_mirror: 0x%" PRIx64 ", state offset 0x%zx, 0x%zx bytes: "
			       "all have to be multiples of 0x%zx",
			       gpa, off, len, page);
	if (gpa + len < gpa)
		return lx_fail(-EINVAL, "lx_device_mirror: 0x%" PRIx64 "+0x%zx wraps", gpa, len);
	if (off < page)
		return lx_fail(-EINVAL,
			       "lx_device_mirror: the state's first page has its header and lock, "
			       "which no guest may see; put the registers on the next");
	if (off > end || len > end - off)
		return lx_fail(-EINVAL,
			       "lx_device_mirror: state offset 0x%zx, 0x%zx bytes: the state of %s "
			       "ends at 0x%zx",
			       off, len, dev->name, end);
	return 0;
}

static int check_vm(int vm_fd, uint32_t slot)
{
	int slots, err = lx_check_vm_fd(vm_fd);

	if (err)
		return err;
	if (ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0)
		return lx_fail(-EOPNOTSUPP,
			       "lx_device_mirror: this VM has no read-only memory slots "
			       "(KVM_CAP_READONLY_MEM); guests' reads have to exit");
	slots = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
	if (slots > 0 && (slot & 0xffff) >= (uint32_t)slots)
		return lx_fail(-EINVAL, "lx_device_mirror: slot %u; this VM has 0 to %d",
			       slot & 0xffff, slots - 1);
	return 0;
}

static int set_slot(int vm_fd, uint32_t slot, uint64_t gpa, void *at, size_t len)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (__u64)(unsigned long)at,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &r) ? -errno : 0;
}

static int explain(int err, uint32_t slot, uint64_t gpa, size_t len)
{
	const char *why = strerror(-err);

	if (err == -EEXIST)
		why = "a slot is there, by number or address; take another, or give it up";
	if (err == -EINVAL)
		why = "the number is in use, or the address is no guest's; take another";
	if (err == -EIO)
		why = "the VM is another process's; its VMM has to do this";
	return lx_fail(err == -EINVAL ? -EEXIST : err,
		       "lx_device_mirror: slot %u at 0x%" PRIx64 "+0x%zx: %s (errno %d)", slot, gpa,
		       len, why, -err);
}

static unsigned int find(const struct lx_device *dev, uint32_t slot)
{
	unsigned int i;

	for (i = 0; i < dev->nr_mirrors && dev->mirrors[i].slot != slot; i++)
		;
	return i;
}

int lx_device_mirror(struct lx_device *dev, int vm_fd, uint32_t slot, uint64_t gpa, size_t off,
		     size_t len)
{
	struct lx_mirror *m;
	int err;

	if (!dev || !dev->state)
		return lx_fail(-EINVAL, "lx_device_mirror: a device that is loaded is needed");
	if (dev->nr_mirrors == LX_MAX_MIRRORS)
		return lx_fail(-ENOSPC, "lx_device_mirror: %s has %d mirrors already", dev->name,
			       LX_MAX_MIRRORS);
	/* KVM would move the slot of which we know. */
	if (find(dev, slot) < dev->nr_mirrors)
		return explain(-EEXIST, slot, gpa, len);
	err = check_range(dev, gpa, off, len);
	err = err ?: check_vm(vm_fd, slot);
	if (err)
		return err;
	m = &dev->mirrors[dev->nr_mirrors];
	m->slot = slot;
	m->vm_fd = fcntl(vm_fd, F_DUPFD_CLOEXEC, 0);
	if (m->vm_fd < 0)
		return -errno;
	err = set_slot(vm_fd, slot, gpa, (char *)dev->state + off, len);
	if (err) {
		close(m->vm_fd);
		return explain(err, slot, gpa, len);
	}
	dev->nr_mirrors++;
	return 0;
}

/* The slot goes in any case: it may be gone with the process that made the VM. */
static int drop(struct lx_device *dev, unsigned int i)
{
	struct lx_mirror m = dev->mirrors[i];
	int err = set_slot(m.vm_fd, m.slot, 0, NULL, 0);

	close(m.vm_fd);
	dev->mirrors[i] = dev->mirrors[--dev->nr_mirrors];
	return err;
}

int lx_device_unmirror(struct lx_device *dev, uint32_t slot)
{
	unsigned int i;
	int err;

	if (!dev)
		return lx_fail(-EINVAL, "lx_device_unmirror: no device");
	i = find(dev, slot);
	if (i == dev->nr_mirrors)
		return lx_fail(-ENOENT, "lx_device_unmirror: slot %u is no mirror of %s", slot,
			       dev->name);
	err = drop(dev, i);
	return err ? lx_fail(err, "lx_device_unmirror: slot %u: %s", slot, strerror(-err)) : 0;
}

void lx_mirrors_close(struct lx_device *dev)
{
	while (dev->nr_mirrors)
		drop(dev, dev->nr_mirrors - 1);
}
