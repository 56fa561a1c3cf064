/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of vt_probe: what it shall answer, and what it saw. BPF and user. */
#ifndef VT_PROBE_H
#define VT_PROBE_H

#include <lightexit/state.h>

#define VT_PROBE_LOG 1024

/* One struct lx_io as the program got it; @data: what it wrote, if a read was handled. */
struct vt_seen {
	__u64 addr;
	__u64 data;
	__u32 region;
	__u32 len;
	__u32 vcpu;
	__u32 flags;
	__u32 write;
	__u32 pad;
};

/**
 * struct vt_probe_state - vt_probe's orders and its diary
 * @verdict:    of its calls, but
 * @limit:      if not 0: only of this many calls, then
 * @then:       this one
 * @addr_mask:  if not 0: LX_PASS for addresses whose bit is not set here (0 to 63)
 * @data, @step: a read gets @data + @n * @step
 * @eject_at, @eject_code: if @eject_at is @n + 1: calls lx_eject(@eject_code)
 * @spin:       iterations of an empty loop in each call, but
 * @spin_every: if not 0: none in each such call
 * @n:          calls so far. Writer: the program.
 * @seen:       the first of them. Writer: the program.
 *
 * Writer of all else: the test.
 */
struct vt_probe_state {
	struct lx_state hdr;
	__s32 verdict;
	__s32 then;
	__u64 limit;
	__u64 addr_mask;
	__u64 data;
	__u64 step;
	__u64 eject_at;
	__u32 eject_code;
	__u32 spin;
	__u64 spin_every;
	__u64 n;
	struct vt_seen seen[VT_PROBE_LOG];
};

#endif /* VT_PROBE_H */
