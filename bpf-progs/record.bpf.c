// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * record: tells `lightexit record` of a VM's accesses. No device: it answers nothing, needs no
 * module, and the VM does not notice it but by the time that it takes.
 *
 * Tracepoints fire for every VM of the host and in the vCPU's thread: the thread's process is
 * the filter. A read is traced when it is complete, a write before it is done. Between a read's
 * exit and its completion the vCPU returns to user space if the VMM has to answer.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include <lightexit/dev/record.h>

#include "kvmtrace.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_filter);
} record_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RECORD_BUFFER);
} record_events SEC(".maps");

/* A vCPU's last exit from the guest, and whether it went on to user space. */
struct record_trap {
	__u64 ns;
	__u64 vmm;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RECORD_THREADS);
	__type(key, __u32);
	__type(value, struct record_trap);
} record_traps SEC(".maps");

/* The filter, if the calling thread is one of the VM's process. */
static inline struct record_filter *filter_of(__u32 *tid)
{
	struct record_filter *f = bpf_map_lookup_elem(&record_filter, &(__u32){ 0 });
	__u64 id = bpf_get_current_pid_tgid();

	*tid = id;
	return f && id >> 32 == f->tgid ? f : NULL;
}

static inline bool is_wanted(const struct record_filter *f, __u32 space, __u64 addr, __u32 size)
{
	__u32 i;

	for (i = 0; i < RECORD_RANGES && i < f->n_ranges; i++) {
		const struct record_range *r = &f->ranges[i];

		if (r->space == space && addr < r->addr + r->len && r->addr < addr + size)
			return true;
	}
	return false;
}

/* Without a wake-up for each: user space looks often enough, and the vCPU waits for none. */
static inline void tell(struct record_filter *f, struct record_event *e)
{
	e->ns = bpf_ktime_get_ns();
	e->lost = f->lost;
	if (bpf_ringbuf_output(&record_events, e, sizeof(*e), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&f->lost, 1);
}

/* An access; not one whose exit was before the recording: who answered it is not known. */
static inline void tell_access(struct record_filter *f, struct record_event *e)
{
	struct record_trap *t = bpf_map_lookup_elem(&record_traps, &e->tid);

	if (!t)
		return;
	e->trap_ns = t->ns;
	e->vmm = t->vmm;
	tell(f, e);
}

SEC("raw_tp/kvm_exit")
int record_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct record_trap *t, now = { 0 };
	__u32 tid;

	if (!filter_of(&tid))
		return 0;
	now.ns = bpf_ktime_get_ns();
	t = bpf_map_lookup_elem(&record_traps, &tid);
	if (t)
		*t = now;
	else
		bpf_map_update_elem(&record_traps, &tid, &now, BPF_NOEXIST);
	return 0;
}

SEC("raw_tp/kvm_userspace_exit")
int record_userspace_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct record_event e = { .kind = RECORD_EXIT, .count = 1 };
	__u32 reason = ctx->args[0];
	__s32 err = ctx->args[1];
	struct record_filter *f;
	struct record_trap *t;

	f = filter_of(&e.tid);
	if (!f)
		return 0;
	t = bpf_map_lookup_elem(&record_traps, &e.tid);
	if (t)
		t->vmm = 1;
	if (!err && (reason == KVM_EXIT_IO || reason == KVM_EXIT_MMIO))
		return 0;
	e.addr = reason;
	e.val = err < 0 ? -err : 0;
	tell(f, &e);
	return 0;
}

SEC("raw_tp/kvm_pio")
int record_pio(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 port = ctx->args[1], size = ctx->args[2], count = ctx->args[3];
	struct record_event e = { .addr = port, .size = size, .count = count };
	struct record_filter *f = filter_of(&e.tid);

	if (!f || !count || !is_wanted(f, LX_SPACE_PIO, port, size))
		return 0;
	e.kind = ctx->args[0] == KVM_PIO_OUT ? RECORD_OUT : RECORD_IN;
	bpf_probe_read_kernel(&e.val, size & 7, (void *)ctx->args[4] + (count - 1) * size);
	tell_access(f, &e);
	return 0;
}

SEC("raw_tp/kvm_mmio")
int record_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 type = ctx->args[0], size = ctx->args[1];
	struct record_event e = { .addr = ctx->args[2], .size = size, .count = 1 };
	struct record_filter *f = filter_of(&e.tid);

	if (!f || (type != KVM_TRACE_MMIO_READ && type != KVM_TRACE_MMIO_WRITE) ||
	    !is_wanted(f, LX_SPACE_MMIO, e.addr, size))
		return 0;
	e.kind = type == KVM_TRACE_MMIO_WRITE ? RECORD_WRITE : RECORD_READ;
	if (ctx->args[3])
		bpf_probe_read_kernel(&e.val, size < 8 ? size & 7 : 8, (void *)ctx->args[3]);
	tell_access(f, &e);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
