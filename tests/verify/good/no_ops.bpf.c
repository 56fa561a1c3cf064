// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A device without ops: it only counts */
#include "verify.bpf.h"

DEVICE(.read = NULL);
