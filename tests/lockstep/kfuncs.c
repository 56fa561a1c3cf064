// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What programs call, for the native rig; kfuncs.bpf.h has the contracts. */
#include <errno.h>
#include <string.h>

#include "lockstep.h"
#include "native.h"

__u64 lx_kvmclock_ns(struct lx_io *io);
__u64 lx_monotonic_ns(void);
__u64 lx_clock_gen(struct lx_io *io);
__u64 lx_muldiv64(__u64 a, __u64 b, __u64 c);
int lx_signal(struct lx_io *io, __u32 slot);
int lx_timer_start(struct lx_io *io, __u32 idx, __u64 ns, __u32 flags);
int lx_timer_cancel(struct lx_io *io, __u32 idx);
void *native_lookup(void);

void *native_lookup(void)
{
	return native.st;
}

__u64 lx_kvmclock_ns(struct lx_io *io)
{
	return ls_now;
}

__u64 lx_monotonic_ns(void)
{
	return ls_now;
}

__u64 lx_clock_gen(struct lx_io *io)
{
	return 0;
}

__u64 lx_muldiv64(__u64 a, __u64 b, __u64 c)
{
	unsigned __int128 q = c ? (unsigned __int128)a * b / c : 0;

	return q > ~0ULL ? ~0ULL : (__u64)q;
}

int lx_signal(struct lx_io *io, __u32 slot)
{
	if (slot >= ls_rig.side[1].fds.n || ls_rig.side[1].fds.slots[slot] <= 0)
		return -ENOENT;
	native.signals |= 1U << slot;
	return 0;
}

int lx_timer_start(struct lx_io *io, __u32 idx, __u64 ns, __u32 flags)
{
	if (idx >= LX_MAX_TIMERS || flags & ~LX_TIMER_KVMCLOCK)
		ls_die("%s: timer %u, flags %#x", native.ops->name, idx, flags);
	native.due[idx] = ns;
	return 0;
}

int lx_timer_cancel(struct lx_io *io, __u32 idx)
{
	if (idx >= LX_MAX_TIMERS)
		ls_die("%s: timer %u", native.ops->name, idx);
	native.due[idx] = LS_NEVER;
	return 0;
}

extern struct lightexit_ops pmtimer, hpet, pit, rtc, pciconf, uart, regtable, ide;

const struct lightexit_ops *native_ops(const char *name)
{
	static const struct lightexit_ops *const all[] = { &pmtimer, &hpet, &pit,      &rtc,
							   &pciconf, &uart, &regtable, &ide };

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	ls_die("no program %s", name);
}
