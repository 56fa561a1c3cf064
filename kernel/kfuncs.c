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

__bpf_kfunc_start_defs();

__bpf_kfunc u64 lx_kvmclock_ns(struct lx_io *io)
{
	u64 ns = lx_clock_kvm_ns(lx_io_kern(io)->vcpu->kvm);

	rmb(); /* see lx_monotonic_ns() */
	return ns;
}

__bpf_kfunc u64 lx_clock_gen(struct lx_io *io)
{
	return lx_clock_generation(lx_io_kern(io)->vcpu->kvm);
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

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(lx_kfunc_ids)
BTF_ID_FLAGS(func, lx_kvmclock_ns, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_clock_gen, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, lx_monotonic_ns)
BTF_ID_FLAGS(func, lx_muldiv64)
BTF_ID_FLAGS(func, lx_eject, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(lx_kfunc_ids)

static const struct btf_kfunc_id_set lx_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &lx_kfunc_ids,
};

int lx_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &lx_kfunc_set);
}
