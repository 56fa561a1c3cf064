// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: a VM's kvmclock, as KVM_GET_CLOCK computes it.
 *
 * With a master clock (the host's clock source is the TSC) it is the pvclock
 * formula on the values that KVM took together: the TSC since master_cycle_now,
 * scaled, plus master_kernel_ns, plus kvmclock_offset. The scale is rounded to
 * 32 bits as the pvclock ABI has it; a more exact one would drift away from KVM.
 * Without a master clock it is the raw clock, counted from boot.
 *
 * kvm->arch.pvclock_sc protects all of it. Its writers are short and have
 * interrupts off.
 */
#include <linux/hash.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>

#include "internal.h"

/* TSC to nanoseconds. Set once, before the first program can run. */
static struct pvclock_vcpu_time_info lx_tsc_scale;

/*
 * Shifts the rate into (10^9, 2 * 10^9], then mul = 10^9 * 2^32 / rate, rounded
 * down: pvclock's tsc_shift and tsc_to_system_mul (Documentation/virt/kvm/x86/msr.rst),
 * in the form that KVM chooses among the equivalent ones.
 */
static void lx_set_scale(u64 hz)
{
	u64 rate = hz;
	s8 shift = 0;

	while (rate > 2 * (u64)NSEC_PER_SEC) {
		rate >>= 1;
		shift--;
	}
	while (rate <= NSEC_PER_SEC) {
		rate <<= 1;
		shift++;
	}
	lx_tsc_scale.tsc_shift = shift;
	lx_tsc_scale.tsc_to_system_mul = div_u64((u64)NSEC_PER_SEC << 32, rate);
}

void lx_clock_init(void)
{
	/* No host with a TSC of changing rate has it as clock source, hence no master clock. */
	lx_set_scale(tsc_khz * 1000ULL);
}

static u64 lx_master_clock_ns(const struct kvm_arch *ka)
{
	struct pvclock_vcpu_time_info src = lx_tsc_scale;

	src.tsc_timestamp = ka->master_cycle_now;
	src.system_time = ka->master_kernel_ns + ka->kvmclock_offset;
	return __pvclock_read_cycles(&src, rdtsc_ordered());
}

static u64 lx_raw_clock_ns(const struct kvm_arch *ka)
{
	return ktime_get_raw_ns() + ktime_mono_to_any(0, TK_OFFS_BOOT) + ka->kvmclock_offset;
}

u64 lx_clock_kvm_ns(struct kvm *kvm)
{
	struct kvm_arch *ka = &kvm->arch;
	unsigned int seq;
	u64 ns;

	do {
		seq = read_seqcount_begin(&ka->pvclock_sc);
		ns = ka->use_master_clock ? lx_master_clock_ns(ka) : lx_raw_clock_ns(ka);
	} while (read_seqcount_retry(&ka->pvclock_sc, seq));
	return ns;
}

/*
 * KVM_SET_CLOCK moves the sequence of pvclock_sc; each write of a TSC by user
 * space moves last_tsc_nsec, even one that KVM takes as matching the others.
 */
u64 lx_clock_generation(struct kvm *kvm)
{
	u64 seq = READ_ONCE(kvm->arch.pvclock_sc.seqcount.sequence);

	return seq * GOLDEN_RATIO_64 + READ_ONCE(kvm->arch.last_tsc_nsec);
}
