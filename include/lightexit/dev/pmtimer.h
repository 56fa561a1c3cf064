/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ACPI power-management timer: register map and state. Shared by the BPF
 * program and VMMs. Section numbers are those of the ACPI specification 6.5.
 */
#ifndef LIGHTEXIT_DEV_PMTIMER_H
#define LIGHTEXIT_DEV_PMTIMER_H

#include <lightexit/state.h>

/* 4.8.2.1: a free-running counter of 3.579545 MHz, read through TMR_VAL. */
#define PMTIMER_HZ 3579545U
/* 4.8.3.3: PM_TMR_BLK is 4 bytes; TMR_VAL in bits 23:0, E_TMR_VAL in 31:24. */
#define PMTIMER_LEN 4U
/* PM_TMR_BLK where ICH9-like chipsets and QEMU's q35 have it (PMBASE + 8). */
#define PMTIMER_PORT 0x608U
/* And QEMU's pc. */
#define PMTIMER_PORT_PC 0xb008U

/**
 * struct pmtimer_state - what the timer's value follows from: device time
 * @hdr:  see state.h
 * @bits: counter width, 24 or 32 (FADT flag TMR_VAL_EXT, 5.2.9)
 * @pad:  0
 *
 * Writer of all fields: the VMM.
 */
struct pmtimer_state {
	struct lx_state hdr;
	__u32 bits;
	__u32 pad;
};

#endif /* LIGHTEXIT_DEV_PMTIMER_H */
