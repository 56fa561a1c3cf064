// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lockstep.bpf.h"

#include "../../../bpf-progs/ide.bpf.c"
