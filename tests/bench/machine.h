/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The machine that is measured, and what a device has to offer for that. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <pthread.h>

#include "accel.h"
#include "measure.h"
#include "vmm.h"

/**
 * struct bench_spinner - a thread that runs when nobody else does, so that the CPU is not idle
 * @stop: it is to end
 */
struct bench_spinner {
	pthread_t thread;
	bool started;
	bool stop;
};

/**
 * struct tally - what has been counted so far
 * @heavy:   the device's heavy exits
 * @exits:   all exits
 * @handled: by the program; @passed: by it
 * @cpu_ns:  time of the CPU that this process had
 * @work_ns: CLOCK_MONOTONIC, less what the spinner had
 */
struct tally {
	uint64_t heavy;
	uint64_t exits;
	uint64_t handled;
	uint64_t passed;
	uint64_t cpu_ns;
	uint64_t work_ns;
};

/**
 * struct machine - the machine and the one device that is measured
 * @dev:    @what's, or bench_nop for the exit alone
 * @region: where it is
 * @back:   its back end's
 * @index:  of the back end, for vmm_dev_count(). Writer: bench_dev.add()
 * @addr:   that the guest uses. Writer: bench_dev.add()
 * @mark:   taken at the guest's writes to BENCH_MARK_PORT; @marks: their number. Writer:
 *          the vCPU's thread
 */
struct machine {
	const struct bench_case *what;
	enum bench_path path;
	const struct bench_dev *dev;
	struct vmm *vm;
	struct vmm_accel *accel;
	struct lx_region region;
	void *back;
	unsigned int index;
	uint64_t addr;
	struct bench_spinner spinner;
	struct tally mark[2];
	unsigned int marks;
};

/**
 * struct bench_dev - a device that can be measured
 * @kind:       enum lxbench_kind, for PATH_KERNEL_C
 * @program:    its device program
 * @dir:        where that is below the build directory
 * @state_size: bytes of its state
 * @doorbell:   enum virtio_mmio_doorbell, of doorbells
 * @irqchip:    enum vmm_irqchip
 * @sleeps:     the guest halts, and marks where its work begins and ends
 * @own_regions: the program lies where its object says, not at @base alone
 * @fewer:      a round counts for so many, and there are fewer of them; 0: one
 * @string:     of the VMM's path: elements of a string that one heavy exit carries; 0: one
 * @vcpus:      of QEMU's paths, that access it together; 0: one
 * @base:       where it lies, by enum lx_space
 * @len:        bytes there
 * @heavy:      its heavy exits; NULL: of the one at @index
 * @add:        puts the back end on the machine
 * @attach:     before a program is attached: eventfds; or has KVM itself answer, by
 *              the path. NULL: nothing to do
 * @attached:   after that
 * @prepare:    before each run of the guest
 * @check:      after the last one, that the device did what it had to. @warm, @p:
 *              what the guest said of the last two
 * @free:       the back end; the machine is gone
 *
 * All but @add may be NULL.
 */
struct bench_dev {
	uint32_t kind;
	const char *program;
	const char *dir;
	size_t state_size;
	uint32_t doorbell;
	enum vmm_irqchip irqchip;
	bool sleeps;
	bool own_regions;
	unsigned int fewer;
	unsigned int string;
	unsigned int vcpus;
	uint64_t base[2];
	uint64_t len;
	uint64_t (*heavy)(const struct machine *m);
	int (*add)(struct machine *m);
	int (*attach)(struct machine *m);
	int (*attached)(struct machine *m);
	int (*prepare)(struct machine *m);
	int (*check)(struct machine *m, const struct bench_params *warm,
		     const struct bench_params *p);
	void (*free)(struct machine *m);
};

/* In how far a counter's rate may be off: the timer tick's instructions are counted, too. */
#define BENCH_RATE_ERROR 0.01

/* Time between the ends of two runs. */
int machine_seconds(const struct machine *m, const struct bench_params *from,
		    const struct bench_params *to, double *seconds);

/* Runs the guest's loop; what it left is returned. */
int machine_run(struct machine *m, uint32_t access, uint64_t addr, uint64_t n,
		struct bench_params *out);

/* bench_spinner_ns(): time of the CPU that it had; 0 if it was not started. */
int bench_spinner_start(struct bench_spinner *s);
uint64_t bench_spinner_ns(const struct bench_spinner *s);
void bench_spinner_end(struct bench_spinner *s);

/* KVM's own count of a vCPU's exits, light ones too. */
int bench_exits(const struct vmm_vcpu *vcpu, uint64_t *out);

#endif /* BENCH_MACHINE_H */
