// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vt_svc: calls the kernel's services as the test orders it, and keeps what they
 * returned.
 *
 * Regions: one, as the recording ports of tests/vm/vmscript.h.
 * State:   map vt_svc_state, struct vt_svc_state.
 */
#include "lx.bpf.h"
#include "vt_svc.h"

LX_STATE_MAP(vt_svc_state, struct vt_svc_state);

static long spin_step(__u32 i, void *unused)
{
	barrier_var(i);
	return 0;
}

static __s64 guest(struct vt_svc_state *st, struct lx_io *io, const struct vt_call *c)
{
	__u32 len = c->c;

	if (len > VT_BUF)
		return 1;
	if (c->what == VT_GUEST_READ)
		return lx_guest_read(io, c->b, st->buf, len);
	return lx_guest_write(io, c->b, st->buf, len);
}

struct words {
	const __u64 *word;
	__u64 same;
};

static long compare_word(__u32 i, struct words *w)
{
	if (i >= VT_BUF / 8)
		return 1;
	w->same += w->word[i] == w->word[0];
	return 0;
}

static enum vt_outcome outcome(struct vt_svc_state *st, __s64 err, __u32 len)
{
	struct words w = { .word = (const __u64 *)st->buf };

	switch (err) {
	case 0:
		break;
	case -6: /* -ENXIO */
		return VT_NO_SLOT;
	case -11: /* -EAGAIN */
		return VT_INVALID_SLOT;
	case -14: /* -EFAULT */
		return VT_NOT_RESIDENT;
	default:
		return VT_OTHER;
	}
	bpf_loop(len / 8, compare_word, &w, 0);
	if (w.same != len / 8)
		return VT_TORN;
	return w.word[0] == VT_A ? VT_WORD_A : w.word[0] == VT_B ? VT_WORD_B : VT_TORN;
}

static __s64 check(struct vt_svc_state *st, struct lx_io *io, const struct vt_call *c)
{
	__u32 len = c->c;
	__s64 err;

	if (len > VT_BUF)
		return 1;
	err = lx_guest_read(io, c->b, st->buf, len);
	__sync_fetch_and_add(&st->outcome[outcome(st, err, len) % VT_OUTCOMES], 1);
	return err;
}

static __s64 start_counted(struct vt_svc_state *st, struct lx_io *io, const struct vt_call *c)
{
	if (st->level <= 0)
		return 1;
	__sync_fetch_and_add(&st->level, -1);
	return lx_timer_start(io, c->a, c->b, c->c);
}

static __s64 make_call(struct vt_svc_state *st, struct lx_io *io, const struct vt_call *c)
{
	switch (c->what) {
	case VT_SIGNAL:
		return lx_signal(io, c->a);
	case VT_START:
		return lx_timer_start(io, c->a, c->b, c->c);
	case VT_CANCEL:
		return lx_timer_cancel(io, c->a);
	case VT_GUEST_READ:
	case VT_GUEST_WRITE:
		return guest(st, io, c);
	case VT_GUEST_CHECK:
		return check(st, io, c);
	case VT_EJECT:
		lx_eject(io, c->a);
		return 0;
	case VT_ADD:
		return __sync_fetch_and_add(&st->level, c->b);
	case VT_SIGNAL_LEVEL:
		return st->level > 0 ? lx_signal(io, c->a) : 1;
	case VT_START_COUNTED:
		return start_counted(st, io, c);
	case VT_SPIN:
		return bpf_loop((__u32)c->b, spin_step, NULL, 0);
	case VT_MONOTONIC:
		return (__s64)lx_monotonic_ns();
	case VT_KVMCLOCK:
		return (__s64)lx_kvmclock_ns(io);
	default:
		return 1;
	}
}

static __s32 carry_out(struct vt_svc_state *st, struct lx_io *io, struct vt_order *order)
{
	__u64 run = __sync_fetch_and_add(&order->runs, 1);
	__u32 i;

	bpf_for(i, 0, VT_CALLS) {
		if (i >= order->n)
			break;
		order->calls[i].ret = make_call(st, io, &order->calls[i]);
	}
	return order->limit && run >= order->limit ? order->then : order->verdict;
}

static int access_op(struct lx_io *io)
{
	struct vt_svc_state *st = lx_state_of(vt_svc_state);

	if (!st)
		return LX_PASS;
	return carry_out(st, io, &st->access[io->addr / 4 % VT_ORDERS]);
}

SEC("struct_ops/vt_svc_read")
int BPF_PROG(vt_svc_read, struct lx_io *io)
{
	io->data = io->addr;
	return access_op(io);
}

SEC("struct_ops/vt_svc_write")
int BPF_PROG(vt_svc_write, struct lx_io *io)
{
	return access_op(io);
}

static void note(struct vt_svc_state *st, struct lx_io *io)
{
	__u64 n = __sync_fetch_and_add(&st->n_runs, 1);
	struct vt_run *run;

	if (n >= VT_RUNS)
		return;
	run = &st->run[n];
	run->mono = lx_monotonic_ns();
	run->kvm = lx_kvmclock_ns(io);
	run->which = io->addr;
	run->due = io->data;
	run->region = io->region;
	run->len = io->len;
	run->vcpu = io->vcpu;
	run->flags = io->flags;
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&run->noted = 1;
}

SEC("struct_ops/vt_svc_timer")
int BPF_PROG(vt_svc_timer, struct lx_io *io)
{
	struct vt_svc_state *st = lx_state_of(vt_svc_state);

	if (!st)
		return LX_HANDLED;
	if (io->addr == LX_TIMER_KICK)
		return carry_out(st, io, &st->kick);
	note(st, io);
	return carry_out(st, io, &st->timer);
}

SEC(".struct_ops.link")
struct lightexit_ops vt_svc = {
	.read = (void *)vt_svc_read,
	.write = (void *)vt_svc_write,
	.timer = (void *)vt_svc_timer,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = 0x500,
		       .len = 0x20,
		       .space = LX_SPACE_PIO,
		       .flags = LX_REGION_STRINGS } },
	.name = "vt_svc",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
