/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The benchmark's guest of an unmodified QEMU, which is its own firmware. The host maps
 * its memory: it writes a run's parameters and then its number, and the guest writes a byte to
 * the serial port when it has come up, and when the run has ended.
 */
#ifndef BENCH_QGUEST_H
#define BENCH_QGUEST_H

#include <stdint.h>

#define QGUEST_MEM (32ULL << 20)
#define QGUEST_GPA 0x200000U
#define QGUEST_VCPUS 2U

/**
 * struct qguest - at QGUEST_GPA
 * @run:    number of the run. Writer: host, after the parameters; the rest of the first line, too
 * @access: enum bench_access: one that reads, BENCH_EMPTY or BENCH_SPIN
 * @vcpus:  that do it together
 * @n:      times, of all vCPUs
 * @gap:    ticks of the TSC from one to the next; 0: at once
 * @addr:   port or guest-physical address
 * @next:   times that have begun. Host: 0
 * @come:   vCPUs that have begun. Host: 0
 * @left:   vCPUs that have ended. Host: 0
 * @start:  the TSC before a vCPU's first access, @end: when it found none left. Writer: guest
 * @last:   value of its last one. Writer: guest
 */
struct qguest {
	uint32_t run;
	uint32_t access;
	uint32_t vcpus;
	uint64_t n;
	uint64_t gap;
	uint64_t addr;
	uint64_t next;
	uint32_t come;
	uint32_t left;
	uint64_t start[QGUEST_VCPUS];
	uint64_t end[QGUEST_VCPUS];
	uint64_t last[QGUEST_VCPUS];
};

#endif /* BENCH_QGUEST_H */
