/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A machine with an HPET that goes from host to host (move.h): what the tests of saving
 * share. Of the machine that a process has there is one, as of vms.
 */
#ifndef HPETHOST_H
#define HPETHOST_H

#include "hpet.h"
#include "hpet_guest.h"
#include "move.h"
#include "vmscript.h"

#define HH_BASE 0xfed00000UL
#define HH_TICK_NS 10U
#define HH_GSI 21U
#define HH_FILE "/tmp/lightexit-save"
#define MS 1000000ULL
#define MS_TICKS 100000U

/* 2.3.8 */
#define LEVEL 0x2U
#define ENB 0x4U
#define PERIODIC 0x8U
#define ROUTE(_input) ((uint32_t)(_input) << 9)

/* 2.3.1: what a guest can read; of it the main counter, and timer 1's comparator */
#define HH_REGISTERS 10
#define HH_COUNTER 3
#define HH_COMPARATOR_1 7

/**
 * struct hh_place - a host
 * @program:  a program is attached; else the VMM answers alone
 * @clock:    enum lx_clock
 * @kvmclock: KVM_SET_CLOCK's
 * @command:  the device leaves and comes by `lightexit save` and `restore`
 * @process:  one of its own; else the test's
 */
struct hh_place {
	bool program;
	uint32_t clock;
	uint64_t kvmclock;
	bool command;
	bool process;
};

/**
 * struct hh_travel - what goes from host to host
 * @image:     the machine
 * @begin:     the guest's parameters, as it begins
 * @until:     interrupts after which it leaves
 * @place:     the host that it is on
 * @registers: as the frozen device showed them when it left
 * @fired:     how often the guest's timer had fired then
 */
struct hh_travel {
	struct move_image image;
	struct hpet_guest_params begin;
	uint64_t until;
	struct hh_place place;
	uint64_t registers[HH_REGISTERS];
	uint32_t fired;
};

/**
 * struct hh - this process's
 * @dev: the program's device; NULL: the VMM alone
 * @st:  the state
 */
struct hh {
	struct hh_travel *travel;
	struct lx_device *dev;
	struct vmm_hpet *hpet;
	struct vmm_loop *loop;
	struct hpet_state *st;
};

extern struct hh hh;

/* Places of all kinds: kvmclock ahead of the one before, behind it, and behind the device's age. */
#define HH_PLACES 5
extern const struct hh_place hh_places[HH_PLACES];

/* As a suite's .init and .fini. */
void hh_setup(void);
void hh_teardown(void);

/* Runs @fn(@arg) as that place says. */
void hh_at(const struct hh_place *place, void (*fn)(void *arg), void *arg);

/* The machine of hh.travel->place, before it has run; and its end. */
void hh_make(unsigned int vcpus);
void hh_shut(void);

/* If there is a program. */
void hh_attach(void);

/* The device's time stands still, and goes on. */
void hh_freeze(void);
void hh_thaw(void);

/* Saves the device into the travel's image, by the library, or by the command if so said. */
void hh_save(void);

/* The device leaves, frozen, and comes, frozen; the vCPUs are stopped. */
void hh_leave(void);
void hh_arrive(void);

/* All registers are what they were when the device left. */
void hh_expect_registers(const char *when);

/* Runs `lightexit @verb ID HH_FILE`; @out: what it said. Return: its exit status */
int hh_command(const char *verb, char *out, size_t size);
void hh_write_file(const void *bytes, size_t size);

/* The counters of the program's region. */
struct lx_region_stats hh_counters(void);

/* The HPET guest: begins here, has taken so many interrupts, and is what it has to be. */
struct hpet_guest_params hh_params(uint32_t timer, uint32_t config, uint64_t ticks, uint64_t want,
				   uint32_t vcpus);
struct hpet_guest_params *hh_guest(void);
void hh_begin_guest(void);
uint64_t hh_taken(void);
void hh_wait_taken(uint64_t n);
void hh_expect_sound(const struct hpet_guest_params *p, uint32_t fired);

/* CLOCK_MONOTONIC */
uint64_t hh_ns(void);

#endif /* HPETHOST_H */
