/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A time counter of a VMM that knows nothing of lightexit: what is learnt of it
 * from the answers that it gives. Shared by the BPF programs and `lightexit attach`.
 * docs/attach.md has the argument why what is answered from it is right.
 *
 * Units. A counter's value is the floor of (time + offset) * mul / div. Learnt is
 * the offset, in nanoseconds, for a count of ticks that begins with
 * WATCH_BIAS at the first sample of a calibration ("ticks" below).
 */
#ifndef LIGHTEXIT_DEV_WATCH_H
#define LIGHTEXIT_DEV_WATCH_H

#include <lightexit/state.h>

/* At most so long after a sample a read is answered; then one is passed as the next. */
#define WATCH_VERIFY_NS 10000000ULL
/* So long a counter's samples must fit before the first answer of all. */
#define WATCH_TRUST_NS 50000000ULL
/* A tracepoint's clock (bpf_ktime_get_ns()) may be behind CLOCK_MONOTONIC by no more. */
#define WATCH_CLOCK_MARGIN_NS 1000ULL
/* Ticks of a calibration's first sample. */
#define WATCH_BIAS (1ULL << 40)
/* Bits of the values that samples are compared by; above them see watch_state.top. */
#define WATCH_PMTIMER_BITS 24U
#define WATCH_HPET_BITS 32U
/* watch_state.top of nothing seen. */
#define WATCH_NO_TOP (~0ULL)
/* Misfits after which a device is left alone, until a write to it or a stop of the VM. */
#define WATCH_MISFIT_LIMIT 8U
#define WATCH_BUCKETS 32U

/* watch_state.flags: answer nothing; compare what would have been answered. */
#define WATCH_DRY_RUN (1U << 0)

/* watch_state.off: why nothing is answered any more. */
enum watch_off {
	WATCH_ON = 0,
	WATCH_OFF_MISFITS = 1,	 /* not this device, or not this clock */
	WATCH_OFF_THREADS = 2,	 /* more vCPU threads than can be told apart */
	WATCH_OFF_PROCESSES = 3, /* vCPU threads of several processes */
};

/* Why a calibration ended. */
enum watch_end {
	WATCH_END_MISFIT = 0,	/* a sample does not fit */
	WATCH_END_STOPPED = 1,	/* a vCPU left KVM_RUN otherwise than for an access */
	WATCH_END_CLOCK = 2,	/* somebody set the VM's clock or a TSC */
	WATCH_END_WRITE = 3,	/* the guest wrote to the counter, or what enables or moves it */
	WATCH_END_OTHER = 4,	/* a read of other bytes than the counter's */
	WATCH_END_LOST = 5,	/* an answer of the VMM's could not be taken as a sample */
	WATCH_END_VANISHED = 6, /* a passed read's completion was not seen */
	WATCH_ENDS = 7,
};

/**
 * struct watch_state - a counter, as far as it is known
 * @hdr:	see state.h; hdr.lock protects what says so
 *
 * Writer: who attaches, before it attaches.
 * @addr:	port, or guest-physical address, of the device's region
 * @mul:	ticks in @div nanoseconds
 * @div:	see @mul
 * @flags:	WATCH_*
 * @bits:	WATCH_PMTIMER_BITS or WATCH_HPET_BITS
 * @verify_ns:	see WATCH_VERIFY_NS
 * @trust_ns:	see WATCH_TRUST_NS
 *
 * Read without a lock; 0 at first.
 * @gen:	number of the calibration. Whoever finds a reason to doubt it adds 1.
 *		Writers: all programs, atomically; and who attaches it once more, before.
 * @ready:	@gen + 1 of the calibration that may answer. Writer: the lock's holder.
 * @lo:		lower bound of the offset; only rises within a calibration. Same writer.
 * @floor:	ticks of the highest sample. Same.
 * @first:	value of the first sample, to @bits. Same.
 * @top:	upper bits of the value last seen, and in bits 63:32 the number of
 *		2^bits that were counted up to it (modulo 2^32). Same.
 * @checked_ns:	completion of the last sample. Same.
 * @clock_gen:	lx_clock_gen() when last looked at. Writers: ops.
 * @tgid:	process of the vCPU threads. Writers: ops, once.
 * @inflight:	threads with a passed read or write that is not complete. Atomically.
 * @writes:	of these, writes. Atomically.
 * @off:	enum watch_off. Writers: all programs.
 * @trusted:	1 once @fitted_ns was @trust_ns. Lock's holder.
 * @epoch:	writes of the guest's so far. Atomically.
 *
 * Under the lock.
 * @hi:		upper bound of the offset
 * @cal_gen:	@gen + 1 of the calibration that the bounds are of
 * @first_ns:	completion of its first sample
 * @fitted_ns:	so long samples have fitted, since the last misfit
 *
 * Counters. Atomically.
 * @samples:	answers of the VMM's that were taken
 * @ends:	calibrations ended, by enum watch_end
 * @misfits:	in a row, without @trust_ns of fitting samples between
 * @compared:	samples of which was known what would have been answered instead
 * @above:	of these, where that was above the VMM's answer
 * @error:	of these, by the VMM's answer less that: bucket 0: up to 1 ns, n: up to 2^n
 * @exits:	these, by the time from trap to completion
 */
struct watch_state {
	struct lx_state hdr;
	__u64 addr;
	__u32 mul;
	__u32 div;
	__u32 flags;
	__u32 bits;
	__u64 verify_ns;
	__u64 trust_ns;

	__u64 gen;
	__u64 ready;
	__s64 lo;
	__u64 floor;
	__u64 first;
	__u64 top;
	__u64 checked_ns;
	__u64 clock_gen;
	__u32 tgid;
	__u32 inflight;
	__u32 writes;
	__u32 off;
	__u32 trusted;
	__u32 epoch;

	__s64 hi;
	__u64 cal_gen;
	__u64 first_ns;
	__u64 fitted_ns;

	__u64 samples;
	__u64 ends[WATCH_ENDS];
	__u64 misfits;
	__u64 compared;
	__u64 above;
	__u64 error[WATCH_BUCKETS];
	__u64 exits[WATCH_BUCKETS];
};

/**
 * struct watch_pending - a thread's access that was passed. Of that thread alone.
 * @trap_ns: when; 0: none
 * @gen:     watch_state.gen, read before @trap_ns
 * @ticks:   what would have been answered; 0: unknown
 * @epoch:   watch_state.epoch
 * @kind:    enum watch_kind
 */
struct watch_pending {
	__u64 trap_ns;
	__u64 gen;
	__u64 ticks;
	__u32 epoch;
	__u32 kind;
};

enum watch_kind {
	WATCH_SAMPLE = 0,  /* its answer is a sample */
	WATCH_COMPARE = 1, /* it would have been answered: a dry run */
	WATCH_OTHER = 2,   /* other bytes than the counter's: ends the calibration */
	WATCH_WRITE = 3,   /* takes effect before the thread's next access or exit */
};

#endif /* LIGHTEXIT_DEV_WATCH_H */
