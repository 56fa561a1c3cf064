/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lightexit: the clock that a time-keeping device counts by. Shared by BPF
 * programs and user space. Both clocks are read with the same result by the
 * program (lx_monotonic_ns(), lx_kvmclock_ns()) and by the VMM
 * (clock_gettime(CLOCK_MONOTONIC), KVM_GET_CLOCK).
 */
#ifndef LIGHTEXIT_CLOCK_H
#define LIGHTEXIT_CLOCK_H

/**
 * enum lx_clock - a device's time base
 * @LX_CLOCK_MONOTONIC: the host's; cheap for the VMM to read
 * @LX_CLOCK_KVM:       the VM's kvmclock; stops and moves with the VM
 */
enum lx_clock {
	LX_CLOCK_MONOTONIC = 0,
	LX_CLOCK_KVM = 1,
};

#endif /* LIGHTEXIT_CLOCK_H */
