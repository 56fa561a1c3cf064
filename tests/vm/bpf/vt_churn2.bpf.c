// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vt_churn2: vt_churn under another number, to replace it with and to tell them apart. */
#define VT_CHURN_PROG 1
#include "vt_churn.bpf.c"
