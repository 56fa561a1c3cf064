// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pmtimer: answers reads of the ACPI PM timer. (3 in docs/path.md)
 *
 * Regions: one of 4 bytes, PIO (PMTIMER_PORT by default) or MMIO.
 * State:   map pmtimer_state, struct pmtimer_state; the VMM writes it.
 * Handles: reads of 1, 2 and 4 bytes within the register.
 * Passes:  everything else, all writes, and all reads while the VMM is
 *          changing the state.
 */
#include "lx.bpf.h"
#include "pmtimer_model.h"

LX_STATE_MAP(pmtimer_state, struct pmtimer_state);

SEC("struct_ops/pmtimer_io_read")
int BPF_PROG(pmtimer_io_read, struct lx_io *io)
{
	struct pmtimer_state *st = lx_state_of(pmtimer_state);
	__u64 val;
	__u32 seq;

	if (!st || !lx_read_live(&st->hdr, &seq))
		return LX_PASS;
	if (pmtimer_read(st, lx_device_ns(io, &st->hdr), io->addr, io->len, &val) != LX_HANDLED)
		return LX_PASS;
	if (lx_read_retry(&st->hdr, seq))
		return LX_PASS;
	io->data = val;
	return LX_HANDLED;
}

SEC(".struct_ops.link")
struct lightexit_ops pmtimer = {
	.read = (void *)pmtimer_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = PMTIMER_PORT, .len = PMTIMER_LEN, .space = LX_SPACE_PIO } },
	.name = "pmtimer",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
