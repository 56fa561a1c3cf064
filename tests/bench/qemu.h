/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An unmodified QEMU whose guest reads a counter, without lightexit and with `lightexit attach`. */
#ifndef BENCH_QEMU_H
#define BENCH_QEMU_H

#include "measure.h"

struct bench_qemu;

/**
 * struct bench_paced - reads at a rate
 * @per_second: so many
 * @reads:      of them
 * @passed:     of these, to the VMM
 */
struct bench_paced {
	uint64_t per_second;
	uint64_t reads;
	uint64_t passed;
};

/* Starts it; it stands still between two measurements. @build: see bench_measure(). */
int bench_qemu_open(const char *build, const struct bench_unit *unit, struct bench_qemu **out);
void bench_qemu_close(struct bench_qemu *q);

/* `lightexit attach` to its PM timer and HPET: from here on PATH_ATTACH is measured. */
int bench_qemu_attach(struct bench_qemu *q);

/* As bench_measure(). Exits are counted in a run of their own, as to count them takes time. */
int bench_qemu_measure(struct bench_qemu *q, const struct bench_case *what, uint64_t rounds,
		       struct bench_row *row);

/* Of QEMU's, that do the case together. */
unsigned int bench_qemu_vcpus(const struct bench_case *what);

/* What is passed to the VMM at 10^5 reads a second; after bench_qemu_attach(). */
int bench_qemu_pace(struct bench_qemu *q, const struct bench_case *what, struct bench_paced *out);

#endif /* BENCH_QEMU_H */
