// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A device's state, mapped. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static size_t map_len(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

/* A state that somebody else opened first has its header, and keeps its contents. */
static int fill_header(struct lx_state *hdr, size_t size)
{
	if (__atomic_load_n(&hdr->magic, __ATOMIC_ACQUIRE) == LX_STATE_MAGIC) {
		if (hdr->abi != LX_STATE_ABI || hdr->size != size)
			return lx_fail(-EINVAL,
				       "state: it is of ABI %u and %u bytes; here %u and %zu",
				       hdr->abi, hdr->size, LX_STATE_ABI, size);
		return 0;
	}
	hdr->abi = LX_STATE_ABI;
	hdr->size = size;
	hdr->seq = 0;
	__atomic_store_n(&hdr->magic, LX_STATE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int lx_state_open(struct lx_device *dev)
{
	void *p;
	int err;

	p = mmap(NULL, map_len(dev->state_size), PROT_READ | PROT_WRITE, MAP_SHARED, dev->state_fd,
		 0);
	if (p == MAP_FAILED) {
		err = -errno;
		return lx_fail(err, "state: cannot map fd %d, %zu bytes: %s", dev->state_fd,
			       dev->state_size, strerror(-err));
	}
	dev->state = p;
	return fill_header(p, dev->state_size);
}

void lx_state_close(struct lx_device *dev)
{
	if (dev->state)
		munmap(dev->state, map_len(dev->state_size));
	if (dev->state_fd >= 0)
		close(dev->state_fd);
	dev->state = NULL;
	dev->state_fd = -1;
}

void *lx_device_state(const struct lx_device *dev, size_t *size)
{
	if (!dev || !dev->state)
		return NULL;
	if (size)
		*size = dev->state_size;
	return dev->state;
}
