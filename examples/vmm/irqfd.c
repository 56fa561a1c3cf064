// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Eventfds that interrupt the guest. */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "irqfd.h"

int vmm_irqfd(const struct vmm *vm, uint32_t gsi, int resample)
{
	struct kvm_irqfd arg = { .gsi = gsi };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	if (fd < 0)
		return vmm_error(-errno, "eventfd of interrupt %u", gsi);
	arg.fd = (uint32_t)fd;
	if (resample >= 0) {
		arg.flags = KVM_IRQFD_FLAG_RESAMPLE;
		arg.resamplefd = (uint32_t)resample;
	}
	if (!ioctl(vm->fd, KVM_IRQFD, &arg))
		return fd;
	err = -errno;
	close(fd);
	return vmm_error(err, "KVM_IRQFD %u", gsi);
}

int vmm_irqfd_bind(const struct vmm *vm, int fd, uint32_t gsi, bool on)
{
	struct kvm_irqfd arg = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (ioctl(vm->fd, KVM_IRQFD, &arg))
		return vmm_error(-errno, "KVM_IRQFD %u", gsi);
	return 0;
}
