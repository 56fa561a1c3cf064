/* SPDX-License-Identifier: GPL-2.0-only */
/* lightexit: what the module's files share. */
#ifndef LX_INTERNAL_H
#define LX_INTERNAL_H

#include <linux/bpf.h>
#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <kvm/iodev.h>

#include <lightexit/ops.h>

#include "compat.h"

/**
 * enum lx_gate - which accesses reach a device's program
 * @LX_GATE_OPEN:   all
 * @LX_GATE_FINISH: only further elements of a string that the device began in
 *                  the same exit, so that no string is cut
 * @LX_GATE_CLOSED: none
 */
enum lx_gate {
	LX_GATE_OPEN = 0,
	LX_GATE_FINISH,
	LX_GATE_CLOSED,
};

/*
 * One region's events on one CPU. Written with this_cpu_inc(), summed by stats.c. A row
 * of its own counts the timer op: its runs as handled, its retries as passed.
 */
struct lx_counters {
	u64 handled;
	u64 passed;
	u64 errors;
	u64 string_splits;
	u64 signals;
	u64 bad_slots;
};

#define LX_COUNTERS_TIMER LX_MAX_REGIONS
#define LX_COUNTERS_ROWS (LX_MAX_REGIONS + 1)

/**
 * struct lx_eventfds - the eventfds that a device was attached with
 * @slots:    lx_signal()'s; NULL: none
 * @handover: signalled when the VMM is to take over; NULL: none
 * @kick:     the one that @wait waits on; NULL: none
 * @kick_file: its file, until lx_kick_heed()
 * @head, @wait, @poll: its wait queue, our entry there, and how to get there
 * @heeded:   @wait is in the queue. Cleared by xchg(): who clears it takes @wait out.
 */
struct lx_eventfds {
	struct eventfd_ctx *slots[LX_MAX_SLOTS];
	struct eventfd_ctx *handover;
	struct eventfd_ctx *kick;
	struct file *kick_file;
	wait_queue_head_t *head;
	wait_queue_entry_t wait;
	poll_table poll;
	bool heeded;
};

/**
 * struct lx_device - one attached struct_ops instance
 *
 * Who may die first: the VM owns the pieces on its buses, the link owns the
 * device; either may go before the other. Each piece, the link and a pending
 * @retry hold a reference; the last one frees. The device never keeps a VM.
 *
 * Read on each access:
 * @gate:     enum lx_gate; closed until the attach is through. Writers: attach, and who
 *            holds @phase; eject, which only closes. Readers: inside
 *            rcu_read_lock_sched().
 * @ops:      the programs and their parameters. Readers: rcu_read_lock_sched(),
 *            held until the program returned. Writer: update.
 * @watch:    op run time in cycles above which lx_judge() looks at it; 0 while it counts
 *            events in a row
 * @errors_row, @overruns_row: events in a row; racy between CPUs on purpose, a lost count only
 *            delays an ejection
 *
 * @counters: per region
 * @strings:  vcpu_idx -> struct lx_string; entries are added by vCPUs and freed
 *            with the device
 * @vm_lock:  protects @kvm and @pieces. Inside kvm->slots_lock. A destructor
 *            takes it while the VM is being destroyed, so as long as it is held
 *            and @kvm is set, the struct kvm is there (perhaps with no users).
 * @kvm:      the VM while pieces are on its buses, else NULL
 * @kvm_module: the module whose text the VM's end runs. Whoever holds the VM beyond
 *            a file descriptor of its holds this too: only files pin it.
 * @pieces:   the pieces on the buses
 * @dead:     detached for good; its pieces, if any are left, pass everything
 * @held:     a reference to the VM that @retry gives back
 * @eject, @eject_detail: enum lx_eject_code and lx_eject()'s code. @eject is
 *            set once by cmpxchg().
 * @max_cycles, @overruns: longest op and number of ops over the budget
 * @node:     in lx_devices, protected by lx_devices_lock
 * @link:     the owner, until unreg
 *
 * @eventfds: set before the device is attached, given back when it is freed
 * @timers:   see timer.c
 * @phase:    a mutex inside the struct_ops core's, outside of all others
 * @ejected:  does what an ejection cannot do in the op's context; holds a reference
 */
struct lx_device {
	enum lx_gate gate;
	u32 watch;
	u16 errors_row;
	u16 overruns_row;
	struct lightexit_ops __rcu *ops;

	struct lx_counters __percpu *counters;
	struct xarray strings;

	spinlock_t vm_lock; /* protects kvm and pieces */
	struct kvm *kvm;
	struct module *kvm_module;
	struct list_head pieces;
	bool dead;
	struct kvm *held;

	u32 eject;
	u32 eject_detail;
	u64 max_cycles;
	atomic64_t overruns;

	int id;
	pid_t pid;
	refcount_t refs;
	struct list_head node;
	struct bpf_link *link;
	struct dentry *debugfs;
	struct delayed_work retry;

	struct lx_eventfds eventfds;
	struct lx_timers *timers;
	struct mutex phase; /* serialises drain, update and the end of the programs */
	struct work_struct ejected;
};

/**
 * struct lx_piece - one range of a region on one bus, without other devices in it
 * @iodev:    what KVM calls
 * @dev:      holds a reference
 * @counters: the region's
 * @base:     first address of the region; @addr, @len: of this piece
 * @strings:  LX_REGION_STRINGS
 * @gone:     enum lx_gate: LX_GATE_CLOSED once it left the bus. A vCPU that found
 *            it before may still call it, when the device has other regions.
 * @leaves:   not in the bus array that is being built; protected by kvm->slots_lock
 * @node:     in dev->pieces, or in the list of pieces that wait to be freed
 */
struct lx_piece {
	struct kvm_io_device iodev;
	struct lx_device *dev;
	struct lx_counters __percpu *counters;
	gpa_t base;
	gpa_t addr;
	int len;
	u32 region;
	bool pio;
	bool strings;
	bool leaves;
	enum lx_gate gone;
	struct list_head node;
};

/**
 * struct lx_io_kern - an op's call as the kfuncs see it. Programs get only @io
 * @piece:   what was accessed; in the timer op the device's lx_timers.piece
 * @vcpu:    NULL in the timer op
 * @signals: slots to signal, by bit
 *
 * Lives on the stack of the op's caller, who sets each byte of it: the compiler would
 * else zero all of it first.
 */
struct lx_io_kern {
	struct lx_io io;
	struct lx_piece *piece;
	struct kvm_vcpu *vcpu;
	unsigned long signals;
};

/* main.c */
DECLARE_STATIC_KEY_FALSE(lx_off);
extern struct workqueue_struct *lx_wq;
u64 lx_budget_cycles(void);

/* hook.c: ① the buses */
struct kvm *lx_kvm_of_file(struct file *file);
int lx_hook_attach(struct lx_device *dev, struct kvm *kvm, const struct lightexit_ops *ops);
struct kvm *lx_hook_hold_vm(struct lx_device *dev);
void lx_hook_put_vm(struct lx_device *dev, struct kvm *kvm);
void lx_hook_detach(struct lx_device *dev, struct kvm *kvm);
void lx_hook_retry(struct work_struct *work);
bool lx_hook_is_on(struct lx_device *dev, struct kvm *kvm);
void lx_hook_count_pieces(struct lx_device *dev, u32 region, u32 *pieces, u32 *shadowed);

/* dispatch.c: ② the call */
int lx_dispatch_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		     void *val);
int lx_dispatch_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		      const void *val);
int lx_dispatch_timer(struct lx_device *dev, u64 which, u64 due_ns);
void lx_eject_device(struct lx_device *dev, enum lx_eject_code code, u32 detail);
void lx_drain(struct lx_device *dev);
void lx_reopen(struct lx_device *dev);
void lx_strings_free(struct lx_device *dev);

/* struct_ops.c */
extern struct list_head lx_devices;
extern struct mutex lx_devices_lock;
int lx_struct_ops_init(void);
void lx_device_put(struct lx_device *dev);
void lx_device_hand_over(struct lx_device *dev);

/* eventfd.c */
int lx_eventfds_get(struct lx_device *dev, const struct lightexit_ops *ops);
void lx_eventfds_put(struct lx_device *dev);
void lx_kick_heed(struct lx_device *dev);
void lx_kick_ignore(struct lx_device *dev);
void lx_send_signals(const struct lx_io_kern *k);
void lx_handover(struct lx_device *dev);

/* timer.c */
int lx_timers_init(struct lx_device *dev);
void lx_timers_begin(struct lx_device *dev, struct kvm *kvm);
void lx_timers_end(struct lx_device *dev);
void lx_timers_kick(struct lx_device *dev);
int lx_timer_set(struct lx_device *dev, u32 idx, u64 ns, u32 flags);
int lx_timer_clear(struct lx_device *dev, u32 idx);
struct kvm *lx_timers_kvm(struct lx_device *dev);
struct lx_piece *lx_timers_piece(struct lx_device *dev);

/* guestmem.c */
int lx_guest_copy_from(struct kvm_vcpu *vcpu, gpa_t gpa, void *buf, u32 len);
int lx_guest_copy_to(struct kvm_vcpu *vcpu, gpa_t gpa, const void *buf, u32 len);

/* kfuncs.c, clock.c */
int lx_kfuncs_init(void);
int __init lx_clock_init(void);
u64 lx_clock_kvm_ns(struct kvm *kvm);
u64 lx_clock_generation(struct kvm *kvm);

/* stats.c */
void lx_stats_init(void);
void lx_stats_exit(void);
void lx_stats_add(struct lx_device *dev);
void lx_stats_remove(struct lx_device *dev);
const char *lx_eject_reason(struct lx_device *dev, char *buf, size_t size);

#endif /* LX_INTERNAL_H */
