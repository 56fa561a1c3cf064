// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A device's state: mapped, taken over; and the clock that it counts by. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "internal.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define LOCK_POLL_NS 100000L
/* No op runs that long, and no VMM should: who has the lock still does not give it back. */
#define DEAD_MS 1000

size_t lx_map_len(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

/* A state that somebody else opened first has its header, and keeps its contents. */
static int fill_header(struct lx_state *hdr, size_t size)
{
	if (__atomic_load_n(&hdr->magic, __ATOMIC_ACQUIRE) == LX_STATE_MAGIC) {
		if ((hdr->abi & ~LX_STATE_FROZEN) != LX_STATE_ABI || hdr->size != size)
			return lx_fail(-EINVAL,
				       "state: it is of ABI %u and %u bytes; here %u and %zu",
				       hdr->abi, hdr->size, LX_STATE_ABI, size);
		return 0;
	}
	lx_state_init(hdr, size);
	return 0;
}

int lx_state_open(struct lx_device *dev)
{
	void *p;
	int err;

	p = mmap(NULL, lx_map_len(dev->state_size), PROT_READ | PROT_WRITE, MAP_SHARED,
		 dev->state_fd, 0);
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
		munmap(dev->state, lx_map_len(dev->state_size));
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

static __u64 monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int lx_read_clock(__u32 clock, int vm_fd, __u64 *ns)
{
	struct kvm_clock_data kvm;

	if (clock == LX_CLOCK_MONOTONIC) {
		*ns = monotonic_ns();
		return 0;
	}
	if (clock != LX_CLOCK_KVM)
		return lx_fail(-EINVAL, "the state's clock is %u; known are 0 and 1", clock);
	if (vm_fd < 0 || ioctl(vm_fd, KVM_GET_CLOCK, &kvm))
		return lx_fail(vm_fd < 0 ? -EBADF : -errno,
			       "the state counts by the VM's clock: fd %d does not give it "
			       "(KVM_GET_CLOCK); give the VM's fd, or freeze the state first",
			       vm_fd);
	*ns = kvm.clock;
	return 0;
}

bool lx_lock_for(struct lx_state *st, unsigned int ms)
{
	struct timespec ts = { .tv_nsec = LOCK_POLL_NS };
	__u64 end = monotonic_ns() + ms * NSEC_PER_MSEC;

	while (!lx_trylock(st)) {
		if (monotonic_ns() >= end)
			return false;
		nanosleep(&ts, NULL);
	}
	return true;
}

/* Returns with the lock, or with that of the dead, whom nobody but lx_unlock() frees of it. */
static bool take_over_lock(struct lx_state *st, __u32 before)
{
	__u32 holder;

	if (lx_lock_for(st, DEAD_MS))
		return false;
	holder = __atomic_load_n(&st->lock, __ATOMIC_RELAXED);
	lx_logf(LX_LOG_WARN,
		"state: generation %u of its VMM ended while %s had the lock; what it was changing "
		"may be half done: reset or restore the device",
		before, holder == LX_LOCK_PROGRAM ? "a program" : "it");
	return true;
}

int lx_state_adopt(struct lx_state *st)
{
	bool locked, writing;
	__u32 before;

	if (!st || st->magic != LX_STATE_MAGIC)
		return lx_fail(-EINVAL, "lx_state_adopt: what is given is no state");
	before = st->owner;
	__atomic_store_n(&st->owner, before % LX_OWNER_MAX + 1, __ATOMIC_RELAXED);
	locked = take_over_lock(st, before);
	writing = st->seq & 1;
	if (writing)
		lx_write_end(st);
	if (writing && !locked)
		lx_logf(LX_LOG_WARN,
			"state: generation %u of its VMM ended between lx_write_begin() and "
			"lx_write_end(), without the lock: reset or restore the device",
			before);
	lx_unlock(st);
	return locked || writing;
}
