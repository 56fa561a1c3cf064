// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vr_plain: a good BPF object that is no device program: it has no lightexit_ops. */
#include "lx.bpf.h"

LX_STATE_MAP(vr_plain_state, struct lx_state);

SEC("raw_tp/sys_enter")
int vr_plain(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
