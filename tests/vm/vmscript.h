/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A machine with the script guest and two devices behind it, on the port and
 * the MMIO bus, that record in order what reaches the VMM. For tests that say
 * exactly what a guest does, and compare what comes of it.
 */
#ifndef VMSCRIPT_H
#define VMSCRIPT_H

#include "script.h"
#include "vmtest.h"

#define VMS_TIMEOUT_MS vmt_patience(60000)
/* The largest time budget: no op overruns it, however slow the machine is. */
#define VMS_BUDGET_MAX "500000"
#define VMS_BUDGET_DEFAULT "1000"
#define VMS_PORT 0x500U
#define VMS_PORTS 0x20U
#define VMS_MMIO 0xfe000000UL
#define VMS_MMIO_LEN 0x2000UL
#define VMS_LOG 4096U

VMM_GUEST(script);

/* What reached the VMM: an access to the recording devices, with the clocks then. */
struct vms_access {
	uint64_t addr;
	uint64_t val;
	uint32_t space;
	uint32_t len;
	bool write;
	uint64_t ns;
};

/**
 * struct vms - the machine of a test
 * @log:   the first VMS_LOG accesses; for one vCPU only
 * @n:     their number
 * @next:  what the next read answers; grows by 0x0101010101010101
 * @clock: enum lx_clock of vms_access.ns
 * @ports, @mmio: the devices' indices, for vmm_dev_count()
 */
struct vms {
	struct vmm *vm;
	struct vms_access log[VMS_LOG];
	unsigned int n;
	uint64_t next;
	uint32_t clock;
	unsigned int ports;
	unsigned int mmio;
};

extern struct vms vms;

/* Makes the machine, with these vCPUs; fails the test if that fails. */
void vms_create(const struct vmm_opts *opts);

/* As a suite's .init: vmt_init() and one vCPU. */
void vms_setup(void);
void vms_teardown(void);

/* Appends a line to a vCPU's script; what it reads is in ->data after the run. */
struct script_op *vms_add(unsigned int vcpu, enum script_kind kind, uint32_t len, uint64_t addr,
			  uint64_t data, uint64_t count);

/* The same for vCPU 0, once. */
struct script_op *vms_in(uint32_t len, uint64_t port);
struct script_op *vms_read(uint32_t len, uint64_t addr);
void vms_out(uint32_t len, uint64_t port, uint64_t val);
void vms_write(uint32_t len, uint64_t addr, uint64_t val);

/* Loads what was added, ready for vmm_start() or vmm_vcpu_step(). */
void vms_load(void);

/* Empties the scripts; what was read stays until the next vms_add(). */
void vms_clear(void);

/* vms_load(), runs to the end (each vCPU must exit with 0), vms_clear(). */
void vms_run(void);

/* Forgets the recorded accesses. */
void vms_forget(void);

/* Heavy exits and accesses of both recording devices. */
struct vmm_count vms_count(void);

/* Checks one recorded access. */
void vms_saw(unsigned int i, bool write, uint32_t space, uint64_t addr, uint32_t len, uint64_t val);

#endif /* VMSCRIPT_H */
