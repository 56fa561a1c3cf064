// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_probe: answers as the test says, and keeps what it was asked. Unlike a
 * device it changes its state also where it passes.
 *
 * Regions: two, as the recording devices of tests/vm/vmscript.h.
 * State:   map vt_probe_state, struct vt_probe_state.
 */
#include "lx.bpf.h"
#include "vt_probe.h"

LX_STATE_MAP(vt_probe_state, struct vt_probe_state);

static long spin_step(__u32 i, void *unused)
{
	barrier_var(i);
	return 0;
}

static __s32 answer(struct vt_probe_state *st, struct lx_io *io, __u64 n)
{
	if (st->spin && !(st->spin_every && (n + 1) % st->spin_every == 0))
		bpf_loop(st->spin, spin_step, NULL, 0);
	if (st->eject_at == n + 1)
		lx_eject(io, st->eject_code);
	if (st->addr_mask && !(io->addr < 64 && st->addr_mask >> io->addr & 1))
		return LX_PASS;
	return st->limit && n >= st->limit ? st->then : st->verdict;
}

static int probe(struct lx_io *io, __u32 write)
{
	struct vt_probe_state *st = lx_state_of(vt_probe_state);
	struct vt_seen *seen;
	__s32 verdict;
	__u64 n;

	if (!st)
		return LX_PASS;
	n = __sync_fetch_and_add(&st->n, 1);
	verdict = answer(st, io, n);
	if (!write)
		io->data = st->data + n * st->step;
	if (n < VT_PROBE_LOG) {
		seen = &st->seen[n];
		seen->addr = io->addr;
		seen->data = io->data;
		seen->region = io->region;
		seen->len = io->len;
		seen->vcpu = io->vcpu;
		seen->flags = io->flags;
		seen->write = write;
	}
	return verdict;
}

SEC("struct_ops/vt_probe_read")
int BPF_PROG(vt_probe_read, struct lx_io *io)
{
	return probe(io, 0);
}

SEC("struct_ops/vt_probe_write")
int BPF_PROG(vt_probe_write, struct lx_io *io)
{
	return probe(io, 1);
}

SEC(".struct_ops.link")
struct lightexit_ops vt_probe = {
	.read = (void *)vt_probe_read,
	.write = (void *)vt_probe_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 2,
	.regions = { { .addr = 0x500,
		       .len = 0x20,
		       .space = LX_SPACE_PIO,
		       .flags = LX_REGION_STRINGS },
		     { .addr = 0xfe000000, .len = 0x2000, .space = LX_SPACE_MMIO } },
	.name = "vt_probe",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
