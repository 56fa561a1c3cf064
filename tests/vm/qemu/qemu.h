/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An unmodified QEMU with KVM and the torture guest, for tests: started, spoken to by QMP,
 * its guest's memory mapped.
 */
#ifndef VMQEMU_H
#define VMQEMU_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "torture.h"

#define QEMU_MEM_MB 32U

struct qemu {
	pid_t pid;
	int qmp;
	unsigned int vcpus;
	char dir[64];
	void *mem;
	volatile struct torture *t;
	uint64_t addr;		       /* of the counter that is watched; set by qemu_go(), too */
	uint64_t asked_us, stopped_us; /* CLOCK_REALTIME: of the last command, and of STOP */
};

/* What is started: the first QEMU in PATH, unless a test says otherwise. */
extern const char *qemu_binary;

/* Starts it, paused, with this -machine, -smp and further arguments (ended by NULL, or NULL). */
void qemu_start(struct qemu *q, const char *machine, unsigned int vcpus, const char *const *more);
/* One QMP command and its arguments as JSON (NULL: none); fails the test if QEMU refuses. */
void qemu_qmp(struct qemu *q, const char *command, const char *arguments);
/* The same; what it returned, of which the caller drops the reference. */
json_t *qemu_ask(struct qemu *q, const char *command, const char *arguments);
/*
 * A bound of the time between QEMU's freezing its clock and its having paused all vCPUs: since the
 * last command that stopped the VM.
 */
uint64_t qemu_stop_us(const struct qemu *q);
/* A command of the human monitor's; its output is logged if it is not empty. */
void qemu_hmp(struct qemu *q, const char *line);
/* Continues, waits until the guest's vCPUs have come, has them read the counter. */
void qemu_go(struct qemu *q, enum torture_kind kind, uint32_t addr, uint32_t mask);
/* Reads of all vCPUs so far. */
uint64_t qemu_reads(const struct qemu *q);
/* Waits for @n more; fails the test after @seconds, on slow kernels a multiple, without any. */
void qemu_wait_reads(const struct qemu *q, uint64_t n, unsigned int seconds);
/* Waits until each vCPU has begun, ended and checked a read since. */
void qemu_wait_each(const struct qemu *q);
void qemu_end(struct qemu *q);

/* `lightexit attach --pid PID ARGS`, with its output in a file of @q's directory. */
pid_t attach_start(const struct qemu *q, const char *const *args);
/* The same with `--all`. */
pid_t attach_start_all(const struct qemu *q, const char *const *args);
/* SIGINT, and its exit code. */
int attach_stop(pid_t pid);

#endif /* VMQEMU_H */
