/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The VMM's PIIX3 IDE channel with an ATA disk on a file, by ide_model.h: the primary one,
 * at its legacy ports, device 0 present, device 1 not. A command is done when the guest's
 * access that completes it returns: nothing runs in the background.
 */
#ifndef VMM_IDE_H
#define VMM_IDE_H

#include <lightexit/dev/ide.h>

#include "pciconf.h"
#include "vmm.h"

struct vmm_ide;

/**
 * struct vmm_ide_opts - a channel
 * @fd:        the disk: a file or a block device, which stays the caller's; its size in whole
 *             sectors is the disk's from now on
 * @read_only: WRITE commands are aborted
 * @bm_port:   the bus master's 16 ports; 0: IDE_BM_PORT. Part of BAR 4
 * @irq_fd:    eventfd that is signalled when INTRQ rises (vmm_irqfd(), GSI IDE_IRQ, an edge);
 *             -1: none
 * @state:     a device program's mapped state (lx_device_state()), which is published with
 *             that, and outlives the channel; NULL: a private one
 */
struct vmm_ide_opts {
	int fd;
	bool read_only;
	uint16_t bm_port;
	int irq_fd;
	struct ide_state *state;
};

/**
 * vmm_ide_new() - a channel after power-on
 * @out: vmm_ide_free() it, after the machine
 * Return: 0; -EINVAL: no whole sector; what lseek() says; or as vmm_add_dev()
 */
int vmm_ide_new(struct vmm *vm, const struct vmm_ide_opts *opts, struct vmm_ide **out);
void vmm_ide_free(struct vmm_ide *ide);

/* Heavy exits and accesses of all its ports. */
struct vmm_count vmm_ide_count(const struct vmm_ide *ide);

/* The disk is pulled: what is under way fails, and so does every command from now on. */
void vmm_ide_remove(struct vmm_ide *ide);

/*
 * Its PCI function (8086:7010), for vmm_pciconf_add() with the PIIX3's second function. It
 * says what is: guests may size BAR 4, but the ports stay where they are.
 */
void vmm_ide_function(const struct vmm_ide *ide, struct vmm_pciconf_function *out);

#endif /* VMM_IDE_H */
