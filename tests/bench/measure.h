/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One measurement: a machine, a device, a way to answer it, a guest that uses it. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "kmod/lxbench.h"
#include "params.h"

#define BENCH_WARM_UP 2000U

/* Who answers. */
enum bench_path {
	PATH_VMM = 0,	/* the VMM, after a heavy exit */
	PATH_KERNEL_C,	/* lxbench.ko */
	PATH_IOEVENTFD, /* KVM's ioeventfd */
	PATH_COALESCED, /* KVM's coalesced MMIO */
	PATH_KVM,	/* KVM's own device */
	PATH_BPF,	/* a device program */
	PATH_MIRROR,	/* a mirror page; what is written, a device program */
	PATH_NONE,	/* the VMM, which does nothing: the exit alone */
	PATH_DECLINED,	/* the same after a program passed */
	PATH_BESIDE,	/* the VMM, while another VM is watched by lightexit attach */
	PATH_QEMU,	/* QEMU, as it is */
	PATH_ATTACH,	/* lightexit attach to that */
	PATH_COUNT,
};

struct bench_dev;

/**
 * struct bench_case - what the guest does
 * @name:     for the table and the JSON, as is @op
 * @space:    enum lx_space
 * @access:   enum bench_access
 * @len:      bytes
 * @dev:      the device
 * @paths:    1 << enum bench_path: those that it is measured on
 * @accesses: of the device, each time round
 * @mirrored: of these, what a mirror page answers
 * @posted:   where writes are queued, at least so many accesses to each heavy exit of a
 *            full queue; 0: no heavy exits but of the paths that have nothing else
 */
struct bench_case {
	const char *name;
	const char *op;
	uint32_t space;
	uint32_t access;
	uint32_t len;
	const struct bench_dev *dev;
	uint32_t paths;
	double accesses;
	unsigned int mirrored;
	unsigned int posted;
};

/**
 * struct bench_unit - what a tick of the TSC stands for
 * @instructions: else nanoseconds
 * @per_tick:     of them
 */
struct bench_unit {
	bool instructions;
	double per_tick;
};

/**
 * struct bench_row - a result
 * @rounds:      times that the guest did it
 * @heavy_exits: to the VMM, in all rounds
 * @exits:       of the guest, light ones too, by KVM's count: with the machine's own
 *               interrupts
 * @cost:        units each time, without the loop around it
 * @attach_ms:   what lx_device_attach() took, 0 without
 */
struct bench_row {
	const struct bench_case *what;
	enum bench_path path;
	uint64_t rounds;
	uint64_t heavy_exits;
	uint64_t exits;
	double cost;
	double attach_ms;
};

extern const char *const bench_path_names[PATH_COUNT];

/* The devices. */
extern const struct bench_dev bench_pmtimer, bench_hpet, bench_write_dev, bench_nop;
extern const struct bench_dev bench_doorbell, bench_bell, bench_wake, bench_queue, bench_virtio,
	bench_uart, bench_requests, bench_sector_in, bench_sector_out, bench_ide_status,
	bench_ide_dma, bench_ide_pio, bench_ide_pio_out, bench_pit, bench_rtc, bench_pci,
	bench_pmtimer_pair, bench_hpet_pair;

/**
 * bench_calibrate() - find out what a tick is
 * @unit: .instructions is set; fails if the TSC does not count them
 */
int bench_calibrate(struct bench_unit *unit);

/**
 * bench_measure() - measure one case on one path
 * @build: where bpf/ and tests/bench/ are with the programs
 * Where the TSC counts instructions, a run during which the CPU was idle, or others
 * had it, counts for nothing, and is done again, some times.
 * Return: 0; or a negative errno, also if not the one who should have answered
 *         did or if the answers are wrong; -EAGAIN: never undisturbed
 */
int bench_measure(const struct bench_case *what, enum bench_path path, const char *build,
		  uint64_t rounds, const struct bench_unit *unit, struct bench_row *row);

#endif /* BENCH_MEASURE_H */
