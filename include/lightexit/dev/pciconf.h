/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PCI configuration mechanism #1: ports and state. Shared by the BPF program and
 * VMMs. Section numbers are those of the PCI Local Bus Specification 3.0.
 */
#ifndef LIGHTEXIT_DEV_PCICONF_H
#define LIGHTEXIT_DEV_PCICONF_H

#include <lightexit/state.h>

/* 3.2.2.3.2: CONFIG_ADDRESS, of 4 bytes only, and CONFIG_DATA */
#define PCICONF_PORT 0xcf8U
#define PCICONF_LEN 8U
#define PCICONF_ADDRESS 0U
#define PCICONF_DATA 4U

/* CONFIG_ADDRESS: enable, bus, device and function, register; the others read 0. */
#define PCICONF_ENABLE (1U << 31)
#define PCICONF_ADDRESS_BITS 0x80fffffcU

#define PCICONF_WORDS 64U
/* Functions with a mirror. */
#define PCICONF_FUNCTIONS 32U

/**
 * struct pciconf_function - a function's configuration space
 * @pass:   a bit for each of its words: reads are the VMM's
 * @config: the other words, as they are read
 */
struct pciconf_function {
	__u32 pass[PCICONF_WORDS / 32];
	__u32 config[PCICONF_WORDS];
};

/**
 * struct pciconf_state - configuration spaces
 * @hdr:     see state.h
 * @address: CONFIG_ADDRESS. Writers: program and VMM
 * @buses:   buses from this on do not exist; functions of 1 and up are the VMM's
 * @slot:    of each device and function of bus 0: 0: it does not exist; else one more
 *           than its index in @functions; above PCICONF_FUNCTIONS: the VMM's
 * @functions: mirrors
 *
 * The state's lock protects all of it. Writer of all but @address: the VMM.
 */
struct pciconf_state {
	struct lx_state hdr;
	__u32 address;
	__u32 buses;
	__u32 slot[256];
	struct pciconf_function functions[PCICONF_FUNCTIONS];
};

#endif /* LIGHTEXIT_DEV_PCICONF_H */
