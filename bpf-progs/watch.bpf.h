/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs share that watch a VMM's counter: an op that answers or
 * passes, and the tracepoint programs that see what the VMM answered. Each object
 * has one struct watch_state and serves one device of one VM.
 *
 * Tracepoints fire for every VM of the host, in the vCPU's thread, and name no
 * VM. So their programs compare the port or address first, then the process, and
 * find a thread's pending access by its id. An access that no op saw, because
 * the module was switched off or the access lies across the region's end, leaves
 * neither mark nor pending access, and ends the calibration.
 *
 * Tracepoint programs may not call lightexit's kfuncs: their clock is
 * bpf_ktime_get_ns(), and the model divides by itself.
 */
#ifndef WATCH_BPF_H
#define WATCH_BPF_H

#include "kvmtrace.bpf.h"
#include "lx.bpf.h"
#include "watch_model.h"

#define WATCH_THREADS 4096
#define WATCH_LOCK_TRIES 64

/* Exits to the VMM with which a VM is not stopped. */
#define WATCH_EXITS                                                                               \
	(1ULL << KVM_EXIT_IO | 1ULL << KVM_EXIT_MMIO | 1ULL << KVM_EXIT_IRQ_WINDOW_OPEN |         \
	 1ULL << KVM_EXIT_TPR_ACCESS | 1ULL << KVM_EXIT_IOAPIC_EOI | 1ULL << KVM_EXIT_X86_RDMSR | \
	 1ULL << KVM_EXIT_X86_WRMSR)

LX_STATE_MAP(watch_state, struct watch_state);

/* Passed accesses, by thread. An entry is its thread's alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WATCH_THREADS);
	__type(key, __u32);
	__type(value, struct watch_pending);
} watch_threads SEC(".maps");

/* The thread whose read was answered on this CPU, until its completion is seen. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} watch_answered SEC(".maps");

/* What calibration @gen would answer. */
struct watch_would {
	__u64 gen, ticks;
};

static inline struct watch_pending *watch_pending_of(__u32 tid)
{
	return bpf_map_lookup_elem(&watch_threads, &tid);
}

/* The calling thread's id, if it is of the VM's process; else 0. */
static inline __u32 watch_thread(const struct watch_state *st)
{
	__u64 id = bpf_get_current_pid_tgid();

	return id >> 32 == WATCH_ONCE(st->tgid) ? (__u32)id : 0;
}

static inline void watch_give_up(struct watch_state *st, enum watch_off why)
{
	WATCH_SET(st->off, why);
	watch_doubt(st, WATCH_END_LOST);
}

/* What did not fit may have been of before: from now on it is another counter. */
static inline void watch_renew(struct watch_state *st)
{
	WATCH_SET(st->misfits, 0);
	if (WATCH_ONCE(st->off) == WATCH_OFF_MISFITS)
		WATCH_SET(st->off, WATCH_ON);
}

/* A write has taken effect: what was passed before may be of the counter before it. */
static inline void watch_written(struct watch_state *st)
{
	__sync_fetch_and_add(&st->epoch, 1);
	watch_doubt(st, WATCH_END_WRITE);
	__sync_fetch_and_add(&st->writes, -1);
	watch_renew(st);
}

/* The thread does something new: what was pending has ended, or never will. */
static inline void watch_settle(struct watch_state *st, struct watch_pending *p)
{
	if (!p->trap_ns)
		return;
	if (p->kind == WATCH_WRITE)
		watch_written(st);
	else
		watch_doubt(st, WATCH_END_VANISHED);
	p->trap_ns = 0;
	__sync_fetch_and_add(&st->inflight, -1);
}

/*
 * Notes an access that goes to the VMM. Its trap's time is read after the calibration's number.
 * @would: what would have been answered; NULL: nothing is known. Another calibration counts its
 * ticks from elsewhere.
 */
static inline void watch_note(struct watch_state *st, __u32 tid, enum watch_kind kind,
			      const struct watch_would *would)
{
	struct watch_pending *p = watch_pending_of(tid), none = { 0 };

	if (!p) {
		bpf_map_update_elem(&watch_threads, &tid, &none, BPF_NOEXIST);
		p = watch_pending_of(tid);
	}
	if (!p) {
		watch_give_up(st, WATCH_OFF_THREADS);
		return;
	}
	watch_settle(st, p);
	__sync_fetch_and_add(&st->inflight, 1);
	if (kind == WATCH_WRITE) {
		__sync_fetch_and_add(&st->writes, 1);
		watch_doubt(st, WATCH_END_WRITE);
	}
	p->gen = WATCH_ONCE(st->gen);
	p->epoch = WATCH_ONCE(st->epoch);
	p->ticks = would && would->gen == p->gen ? would->ticks : 0;
	p->kind = kind;
	WATCH_BARRIER();
	p->trap_ns = bpf_ktime_get_ns() - WATCH_CLOCK_MARGIN_NS;
}

/* In an op: the access goes to the VMM. */
static inline int watch_pass(struct watch_state *st, enum watch_kind kind,
			     const struct watch_would *would)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = __sync_val_compare_and_swap(&st->tgid, 0, id >> 32);

	if (tgid && tgid != id >> 32)
		watch_give_up(st, WATCH_OFF_PROCESSES);
	else
		watch_note(st, id, kind, would);
	return LX_PASS;
}

static inline int watch_answer(struct lx_io *io, __u64 val)
{
	__u32 *mark = bpf_map_lookup_elem(&watch_answered, &(__u32){ 0 });

	if (mark)
		*mark = bpf_get_current_pid_tgid();
	io->data = val;
	return LX_HANDLED;
}

/* A string's further element: to pass would lose it, so the last known offset does. */
static inline int watch_continue(struct lx_io *io, struct watch_state *st)
{
	struct watch_view v = {
		.gen = WATCH_ONCE(st->gen),
		.offset = WATCH_ONCE(st->lo),
		.floor = WATCH_ONCE(st->floor),
		.first = WATCH_ONCE(st->first),
		.top = WATCH_ONCE(st->top),
	};
	__u64 full, ready = WATCH_ONCE(st->ready);

	full = watch_full(v.first, watch_count(st, &v, lx_monotonic_ns()));
	full &= WATCH_MASK(st->bits);
	if (io->len * 8 > st->bits)
		full |= (v.top & WATCH_MASK(32)) << st->bits;
	if (ready != v.gen + 1 || watch_retry(st, &v))
		watch_doubt(st, WATCH_END_LOST);
	return watch_answer(io, full);
}

/* The clock of the VM was set, or its TSC: what was learnt is doubtful. */
static inline void watch_clock(struct lx_io *io, struct watch_state *st)
{
	__u64 gen = lx_clock_gen(io);

	if (gen == WATCH_ONCE(st->clock_gen))
		return;
	watch_doubt(st, WATCH_END_CLOCK);
	WATCH_SET(st->clock_gen, gen);
}

/* A read of the counter, if that is all that is read; else of other bytes. */
static inline int watch_read(struct lx_io *io, struct watch_state *st, bool counter)
{
	struct watch_pending *p;
	struct watch_view v;
	struct watch_would would;
	__u64 now, val;

	if (io->flags & LX_IO_CONTINUED)
		return watch_continue(io, st);
	if (WATCH_ONCE(st->inflight)) {
		p = watch_pending_of(bpf_get_current_pid_tgid());
		if (p)
			watch_settle(st, p);
	}
	if (!counter)
		return watch_pass(st, WATCH_OTHER, NULL);
	watch_clock(io, st);
	if (WATCH_ONCE(st->off) || !watch_begin(st, &v))
		return watch_pass(st, WATCH_SAMPLE, NULL);
	now = lx_monotonic_ns();
	would.gen = v.gen;
	would.ticks = watch_count(st, &v, now);
	if (watch_retry(st, &v) || watch_due(st, now) ||
	    watch_value(st, &v, would.ticks, io->len, &val) != LX_HANDLED)
		return watch_pass(st, WATCH_SAMPLE, &would);
	if (st->flags & WATCH_DRY_RUN)
		return watch_pass(st, WATCH_COMPARE, &would);
	return watch_answer(io, val);
}

static inline bool watch_lock(struct watch_state *st)
{
	int i;

	for (i = 0; i < WATCH_LOCK_TRIES; i++) {
		if (lx_enter(&st->hdr))
			return true;
	}
	return false;
}

static inline void watch_take(struct watch_state *st, const struct watch_pending *p,
			      const struct watch_answer *a)
{
	if (!watch_lock(st)) {
		watch_doubt(st, WATCH_END_LOST);
		return;
	}
	watch_sample(st, p, a);
	lx_leave(&st->hdr);
}

/* True if the thread's last read was answered here, on this CPU. */
static inline bool watch_was_answered(__u32 tid)
{
	__u32 *mark = bpf_map_lookup_elem(&watch_answered, &(__u32){ 0 });

	if (!mark || *mark != tid)
		return false;
	*mark = 0;
	return true;
}

static inline void watch_passed(struct watch_state *st, struct watch_pending *p, const void *from,
				__u32 len)
{
	struct watch_answer a = {
		.done_ns = bpf_ktime_get_ns() + WATCH_CLOCK_MARGIN_NS,
		.len = len,
	};
	struct watch_pending was = *p;

	p->trap_ns = 0;
	__sync_fetch_and_add(&st->inflight, -1);
	if (was.kind == WATCH_OTHER)
		watch_doubt(st, WATCH_END_OTHER);
	else if (bpf_probe_read_kernel(&a.val, len & 15, from))
		watch_doubt(st, WATCH_END_LOST);
	else if (was.kind == WATCH_SAMPLE)
		watch_take(st, &was, &a);
	else if (was.ticks && was.gen == WATCH_ONCE(st->gen))
		watch_compare(st, &was, &a);
}

/* A read of the counter by this thread is complete; @from has the value. */
static inline void watch_completed(struct watch_state *st, __u32 tid, const void *from, __u32 len)
{
	struct watch_pending *p;

	if (!WATCH_ONCE(st->inflight) && watch_was_answered(tid))
		return;
	p = watch_pending_of(tid);
	if (p && p->trap_ns && p->kind != WATCH_WRITE)
		watch_passed(st, p, from, len);
	else if (!watch_was_answered(tid))
		watch_doubt(st, WATCH_END_LOST);
}

/* A read that the op does not see as one of the counter is complete. */
static inline void watch_other(struct watch_state *st, __u32 tid)
{
	struct watch_pending *p = watch_pending_of(tid);

	watch_doubt(st, WATCH_END_OTHER);
	if (!p || !p->trap_ns || p->kind == WATCH_WRITE)
		return;
	p->trap_ns = 0;
	__sync_fetch_and_add(&st->inflight, -1);
}

/*
 * A vCPU returns to the VMM. Other reasons than an access's, signals above all, may
 * mean that the VM is being stopped; until all vCPUs are, some read a clock that
 * stands still, which fits nothing. The first exit after a write is the write's own.
 */
static inline void watch_exited(struct watch_state *st, __u32 reason, __s32 err)
{
	struct watch_pending *p;
	__u32 tid;

	if (!err && reason < 64 && (WATCH_EXITS >> reason & 1) && !WATCH_ONCE(st->writes))
		return;
	tid = watch_thread(st);
	if (!tid)
		return;
	if (err || reason >= 64 || !(WATCH_EXITS >> reason & 1)) {
		watch_doubt(st, WATCH_END_STOPPED);
		watch_renew(st);
	}
	p = watch_pending_of(tid);
	if (p && p->trap_ns && p->kind == WATCH_WRITE && p->ticks++)
		watch_settle(st, p);
}

SEC("raw_tp/kvm_userspace_exit")
int watch_userspace_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct watch_state *st = lx_state_of(watch_state);

	if (st)
		watch_exited(st, ctx->args[0], ctx->args[1]);
	return 0;
}

#endif /* WATCH_BPF_H */
