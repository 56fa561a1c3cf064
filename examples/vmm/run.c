// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The way of an exit: KVM_RUN, the device table, the vCPUs' threads. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

static bool dev_holds(const struct vmm_dev *dev, uint64_t addr, uint32_t len)
{
	uint64_t off = addr - dev->base;

	return off < dev->len && len <= dev->len - off;
}

static const struct vmm_dev *dev_search(struct vmm_vcpu *vcpu, uint32_t space, uint64_t addr,
					uint32_t len)
{
	struct vmm *vm = vcpu->vm;

	for (unsigned int i = 0; i < vm->n_devs; i++) {
		if (vm->devs[i].space == space && dev_holds(&vm->devs[i], addr, len)) {
			vcpu->last[space] = &vm->devs[i];
			return &vm->devs[i];
		}
	}
	return &vm->devs[VMM_MAX_DEVS];
}

/* The device of an access, and count its exit. A vCPU tends to stay with one device. */
static inline const struct vmm_dev *dev_find(struct vmm_vcpu *vcpu, uint32_t space, uint64_t addr,
					     uint32_t len, uint32_t accesses)
{
	const struct vmm_dev *dev = vcpu->last[space];
	struct vmm_count *count;

	if (!dev || !dev_holds(dev, addr, len))
		dev = dev_search(vcpu, space, addr, len);
	count = &vcpu->count[dev->index];
	count->exits++;
	count->accesses += accesses;
	return dev;
}

static inline uint64_t dev_read(const struct vmm_dev *dev, struct vmm_vcpu *vcpu, uint64_t addr,
				uint32_t len)
{
	return dev->read ? dev->read(dev->opaque, vcpu, addr - dev->base, len) : ~0ULL;
}

static inline void dev_write(const struct vmm_dev *dev, struct vmm_vcpu *vcpu, uint64_t addr,
			     uint32_t len, uint64_t val)
{
	if (dev->write)
		dev->write(dev->opaque, vcpu, addr - dev->base, len, val);
}

/* One element of KVM's port buffer, whose last one may end with the page. */
static inline uint64_t element_load(const uint8_t *p, uint32_t len)
{
	switch (len) {
	case 1:
		return *p;
	case 2:
		return *(const uint16_t *)p;
	default:
		return *(const uint32_t *)p;
	}
}

static inline void element_store(uint8_t *p, uint32_t len, uint64_t val)
{
	switch (len) {
	case 1:
		*p = (uint8_t)val;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)val;
		break;
	default:
		*(uint32_t *)p = (uint32_t)val;
		break;
	}
}

static inline void exit_io(struct vmm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint32_t port = run->io.port, len = run->io.size, n = run->io.count;
	uint8_t *p = (uint8_t *)run + run->io.data_offset;
	const struct vmm_dev *dev = dev_find(vcpu, LX_SPACE_PIO, port, len, n);

	if (n > 1 && dev->read_string && run->io.direction == KVM_EXIT_IO_IN) {
		dev->read_string(dev->opaque, vcpu, port - dev->base, len, p, n);
		return;
	}
	do {
		if (run->io.direction == KVM_EXIT_IO_IN)
			element_store(p, len, dev_read(dev, vcpu, port, len));
		else
			dev_write(dev, vcpu, port, len, element_load(p, len));
		p += len;
	} while (--n);
}

static inline void exit_mmio(struct vmm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint64_t addr = run->mmio.phys_addr, val;
	uint32_t len = run->mmio.len;
	const struct vmm_dev *dev = dev_find(vcpu, LX_SPACE_MMIO, addr, len, 1);

	if (run->mmio.is_write) {
		memcpy(&val, run->mmio.data, sizeof(val));
		dev_write(dev, vcpu, addr, len, val & ~0ULL >> (64 - 8 * len));
	} else {
		val = dev_read(dev, vcpu, addr, len);
		memcpy(run->mmio.data, &val, sizeof(val));
	}
}

static int exit_fatal(struct vmm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs regs = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		return vmm_error(-EFAULT, "vCPU %u: triple fault (rip %#llx, rsp %#llx)",
				 vcpu->index, regs.rip, regs.rsp);
	case KVM_EXIT_FAIL_ENTRY:
		return vmm_error(
			-EIO, "vCPU %u: KVM cannot enter the guest, reason %#llx (rip %#llx)",
			vcpu->index, run->fail_entry.hardware_entry_failure_reason, regs.rip);
	case KVM_EXIT_INTERNAL_ERROR:
		return vmm_error(-EIO, "vCPU %u: KVM internal error %u (rip %#llx)", vcpu->index,
				 run->internal.suberror, regs.rip);
	default:
		return vmm_error(-EIO, "vCPU %u: unknown exit reason %u (rip %#llx)", vcpu->index,
				 run->exit_reason, regs.rip);
	}
}

static int run_failed(struct vmm_vcpu *vcpu, int err)
{
	if (err != EINTR && err != EAGAIN)
		return vmm_error(-err, "KVM_RUN of vCPU %u", vcpu->index);
	if (__atomic_load_n(&vcpu->vm->stop, __ATOMIC_ACQUIRE))
		return VMM_STOPPED;
	vcpu->run->immediate_exit = 0;
	/* A stop that came between the two lines above set it first. */
	return __atomic_load_n(&vcpu->vm->stop, __ATOMIC_SEQ_CST) ? VMM_STOPPED : VMM_CONTINUE;
}

static inline int step(struct vmm_vcpu *vcpu)
{
	int ret = ioctl(vcpu->fd, KVM_RUN, NULL);

	vcpu->exits++;
	if (ret)
		return run_failed(vcpu, errno);
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(vcpu);
		return vcpu->exited ? VMM_EXITED : VMM_CONTINUE;
	case KVM_EXIT_MMIO:
		exit_mmio(vcpu);
		return VMM_CONTINUE;
	case KVM_EXIT_HLT:
		return VMM_HALTED;
	default:
		return exit_fatal(vcpu);
	}
}

int vmm_vcpu_step(struct vmm_vcpu *vcpu)
{
	return step(vcpu);
}

static void *vcpu_thread(void *arg)
{
	struct vmm_vcpu *vcpu = arg;
	int ret;

	__atomic_store_n(&vcpu->tid, gettid(), __ATOMIC_RELEASE);
	do {
		ret = step(vcpu);
	} while (ret == VMM_CONTINUE);
	__atomic_store_n(&vcpu->tid, 0, __ATOMIC_RELEASE);
	vcpu->step = ret;
	return NULL;
}

static void kick_handler(int sig)
{
	/* To have left KVM_RUN is all. */
}

static int start_failed(struct vmm *vm, int err)
{
	vmm_stop(vm);
	vmm_join(vm, -1);
	return vmm_error(err, "vCPU thread");
}

int vmm_start(struct vmm *vm)
{
	const struct sigaction sa = { .sa_handler = kick_handler };

	sigaction(SIGRTMIN, &sa, NULL);
	vm->stop = false;
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		struct vmm_vcpu *vcpu = &vm->vcpus[i];
		int err;

		vcpu->run->immediate_exit = 0;
		vcpu->exited = false;
		err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
		if (err)
			return start_failed(vm, -err);
		vcpu->started = true;
	}
	return 0;
}

void vmm_vcpu_kick(struct vmm_vcpu *vcpu)
{
	pid_t tid;

	if (!vcpu->run)
		return;
	/* Also stops a vCPU that is about to enter KVM_RUN and would miss the signal. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	tid = __atomic_load_n(&vcpu->tid, __ATOMIC_ACQUIRE);
	if (tid)
		tgkill(getpid(), tid, SIGRTMIN);
}

void vmm_stop(struct vmm *vm)
{
	__atomic_store_n(&vm->stop, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		vmm_vcpu_kick(&vm->vcpus[i]);
}

static int join_one(struct vmm *vm, struct vmm_vcpu *vcpu, const struct timespec *deadline)
{
	int err = 0;

	if (deadline)
		err = pthread_clockjoin_np(vcpu->thread, NULL, CLOCK_MONOTONIC, deadline);
	if (err == ETIMEDOUT)
		vmm_stop(vm);
	if (err || !deadline)
		pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
	if (err)
		return -err;
	switch (vcpu->step) {
	case VMM_EXITED:
		return (int)(vcpu->exit_code & 0x7fffffff);
	case VMM_STOPPED:
		return -ECANCELED;
	case VMM_HALTED:
		return vmm_error(-EIO, "vCPU %u: halted for ever", vcpu->index);
	default:
		return vcpu->step;
	}
}

int vmm_join(struct vmm *vm, int timeout_ms)
{
	struct timespec end;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		struct vmm_vcpu *vcpu = &vm->vcpus[i];
		int r;

		if (!vcpu->started)
			continue;
		r = join_one(vm, vcpu, timeout_ms < 0 ? NULL : &end);
		if (ret >= 0 && (r < 0 || r > ret))
			ret = r;
	}
	return ret;
}

int vmm_run(struct vmm *vm, int timeout_ms)
{
	int err = vmm_start(vm);

	return err ? err : vmm_join(vm, timeout_ms);
}

int vmm_add_dev(struct vmm *vm, const struct vmm_dev *dev)
{
	uint64_t end = dev->base + dev->len;

	if (!dev->len || end < dev->base || dev->space > LX_SPACE_MMIO ||
	    (dev->space == LX_SPACE_PIO && end > 0x10000))
		return vmm_error(-EINVAL, "device %s: %#lx + %#lx is no range of space %u",
				 dev->name, dev->base, dev->len, dev->space);
	for (unsigned int i = 0; i < vm->n_devs; i++) {
		const struct vmm_dev *d = &vm->devs[i];

		if (d->space == dev->space && d->base < end && dev->base < d->base + d->len)
			return vmm_error(-EEXIST, "device %s: %#lx + %#lx overlaps %s", dev->name,
					 dev->base, dev->len, d->name);
	}
	if (vm->n_devs == VMM_MAX_DEVS)
		return vmm_error(-ENOSPC, "device %s: at most %u", dev->name, VMM_MAX_DEVS);
	vm->devs[vm->n_devs] = *dev;
	vm->devs[vm->n_devs].index = vm->n_devs;
	return (int)vm->n_devs++;
}

struct vmm_count vmm_dev_count(const struct vmm *vm, unsigned int index)
{
	struct vmm_count sum = { 0 };

	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		sum.exits += vm->vcpus[i].count[index].exits;
		sum.accesses += vm->vcpus[i].count[index].accesses;
	}
	return sum;
}

uint64_t vmm_exits(const struct vmm *vm)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		sum += vm->vcpus[i].exits;
	return sum;
}
