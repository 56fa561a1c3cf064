// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit ①: puts a device's regions on a VM's port-I/O and MMIO buses. The
 * only file that knows how KVM keeps them: kernels export no
 * kvm_io_bus_register_dev(), so this does what that function does, for many
 * ranges at once and without waiting for kvm->srcu. See docs/path.md.
 *
 * Locks, outermost first: kvm->slots_lock protects the buses; dev->vm_lock
 * protects dev->kvm and dev->pieces. kvm->slots_lock may be held by somebody who
 * waits for a vCPU that waits for user space, so it is only ever tried.
 *
 * Lifetimes: a bus array that was replaced is freed after a grace period of
 * kvm->srcu, by struct lx_swap, which holds the VM until then. The VM is only
 * ever let go from lx_wq, with no lock held, because the last user destroys it.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "internal.h"

#define LX_SLOTS_TRIES 100
#define LX_RETRY_DELAY HZ

static const enum kvm_bus lx_buses[] = { KVM_PIO_BUS, KVM_MMIO_BUS };

/*
 * The three symbols of KVM's that the module imports, each in one place. @owner
 * is dev->kvm_module: a struct kvm is there, so its module is.
 */
static bool lx_kvm_get(struct kvm *kvm, struct module *owner)
{
	__module_get(owner);
	if (kvm_get_kvm_safe(kvm))
		return true;
	module_put(owner);
	return false;
}

static void lx_kvm_hold(struct kvm *kvm, struct module *owner)
{
	__module_get(owner);
	kvm_get_kvm(kvm);
}

static void lx_kvm_put(struct kvm *kvm, struct module *owner)
{
	kvm_put_kvm(kvm);
	module_put(owner);
}

/*
 * file_is_kvm() is for KVM's own modules. A VM's file is the one that
 * kvm_vm_release() releases; the symbol is KVM's, or the kernel's if KVM is
 * built in, so no other module can pass for it.
 */
struct kvm *lx_kvm_of_file(struct file *file)
{
	char name[KSYM_SYMBOL_LEN];

	if (!file->f_op->release)
		return NULL;
	sprint_symbol_no_offset(name, (unsigned long)file->f_op->release);
	if (strcmp(name, "kvm_vm_release") && strcmp(name, "kvm_vm_release [kvm]"))
		return NULL;
	return file->private_data;
}

/* dev->vm_lock is held. */
static void lx_piece_unlist(struct lx_piece *piece)
{
	lockdep_assert_held(&piece->dev->vm_lock);
	list_del(&piece->node);
	if (list_empty(&piece->dev->pieces))
		piece->dev->kvm = NULL;
}

static void lx_piece_free(struct lx_piece *piece)
{
	struct lx_device *dev = piece->dev;

	kfree(piece);
	lx_device_put(dev);
}

/*
 * KVM destroys a bus: with its VM, or of a live VM for want of memory. Timers use the
 * VM's clock, so they end before the VM may be gone.
 */
static void lx_hook_destructor(struct kvm_io_device *this)
{
	struct lx_piece *piece = container_of(this, struct lx_piece, iodev);
	struct lx_device *dev = piece->dev;
	bool last;

	spin_lock(&dev->vm_lock);
	lx_piece_unlist(piece);
	last = list_empty(&dev->pieces);
	spin_unlock(&dev->vm_lock);
	if (last && !READ_ONCE(dev->dead))
		lx_device_hand_over(dev);
	lx_piece_free(piece);
}

static const struct kvm_io_device_ops lx_hook_ops = {
	.read = lx_dispatch_read,
	.write = lx_dispatch_write,
	.destructor = lx_hook_destructor,
};

static struct lx_piece *lx_piece_of(const struct kvm_io_range *range)
{
	if (range->dev->ops != &lx_hook_ops)
		return NULL;
	return container_of(range->dev, struct lx_piece, iodev);
}

/*
 * struct lx_swap - one bus of one VM, replaced
 * @kvm:   held until the old array is freed, with @kvm_module
 * @bus:   the new array
 * @old:   the array to free
 * @added:   pieces that are new in @bus, @nr_added of them
 * @removed: pieces that are no longer in @bus
 * @rcu, @work: the way to the old array's end
 */
struct lx_swap {
	struct kvm *kvm;
	struct module *kvm_module;
	struct kvm_io_bus *bus;
	struct kvm_io_bus *old;
	struct list_head added;
	u32 nr_added;
	struct list_head removed;
	struct rcu_head rcu;
	struct work_struct work;
};

static void lx_free_pieces(struct list_head *pieces)
{
	struct lx_piece *piece, *tmp;

	list_for_each_entry_safe(piece, tmp, pieces, node)
		lx_piece_free(piece);
	INIT_LIST_HEAD(pieces);
}

/* Before publication. */
static void lx_swap_abort(struct lx_swap *swap)
{
	if (!swap)
		return;
	lx_free_pieces(&swap->added);
	kfree(swap->bus);
	kfree(swap);
}

static void lx_swap_free(struct work_struct *work)
{
	struct lx_swap *swap = container_of(work, struct lx_swap, work);

	lx_free_pieces(&swap->removed);
	lx_kvm_put(swap->kvm, swap->kvm_module);
	kfree(swap);
	module_put(THIS_MODULE);
}

/* No vCPU can see the old array any more. Softirqs are off: the rest is for a worker. */
static void lx_swap_quiesced(struct rcu_head *rcu)
{
	struct lx_swap *swap = container_of(rcu, struct lx_swap, rcu);

	kfree(swap->old);
	queue_work(lx_wq, &swap->work);
}

/* Never waits for longer than a moment: see the top of the file. The library tries again. */
static int lx_lock_slots(struct kvm *kvm)
{
	int i;

	for (i = 0; i < LX_SLOTS_TRIES; i++) {
		if (mutex_trylock(&kvm->slots_lock))
			return 0;
		usleep_range(200, 1000);
	}
	return -EAGAIN;
}

/* An ioeventfd of length 0 is asked for its first address only. */
static u64 lx_range_end(const struct kvm_io_range *range)
{
	return range->addr + max(range->len, 1);
}

/* True for a piece of @dev's, or of a device that was detached while it could not be removed. */
static bool lx_is_obsolete(const struct kvm_io_range *range, const struct lx_device *dev)
{
	const struct lx_piece *piece = lx_piece_of(range);

	return piece && (piece->dev == dev || READ_ONCE(piece->dev->dead));
}

static struct lx_piece *lx_piece_new(struct lx_device *dev, const struct lx_region *r, u32 region,
				     gpa_t addr, u64 end)
{
	struct lx_piece *piece = kzalloc(sizeof(*piece), GFP_KERNEL_ACCOUNT);

	if (!piece)
		return NULL;
	kvm_iodevice_init(&piece->iodev, &lx_hook_ops);
	refcount_inc(&dev->refs);
	piece->dev = dev;
	piece->counters = dev->counters + region;
	piece->base = r->addr;
	piece->addr = addr;
	piece->len = end - addr;
	piece->region = region;
	piece->pio = r->space == LX_SPACE_PIO;
	piece->strings = r->flags & LX_REGION_STRINGS;
	return piece;
}

static int lx_add_piece(struct lx_swap *swap, struct lx_device *dev, const struct lx_region *r,
			u32 region, gpa_t addr, u64 end)
{
	struct lx_piece *piece;

	if (addr >= end)
		return 0;
	if (swap->nr_added == NR_IOBUS_DEVS)
		return -ENOSPC; /* before there are more of them than the bus may have */
	piece = lx_piece_new(dev, r, region, addr, end);
	if (!piece)
		return -ENOMEM;
	list_add_tail(&piece->node, &swap->added);
	swap->nr_added++;
	return 0;
}

/*
 * Cuts a region into pieces around the devices that are there. KVM's lookup
 * takes a range as found only if it holds the whole access and does not nest, so
 * neither may ours. A device with the region's very bounds is overlaid; if others
 * leave nothing of the region, it would be attached in vain.
 */
static int lx_cut_region(struct lx_swap *swap, struct lx_device *dev, const struct lx_region *r,
			 u32 region, const struct kvm_io_bus *bus)
{
	const struct list_head *last = swap->added.prev;
	u64 pos = r->addr, end = r->addr + r->len;
	int i, err;

	for (i = 0; i < bus->dev_count; i++) {
		const struct kvm_io_range *other = &bus->range[i];
		bool same = other->addr == r->addr && other->len == r->len;

		if (other->addr >= end || lx_range_end(other) <= r->addr ||
		    lx_is_obsolete(other, dev))
			continue;
		if (lx_piece_of(other))
			return -EEXIST;
		if (!(r->flags & LX_REGION_OVERLAY))
			return -EBUSY;
		if (same)
			continue;
		err = lx_add_piece(swap, dev, r, region, pos, other->addr);
		if (err)
			return err;
		pos = max(pos, lx_range_end(other));
	}
	err = lx_add_piece(swap, dev, r, region, pos, end);
	if (err)
		return err;
	return swap->added.prev == last ? -EBUSY : 0;
}

static bool lx_in_space(const struct lx_region *r, enum kvm_bus idx)
{
	return (r->space == LX_SPACE_PIO) == (idx == KVM_PIO_BUS);
}

static bool lx_needs_bus(const struct lightexit_ops *ops, enum kvm_bus idx)
{
	u32 i;

	for (i = 0; i < ops->nr_regions; i++) {
		if (lx_in_space(&ops->regions[i], idx))
			return true;
	}
	return false;
}

static int lx_cut_regions(struct lx_swap *swap, struct lx_device *dev,
			  const struct lightexit_ops *ops, enum kvm_bus idx,
			  const struct kvm_io_bus *bus)
{
	u32 i;
	int err;

	for (i = 0; i < ops->nr_regions; i++) {
		if (!lx_in_space(&ops->regions[i], idx))
			continue;
		err = lx_cut_region(swap, dev, &ops->regions[i], i, bus);
		if (err)
			return err;
	}
	return 0;
}

static void lx_insert(struct kvm_io_bus *bus, struct lx_piece *piece)
{
	int i = 0;

	while (i < bus->dev_count && bus->range[i].addr < piece->addr)
		i++;
	memmove(&bus->range[i + 1], &bus->range[i], (bus->dev_count - i) * sizeof(bus->range[0]));
	bus->range[i] = (struct kvm_io_range){
		.addr = piece->addr,
		.len = piece->len,
		.dev = &piece->iodev,
	};
	bus->dev_count++;
}

/* The new array: @old without what is obsolete, with the pieces in @swap->added. */
static int lx_build_bus(struct lx_swap *swap, struct lx_device *dev, const struct kvm_io_bus *old)
{
	struct kvm_io_bus *bus;
	struct lx_piece *piece;
	int i;

	bus = kmalloc(struct_size(bus, range, old->dev_count + swap->nr_added), GFP_KERNEL_ACCOUNT);
	if (!bus)
		return -ENOMEM;
	swap->bus = bus;
	memcpy(bus, old, offsetof(struct kvm_io_bus, range));
	bus->dev_count = 0;
	for (i = 0; i < old->dev_count; i++) {
		piece = lx_piece_of(&old->range[i]);
		if (piece) /* decided once: a device may die at any time */
			piece->leaves = lx_is_obsolete(&old->range[i], dev);
		if (!piece || !piece->leaves)
			bus->range[bus->dev_count++] = old->range[i];
	}
	list_for_each_entry(piece, &swap->added, node)
		lx_insert(bus, piece);
	if (!list_empty(&swap->added) && bus->dev_count - bus->ioeventfd_count > NR_IOBUS_DEVS)
		return -ENOSPC;
	return 0;
}

static bool lx_has_obsolete(const struct kvm_io_bus *bus, const struct lx_device *dev)
{
	int i;

	for (i = 0; i < bus->dev_count; i++) {
		if (lx_is_obsolete(&bus->range[i], dev))
			return true;
	}
	return false;
}

/*
 * Prepares one bus to have @dev's pieces as @ops says (none if NULL), and no
 * pieces of dead devices. *@out stays NULL if nothing changes.
 */
static int lx_swap_prepare(struct kvm *kvm, enum kvm_bus idx, struct lx_device *dev,
			   const struct lightexit_ops *ops, struct lx_swap **out)
{
	struct kvm_io_bus *old = kvm_get_bus(kvm, idx);
	struct lx_swap *swap;
	int err = 0;

	lockdep_assert_held(&kvm->slots_lock);
	if (!old)
		return ops && lx_needs_bus(ops, idx) ? -ENOMEM : 0;
	swap = kzalloc(sizeof(*swap), GFP_KERNEL_ACCOUNT);
	if (!swap)
		return -ENOMEM;
	INIT_LIST_HEAD(&swap->added);
	INIT_LIST_HEAD(&swap->removed);
	INIT_WORK(&swap->work, lx_swap_free);
	swap->kvm = kvm;
	swap->kvm_module = dev->kvm_module;
	swap->old = old;
	if (ops)
		err = lx_cut_regions(swap, dev, ops, idx, old);
	if (!err && (!list_empty(&swap->added) || lx_has_obsolete(old, dev)))
		err = lx_build_bus(swap, dev, old);
	if (err || !swap->bus) {
		lx_swap_abort(swap);
		return err;
	}
	*out = swap;
	return 0;
}

/* Moves the pieces that @swap leaves out of the bus from their devices to the swap. */
static void lx_collect_removed(struct lx_swap *swap)
{
	int i;

	for (i = 0; i < swap->old->dev_count; i++) {
		struct lx_piece *piece = lx_piece_of(&swap->old->range[i]);

		if (!piece || !piece->leaves)
			continue;
		spin_lock(&piece->dev->vm_lock);
		lx_piece_unlist(piece);
		spin_unlock(&piece->dev->vm_lock);
		list_add_tail(&piece->node, &swap->removed);
		WRITE_ONCE(piece->gone, LX_GATE_CLOSED);
	}
}

/* Publishes. kvm->slots_lock is held, and the VM by the caller. */
static void lx_swap_commit(struct lx_swap *swap, enum kvm_bus idx, struct lx_device *dev)
{
	struct kvm *kvm = swap->kvm;

	lockdep_assert_held(&kvm->slots_lock);
	lx_collect_removed(swap);
	if (!list_empty(&swap->added)) {
		spin_lock(&dev->vm_lock);
		list_splice_tail_init(&swap->added, &dev->pieces);
		dev->kvm = kvm;
		spin_unlock(&dev->vm_lock);
	}
	lx_kvm_hold(kvm, swap->kvm_module);
	__module_get(THIS_MODULE);
	rcu_assign_pointer(kvm->buses[idx], swap->bus);
	call_srcu(&kvm->srcu, &swap->rcu, lx_swap_quiesced);
}

/* Both buses or none; one publication for each bus that changes. */
static int lx_replace(struct kvm *kvm, struct lx_device *dev, const struct lightexit_ops *ops)
{
	struct lx_swap *swaps[ARRAY_SIZE(lx_buses)] = {};
	int i, err;

	err = lx_lock_slots(kvm);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(lx_buses) && !err; i++)
		err = lx_swap_prepare(kvm, lx_buses[i], dev, ops, &swaps[i]);
	for (i = 0; i < ARRAY_SIZE(lx_buses); i++) {
		if (err)
			lx_swap_abort(swaps[i]);
		else if (swaps[i])
			lx_swap_commit(swaps[i], lx_buses[i], dev);
	}
	mutex_unlock(&kvm->slots_lock);
	return err;
}

/**
 * lx_hook_attach() - put a device on a VM's buses, or move it there
 * @dev: the device
 * @kvm: held by the caller
 * @ops: has the regions
 *
 * Return: 0; -EAGAIN (slots_lock is busy), -EEXIST, -EBUSY, -ENOSPC, -ENOMEM, and nothing
 * changed.
 */
int lx_hook_attach(struct lx_device *dev, struct kvm *kvm, const struct lightexit_ops *ops)
{
	return lx_replace(kvm, dev, ops);
}

/* The VM, held, if it is there and not on its way down (then it calls our destructors). */
struct kvm *lx_hook_hold_vm(struct lx_device *dev)
{
	struct kvm *kvm;

	spin_lock(&dev->vm_lock);
	kvm = dev->kvm;
	if (kvm && !lx_kvm_get(kvm, dev->kvm_module))
		kvm = NULL;
	spin_unlock(&dev->vm_lock);
	return kvm;
}

/* Lets go what lx_hook_hold_vm() held. From lx_wq only: this may destroy the VM. */
void lx_hook_put_vm(struct lx_device *dev, struct kvm *kvm)
{
	lx_kvm_put(kvm, dev->kvm_module);
}

/**
 * lx_hook_detach() - take a device off its VM
 * @dev: nobody is in its programs, and nobody will be
 * @kvm: from lx_hook_hold_vm(); let go here
 *
 * If that fails now (no memory, slots_lock busy) the pieces stay and pass
 * everything, until lx_hook_retry() or the VM's end removes them. The module
 * stays pinned until then.
 */
void lx_hook_detach(struct lx_device *dev, struct kvm *kvm)
{
	WRITE_ONCE(dev->dead, true);
	if (!kvm)
		return;
	lx_replace(kvm, dev, NULL);
	dev->held = kvm;
	refcount_inc(&dev->refs);
	queue_delayed_work(lx_wq, &dev->retry, 0);
}

/* Lets the VM go that lx_hook_detach() held, and finishes what it could not. */
void lx_hook_retry(struct work_struct *work)
{
	struct lx_device *dev = container_of(to_delayed_work(work), struct lx_device, retry);
	struct kvm *kvm = dev->held ?: lx_hook_hold_vm(dev);
	int err = 0;

	dev->held = NULL;
	if (kvm) {
		if (lx_hook_is_on(dev, kvm))
			err = lx_replace(kvm, dev, NULL);
		lx_kvm_put(kvm, dev->kvm_module);
	}
	if (err)
		queue_delayed_work(lx_wq, &dev->retry, LX_RETRY_DELAY);
	else
		lx_device_put(dev);
}

/* True if the device is on the buses of just this VM. */
bool lx_hook_is_on(struct lx_device *dev, struct kvm *kvm)
{
	bool on;

	spin_lock(&dev->vm_lock);
	on = dev->kvm == kvm;
	spin_unlock(&dev->vm_lock);
	return on;
}

/*
 * A range that somebody else put over a piece later: KVM's lookup may miss the
 * piece. Pieces do not overlap. The other devices may be freed by now: while the
 * VM is being destroyed, only the array is there until @piece's destructor ran.
 */
static bool lx_is_shadowed(const struct kvm_io_bus *bus, const struct lx_piece *piece)
{
	int i;

	for (i = 0; bus && i < bus->dev_count; i++) {
		const struct kvm_io_range *other = &bus->range[i];

		if (other->addr >= piece->addr + piece->len || lx_range_end(other) <= piece->addr)
			continue;
		if (other->addr != piece->addr || other->len != piece->len)
			return true;
	}
	return false;
}

/* How many pieces a region has on the bus, and how many of them are shadowed. */
void lx_hook_count_pieces(struct lx_device *dev, u32 region, u32 *pieces, u32 *shadowed)
{
	struct lx_piece *piece;
	struct kvm_io_bus *bus;
	int idx;

	*pieces = 0;
	*shadowed = 0;
	spin_lock(&dev->vm_lock);
	if (!dev->kvm)
		goto unlock;
	idx = srcu_read_lock(&dev->kvm->srcu);
	list_for_each_entry(piece, &dev->pieces, node) {
		if (piece->region != region)
			continue;
		bus = srcu_dereference(dev->kvm->buses[piece->pio ? KVM_PIO_BUS : KVM_MMIO_BUS],
				       &dev->kvm->srcu);
		(*pieces)++;
		*shadowed += lx_is_shadowed(bus, piece);
	}
	srcu_read_unlock(&dev->kvm->srcu, idx);
unlock:
	spin_unlock(&dev->vm_lock);
}
