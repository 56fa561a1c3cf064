/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * QEMU's devices and ours (models and back ends of examples/vmm) under one virtual
 * clock and one access trace, compared after each access.
 */
#ifndef RIG_H
#define RIG_H

#include "qemu.h"
#include "vmm.h"

/**
 * struct difference - something in which QEMU and the data sheet part
 * @name:     in a word
 * @sentence: what the data sheet says, with its section; ours is held to it by a unit test
 * @met:      times that it was met. A difference that no directed trace meets is a failure.
 */
struct difference {
	const char *name;
	const char *sentence;
	uint64_t met;
};

struct ls_access;

struct access {
	bool write;
	uint32_t space;
	uint64_t addr;
	uint32_t len;
	uint64_t val;
	uint64_t ns; /* virtual time */
};

#define RIG_KEEP 24U

/**
 * struct rig - both sides
 * @vm:     ours: devices, without KVM
 * @now:    QEMU's virtual time; set by rig_step() and rig_at() only
 * @ours:   the clock that our side sees
 * @disk:   of QEMU's machine, or NULL; set before rig_start()
 * @excuse: a read differed: which difference is it? NULL: none, the test fails
 * @ctx:    the device's, for @excuse
 * @failed: values that differed without excuse; after the first the trace is over
 * @extra:  of a trace of lockstep's: as replay()'s feed, for LS_EXTRA; or NULL
 * @asked, @replayed: accesses of a trace of lockstep's, and those that both sides had
 */
struct rig {
	struct qemu qemu;
	struct vmm vm;
	uint64_t now;
	uint64_t ours;
	uint64_t seed;
	const char *disk;
	struct difference *(*excuse)(struct rig *rig, const struct access *a, uint64_t qemu,
				     uint64_t ours);
	void *ctx;
	uint64_t reads;
	uint64_t failed;
	bool (*extra)(struct rig *rig, const struct ls_access *a);
	uint64_t asked;
	uint64_t replayed;
	struct access kept[RIG_KEEP];
	unsigned int n_kept;
};

void rig_start(struct rig *rig, const char *machine, bool interrupts);
void rig_stop(struct rig *rig);

/* Time goes on, on both sides. */
void rig_step(struct rig *rig, uint64_t ns);

/* It is @now for QEMU and @ours for us; neither goes back. */
void rig_at(struct rig *rig, uint64_t now, uint64_t ours);

/* Both sides; a read compares, and returns ours. */
uint64_t rig_in(struct rig *rig, uint32_t len, uint64_t port);
void rig_out(struct rig *rig, uint32_t len, uint64_t port, uint64_t val);
uint64_t rig_read(struct rig *rig, uint32_t len, uint64_t addr);
void rig_write(struct rig *rig, uint32_t len, uint64_t addr, uint64_t val);

/* A write of which QEMU gets another value, as its device takes what ours does not have. */
void rig_write_two(struct rig *rig, uint32_t space, uint32_t len, uint64_t addr, uint64_t qemu,
		   uint64_t ours);

/* Compares something else than a read: @what at @addr. */
void rig_same(struct rig *rig, const char *what, uint64_t addr, uint64_t qemu, uint64_t ours);

/* The @len bytes of @val from @off on. */
uint64_t rig_bytes(uint64_t val, uint64_t off, uint32_t len);

/* For excuses: the bytes of @a in what QEMU answers now for the register at @reg of @len bytes. */
uint64_t rig_part(struct rig *rig, const struct access *a, uint64_t reg, uint32_t len);

/* The next number of the trace's seed; and one below @n. */
uint64_t rig_random(struct rig *rig);
uint64_t rig_below(struct rig *rig, uint64_t n);

/* A test: sets up, runs its trace, or @n random steps. */
struct oracle_test {
	const char *name;
	bool random;
	void (*setup)(struct rig *rig);
	void (*run)(struct rig *rig, unsigned int n);
	void (*teardown)(struct rig *rig);
	struct difference *differences; /* ends with a NULL name */
};

extern const struct oracle_test pmtimer_tests[], hpet_tests[], pit_tests[], uart_tests[],
	rtc_tests[], pciconf_tests[], ide_tests[];

#endif /* RIG_H */
