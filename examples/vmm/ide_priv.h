/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the IDE back end's files share. */
#ifndef VMM_IDE_PRIV_H
#define VMM_IDE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <lightexit/dev/ide.h>

/* A transfer mode of SET FEATURES: Ultra DMA 5. */
#define VMM_IDE_UDMA5 0x45U

/* The 256 words of IDENTIFY DEVICE. */
void vmm_ide_identify(const struct ide_state *st, uint16_t *words);

/* SET FEATURES, by its registers. Return: false: to be aborted */
bool vmm_ide_set_features(struct ide_state *st);

#endif /* VMM_IDE_PRIV_H */
