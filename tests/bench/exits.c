// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* KVM's counters of a vCPU; Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"

/* The value called @name, of the header's counters. */
static int find(int fd, const struct kvm_stats_header *h, const char *name, uint64_t *out)
{
	size_t size = sizeof(struct kvm_stats_desc) + h->name_size;
	struct kvm_stats_desc *desc = malloc(size);
	int err = desc ? -ENOENT : -ENOMEM;

	for (uint32_t i = 0; desc && i < h->num_desc; i++) {
		if (pread(fd, desc, size, (off_t)(h->desc_offset + i * size)) != (ssize_t)size)
			break;
		if (strcmp(desc->name, name))
			continue;
		if (pread(fd, out, sizeof(*out), (off_t)(h->data_offset + desc->offset)) ==
		    sizeof(*out))
			err = 0;
		break;
	}
	free(desc);
	return err;
}

int bench_exits(const struct vmm_vcpu *vcpu, uint64_t *out)
{
	int fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL), err = -EIO;
	struct kvm_stats_header h;

	if (fd < 0)
		return vmm_error(-errno, "KVM_GET_STATS_FD");
	if (pread(fd, &h, sizeof(h), 0) == sizeof(h))
		err = find(fd, &h, "exits", out);
	close(fd);
	return err ? vmm_error(err, "KVM's count of exits") : 0;
}
