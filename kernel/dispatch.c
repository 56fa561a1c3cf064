// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit ②: builds struct lx_io for one access, calls the device's op ③ and
 * carries out its verdict ④. See docs/path.md.
 *
 * Context: the vCPU's thread, in KVM's exit handler, inside kvm->srcu. The timer
 * op's: see timer.c.
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
 * string. (KVM_RUN with immediate_exit begins no string that is read.) On
 * PREEMPT_RT a spinlock sleeps, an eventfd's when an op signals: that is no sleep
 * of KVM's.
 */
static bool lx_string_in_flight(struct lx_string *str)
{
	struct task_struct *task;
	unsigned int state;

	if (!READ_ONCE(str->next) || READ_ONCE(str->exits) != READ_ONCE(str->vcpu->stat.exits) ||
	    READ_ONCE(str->vcpu->mode) == IN_GUEST_MODE || !READ_ONCE(str->vcpu->wants_to_run))
		return false;
	rcu_read_lock();
	task = pid_task(find_pid_ns(READ_ONCE(str->pid), &init_pid_ns), PIDTYPE_PID);
	state = task ? READ_ONCE(task->__state) : TASK_DEAD;
	rcu_read_unlock();
	return state == TASK_RUNNING || state & TASK_RTLOCK_WAIT;
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
 * @dev: @phase is held. If its gate is closed, it was drained, and programs may be gone
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

	lockdep_assert_held(&dev->phase);
	if (dev->gate == LX_GATE_CLOSED)
		return;
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
	if (READ_ONCE(dev->eject)) /* from here on only a timer's last retry can eject it */
		return;
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
	refcount_inc(&dev->refs);
	queue_work(lx_wq, &dev->ejected);
}

/* The longest run so far, with this one. */
static u64 lx_longest_run(struct lx_device *dev, u32 cycles)
{
	u64 max = READ_ONCE(dev->max_cycles);

	while (cycles > max && !try_cmpxchg64(&dev->max_cycles, &max, cycles))
		;
	return max_t(u64, cycles, max);
}

/* Something was unusual about an op, or about one before it: counts events in a row. */
static noinline void lx_judge(struct lx_piece *piece, u32 cycles, bool error)
{
	struct lx_device *dev = piece->dev;
	u64 budget = lx_budget_cycles(), max = lx_longest_run(dev, cycles);
	bool overrun = cycles > budget;

	dev->overruns_row = overrun ? dev->overruns_row + 1 : 0;
	dev->errors_row = error ? dev->errors_row + 1 : 0;
	if (overrun)
		atomic64_inc(&dev->overruns);
	if (error)
		this_cpu_inc(piece->counters->errors);
	if (dev->errors_row >= LX_ERROR_LIMIT)
		lx_eject_device(dev, LX_EJECT_ERRORS, 0);
	if (dev->overruns_row >= LX_OVERRUN_LIMIT)
		lx_eject_device(dev, LX_EJECT_OVERRUN, 0);
	WRITE_ONCE(dev->watch, dev->errors_row || dev->overruns_row ? 0 : min(max, budget));
}

static __always_inline void lx_fill(struct lx_io_kern *k, struct lx_piece *piece, u32 vcpu,
				    gpa_t addr, int len, u32 flags)
{
	k->io.addr = addr - piece->base;
	k->io.data = 0;
	k->io.region = piece->region;
	k->io.len = len;
	k->io.vcpu = vcpu;
	k->io.flags = flags;
	k->io.owner = NULL;
	k->piece = piece;
	k->signals = 0;
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

enum lx_op {
	LX_OP_READ,
	LX_OP_WRITE,
	LX_OP_TIMER
};

/* The call itself. Inside rcu_read_lock_sched(). Without such an op: LX_PASS. */
static __always_inline int lx_call(struct lx_piece *piece, struct lx_io_kern *k, enum lx_op which)
{
	struct lx_device *dev = piece->dev;
	const struct lightexit_ops *ops = rcu_dereference_sched(dev->ops);
	int (*op)(struct lx_io *io) = which == LX_OP_TIMER ? ops->timer :
				      which == LX_OP_WRITE ? ops->write :
							     ops->read;
	u32 start, cycles;
	bool error;
	int verdict;

	if (unlikely(!op))
		return LX_PASS;
	start = get_cycles(); /* the low half: LX_BUDGET_US_MAX is far below its wrap */
	verdict = op(&k->io);
	cycles = (u32)get_cycles() - start;
	error = which == LX_OP_TIMER ? verdict & ~LX_RETRY : verdict & ~LX_PASS;
	if (unlikely(cycles > READ_ONCE(dev->watch) || error))
		lx_judge(piece, cycles, error);
	return verdict;
}

/*
 * Ends an op's rcu_read_lock_sched(). On PREEMPT_RT an eventfd's lock may sleep, so
 * signals are sent with preemption on; who drains the device waits for that, too.
 */
static __always_inline void lx_end_op(const struct lx_io_kern *k, int verdict)
{
	if (likely(verdict != LX_HANDLED || !k->signals)) {
		rcu_read_unlock_sched();
		return;
	}
	rcu_read_lock();
	rcu_read_unlock_sched();
	lx_send_signals(k);
	rcu_read_unlock();
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

	lx_fill(&k, piece, vcpu->vcpu_idx, addr, len, flags);
	k.vcpu = vcpu;
	if (write)
		lx_copy(&k.io.data, val, len);

	rcu_read_lock_sched();
	gate = smp_load_acquire(&piece->dev->gate); /* pairs with lx_reopen() */
	gate |= READ_ONCE(piece->gone);
	if (static_branch_unlikely(&lx_off) && gate == LX_GATE_OPEN)
		gate = LX_GATE_FINISH;
	if (likely(gate == LX_GATE_OPEN) || (gate == LX_GATE_FINISH && (flags & LX_IO_CONTINUED)))
		verdict = lx_call(piece, &k, write ? LX_OP_WRITE : LX_OP_READ);
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
	lx_end_op(&k, verdict);
	return verdict == LX_HANDLED ? 0 : -EOPNOTSUPP;
}

/**
 * lx_dispatch_timer() - call the timer op
 * @which: what io->addr says
 * @due_ns: what io->data says
 *
 * Return: LX_HANDLED or LX_RETRY; -ESHUTDOWN: it was not called. Then whoever closed the gate
 * kicks the device when he opens it, or hands it over.
 */
int lx_dispatch_timer(struct lx_device *dev, u64 which, u64 due_ns)
{
	struct lx_piece *piece = lx_timers_piece(dev);
	struct lx_io_kern k;
	bool off, called;
	int verdict = LX_PASS;

	lx_fill(&k, piece, LX_NO_VCPU, which, 0, LX_IO_TIMER);
	k.io.data = due_ns;
	k.vcpu = NULL;
	rcu_read_lock_sched();
	off = static_branch_unlikely(&lx_off);
	called = !off &&
		 smp_load_acquire(&dev->gate) == LX_GATE_OPEN && /* pairs with lx_reopen() */
		 rcu_dereference_sched(dev->ops)->timer;
	if (called) {
		verdict = lx_call(piece, &k, LX_OP_TIMER);
		if (verdict == LX_HANDLED)
			this_cpu_inc(piece->counters->handled);
		else if (verdict == LX_RETRY)
			this_cpu_inc(piece->counters->passed);
		trace_lx_timer(dev->id, which, due_ns, verdict);
	}
	lx_end_op(&k, verdict);
	if (off)
		lx_handover(dev);
	if (!called)
		return -ESHUTDOWN;
	return verdict == LX_RETRY ? LX_RETRY : LX_HANDLED;
}

/*
 * A port's read that the emulator does: perhaps one element of a string. Only a program
 * that says so can end what it began.
 */
static noinline int lx_read_emulated(struct lx_piece *piece, struct kvm_vcpu *vcpu, gpa_t addr,
				     int len, void *val)
{
	struct lx_string *str = piece->strings ? lx_string_get(piece->dev, vcpu) : NULL;
	bool continues;
	int ret;

	if (!str) {
		this_cpu_inc(piece->counters->passed);
		return -EOPNOTSUPP;
	}
	continues = lx_string_continues(str, vcpu, addr, val);
	ret = lx_run(piece, vcpu, addr, len, val, false, continues ? LX_IO_CONTINUED : 0, str);
	if (ret) {
		WRITE_ONCE(str->next, NULL);
		if (continues)
			this_cpu_inc(piece->counters->string_splits);
	}
	return ret;
}

/*
 * Of a guest whose registers KVM cannot see (SEV-ES) a string that is written comes as a whole,
 * and KVM drops what follows an element that is passed: so all of it is the VMM's.
 */
static __always_inline bool lx_is_protected_string(struct lx_piece *piece, struct kvm_vcpu *vcpu,
						   void *val)
{
	return unlikely(vcpu->arch.guest_state_protected) && piece->pio && !object_is_on_stack(val);
}

static __always_inline int lx_dispatch(struct lx_piece *piece, struct kvm_vcpu *vcpu, gpa_t addr,
				       int len, void *val, bool write)
{
	if (unlikely(len != 1 && len != 2 && len != 4 && len != 8) ||
	    (write && lx_is_protected_string(piece, vcpu, val))) {
		this_cpu_inc(piece->counters->passed);
		return -EOPNOTSUPP;
	}
	/*
	 * KVM's fast path for in has the value on its stack; the emulator has not. Other elements
	 * that are written come one by one, and each may pass.
	 */
	if (!write && piece->pio && unlikely(!object_is_on_stack(val)))
		return lx_read_emulated(piece, vcpu, addr, len, val);
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
