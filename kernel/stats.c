// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: what happened, for people and tools: /sys/kernel/debug/lightexit/ID/info,
 * one "key: value" a line. A file is there from attach to detach. Removing it waits
 * for info_show(), but not for the copy to user space, which may take for ever: that
 * is why info_show() and not debugfs itself (the "unsafe" file) holds off the removal.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/timex.h>
#include <asm/tsc.h>

#include "internal.h"

static struct dentry *lx_debugfs;

static u64 lx_cycles_to_ns(u64 cycles)
{
	return mul_u64_u64_div_u64(cycles, NSEC_PER_MSEC, tsc_khz);
}

static struct lx_counters lx_sum(struct lx_device *dev, u32 region)
{
	struct lx_counters sum = {}, *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(dev->counters + region, cpu);
		sum.handled += READ_ONCE(c->handled);
		sum.passed += READ_ONCE(c->passed);
		sum.errors += READ_ONCE(c->errors);
		sum.string_splits += READ_ONCE(c->string_splits);
		sum.signals += READ_ONCE(c->signals);
		sum.bad_slots += READ_ONCE(c->bad_slots);
	}
	return sum;
}

const char *lx_eject_reason(struct lx_device *dev, char *buf, size_t size)
{
	switch (READ_ONCE(dev->eject)) {
	case LX_EJECT_ERRORS:
		snprintf(buf, size, "%d bad verdicts in a row", LX_ERROR_LIMIT);
		break;
	case LX_EJECT_OVERRUN:
		snprintf(buf, size, "%d runs in a row over the time budget", LX_OVERRUN_LIMIT);
		break;
	case LX_EJECT_PROGRAM:
		snprintf(buf, size, "the program asked for it, code %u",
			 READ_ONCE(dev->eject_detail));
		break;
	case LX_EJECT_RETRY:
		snprintf(buf, size, "the timer op (%d) asked for a retry %d times in a row",
			 (s32)READ_ONCE(dev->eject_detail), LX_RETRY_LIMIT);
		break;
	default:
		buf[0] = 0;
	}
	return buf;
}

static const char *lx_state_name(struct lx_device *dev)
{
	if (READ_ONCE(dev->eject))
		return "ejected";
	return READ_ONCE(dev->gate) == LX_GATE_OPEN ? "live" : "draining";
}

static void lx_show_region(struct seq_file *m, struct lx_device *dev, u32 i,
			   const struct lx_region *r)
{
	struct lx_counters c = lx_sum(dev, i);
	u32 pieces, shadowed;

	lx_hook_count_pieces(dev, i, &pieces, &shadowed);
	seq_printf(m, "region %u: space=%s addr=0x%llx len=0x%llx flags=0x%x", i,
		   r->space == LX_SPACE_PIO ? "pio" : "mmio", r->addr, r->len, r->flags);
	seq_printf(m, " handled=%llu passed=%llu errors=%llu string_splits=%llu", c.handled,
		   c.passed, c.errors, c.string_splits);
	seq_printf(m, " pieces=%u shadowed=%u signals=%llu bad_slots=%llu\n", pieces, shadowed,
		   c.signals, c.bad_slots);
}

static void lx_show_timer(struct seq_file *m, struct lx_device *dev)
{
	struct lx_counters c = lx_sum(dev, LX_COUNTERS_TIMER);

	seq_printf(m, "timer: handled=%llu retries=%llu errors=%llu signals=%llu bad_slots=%llu\n",
		   c.handled, c.passed, c.errors, c.signals, c.bad_slots);
}

static int lx_show(struct seq_file *m, struct lx_device *dev)
{
	struct lightexit_ops *ops = kmalloc(sizeof(*ops), GFP_KERNEL);
	char reason[64];
	u32 i;

	if (!ops)
		return -ENOMEM;
	rcu_read_lock_sched();
	*ops = *rcu_dereference_sched(dev->ops);
	rcu_read_unlock_sched();

	seq_printf(m, "id: %d\nname: %s\n", dev->id, ops->name);
	seq_printf(m, "pid: %d\n", READ_ONCE(dev->kvm) ? dev->pid : 0);
	seq_printf(m, "link_id: %u\nstate: %s\n", dev->link->id, lx_state_name(dev));
	seq_printf(m, "eject: %u\neject_detail: %u\n", READ_ONCE(dev->eject),
		   READ_ONCE(dev->eject_detail));
	seq_printf(m, "reason: %s\n", lx_eject_reason(dev, reason, sizeof(reason)));
	seq_printf(m, "overruns: %lld\nmax_ns: %llu\n", (s64)atomic64_read(&dev->overruns),
		   lx_cycles_to_ns(READ_ONCE(dev->max_cycles)));
	seq_printf(m, "regions: %u\n", ops->nr_regions);
	for (i = 0; i < ops->nr_regions; i++)
		lx_show_region(m, dev, i, &ops->regions[i]);
	if (ops->timer)
		lx_show_timer(m, dev);
	kfree(ops);
	return 0;
}

static int info_show(struct seq_file *m, void *unused)
{
	struct dentry *dentry = m->file->f_path.dentry;
	int err = debugfs_file_get(dentry);

	if (err) /* removed: the device may be gone */
		return err;
	err = lx_show(m, m->private);
	debugfs_file_put(dentry);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(info);

void lx_stats_add(struct lx_device *dev)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", dev->id);
	dev->debugfs = debugfs_create_dir(name, lx_debugfs);
	debugfs_create_file_unsafe("info", 0444, dev->debugfs, dev, &info_fops);
}

void lx_stats_remove(struct lx_device *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}

void lx_stats_init(void)
{
	lx_debugfs = debugfs_create_dir("lightexit", NULL);
}

void lx_stats_exit(void)
{
	debugfs_remove_recursive(lx_debugfs);
}
