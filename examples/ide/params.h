/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What examples/ide and its guest's init agree on; init has the numbers written out. */
#ifndef IDE_PARAMS_H
#define IDE_PARAMS_H

/* The guest writes here when a phase begins (MARK_BEGIN + its number) and ends (0). */
#define MARK_PORT 0x510U
#define MARK_BEGIN 0x80U

/* Phases: by mode (DMA, PIO), then by operation (read, write), then by the size of a command. */
#define PHASES 8U
#define PHASE_BYTES 262144U
#define PHASE_SMALL 4096U
#define PHASE_LARGE 65536U

#endif /* IDE_PARAMS_H */
