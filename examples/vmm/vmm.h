/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The small VMM that lightexit's examples, tests and benchmarks share: one
 * x86-64 machine with guest memory, vCPUs that start in long mode, and device
 * back ends behind ports and MMIO. (5 in docs/path.md)
 *
 * Guest-physical memory: everything below 4 GiB is mapped one to one.
 *   0x0001000  page tables      VMM_PARAMS_GPA  parameter block, guest and host
 *   0x0008000  GDT              VMM_GUEST_GPA   the guest's flat binary, entry first
 *   VMM_HEAP_GPA up to vmm.heap_end: the guest's to use; then one stack per vCPU
 * Memory ends below VMM_MMIO_GPA, so what is above it exits as MMIO.
 *
 * A guest's entry is called as entry(unsigned long vcpu, void *params): rdi is
 * the vCPU's index, rsi VMM_PARAMS_GPA. See guest/guest.h for the guest's side.
 *
 * Functions return 0 or a negative errno, and then say why on stderr. Threads:
 * a struct vmm is set up by one thread; device callbacks run on vCPU threads,
 * several at once; vmm_stop() and vmm_vcpu_kick() may be called from anywhere.
 */
#ifndef VMM_H
#define VMM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <lightexit/clock.h>
#include <lightexit/io.h>

#define VMM_MAX_VCPUS 64U
#define VMM_MAX_DEVS 32U

#define VMM_PARAMS_GPA 0x10000UL
#define VMM_PARAMS_SIZE 0x10000UL
#define VMM_GUEST_GPA 0x100000UL
#define VMM_HEAP_GPA 0x200000UL
#define VMM_STACK_SIZE 0x4000UL
#define VMM_MMIO_GPA 0xc0000000UL

/* A guest ends its vCPU by writing an exit code here. */
#define VMM_EXIT_PORT 0xf4U

struct vmm;
struct vmm_vcpu;

enum vmm_irqchip {
	VMM_IRQCHIP_NONE = 0,
	VMM_IRQCHIP_SPLIT,  /* local APICs in the kernel, the rest not */
	VMM_IRQCHIP_KERNEL, /* APICs, PIC, IO-APIC and PIT in the kernel */
	VMM_IRQCHIP_NO_PIT, /* the same without the PIT */
};

/**
 * struct vmm_opts - how to build a machine
 * @vcpus:    1 to VMM_MAX_VCPUS; 0: 1
 * @mem_size: bytes, a multiple of 4 KiB; 0: 8 MiB
 * @irqchip:  enum vmm_irqchip
 */
struct vmm_opts {
	unsigned int vcpus;
	size_t mem_size;
	enum vmm_irqchip irqchip;
};

/**
 * struct vmm_dev - a device back end: one range of ports or of MMIO
 * @name:   for people
 * @space:  enum lx_space
 * @base:   first address
 * @len:    bytes
 * @read:   a guest's read of @len bytes at @off into the range; the value in
 *          host order, of which the bytes above @len are ignored. NULL: all ones
 * @write:  a guest's write; the bytes of @val above @len are 0. NULL: dropped
 * @read_string: ports: @n elements of a string to @to at once, as the guest's memory is to have
 *          them. NULL: @read for each
 * @opaque: given to all
 * @index:  vmm_add_dev()'s
 *
 * An access belongs to the device whose range holds all of it. @len is 1, 2 or
 * 4 for ports; for MMIO 1 to 8 (3, 5, 6 and 7: parts of a page-crossing access).
 * String instructions call once per element, but for @read_string.
 */
struct vmm_dev {
	const char *name;
	uint32_t space;
	uint64_t base;
	uint64_t len;
	uint64_t (*read)(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len);
	void (*write)(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		      uint64_t val);
	void (*read_string)(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			    uint8_t *to, uint32_t n);
	void *opaque;
	unsigned int index;
};

/* What a device cost: heavy exits, and the accesses (string elements) in them. */
struct vmm_count {
	uint64_t exits;
	uint64_t accesses;
};

enum vmm_step {
	VMM_CONTINUE = 0, /* run on */
	VMM_EXITED,	  /* the guest wrote vmm_vcpu.exit_code to VMM_EXIT_PORT */
	VMM_STOPPED,	  /* vmm_stop() or vmm_vcpu_kick() */
	VMM_HALTED,	  /* hlt, with no in-kernel irqchip to wake it */
};

/**
 * struct vmm_vcpu - one vCPU; for its own thread, and for others once that ended
 * @vm:        its machine
 * @index:     from 0
 * @fd:        KVM's vCPU
 * @run:       KVM's shared page
 * @step:      how the vCPU's thread ended: enum vmm_step, or a negative errno
 * @exit_code: the guest's, with VMM_EXITED
 * @exits:     returns of KVM_RUN, whatever for
 * @count:     per device, in the order of vmm_add_dev(); the last one counts
 *             accesses that no device claimed
 */
struct vmm_vcpu {
	struct vmm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	int step;
	uint32_t exit_code;
	bool exited;
	const struct vmm_dev *last[2];
	uint64_t exits;
	struct vmm_count count[VMM_MAX_DEVS + 1];
	pthread_t thread;
	pid_t tid; /* of the thread while it runs the guest, else 0 */
	bool started;
};

/**
 * struct vmm - a machine
 * @fd:       KVM's VM: for lx_device_attach()
 * @mem:      guest memory, @mem_size bytes from guest-physical 0
 * @heap_end: first guest-physical address after what the guest may use
 */
struct vmm {
	int kvm_fd;
	int fd;
	uint8_t *mem;
	size_t mem_size;
	uint64_t heap_end;
	size_t run_size;
	bool stop;
	unsigned int n_vcpus;
	unsigned int n_devs;
	struct vmm_vcpu *vcpus;
	struct vmm_dev devs[VMM_MAX_DEVS + 1]; /* the last: nobody, who claims nothing */
};

/**
 * vmm_create() - a machine with memory and vCPUs, and nothing to run yet
 * Return: 0; -EINVAL: @opts; else what KVM said
 */
int vmm_create(const struct vmm_opts *opts, struct vmm **out);

/* Stops what runs, frees all but the devices' opaque parts. NULL is fine. */
void vmm_destroy(struct vmm *vm);

/**
 * vmm_add_dev() - put a device on a bus; before the vCPUs run
 * @dev: copied
 * Return: its index (see vmm_dev_count()); -EINVAL: empty or wrapping range;
 *         -EEXIST: overlaps another; -ENOSPC: VMM_MAX_DEVS
 */
int vmm_add_dev(struct vmm *vm, const struct vmm_dev *dev);

/* A device's heavy exits, over all vCPUs; @index VMM_MAX_DEVS: claimed by none. */
struct vmm_count vmm_dev_count(const struct vmm *vm, unsigned int index);

/* Returns of KVM_RUN, over all vCPUs. */
uint64_t vmm_exits(const struct vmm *vm);

/* Host address of @len bytes of guest memory at @gpa; NULL: not all of it is memory. */
void *vmm_mem(const struct vmm *vm, uint64_t gpa, size_t len);

/* The parameter block, VMM_PARAMS_SIZE bytes. */
void *vmm_params(const struct vmm *vm);

/* A guest made by guest.mk, as vmm_load() takes it. */
#define VMM_GUEST(_name) extern const unsigned char guest_##_name[], guest_##_name##_end[]
#define VMM_GUEST_ARGS(_name) guest_##_name, (size_t)(guest_##_name##_end - guest_##_name)

/**
 * vmm_load() - copy a flat binary to VMM_GUEST_GPA and point all vCPUs at it
 *
 * May be called again between runs; memory, counts and devices stay.
 * Return: 0; -E2BIG: the guest does not fit below the heap
 */
int vmm_load(struct vmm *vm, const void *guest, size_t size);

/* One vCPU back to long mode at @entry; completes an I/O instruction under way. */
int vmm_vcpu_reset(struct vmm_vcpu *vcpu, uint64_t entry);

/**
 * vmm_vcpu_step() - one KVM_RUN and what it asks for, on the calling thread
 * Return: enum vmm_step, or a negative errno (the guest died, KVM failed)
 */
int vmm_vcpu_step(struct vmm_vcpu *vcpu);

/* A thread for each vCPU, which steps until the step is not VMM_CONTINUE. */
int vmm_start(struct vmm *vm);

/**
 * vmm_join() - wait until all vCPUs ended
 * @timeout_ms: then they are stopped; -1: none
 * Return: 0: all exited with code 0; the largest exit code; or the first
 *         negative errno: -ETIMEDOUT, -ECANCELED (stopped), -EIO (halted), ...
 */
int vmm_join(struct vmm *vm, int timeout_ms);

/* vmm_start() and vmm_join(). */
int vmm_run(struct vmm *vm, int timeout_ms);

/* Makes vmm_start()'s threads end with VMM_STOPPED, soon. */
void vmm_stop(struct vmm *vm);

/* Makes a vCPU that vmm_start() runs leave KVM_RUN; it runs on unless vmm_stop()ped. */
void vmm_vcpu_kick(struct vmm_vcpu *vcpu);

/* Now, by a device's clock. @clock is enum lx_clock. */
uint64_t vmm_clock_ns(const struct vmm *vm, uint32_t clock);

/* Says on stderr what is wrong, like printf; returns @err. */
int vmm_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* VMM_H */
