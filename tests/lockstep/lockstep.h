/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lockstep: one device twice, answered by the VMM alone and by the program, the VMM taking
 * what that passes. The same accesses to both, under one virtual clock; values, interrupts,
 * what leaves the device, and the state are equal after each of them.
 *
 * A trace is a function of its seed: the generator knows the state of the first side alone,
 * and the time. Two rigs run it: native.c has the programs compiled for user space; kvm.c has
 * two machines, real guests, and the programs in the kernel.
 */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include <lightexit/lightexit.h>
#include <lightexit/timer.h>

#include "loop.h"
#include "vmm.h"

/* Elements of a string instruction, at the most; bytes of one element. */
#define LS_STRING 320U
#define LS_ELEMENT 4U
#define LS_LOG 65536U
#define LS_NEVER (~0ULL)

/* enum ls_kind - what happens next */
enum ls_kind {
	LS_IN = 0,
	LS_OUT,
	LS_READ, /* MMIO */
	LS_WRITE,
	LS_INS,
	LS_OUTS,
	LS_TIME,   /* @val nanoseconds go by; timers fire when they are due */
	LS_JUMP,   /* the same at once: timers fire late */
	LS_TOGGLE, /* the program is attached, or detached */
	LS_EXTRA,  /* something comes from outside: ls_device.extra() */
};

/**
 * struct ls_access - a step of a trace
 * @len:   bytes of an element
 * @count: elements of a string
 * @val:   what is written, of OUTS the seed of its elements; nanoseconds; extra()'s
 */
struct ls_access {
	enum ls_kind kind;
	uint32_t vcpu;
	uint32_t len;
	uint32_t count;
	uint64_t addr;
	uint64_t val;
};

struct ls_side;
struct ls_gen;

/**
 * struct ls_device - what lockstep knows of a device
 * @regions:    of the device, in the program's order
 * @state_size: bytes that are compared, with the header (which is not)
 * @irq_slots:  eventfds that interrupt
 * @level_slots: of these, those that stay asserted until the EOI
 * @slack_ns:   the VMM's own timers may be that late: they fire so much earlier here
 * @paced:      interrupts that are late come at a pace that starts anew with an attach and the
 *              like: so nothing is ever late
 * @make:       makes side->be on side->vm, with side->loop and side->st; fills in side->fds
 * @attaching, @attached: before and after an attach of the program. NULL: nothing to do
 * @next:       pushes accesses that make sense of a device in that state
 * @due:        device time of the next event of the state that is worth seeing; LS_NEVER
 * @extra:      LS_EXTRA
 * @settle:     after each step; NULL: nothing to do
 * @same:       NULL: all bytes of the state are to be equal
 */
struct ls_device {
	const char *name;
	const struct lx_region *regions;
	unsigned int n_regions;
	size_t state_size;
	uint32_t irq_slots;
	uint32_t level_slots;
	uint64_t slack_ns;
	bool paced;
	void (*make)(struct ls_side *side, uint64_t seed);
	void (*free)(struct ls_side *side);
	void (*attaching)(struct ls_side *side);
	void (*attached)(struct ls_side *side);
	void (*next)(struct ls_gen *gen, const void *state);
	uint64_t (*due)(const void *state, uint64_t ns);
	void (*extra)(struct ls_side *side, const struct ls_access *a);
	void (*settle)(struct ls_side *side);
	bool (*same)(const void *a, const void *b);
};

/* To add a device: its file in devices/ and bpf/, its name here, in run.c, kfuncs.c, Makefile. */
extern const struct ls_device ls_pmtimer, ls_pit, ls_rtc, ls_hpet, ls_pciconf, ls_uart, ls_regtable,
	ls_ide;
#define LS_DEVICES 8
extern const struct ls_device *const ls_devices[LS_DEVICES];

/**
 * struct ls_side - one of the two
 * @vm:   its machine; of the native rig it has devices alone
 * @st:   the state
 * @loop: the machine's virtual one, see vloop.c
 * @fds:  the device's eventfds
 * @asserted: of @level_slots
 * @n_irqs, @irqs: interrupts in their order: slots; of the KVM rig those that do not reach a vCPU
 * @n_out, @out: what left the device
 */
struct ls_side {
	const struct ls_device *dev;
	struct vmm *vm;
	void *be;
	struct lx_state *st;
	struct vmm_loop *loop;
	struct lx_eventfds fds;
	bool attached;
	uint32_t asserted;
	unsigned int n_irqs;
	uint8_t irqs[LS_LOG];
	unsigned int n_out;
	uint8_t out[LS_LOG];
};

/* What was read, or is written by a string. */
union ls_data {
	uint64_t val;
	uint8_t string[LS_STRING * LS_ELEMENT];
};

/**
 * struct ls_rig - the two sides
 * @side:   the VMM alone; the program
 * @irqfd:  an eventfd that interrupts by @gsi
 * @access: a guest's access
 * @tick:   time has gone on, or something came from outside: the program's timers that are due
 * @toggle: attaches or detaches the program
 * @quiet:  the program has nothing more to do now
 * @asked, @handled: accesses, each element of a string, and those that the program handled
 * @irqs_same: of what reaches the vCPUs; NULL: what ls_side.irqs says is all
 */
struct ls_rig {
	struct ls_side side[2];
	uint64_t asked;
	uint64_t handled;
	int (*irqfd)(struct ls_side *side, uint32_t gsi);
	void (*access)(struct ls_rig *rig, struct ls_side *side, const struct ls_access *a,
		       union ls_data *data);
	void (*tick)(struct ls_rig *rig);
	void (*toggle)(struct ls_rig *rig);
	void (*quiet)(struct ls_rig *rig);
	bool (*irqs_same)(struct ls_rig *rig, const struct ls_access *a);
};

extern struct ls_rig ls_rig;

/* The virtual clock. */
extern uint64_t ls_now;

/* Device time of a state. */
static inline uint64_t ls_device_ns(const struct lx_state *st)
{
	return ls_now - st->epoch_ns;
}

/* Of a rig: both sides of a device, before the first access; and their end. */
void ls_rig_open(const struct ls_device *dev, uint64_t seed);
void ls_rig_close(void);

/* A trace: the clock begins, and a rig is open; ls_rig_close() ends it. */
void ls_open(const struct ls_device *dev, uint64_t seed);

/* Its next step. Return: false if the sides differ then, as stdout says. */
bool ls_step(const struct ls_access *a, bool verbose);

/*
 * Runs @steps of a seed's trace, says what was found on stdout.
 * Return: whether the sides were the same all along
 */
bool ls_run(const struct ls_device *dev, uint64_t seed, uint64_t steps, bool verbose);

/* Ends the program: the rig itself failed. */
void ls_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* For devices: an eventfd of the given GSI, or a plain one. */
int ls_irqfd(struct ls_side *side, uint32_t gsi);
int ls_eventfd(void);
/* Of a device with one interrupt, by that GSI: ls_side.fds. */
void ls_make_fds(struct ls_side *side, uint32_t gsi);
/* Closes ls_side.fds. */
void ls_close_fds(const struct ls_side *side);
/* Signals its kick_fd. */
void ls_kick(const struct ls_side *side);

/* vloop.c: calls what is due, or was signalled, of a loop. */
void ls_loop_turn(struct vmm_loop *loop, uint64_t slack_ns);

#define LS_QUEUE 64U

/**
 * struct ls_gen - the generator
 * @random:   its next number
 * @detached: the program will be, then
 * @queue:    accesses to come
 */
struct ls_gen {
	const struct ls_device *dev;
	uint64_t random;
	bool detached;
	unsigned int first;
	unsigned int n;
	struct ls_access queue[LS_QUEUE];
};

void ls_gen_init(struct ls_gen *g, const struct ls_device *dev, uint64_t seed);
struct ls_access ls_gen_next(struct ls_gen *g, const void *state);

/* Elements of an OUTS. */
void ls_gen_string(const struct ls_access *a, union ls_data *data);

uint64_t ls_random(struct ls_gen *g);
uint64_t ls_below(struct ls_gen *g, uint64_t n);
/* A number of up to @bits bits, of each length as often. */
uint64_t ls_skewed(struct ls_gen *g, unsigned int bits);

/* For ls_device.next(): what comes next. */
void ls_push(struct ls_gen *g, enum ls_kind kind, uint32_t len, uint64_t addr, uint64_t val);
void ls_out(struct ls_gen *g, uint64_t port, uint64_t byte);
void ls_in(struct ls_gen *g, uint64_t port);
void ls_string(struct ls_gen *g, enum ls_kind kind, uint32_t len, uint64_t port, uint32_t count);

#endif /* LOCKSTEP_H */
