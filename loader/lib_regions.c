// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What can be said of an attach's arguments before the kernel sees them. The
 * kernel answers with a bare errno; these are the same errnos, with the reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define PIO_END 0x10000ULL

const char *lx_space_str(__u32 space)
{
	if (space == LX_SPACE_PIO)
		return "pio";
	return space == LX_SPACE_MMIO ? "mmio" : "unknown";
}

const char *lx_region_str(const struct lx_region *r, char *buf, size_t size)
{
	snprintf(buf, size, "%s 0x%" PRIx64 "+0x%" PRIx64, lx_space_str(r->space),
		 (uint64_t)r->addr, (uint64_t)r->len);
	return buf;
}

static int check_region(const struct lx_region *r, unsigned int i)
{
	char s[64];

	lx_region_str(r, s, sizeof(s));
	if (r->space > LX_SPACE_MMIO)
		return lx_fail(-EINVAL, "region %u: space %u is unknown; use LX_SPACE_PIO or _MMIO",
			       i, r->space);
	if (!r->len)
		return lx_fail(-EINVAL, "region %u (%s): its length is 0", i, s);
	if (r->flags & ~LX_REGION_FLAGS)
		return lx_fail(-EINVAL, "region %u (%s): flags 0x%x has unknown bits; known: 0x%x",
			       i, s, r->flags, LX_REGION_FLAGS);
	if (r->len > INT_MAX)
		return lx_fail(-ERANGE, "region %u (%s): longer than %d bytes; use several regions",
			       i, s, INT_MAX);
	if (r->addr + r->len < r->addr)
		return lx_fail(-ERANGE, "region %u (%s): wraps around the end of 64 bits", i, s);
	if (r->space == LX_SPACE_PIO && (r->addr >= PIO_END || r->len > PIO_END - r->addr))
		return lx_fail(-ERANGE, "region %u (%s): goes past the last port, 0xffff", i, s);
	return 0;
}

static bool overlap(const struct lx_region *a, const struct lx_region *b)
{
	return a->space == b->space && a->addr <= b->addr + (b->len - 1) &&
	       b->addr <= a->addr + (a->len - 1);
}

int lx_check_regions(const struct lx_region *r, unsigned int n)
{
	char a[64], b[64];
	unsigned int i, j;
	int err;

	if (!r || !n || n > LX_MAX_REGIONS)
		return lx_fail(-EINVAL, "%u regions; a device has 1 to %d", r ? n : 0,
			       LX_MAX_REGIONS);
	for (i = 0; i < n; i++) {
		err = check_region(&r[i], i);
		if (err)
			return err;
		for (j = 0; j < i; j++) {
			if (overlap(&r[i], &r[j]))
				return lx_fail(-EEXIST, "regions %u (%s) and %u (%s) overlap", j,
					       lx_region_str(&r[j], a, sizeof(a)), i,
					       lx_region_str(&r[i], b, sizeof(b)));
		}
	}
	return 0;
}

int lx_check_vm_fd(int vm_fd)
{
	char path[64], link[128];
	ssize_t n;

	if (fcntl(vm_fd, F_GETFD) < 0)
		return lx_fail(-EBADF, "VM fd %d is not open in this process", vm_fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm_fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return 0; /* no /proc: the kernel knows as well */
	link[n] = '\0';
	if (strcmp(link, "anon_inode:kvm-vm"))
		return lx_fail(-EINVAL,
			       "fd %d is %s, not a VM; give the fd that KVM_CREATE_VM returned",
			       vm_fd, link);
	return 0;
}
