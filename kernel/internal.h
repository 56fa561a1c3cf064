/* SPDX-License-Identifier: GPL-2.0-only */
/* lightexit: what the module's files share. */
#ifndef LX_INTERNAL_H
#define LX_INTERNAL_H

#include <linux/bpf.h>
#include <linux/jump_label.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
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

/* One region's events on one CPU. Written with this_cpu_inc(), summed by stats.c. */
struct lx_counters {
	u64 handled;
	u64 passed;
	u64 errors;
	u64 string_splits;
};

/**
 * struct lx_device - one attached struct_ops instance
 *
 * Who may die first: the VM owns the pieces on its buses, the link owns the
 * device; either may go before the other. Each piece, the link and a pending
 * @retry hold a reference; the last one frees. The device never keeps a VM.
 *
 * Read on each access:
 * @gate:     enum lx_gate. Writers: attach, detach, update (serialised by the
 *            struct_ops core, per link), and eject, which only closes. Readers:
 *            inside rcu_read_lock_sched().
 * @ops:      the programs and their parameters. Readers: rcu_read_lock_sched(),
 *            held until the program returned. Writer: update.
 * @watch:    op run time in cycles above which lx_judge() looks at it
 * @errors_row, @overruns_row, together @rows: events in a row; racy between CPUs on purpose, a
 *            lost count only delays an ejection
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
 */
struct lx_device {
	enum lx_gate gate;
	u32 watch;
	union {
		u32 rows;
		struct {
			u16 errors_row;
			u16 overruns_row;
		};
	};
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
};

/**
 * struct lx_piece - one range of a region on one bus, without other devices in it
 * @iodev:    what KVM calls
 * @dev:      holds a reference
 * @counters: the region's
 * @base:     first address of the region; @addr, @len: of this piece
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
	bool leaves;
	enum lx_gate gone;
	struct list_head node;
};

/* An access as the kfuncs see it: programs get only @io. Lives on the stack. */
struct lx_io_kern {
	struct lx_io io;
	struct lx_piece *piece;
	struct kvm_vcpu *vcpu;
};

/* main.c */
DECLARE_STATIC_KEY_FALSE(lx_off);
extern struct workqueue_struct *lx_wq;
u64 lx_budget_cycles(void);

/* hook.c: ① the buses */
struct kvm *lx_kvm_of_file(struct file *file);
int lx_hook_attach(struct lx_device *dev, struct kvm *kvm, const struct lightexit_ops *ops);
struct kvm *lx_hook_hold_vm(struct lx_device *dev);
void lx_hook_detach(struct lx_device *dev, struct kvm *kvm);
void lx_hook_retry(struct work_struct *work);
bool lx_hook_is_on(struct lx_device *dev, struct kvm *kvm);
void lx_hook_count_pieces(struct lx_device *dev, u32 region, u32 *pieces, u32 *shadowed);

/* dispatch.c: ② the call */
int lx_dispatch_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		     void *val);
int lx_dispatch_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		      const void *val);
void lx_eject_device(struct lx_device *dev, enum lx_eject_code code, u32 detail);
void lx_drain(struct lx_device *dev);
void lx_reopen(struct lx_device *dev);
void lx_strings_free(struct lx_device *dev);

/* struct_ops.c */
extern struct list_head lx_devices;
extern struct mutex lx_devices_lock;
int lx_struct_ops_init(void);
void lx_device_put(struct lx_device *dev);

/* kfuncs.c, clock.c */
int lx_kfuncs_init(void);
void lx_clock_init(void);
u64 lx_clock_kvm_ns(struct kvm *kvm);
u64 lx_clock_generation(struct kvm *kvm);

/* stats.c */
void lx_stats_init(void);
void lx_stats_exit(void);
void lx_stats_add(struct lx_device *dev);
void lx_stats_remove(struct lx_device *dev);
const char *lx_eject_reason(struct lx_device *dev, char *buf, size_t size);

#endif /* LX_INTERNAL_H */
