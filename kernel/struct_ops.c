// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: the struct_ops type lightexit_ops: what the verifier allows, and
 * the life of a device from its link's creation to its end.
 *
 * The struct_ops core calls reg, update and detach under one mutex for the whole
 * host. Nothing here may wait for a VM: no kvm->srcu, no slots_lock without a
 * bound, no kvm_put_kvm().
 */
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "internal.h"

/* The first version's size. */
#define LX_OPS_SIZE_V0 offsetofend(struct lightexit_ops, name)

LIST_HEAD(lx_devices);
/* Protects lx_devices. Innermost of the mutexes; never held while waiting for anything. */
DEFINE_MUTEX(lx_devices_lock);
static DEFINE_IDA(lx_ids);

/*
 * Type of the ops' argument. Modules number their types alike, so the number alone is none.
 * Written in init and in check_member, before programs verify.
 */
static const struct btf *lx_btf;
static u32 lx_io_type_id;

/* What a program may write: the fields of struct lx_io in this table, nothing else anywhere. */
static const struct {
	u32 start;
	u32 end;
} lx_writable[] = {
	{ offsetof(struct lx_io, data), offsetofend(struct lx_io, data) },
};

static bool lx_is_valid_access(int off, int size, enum bpf_access_type type,
			       const struct bpf_prog *prog, struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(off, size, type, prog, info);
}

static int lx_btf_struct_access(struct bpf_verifier_log *log, const struct bpf_reg_state *reg,
				int off, int size)
{
	int i;

	if (base_type(reg->type) != PTR_TO_BTF_ID || !(reg->type & PTR_TRUSTED) ||
	    reg->btf != lx_btf || reg->btf_id != lx_io_type_id) {
		bpf_log(log, "lightexit: programs write only to their own struct lx_io\n");
		return -EACCES;
	}
	for (i = 0; i < ARRAY_SIZE(lx_writable); i++) {
		if (off >= lx_writable[i].start && off + size <= lx_writable[i].end)
			return 0;
	}
	bpf_log(log,
		"lightexit: write of %d bytes at offset %d of struct lx_io: only data is writable\n",
		size, off);
	return -EACCES;
}

/* An op runs with preemption off, where PREEMPT_RT cannot cancel a bpf_timer: lx_timer_*() can. */
static const struct bpf_func_proto *lx_func_proto(enum bpf_func_id id, const struct bpf_prog *prog)
{
	switch (id) {
	case BPF_FUNC_timer_init:
	case BPF_FUNC_timer_set_callback:
	case BPF_FUNC_timer_start:
	case BPF_FUNC_timer_cancel:
		return NULL;
	default:
		return bpf_base_func_proto(id, prog);
	}
}

static const struct bpf_verifier_ops lx_verifier_ops = {
	.get_func_proto = lx_func_proto,
	.is_valid_access = lx_is_valid_access,
	.btf_struct_access = lx_btf_struct_access,
};

static int lx_init(struct btf *btf)
{
	lx_btf = btf;
	return 0;
}

/* The struct that an op's only argument points to. */
static u32 lx_op_arg_type(const struct btf *btf, const struct btf_member *member)
{
	const struct btf_type *t = btf_type_by_id(btf, member->type);

	t = btf_type_by_id(btf, t->type); /* pointer to function prototype */
	t = btf_type_by_id(btf, btf_params(t)[0].type);
	return t->type;
}

static int lx_check_member(const struct btf_type *t, const struct btf_member *member,
			   const struct bpf_prog *prog)
{
	if (prog->sleepable)
		return -EINVAL;
	lx_io_type_id = lx_op_arg_type(prog->aux->attach_btf, member);
	return 0;
}

#define LX_MEMBER(_m) { offsetof(struct lightexit_ops, _m), sizeof_field(struct lightexit_ops, _m) }

/* The members that are data: copied as they are, and checked by lx_validate(). */
static const struct {
	u32 offset;
	u32 size;
} lx_data_members[] = {
	LX_MEMBER(sz),		LX_MEMBER(flags),   LX_MEMBER(vm_fd),	    LX_MEMBER(nr_regions),
	LX_MEMBER(regions),	LX_MEMBER(name),    LX_MEMBER(nr_eventfds), LX_MEMBER(eventfds),
	LX_MEMBER(handover_fd), LX_MEMBER(kick_fd), LX_MEMBER(pad),
};

static int lx_init_member(const struct btf_type *t, const struct btf_member *member, void *kdata,
			  const void *udata)
{
	u32 i, offset = __btf_member_bit_offset(t, member) / 8;

	for (i = 0; i < ARRAY_SIZE(lx_data_members); i++) {
		if (lx_data_members[i].offset != offset)
			continue;
		memcpy(kdata + offset, udata + offset, lx_data_members[i].size);
		return 1;
	}
	return 0;
}

static int lx_check_name(const char *name)
{
	int i;

	for (i = 0; i < LX_NAME_LEN && name[i]; i++) {
		if (!isgraph(name[i]) || !isascii(name[i]) || name[i] == '/')
			return -EINVAL;
	}
	return i > 0 && i < LX_NAME_LEN ? 0 : -EINVAL;
}

static int lx_check_region(const struct lx_region *r)
{
	u64 end;

	if (!r->len || r->flags & ~LX_REGION_FLAGS || r->space > LX_SPACE_MMIO)
		return -EINVAL;
	if (r->len > INT_MAX || check_add_overflow(r->addr, r->len, &end))
		return -ERANGE;
	if (r->space == LX_SPACE_PIO && end > 0x10000)
		return -ERANGE;
	return 0;
}

static bool lx_regions_overlap(const struct lx_region *a, const struct lx_region *b)
{
	return a->space == b->space && a->addr < b->addr + b->len && b->addr < a->addr + a->len;
}

static int lx_check_regions(const struct lightexit_ops *ops)
{
	u32 i, j;
	int err;

	if (!ops->nr_regions || ops->nr_regions > LX_MAX_REGIONS)
		return -EINVAL;
	for (i = 0; i < ops->nr_regions; i++) {
		err = lx_check_region(&ops->regions[i]);
		if (err)
			return err;
		for (j = 0; j < i; j++) {
			if (lx_regions_overlap(&ops->regions[i], &ops->regions[j]))
				return -EEXIST;
		}
	}
	if (memchr_inv(&ops->regions[i], 0, (LX_MAX_REGIONS - i) * sizeof(ops->regions[0])))
		return -EINVAL;
	return 0;
}

static int lx_check_eventfds(const struct lightexit_ops *ops)
{
	u32 n = ops->nr_eventfds;

	if (n > LX_MAX_SLOTS || ops->pad)
		return -EINVAL;
	if (memchr_inv(&ops->eventfds[n], 0, (LX_MAX_SLOTS - n) * sizeof(ops->eventfds[0])))
		return -EINVAL;
	return 0;
}

static int lx_validate(void *kdata)
{
	const struct lightexit_ops *ops = kdata;

	if (ops->sz < LX_OPS_SIZE_V0)
		return -EINVAL;
	if (ops->sz > sizeof(*ops))
		return -E2BIG;
	if (memchr_inv(kdata + ops->sz, 0, sizeof(*ops) - ops->sz))
		return -EINVAL;
	if (ops->flags & ~LX_OPS_FLAGS)
		return -EINVAL;
	return lx_check_name(ops->name) ?: lx_check_regions(ops) ?: lx_check_eventfds(ops);
}

/*
 * The VM behind @fd, if the caller may attach to it. It lives as long as *@file is held.
 * bpf(2) asks for a capability when programs and maps are made, not when a map is attached.
 */
static struct kvm *lx_vm_of_fd(int fd, struct file **file)
{
	struct kvm *kvm;
	int err = -EINVAL;

	if (!bpf_capable())
		return ERR_PTR(-EPERM);
	*file = fget(fd);
	if (!*file)
		return ERR_PTR(-EBADF);
	kvm = lx_kvm_of_file(*file);
	if (!kvm)
		goto put_file;
	err = -EPERM;
	if (kvm->mm != current->mm && !capable(CAP_SYS_ADMIN))
		goto put_file;
	return kvm;

put_file:
	fput(*file);
	return ERR_PTR(err);
}

static void lx_device_free(struct lx_device *dev)
{
	lx_strings_free(dev);
	lx_eventfds_put(dev);
	kfree(dev->timers);
	free_percpu(dev->counters);
	if (dev->id >= 0)
		ida_free(&lx_ids, dev->id);
	kfree(dev);
	module_put(THIS_MODULE);
}

void lx_device_put(struct lx_device *dev)
{
	if (refcount_dec_and_test(&dev->refs))
		lx_device_free(dev);
}

/**
 * lx_device_hand_over() - leave a device to its VMM
 * @dev: none of its programs runs for an access any more
 *
 * When it returns, no timer op runs either, and the VMM has been told. May be called
 * again, and by two at once. Process context, no spinlock held.
 */
void lx_device_hand_over(struct lx_device *dev)
{
	lx_kick_ignore(dev);
	lx_timers_end(dev);
	lx_handover(dev);
}

/*
 * Ends a device's programs, and hands it over. Return: the VM, held, or NULL if it is gone.
 * It is looked for under @phase: a move takes the device off one bus before it is on the other.
 */
static struct kvm *lx_device_end(struct lx_device *dev)
{
	struct kvm *kvm;

	mutex_lock(&dev->phase);
	kvm = lx_hook_hold_vm(dev);
	if (kvm) /* else no vCPU runs any more */
		lx_drain(dev);
	lx_device_hand_over(dev);
	mutex_unlock(&dev->phase);
	return kvm;
}

/* After an ejection: what an op's context does not allow. */
static void lx_device_ejected(struct work_struct *work)
{
	struct lx_device *dev = container_of(work, struct lx_device, ejected);
	struct kvm *kvm = lx_device_end(dev);

	if (kvm)
		lx_hook_put_vm(dev, kvm);
	lx_device_put(dev);
}

static struct lx_device *lx_device_new(struct lightexit_ops *ops, struct bpf_link *link)
{
	struct lx_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	__module_get(THIS_MODULE);
	refcount_set(&dev->refs, 1);
	dev->gate = LX_GATE_CLOSED;
	xa_init(&dev->strings);
	spin_lock_init(&dev->vm_lock);
	INIT_LIST_HEAD(&dev->pieces);
	INIT_DELAYED_WORK(&dev->retry, lx_hook_retry);
	INIT_WORK(&dev->ejected, lx_device_ejected);
	mutex_init(&dev->phase);
	atomic64_set(&dev->overruns, 0);
	dev->link = link;
	dev->pid = -1;
	RCU_INIT_POINTER(dev->ops, ops);
	dev->counters = __alloc_percpu_gfp(sizeof(struct lx_counters) * LX_COUNTERS_ROWS,
					   __alignof__(struct lx_counters), GFP_KERNEL_ACCOUNT);
	dev->id = ida_alloc_min(&lx_ids, 1, GFP_KERNEL_ACCOUNT);
	if (!dev->counters || dev->id < 0 || lx_timers_init(dev)) {
		lx_device_free(dev);
		return NULL;
	}
	return dev;
}

/* lx_devices_lock is held. */
static struct lx_device *lx_find(const struct lightexit_ops *ops, const struct bpf_link *link)
{
	struct lx_device *dev;

	lockdep_assert_held(&lx_devices_lock);
	list_for_each_entry(dev, &lx_devices, node) {
		if ((ops && rcu_access_pointer(dev->ops) == ops) || (link && dev->link == link))
			return dev;
	}
	return NULL;
}

/* One map may back several links, but one device has one set of programs of its own. */
static int lx_device_list(struct lx_device *dev, struct lightexit_ops *ops)
{
	int err = 0;

	mutex_lock(&lx_devices_lock);
	if (lx_find(ops, NULL))
		err = -EEXIST;
	else
		list_add_tail(&dev->node, &lx_devices);
	mutex_unlock(&lx_devices_lock);
	return err;
}

static void lx_device_unlist(struct lx_device *dev)
{
	mutex_lock(&lx_devices_lock);
	list_del(&dev->node);
	mutex_unlock(&lx_devices_lock);
}

/* The programs are called from now on: those with timers look at their state. */
static void lx_device_open(struct lx_device *dev)
{
	lx_reopen(dev);
	lx_timers_kick(dev);
}

static int lx_reg(void *kdata, struct bpf_link *link)
{
	struct lightexit_ops *ops = kdata;
	struct lx_device *dev;
	struct file *file;
	struct kvm *kvm;
	int err;

	if (!link)
		return -EOPNOTSUPP;
	if (static_key_enabled(&lx_off))
		return -ESHUTDOWN;
	kvm = lx_vm_of_fd(ops->vm_fd, &file);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	err = -ENOMEM;
	dev = lx_device_new(ops, link);
	if (!dev)
		goto put_file;
	dev->pid = kvm->userspace_pid;
	dev->kvm_module = file->f_op->owner;
	dev->watch = 0;
	err = lx_eventfds_get(dev, ops);
	if (err)
		goto put_device;
	err = lx_device_list(dev, ops);
	if (err)
		goto put_device;
	lx_timers_begin(dev, kvm);
	err = lx_hook_attach(dev, kvm, ops);
	if (err)
		goto unlist;
	lx_kick_heed(dev);
	lx_device_open(dev);
	lx_stats_add(dev);
	fput(file);
	return 0;

unlist:
	lx_timers_end(dev);
	lx_device_unlist(dev);
put_device:
	lx_device_put(dev);
put_file:
	fput(file); /* the VM's last user is gone only when this task is back in user space */
	return err;
}

static struct lx_device *lx_device_of_link(struct bpf_link *link)
{
	struct lx_device *dev;

	mutex_lock(&lx_devices_lock);
	dev = lx_find(NULL, link);
	mutex_unlock(&lx_devices_lock);
	return dev;
}

static void lx_unreg(void *kdata, struct bpf_link *link)
{
	struct lx_device *dev = lx_device_of_link(link);
	struct kvm *kvm;

	if (WARN_ON_ONCE(!dev))
		return;
	lx_stats_remove(dev);
	kvm = lx_device_end(dev);
	lx_hook_detach(dev, kvm);
	lx_device_unlist(dev);
	dev->link = NULL;
	lx_device_put(dev);
}

/* What an update may not change. The file descriptor may differ, its VM may not. */
static int lx_check_update(struct lx_device *dev, const struct lightexit_ops *ops,
			   const struct lightexit_ops *old, struct kvm *kvm)
{
	if (!lx_hook_is_on(dev, kvm) || strcmp(ops->name, old->name))
		return -EINVAL;
	if (!(ops->flags & LX_OPS_MOVE) &&
	    (ops->nr_regions != old->nr_regions ||
	     memcmp(ops->regions, old->regions, sizeof(ops->regions))))
		return -EINVAL;
	if (ops->nr_eventfds || ops->handover_fd || ops->kick_fd)
		return -EINVAL;
	return 0;
}

static int lx_switch(struct lx_device *dev, struct lightexit_ops *ops, struct kvm *kvm)
{
	int err = 0;

	mutex_lock(&dev->phase);
	lx_drain(dev);
	if (ops->flags & LX_OPS_MOVE)
		err = lx_hook_attach(dev, kvm, ops);
	if (!err)
		rcu_assign_pointer(dev->ops, ops);
	lx_device_open(dev);
	mutex_unlock(&dev->phase);
	return err;
}

static int lx_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	struct lx_device *dev = lx_device_of_link(link);
	struct lightexit_ops *ops = kdata;
	struct file *file;
	struct kvm *kvm;
	int err;

	if (WARN_ON_ONCE(!dev))
		return -ENOLINK;
	kvm = lx_vm_of_fd(ops->vm_fd, &file);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	mutex_lock(&lx_devices_lock);
	err = lx_find(ops, NULL) ? -EEXIST : 0;
	mutex_unlock(&lx_devices_lock);
	if (!err)
		err = lx_check_update(dev, ops, old_kdata, kvm);
	if (!err)
		err = lx_switch(dev, ops, kvm);
	fput(file);
	return err;
}

static int lx_stub_read(struct lx_io *io)
{
	return LX_PASS;
}

static int lx_stub_write(struct lx_io *io)
{
	return LX_PASS;
}

static int lx_stub_timer(struct lx_io *io)
{
	return LX_PASS;
}

static struct lightexit_ops lx_cfi_stubs = {
	.read = lx_stub_read,
	.write = lx_stub_write,
	.timer = lx_stub_timer,
};

static struct bpf_struct_ops bpf_lightexit_ops = {
	.verifier_ops = &lx_verifier_ops,
	.init = lx_init,
	.check_member = lx_check_member,
	.init_member = lx_init_member,
	.reg = lx_reg,
	.unreg = lx_unreg,
	.update = lx_update,
	.validate = lx_validate,
	.cfi_stubs = &lx_cfi_stubs,
	.owner = THIS_MODULE,
	.name = "lightexit_ops",
};

int lx_struct_ops_init(void)
{
	return register_bpf_struct_ops(&bpf_lightexit_ops, lightexit_ops);
}
