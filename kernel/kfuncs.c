// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: kernel functions for device programs. Their contracts are in
 * include/lightexit/kfuncs.bpf.h.
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>

#include "internal.h"

/* The declarations that programs see, checked against the definitions here. */
#define __ksym
#include <lightexit/kfuncs.bpf.h>

static struct lx_io_kern *lx_io_kern(struct lx_io *io)
{
	return container_of(io, struct lx_io_kern, io);
}

static struct kvm *lx_io_kvm(struct lx_io *io)
{
	struct lx_io_kern *k = lx_io_kern(io);

	return likely(k->vcpu) ? k->vcpu->kvm : lx_timers_kvm(k->piece->dev);
}

__bpf_kfunc_start_defs();

__bpf_kfunc u64 lx_kvmclock_ns(struct lx_io *io)
{
	u64 ns = lx_clock_kvm_ns(lx_io_kvm(io));

	rmb(); /* see lx_monotonic_ns() */
	return ns;
}

__bpf_kfunc u64 lx_clock_gen(struct lx_io *io)
{
	return lx_clock_generation(lx_io_kvm(io));
}

__bpf_kfunc u64 lx_monotonic_ns(void)
{
	u64 ns = ktime_get_ns();

	/*
	 * A program reads the clock, then checks the state's seq. Reading the TSC
	 * is not ordered before later loads; with this, an unchanged seq proves
	 * that the time is before the writer's (pairs with lx_write_begin()).
	 */
	rmb();
	return ns;
}

__bpf_kfunc u64 lx_muldiv64(u64 a, u64 b, u64 c)
{
	/* The division below is one instruction that traps when the quotient overflows. */
	if (!c)
		return 0;
	if (mul_u64_u64_shr(a, b, 64) >= c)
		return U64_MAX;
	return mul_u64_u64_div_u64(a, b, c);
}

__bpf_kfunc void lx_eject(struct lx_io *io, u32 code)
{
	lx_eject_device(lx_io_kern(io)->piece->dev, LX_EJECT_PROGRAM, code);
}

__bpf_kfunc int lx_signal(struct lx_io *io, u32 slot)
{
	struct lx_io_kern *k = lx_io_kern(io);

	if (slot >= LX_MAX_SLOTS || !k->piece->dev->eventfds.slots[slot]) {
		this_cpu_inc(k->piece->counters->bad_slots);
		return -ENOENT;
	}
	k->signals |= BIT(slot);
	return 0;
}

__bpf_kfunc int lx_timer_start(struct lx_io *io, u32 idx, u64 ns, u32 flags)
{
	struct lx_device *dev = lx_io_kern(io)->piece->dev;

	if (idx >= LX_MAX_TIMERS || flags & ~LX_TIMER_FLAGS)
		return -EINVAL;
	if (!rcu_dereference_sched(dev->ops)->timer)
		return -EOPNOTSUPP;
	return lx_timer_set(dev, idx, ns, flags);
}

__bpf_kfunc int lx_timer_cancel(struct lx_io *io, u32 idx)
{
	if (idx >= LX_MAX_TIMERS)
		return -EINVAL;
	return lx_timer_clear(lx_io_kern(io)->piece->dev, idx);
}

__bpf_kfunc int lx_guest_read(struct lx_io *io, u64 gpa, void *buf, u32 buf__sz)
{
	return lx_guest_copy_from(lx_io_kern(io)->vcpu, gpa, buf, buf__sz);
}

__bpf_kfunc int lx_guest_write(struct lx_io *io, u64 gpa, const void *buf, u32 buf__sz)
{
	return lx_guest_copy_to(lx_io_kern(io)->vcpu, gpa, buf, buf__sz);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(lx_kfunc_ids)
BTF_ID_FLAGS(func, lx_kvmclock_ns, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_clock_gen, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_monotonic_ns)
BTF_ID_FLAGS(func, lx_muldiv64)
BTF_ID_FLAGS(func, lx_eject, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_signal, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_timer_start, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_timer_cancel, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_guest_read, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_guest_write, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(lx_kfunc_ids)

static const struct btf_kfunc_id_set lx_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &lx_kfunc_ids,
};

int lx_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &lx_kfunc_set);
}
