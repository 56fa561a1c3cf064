// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine that goes on elsewhere; see move.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "move.h"

#define MOVE_TIMEOUT_MS vmt_patience(60000)

#define DO(_fd, _request, _arg) cr_assert_geq(ioctl(_fd, _request, _arg), 0, #_request ": %m")

void *move_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED, "%m");
	return p;
}

static bool has_ended(pid_t pid, int *status)
{
	for (int ms = 0; ms < MOVE_TIMEOUT_MS; ms += 10) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return false;
}

void move_host(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0, "%m");
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	/* Criterion's assertions have nobody to tell there: one that fails waits. */
	cr_assert(has_ended(pid, &status), "a host's check failed, in a process of its own");
	cr_assert_eq(status, 0, "a host ended with %#x", status);
}

/* An I/O instruction under way is done before anybody looks. */
static void finish_exit(struct vmm_vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	cr_assert(ioctl(vcpu->fd, KVM_RUN, NULL) < 0 && errno == EINTR, "KVM_RUN: %m");
	vcpu->run->immediate_exit = 0;
}

void move_out(struct vmm *vm, struct move_image *image)
{
	cr_assert_eq(vm->mem_size, MOVE_MEM);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		struct move_vcpu *v = &image->vcpus[i];
		int fd = vm->vcpus[i].fd;

		finish_exit(&vm->vcpus[i]);
		DO(fd, KVM_GET_REGS, &v->regs);
		DO(fd, KVM_GET_SREGS, &v->sregs);
		DO(fd, KVM_GET_LAPIC, &v->lapic);
		DO(fd, KVM_GET_MP_STATE, &v->mp);
		DO(fd, KVM_GET_VCPU_EVENTS, &v->events);
	}
	for (unsigned int i = 0; i < 3; i++) {
		image->chips[i].chip_id = i;
		DO(vm->fd, KVM_GET_IRQCHIP, &image->chips[i]);
	}
	memcpy(image->mem, vm->mem, MOVE_MEM);
	image->full = true;
}

void move_in(struct vmm *vm, const struct move_image *image)
{
	cr_assert(image->full && vm->mem_size == MOVE_MEM);
	memcpy(vm->mem, image->mem, MOVE_MEM);
	for (unsigned int i = 0; i < 3; i++)
		DO(vm->fd, KVM_SET_IRQCHIP, &image->chips[i]);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		const struct move_vcpu *v = &image->vcpus[i];
		int fd = vm->vcpus[i].fd;

		DO(fd, KVM_SET_SREGS, &v->sregs);
		DO(fd, KVM_SET_REGS, &v->regs);
		DO(fd, KVM_SET_LAPIC, &v->lapic);
		DO(fd, KVM_SET_MP_STATE, &v->mp);
		DO(fd, KVM_SET_VCPU_EVENTS, &v->events);
	}
}

void move_end_irqfd(const struct vmm *vm, int fd, unsigned int gsi)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	DO(vm->fd, KVM_IRQFD, &irqfd);
}

void move_set_clock(const struct vmm *vm, uint64_t ns)
{
	struct kvm_clock_data data = { .clock = ns };

	DO(vm->fd, KVM_SET_CLOCK, &data);
}
