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

/*
 * TSC to nanoseconds, by a TSC of @khz. Written once, before the first program can run. The
 * kernel may refine tsc_khz after that (about a second into the boot), and KVM goes by the new one.
 */
static struct {
	unsigned int khz;
	struct pvclock_vcpu_time_info pv;
} lx_scale __ro_after_init;

/*
 * Shifts the rate into (10^9, 2 * 10^9], then mul = 10^9 * 2^32 / rate, rounded
 * down: pvclock's tsc_shift and tsc_to_system_mul (Documentation/virt/kvm/x86/msr.rst),
 * in the form that KVM chooses among the equivalent ones.
 */
static struct pvclock_vcpu_time_info lx_scale_of(unsigned int khz)
{
	u64 rate = khz * 1000ULL;
	s8 shift = 0;

	while (rate > 2 * (u64)NSEC_PER_SEC) {
		rate >>= 1;
		shift--;
	}
	while (rate <= NSEC_PER_SEC) {
		rate <<= 1;
		shift++;
	}
	return (struct pvclock_vcpu_time_info){
		.tsc_shift = shift,
		.tsc_to_system_mul = div_u64((u64)NSEC_PER_SEC << 32, rate),
	};
}

/* -ENODEV: the kernel does not know its TSC's rate. */
int __init lx_clock_init(void)
{
	lx_scale.khz = READ_ONCE(tsc_khz);
	if (!lx_scale.khz)
		return -ENODEV;
	lx_scale.pv = lx_scale_of(lx_scale.khz);
	return 0;
}

/* No host with a TSC of changing rate has it as clock source, hence no master clock. */
static u64 lx_master_clock_ns(const struct kvm_arch *ka)
{
	struct pvclock_vcpu_time_info src = lx_scale.pv;
	unsigned int khz = READ_ONCE(tsc_khz);

	if (unlikely(khz != lx_scale.khz))
		src = lx_scale_of(khz);
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
