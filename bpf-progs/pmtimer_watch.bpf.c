// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pmtimer_watch: answers reads of the ACPI PM timer of a VMM that knows nothing
 * of lightexit. (3 in docs/path.md; docs/attach.md)
 *
 * Regions: one of 4 bytes, PIO.
 * State:   map watch_state, struct watch_state; `lightexit attach` fills in the
 *          rate, and the port as addr.
 * Handles: reads of 4 bytes, once the offset is known.
 * Passes:  everything else. What else is read of it ends the calibration.
 */
#include "watch.bpf.h"

#include <lightexit/dev/pmtimer.h>

/* PCI Local Bus 3.0, 3.2.2.3.2: CONFIG_DATA, through which PMBASE may be moved */
#define PCI_DATA 0xcfcU
#define PCI_DATA_LEN 4U

SEC("struct_ops/pmtimer_watch_read")
int BPF_PROG(pmtimer_watch_read, struct lx_io *io)
{
	struct watch_state *st = lx_state_of(watch_state);

	return st ? watch_read(io, st, io->len == PMTIMER_LEN) : LX_PASS;
}

static inline bool overlaps(__u32 port, __u32 size, __u32 base, __u32 len)
{
	return port < base + len && base < port + size;
}

static inline void watch_out(struct watch_state *st, __u32 port, __u32 size)
{
	__u32 tid;

	if (!overlaps(port, size, PCI_DATA, PCI_DATA_LEN) &&
	    !overlaps(port, size, st->addr, PMTIMER_LEN))
		return;
	tid = watch_thread(st);
	if (tid)
		watch_note(st, tid, WATCH_WRITE, NULL);
}

SEC("raw_tp/kvm_pio")
int watch_pio(struct bpf_raw_tracepoint_args *ctx)
{
	struct watch_state *st = lx_state_of(watch_state);
	__u32 port = ctx->args[1], size = ctx->args[2], count = ctx->args[3], tid;

	if (!st)
		return 0;
	if (ctx->args[0] == KVM_PIO_OUT) {
		watch_out(st, port, size);
		return 0;
	}
	if (!overlaps(port, size, st->addr, PMTIMER_LEN))
		return 0;
	tid = watch_thread(st);
	if (!tid)
		return 0;
	if (port == st->addr && size == PMTIMER_LEN && count)
		watch_completed(st, tid, (void *)ctx->args[4] + (count - 1) * size, size);
	else
		watch_other(st, tid);
	return 0;
}

SEC(".struct_ops.link")
struct lightexit_ops pmtimer_watch = {
	.read = (void *)pmtimer_watch_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = PMTIMER_PORT,
		       .len = PMTIMER_LEN,
		       .space = LX_SPACE_PIO,
		       .flags = LX_REGION_STRINGS } },
	.name = "pmtimer_watch",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
