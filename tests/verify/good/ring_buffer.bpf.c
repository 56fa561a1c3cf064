// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writes go to user space through a BPF ring buffer */
#include "verify.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} writes SEC(".maps");

WRITE_OP
{
	__u64 *record = bpf_ringbuf_reserve(&writes, sizeof(*record), 0);

	if (!record)
		return LX_PASS;
	*record = io->data;
	bpf_ringbuf_submit(record, 0);
	return LX_HANDLED;
}

DEVICE(.write = (void *)verify_write);
