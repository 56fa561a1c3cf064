/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * QEMU's device models without a guest: a machine whose CPU sleeps, driven by
 * qtest commands, with a virtual clock that moves only when it is told to
 * (vclock.c; distributions build QEMU without the accelerator called qtest, whose
 * clock_step this replaces).
 */
#ifndef QEMU_H
#define QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define QEMU_IRQS 24U

/* What is being done, in words: said if QEMU does not answer in time. */
extern char qemu_trace[128];

/**
 * struct qemu - a running machine
 * @level: of each input of the IO-APIC
 * @rises: times that the input went from low to high
 */
struct qemu {
	pid_t pid;
	FILE *in;
	FILE *out;
	volatile uint64_t *clock;
	bool level[QEMU_IRQS];
	uint64_t rises[QEMU_IRQS];
};

/**
 * qemu_start() - start a machine; virtual time is 0
 * @machine: -machine's argument
 * @dir:     of vclock.so, for files of the run
 * @interrupts: take the IO-APIC's inputs from the machine and note them here
 * @disk:    the image of an IDE disk; NULL: none
 *
 * Ends the program, saying why, if anything fails; so do all functions below.
 */
void qemu_start(struct qemu *q, const char *machine, const char *dir, bool interrupts,
		const char *disk);
void qemu_stop(struct qemu *q);

/* One access. @space is enum lx_space; @val is the value written. Returns what was read. */
uint64_t qemu_access(struct qemu *q, uint32_t space, bool write, uint64_t addr, uint32_t len,
		     uint64_t val);

/* Virtual time goes on by @ns; timers that are due fire. */
void qemu_step(struct qemu *q, uint64_t ns);

#endif /* QEMU_H */
