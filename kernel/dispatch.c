// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit ②: builds struct lx_io for one access, calls the device's op ③ and
 * carries out its verdict ④. See docs/path.md.
 *
 * Context: the vCPU's thread, in KVM's exit handler, inside kvm->srcu.
 *
 * Strings. KVM asks the bus once for each element of a `rep ins`, and if it gets
 * no answer for an element after the first it gives the guest zeros. So while a
 * vCPU is between two elements of a string that this device began, the device
 * must go on answering: gates that close leave such elements through
 * (LX_GATE_FINISH), and lx_drain() waits until no vCPU is between two elements.
 */
#include <linux/delay.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task_stack.h>
#include <linux/timex.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* A string stays between two elements for longer than this only if the scheduler starves it. */
#define LX_DRAIN_MAX_NS NSEC_PER_SEC

/**
 * struct lx_string - the last element that a vCPU's emulated port I/O had handled
 * @exits: vcpu->stat.exits then; another value means another exit
 * @next:  where KVM's buffer has the next element
 * @addr:  the port
 * @pid:   the vCPU's thread
 * @vcpu:  the vCPU
 *
 * Writer: the vCPU's thread, inside rcu_read_lock_sched(). lx_drain() reads it
 * after a grace period.
 */
struct lx_string {
	u64 exits;
	const void *next;
	gpa_t addr;
	pid_t pid;
	struct kvm_vcpu *vcpu;
};

static struct lx_string *lx_string_get(struct lx_device *dev, struct kvm_vcpu *vcpu)
{
	struct lx_string *str = xa_load(&dev->strings, vcpu->vcpu_idx);

	if (str)
		return str;
	str = kzalloc(sizeof(*str), GFP_KERNEL_ACCOUNT);
	if (!str)
		return NULL;
	str->vcpu = vcpu;
	if (xa_insert(&dev->strings, vcpu->vcpu_idx, str, GFP_KERNEL_ACCOUNT)) {
		kfree(str);
		return NULL;
	}
	return str;
}

static bool lx_string_continues(const struct lx_string *str, struct kvm_vcpu *vcpu, gpa_t addr,
				const void *val)
{
	return str->next == val && str->exits == vcpu->stat.exits && str->addr == addr;
}

static void lx_string_record(struct lx_string *str, struct kvm_vcpu *vcpu, gpa_t addr, int len,
			     const void *val)
{
	WRITE_ONCE(str->exits, vcpu->stat.exits);
	WRITE_ONCE(str->pid, current->pid);
	str->addr = addr;
	WRITE_ONCE(str->next, val + len);
}

/*
 * Between two elements KVM stays in KVM_RUN and neither sleeps nor enters the
 * guest, so a vCPU that does any of these, or has exited again, is past its
 * string. (KVM_RUN with immediate_exit begins no string that is read.)
 */
static bool lx_string_in_flight(struct lx_string *str)
{
	struct task_struct *task;
	bool running;

	if (!READ_ONCE(str->next) || READ_ONCE(str->exits) != READ_ONCE(str->vcpu->stat.exits) ||
	    READ_ONCE(str->vcpu->mode) == IN_GUEST_MODE || !READ_ONCE(str->vcpu->wants_to_run))
		return false;
	rcu_read_lock();
	task = pid_task(find_pid_ns(READ_ONCE(str->pid), &init_pid_ns), PIDTYPE_PID);
	running = task && task_is_running(task);
	rcu_read_unlock();
	return running;
}

void lx_strings_free(struct lx_device *dev)
{
	struct lx_string *str;
	unsigned long idx;

	xa_for_each(&dev->strings, idx, str)
		kfree(str);
	xa_destroy(&dev->strings);
}

/**
 * lx_drain() - end all use of a device's programs, without cutting a string
 * @dev: its gate is open, or was left at LX_GATE_FINISH by an ejection
 *
 * When it returns no vCPU is in the program nor between two elements of a
 * string, and every access passes. The caller holds the VM. It does not wait for
 * anything that user space could hold up.
 */
void lx_drain(struct lx_device *dev)
{
	u64 end = ktime_get_ns() + LX_DRAIN_MAX_NS;
	struct lx_string *str;
	unsigned long idx;
	bool cut = false;

	WRITE_ONCE(dev->gate, LX_GATE_FINISH);
	synchronize_rcu_expedited();
	xa_for_each(&dev->strings, idx, str) {
		while (lx_string_in_flight(str) && !cut) {
			usleep_range(20, 100);
			cut = ktime_get_ns() > end;
		}
	}
	WRITE_ONCE(dev->gate, LX_GATE_CLOSED);
	if (cut)
		synchronize_rcu_expedited();
}

/* Undoes lx_drain(), unless the device was ejected meanwhile. */
void lx_reopen(struct lx_device *dev)
{
	/* Who sees the gate open sees the pieces that left, too. */
	smp_store_release(&dev->gate, LX_GATE_OPEN);
	smp_mb(); /* pairs with cmpxchg(&dev->eject) */
	if (READ_ONCE(dev->eject))
		WRITE_ONCE(dev->gate, LX_GATE_FINISH);
}

/* Any context that an op runs in. The first reason stays. */
void lx_eject_device(struct lx_device *dev, enum lx_eject_code code, u32 detail)
{
	if (cmpxchg(&dev->eject, LX_EJECT_NONE, code) != LX_EJECT_NONE)
		return;
	WRITE_ONCE(dev->eject_detail, detail);
	cmpxchg(&dev->gate, LX_GATE_OPEN, LX_GATE_FINISH);
	trace_lx_eject(dev->id, code, detail);
}

/* An op ran longer than those before it, or than the budget. True if than the budget. */
static bool lx_slow_run(struct lx_device *dev, u32 cycles)
{
	u64 budget = lx_budget_cycles(), max = READ_ONCE(dev->max_cycles);

	while (cycles > max && !try_cmpxchg64(&dev->max_cycles, &max, cycles))
		;
	WRITE_ONCE(dev->watch, min(max_t(u64, cycles, max), budget));
	if (cycles <= budget)
		return false;
	atomic64_inc(&dev->overruns);
	return true;
}

/* Something was unusual about an op, or about one before it: counts events in a row. */
static noinline void lx_judge(struct lx_piece *piece, u32 cycles, int verdict)
{
	struct lx_device *dev = piece->dev;
	bool overrun = cycles > READ_ONCE(dev->watch) && lx_slow_run(dev, cycles);
	bool error = verdict & ~LX_PASS;

	dev->overruns_row = overrun ? dev->overruns_row + 1 : 0;
	dev->errors_row = error ? dev->errors_row + 1 : 0;
	if (error)
		this_cpu_inc(piece->counters->errors);
	if (dev->errors_row >= LX_ERROR_LIMIT)
		lx_eject_device(dev, LX_EJECT_ERRORS, 0);
	if (dev->overruns_row >= LX_OVERRUN_LIMIT)
		lx_eject_device(dev, LX_EJECT_OVERRUN, 0);
}

static __always_inline void lx_fill(struct lx_io_kern *k, struct lx_piece *piece,
				    struct kvm_vcpu *vcpu, gpa_t addr, int len, u32 flags)
{
	k->io.addr = addr - piece->base;
	k->io.data = 0;
	k->io.region = piece->region;
	k->io.len = len;
	k->io.vcpu = vcpu->vcpu_idx;
	k->io.flags = flags;
	k->io.owner = NULL;
	k->piece = piece;
	k->vcpu = vcpu;
}

static __always_inline void lx_copy(void *to, const void *from, int len)
{
	switch (len) {
	case 1:
		memcpy(to, from, 1);
		break;
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	default:
		memcpy(to, from, 8);
	}
}

/* The call itself. Inside rcu_read_lock_sched(). */
static __always_inline int lx_call(struct lx_piece *piece, struct lx_io_kern *k, bool write)
{
	struct lx_device *dev = piece->dev;
	const struct lightexit_ops *ops = rcu_dereference_sched(dev->ops);
	int (*op)(struct lx_io *io) = write ? ops->write : ops->read;
	u32 start, cycles;
	int verdict;

	if (unlikely(!op))
		return LX_PASS;
	start = get_cycles(); /* the low half: LX_BUDGET_US_MAX is far below its wrap */
	verdict = op(&k->io);
	cycles = (u32)get_cycles() - start;
	if (unlikely(cycles > READ_ONCE(dev->watch) || verdict & ~LX_PASS || dev->rows))
		lx_judge(piece, cycles, verdict);
	return verdict;
}

/*
 * Returns 0 if handled, -EOPNOTSUPP if not. @str: NULL, or where a handled element
 * is noted. What is needed after the call comes from @k: a program writes only data.
 */
static __always_inline int lx_run(struct lx_piece *piece, struct kvm_vcpu *vcpu, gpa_t addr,
				  int len, void *val, bool write, u32 flags, struct lx_string *str)
{
	struct lx_io_kern k;
	int verdict = LX_PASS;
	u32 gate;

	lx_fill(&k, piece, vcpu, addr, len, flags);
	if (write)
		lx_copy(&k.io.data, val, len);

	rcu_read_lock_sched();
	gate = smp_load_acquire(&piece->dev->gate); /* pairs with lx_reopen() */
	gate |= READ_ONCE(piece->gone);
	if (static_branch_unlikely(&lx_off) && gate == LX_GATE_OPEN)
		gate = LX_GATE_FINISH;
	if (likely(gate == LX_GATE_OPEN) || (gate == LX_GATE_FINISH && (flags & LX_IO_CONTINUED)))
		verdict = lx_call(piece, &k, write);
	if (likely(verdict == LX_HANDLED)) {
		this_cpu_inc(piece->counters->handled);
		if (!write)
			lx_copy(val, &k.io.data, k.io.len);
		if (str)
			lx_string_record(str, vcpu, addr, len, val);
	} else {
		this_cpu_inc(piece->counters->passed);
	}
	trace_lx_access(&k, write, verdict);
	rcu_read_unlock_sched();
	return verdict == LX_HANDLED ? 0 : -EOPNOTSUPP;
}

/* Port I/O that the emulator does: perhaps one element of a string. */
static noinline int lx_run_emulated(struct lx_piece *piece, struct kvm_vcpu *vcpu, gpa_t addr,
				    int len, void *val, bool write)
{
	struct lx_string *str = lx_string_get(piece->dev, vcpu);
	bool continues;
	int ret;

	if (!str) {
		this_cpu_inc(piece->counters->passed);
		return -EOPNOTSUPP;
	}
	continues = lx_string_continues(str, vcpu, addr, val);
	ret = lx_run(piece, vcpu, addr, len, val, write, continues ? LX_IO_CONTINUED : 0, str);
	if (ret) {
		WRITE_ONCE(str->next, NULL);
		if (continues)
			this_cpu_inc(piece->counters->string_splits);
	}
	return ret;
}

static __always_inline int lx_dispatch(struct lx_piece *piece, struct kvm_vcpu *vcpu, gpa_t addr,
				       int len, void *val, bool write)
{
	if (unlikely(len != 1 && len != 2 && len != 4 && len != 8)) {
		this_cpu_inc(piece->counters->passed);
		return -EOPNOTSUPP;
	}
	/* KVM's fast path for in and out has the value on its stack; the emulator has not. */
	if (piece->pio && unlikely(!object_is_on_stack(val)))
		return lx_run_emulated(piece, vcpu, addr, len, val, write);
	return lx_run(piece, vcpu, addr, len, val, write, 0, NULL);
}

/* What KVM calls: a guest's read within a piece. Returns 0 if handled. */
int lx_dispatch_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		     void *val)
{
	struct lx_piece *piece = container_of(this, struct lx_piece, iodev);

	return lx_dispatch(piece, vcpu, addr, len, val, false);
}

/* What KVM calls: a guest's write within a piece. Returns 0 if handled. */
int lx_dispatch_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
		      const void *val)
{
	struct lx_piece *piece = container_of(this, struct lx_piece, iodev);

	return lx_dispatch(piece, vcpu, addr, len, (void *)val, true);
}
