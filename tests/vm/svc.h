/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of the kernel's services share: the machine of vmscript.h, and
 * vt_svc, attached past the library (vmraw.h) so that every field of
 * lightexit_ops can be said.
 */
#ifndef SVC_H
#define SVC_H

#include "bpf/vt_svc.h"
#include "vmraw.h"
#include "vmscript.h"

#define SVC_TIMEOUT_MS vmt_patience(30000)
#define MS 1000000ULL

/**
 * struct svc - a test's device
 * @st:   vt_svc's state
 * @ops:  what svc_attach() takes; may be changed before
 * @link: of the attached device, or -1
 * @prog: vt_svc, loaded
 * @refs: the module's references as long as it is just loaded
 */
struct svc {
	struct vt_svc_state *st;
	struct lightexit_ops ops;
	int link;
	struct vmr_prog prog;
	int refs;
};

extern struct svc svc;

/* Loads the device. */
void svc_load(void);

/* vms_create() with these vCPUs and interrupt controllers; the device is not attached. */
void svc_machine(unsigned int vcpus, enum vmm_irqchip irqchip);

/* Both. */
void svc_setup(unsigned int vcpus, enum vmm_irqchip irqchip);

/* Ends both if they are still there, and checks that no reference to the module is left. */
void svc_teardown(void);

/* Attaches svc.ops; fails the test if that fails. */
void svc_attach(void);

/* The same, and the kick that comes with an attach is over. */
void svc_attach_quietly(void);

/* Closes the link: a detach. */
void svc_detach(void);

/* An update with svc.ops, without eventfds: 0 or a negative errno. */
int svc_update(void);

/* A new eventfd, non-blocking. Fails the test if there is none. */
int svc_eventfd(void);

/* As svc_eventfd(), and the device's next free slot. */
int svc_add_slot(void);

/* Makes an eventfd an irqfd of an IO-APIC's pin, level-triggered if @resample is not -1. */
void svc_irqfd(int fd, unsigned int pin, int resample);

/* How often a vector has come. */
uint32_t svc_irqs(unsigned int vector);

/* What is in an eventfd, which it empties; 0: nothing. */
uint64_t svc_count(int fd);

/* Waits until an eventfd was signalled, and empties it; fails the test after SVC_TIMEOUT_MS. */
uint64_t svc_wait(int fd, const char *what);

/* Adds a call to an order; its ->ret is what it returned last. */
struct vt_call *svc_call(struct vt_order *order, enum vt_what what, uint32_t a, uint64_t b,
			 uint32_t c);

/* Adds an access to vCPU 0's script that runs svc.st->access[@order]. */
void svc_access(unsigned int order);

/* Just that one access, run to its end; it must be handled by the program, without an exit. */
void svc_do(unsigned int order);

/* Waits until *@n is at least @want; fails the test after SVC_TIMEOUT_MS. */
void svc_wait_for(const uint64_t *n, uint64_t want, const char *what);

/* A number of the device's debugfs file: the one behind @key in its line that begins with @line. */
uint64_t svc_info(const char *line, const char *key);

/* The rest of the line of the device's debugfs file that begins with "@key: ". */
const char *svc_info_text(const char *key);

/* CLOCK_MONOTONIC. */
uint64_t svc_ns(void);

/* Notes timer ops from here on; none runs. */
void svc_forget_runs(void);

/* Waits until so many timer ops have run, and noted it. */
void svc_wait_runs(uint64_t n);

/* Returns when each timer op that has begun has ended; no CPU stands still meanwhile. */
void svc_settle(void);

/* So many timer ops have run, and no more come within @ms milliseconds. */
void svc_expect_runs(uint64_t n, unsigned int ms);

#endif /* SVC_H */
