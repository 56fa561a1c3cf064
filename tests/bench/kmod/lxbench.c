// SPDX-License-Identifier: GPL-2.0-only
/*
 * lxbench: the devices of lightexit's programs as C in the kernel, the models'
 * code and the clock included, so that a benchmark can tell what a BPF program
 * adds. For benchmarks only: who may open /dev/lxbench is root.
 *
 * A device belongs to the VM on whose bus it is: KVM's destructor frees it.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kallsyms.h>
#include <linux/kvm_host.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/timekeeping.h>
#include <kvm/iodev.h>

/* As kernel/kfuncs.c has it, for the models below. */
static inline u64 lx_muldiv64(u64 a, u64 b, u64 c)
{
	if (!c)
		return 0;
	if (mul_u64_u64_shr(a, b, 64) >= c)
		return U64_MAX;
	return mul_u64_u64_div_u64(a, b, c);
}

#include "hpet_model.h"
#include "pmtimer_model.h"
#include "bench_model.h"
#include "lxbench.h"

/* 100 MHz, as the VMM's HPET. */
#define HPET_PERIOD_FS 10000000ULL

struct lxbench_dev {
	struct kvm_io_device iodev;
	gpa_t base;
	union {
		struct pmtimer_state pmtimer;
		struct hpet_state hpet;
		struct bench_state bench;
		struct bench_sector_state sector;
	};
};

static struct lxbench_dev *lxbench_dev(struct kvm_io_device *this)
{
	return container_of(this, struct lxbench_dev, iodev);
}

static u64 lxbench_ns(void)
{
	u64 ns = ktime_get_ns();

	rmb(); /* as lx_monotonic_ns(): the clock before the state's seq */
	return ns;
}

static s64 lxbench_device_ns(const struct lx_state *st)
{
	return lxbench_ns() - st->epoch_ns;
}

static __always_inline void lxbench_put(void *to, u64 val, int len)
{
	switch (len) {
	case 1:
		*(u8 *)to = val;
		break;
	case 2:
		*(u16 *)to = val;
		break;
	case 4:
		*(u32 *)to = val;
		break;
	default:
		*(u64 *)to = val;
	}
}

/* ABI of kvm_io_device_ops: 0, or -EOPNOTSUPP for what is not answered. */
static int pmtimer_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			    void *val)
{
	struct lxbench_dev *dev = lxbench_dev(this);
	const struct pmtimer_state *st = &dev->pmtimer;
	u64 v;
	u32 seq;

	if (!lx_read_begin(&st->hdr, &seq) ||
	    pmtimer_read(st, lxbench_device_ns(&st->hdr), addr - dev->base, len, &v) !=
		    LX_HANDLED ||
	    lx_read_retry(&st->hdr, seq))
		return -EOPNOTSUPP;
	lxbench_put(val, v, len);
	return 0;
}

static int hpet_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			 void *val)
{
	struct lxbench_dev *dev = lxbench_dev(this);
	const struct hpet_state *st = &dev->hpet;
	u64 v;
	u32 seq;

	if (!hpet_is_fast((addr - dev->base) & ~7ULL) || !lx_read_begin(&st->hdr, &seq) ||
	    hpet_read(st, lxbench_device_ns(&st->hdr), addr - dev->base, len, &v) != LX_HANDLED ||
	    lx_read_retry(&st->hdr, seq))
		return -EOPNOTSUPP;
	lxbench_put(val, v, len);
	return 0;
}

static int bench_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			  void *val)
{
	struct lxbench_dev *dev = lxbench_dev(this);
	u64 v;

	if (bench_read(&dev->bench, addr - dev->base, len, &v) != LX_HANDLED)
		return -EOPNOTSUPP;
	lxbench_put(val, v, len);
	return 0;
}

static int bench_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			   const void *val)
{
	struct lxbench_dev *dev = lxbench_dev(this);

	/* The only length that it takes; the model checks it. */
	if (len != 4 || bench_write(&dev->bench, addr - dev->base, len, *(u32 *)val) != LX_HANDLED)
		return -EOPNOTSUPP;
	return 0;
}

static int nop_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			 const void *val)
{
	return 0;
}

static int sector_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			   void *val)
{
	u64 v;

	if (bench_sector_read(&lxbench_dev(this)->sector, len, &v) != LX_HANDLED)
		return -EOPNOTSUPP;
	*(u16 *)val = v;
	return 0;
}

static int sector_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *this, gpa_t addr, int len,
			    const void *val)
{
	if (len != 2)
		return -EOPNOTSUPP;
	bench_sector_write(&lxbench_dev(this)->sector, len, *(u16 *)val);
	return 0;
}

/* The VM ends; the module's text may go when this returned: see lxbench_exit(). */
static void lxbench_destructor(struct kvm_io_device *this)
{
	kfree(lxbench_dev(this));
	module_put(THIS_MODULE);
}

static const struct kvm_io_device_ops lxbench_ops[LXBENCH_KINDS] = {
	[LXBENCH_PMTIMER] = { .read = pmtimer_dev_read, .destructor = lxbench_destructor },
	[LXBENCH_HPET] = { .read = hpet_dev_read, .destructor = lxbench_destructor },
	[LXBENCH_WRITE] = { .read = bench_dev_read,
			    .write = bench_dev_write,
			    .destructor = lxbench_destructor },
	[LXBENCH_SECTOR] = { .read = sector_dev_read,
			     .write = sector_dev_write,
			     .destructor = lxbench_destructor },
	[LXBENCH_NOP] = { .write = nop_dev_write, .destructor = lxbench_destructor },
};

static struct lxbench_dev *lxbench_new(const struct lxbench_attach *arg)
{
	struct lxbench_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	kvm_iodevice_init(&dev->iodev, &lxbench_ops[arg->kind]);
	dev->base = arg->addr;
	if (arg->kind == LXBENCH_PMTIMER) {
		dev->pmtimer.bits = 32;
		dev->pmtimer.hdr.epoch_ns = ktime_get_ns();
	} else if (arg->kind == LXBENCH_HPET) {
		dev->hpet.cap = HPET_PERIOD_FS << HPET_CAP_PERIOD_SHIFT;
		dev->hpet.config = HPET_CONFIG_ENABLE;
		dev->hpet.hdr.epoch_ns = ktime_get_ns();
	}
	return dev;
}

/* Where a range belongs in the order of the bus; -EEXIST if it overlaps another. */
static int lxbench_place(const struct kvm_io_bus *bus, const struct lxbench_attach *arg)
{
	int i, place = 0;

	for (i = 0; i < bus->dev_count; i++) {
		const struct kvm_io_range *r = &bus->range[i];

		if (r->addr < arg->addr + arg->len && arg->addr < r->addr + max(r->len, 1))
			return -EEXIST;
		place += r->addr < arg->addr;
	}
	return place;
}

/* What kvm_io_bus_register_dev(), which is not exported, does. */
static int lxbench_register(struct kvm *kvm, enum kvm_bus idx, const struct lxbench_attach *arg,
			    struct lxbench_dev *dev)
{
	struct kvm_io_bus *old = kvm_get_bus(kvm, idx), *bus;
	int place;

	lockdep_assert_held(&kvm->slots_lock);
	if (!old)
		return -ENOMEM;
	place = lxbench_place(old, arg);
	if (place < 0)
		return place;
	if (old->dev_count - old->ioeventfd_count >= NR_IOBUS_DEVS)
		return -ENOSPC;
	bus = kmalloc(struct_size(bus, range, old->dev_count + 1), GFP_KERNEL_ACCOUNT);
	if (!bus)
		return -ENOMEM;
	memcpy(bus, old, struct_size(bus, range, place));
	memcpy(&bus->range[place + 1], &old->range[place],
	       (old->dev_count - place) * sizeof(bus->range[0]));
	bus->dev_count = old->dev_count + 1;
	bus->range[place] = (struct kvm_io_range){
		.addr = arg->addr,
		.len = arg->len,
		.dev = &dev->iodev,
	};
	rcu_assign_pointer(kvm->buses[idx], bus);
	synchronize_srcu_expedited(&kvm->srcu);
	kfree(old);
	return 0;
}

static int lxbench_put_on(struct kvm *kvm, const struct lxbench_attach *arg)
{
	struct lxbench_dev *dev = lxbench_new(arg);
	int err;

	if (!dev)
		return -ENOMEM;
	__module_get(THIS_MODULE); /* until the destructor */
	mutex_lock(&kvm->slots_lock);
	err = lxbench_register(kvm, arg->space == LX_SPACE_PIO ? KVM_PIO_BUS : KVM_MMIO_BUS, arg,
			       dev);
	mutex_unlock(&kvm->slots_lock);
	if (err) {
		kfree(dev);
		module_put(THIS_MODULE);
	}
	return err;
}

/* file_is_kvm() is for KVM's own modules: see kernel/hook.c. */
static bool lxbench_is_vm(struct file *file)
{
	char name[KSYM_SYMBOL_LEN];

	if (!file->f_op->release)
		return false;
	sprint_symbol_no_offset(name, (unsigned long)file->f_op->release);
	return !strcmp(name, "kvm_vm_release") || !strcmp(name, "kvm_vm_release [kvm]");
}

static int lxbench_check(const struct lxbench_attach *arg)
{
	u64 end;

	if (arg->kind >= LXBENCH_KINDS || arg->space > LX_SPACE_MMIO || !arg->len ||
	    arg->len > INT_MAX || check_add_overflow(arg->addr, arg->len, &end) ||
	    (arg->space == LX_SPACE_PIO && end > 0x10000))
		return -EINVAL;
	return 0;
}

static long lxbench_ioctl(struct file *file, unsigned int cmd, unsigned long ptr)
{
	struct lxbench_attach arg;
	struct file *vm;
	struct kvm *kvm;
	long err;

	if (cmd != LXBENCH_ATTACH)
		return -ENOTTY;
	if (copy_from_user(&arg, (void __user *)ptr, sizeof(arg)))
		return -EFAULT;
	err = lxbench_check(&arg);
	if (err)
		return err;
	vm = fget(arg.vm_fd);
	if (!vm)
		return -EBADF;
	err = -EINVAL;
	if (lxbench_is_vm(vm)) {
		kvm = vm->private_data;
		err = kvm->mm == current->mm ? lxbench_put_on(kvm, &arg) : -EPERM;
	}
	fput(vm);
	return err;
}

static const struct file_operations lxbench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = lxbench_ioctl,
};

static struct miscdevice lxbench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lxbench",
	.fops = &lxbench_fops,
	.mode = 0600,
};

static int __init lxbench_init(void)
{
	return misc_register(&lxbench_misc);
}

static void __exit lxbench_exit(void)
{
	misc_deregister(&lxbench_misc);
	synchronize_rcu_tasks(); /* the last destructor may not have returned yet */
}

module_init(lxbench_init);
module_exit(lxbench_exit);

MODULE_DESCRIPTION("lightexit's benchmark: device models as C devices in the kernel");
MODULE_LICENSE("GPL");
