// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bench_rwlock: hpet's counter read, but under a reader-writer lock instead of
 * lx_read_begin(): what each reader of a counter costs the others.
 *
 * Regions: one of 0x400 bytes, MMIO.
 * State:   map rwlock_state, struct rwlock_state; the VMM writes the HPET's part.
 */
#include "lx.bpf.h"
#include "bench_rwlock.h"
#include "hpet_model.h"

LX_STATE_MAP(rwlock_state, struct rwlock_state);

SEC("struct_ops/rwlock_io_read")
int BPF_PROG(rwlock_io_read, struct lx_io *io)
{
	struct rwlock_state *st = lx_state_of(rwlock_state);
	int verdict = LX_PASS;
	__u64 val;

	if (!st || !hpet_is_fast(io->addr & ~7ULL))
		return LX_PASS;
	if (!(__sync_fetch_and_add(&st->readers, 1) & RWLOCK_WRITER) &&
	    lx_state_live(&st->hpet.hdr))
		verdict = hpet_read(&st->hpet, lx_device_ns(io, &st->hpet.hdr), io->addr, io->len,
				    &val);
	__sync_fetch_and_add(&st->readers, -1);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops bench_rwlock = {
	.read = (void *)rwlock_io_read,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = HPET_BASE, .len = HPET_LEN, .space = LX_SPACE_MMIO } },
	.name = "bench_rwlock",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
