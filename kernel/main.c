// SPDX-License-Identifier: GPL-2.0-only
/*
 * lightexit: answers a guest's trapped I/O with BPF programs. Module parameters,
 * start and end. docs/path.md shows the way of an access through the files here.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/utsname.h>
#include <generated/utsrelease.h>
#include <asm/tsc.h>

#include "internal.h"

#define LX_BUDGET_US_MAX 500000

DEFINE_STATIC_KEY_FALSE(lx_off);
struct workqueue_struct *lx_wq;

/* Timers go with the accesses: to the VMMs, or back to the programs. */
static void lx_tell_devices(bool on)
{
	struct lx_device *dev;

	synchronize_rcu(); /* ops that did not see the switch may have started timers */
	mutex_lock(&lx_devices_lock);
	list_for_each_entry(dev, &lx_devices, node) {
		if (on)
			lx_timers_kick(dev);
		else
			lx_handover(dev);
	}
	mutex_unlock(&lx_devices_lock);
}

static int lx_set_enable(const char *val, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(val, &on);

	if (err)
		return err;
	if (on)
		static_branch_disable(&lx_off);
	else
		static_branch_enable(&lx_off);
	lx_tell_devices(on);
	return 0;
}

static int lx_get_enable(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%c\n", static_key_enabled(&lx_off) ? 'N' : 'Y');
}

static const struct kernel_param_ops lx_enable_ops = {
	.set = lx_set_enable,
	.get = lx_get_enable,
};

module_param_cb(enable, &lx_enable_ops, NULL, 0644);
MODULE_PARM_DESC(enable, "Off: every access passes, nothing can be attached (bool, default on)");

static uint budget_us = 1000;

/* Devices look again at how long their ops run, once no op compares with the old budget. */
static int lx_set_budget(const char *val, const struct kernel_param *kp)
{
	int err = param_set_uint_minmax(val, kp, 1, LX_BUDGET_US_MAX);
	struct lx_device *dev;

	if (err)
		return err;
	synchronize_rcu();
	mutex_lock(&lx_devices_lock);
	list_for_each_entry(dev, &lx_devices, node)
		WRITE_ONCE(dev->watch, 0);
	mutex_unlock(&lx_devices_lock);
	return 0;
}

static const struct kernel_param_ops lx_budget_ops = {
	.set = lx_set_budget,
	.get = param_get_uint,
};

module_param_cb(budget_us, &lx_budget_ops, &budget_us, 0644);
MODULE_PARM_DESC(budget_us, "Longest run of an op in microseconds (1 to 500000, default 1000)");

u64 lx_budget_cycles(void)
{
	return (u64)READ_ONCE(budget_us) * tsc_khz / 1000;
}

/* struct kvm's layout is compiled in, and a forced load skips the version check. */
static int __init lx_check_kernel(void)
{
	if (!strcmp(init_utsname()->release, UTS_RELEASE))
		return 0;
	pr_err("lightexit: built for kernel %s, this is %s: rebuild the module\n", UTS_RELEASE,
	       init_utsname()->release);
	return -ENOEXEC;
}

static int __init lx_module_init(void)
{
	int err = lx_check_kernel();

	if (err)
		return err;
	err = lx_clock_init();
	if (err) {
		pr_err("lightexit: the rate of this machine's TSC is not known (tsc_khz is 0)\n");
		return err;
	}
	lx_wq = alloc_workqueue("lightexit", WQ_UNBOUND, 0);
	if (!lx_wq)
		return -ENOMEM;
	lx_stats_init();
	err = lx_kfuncs_init();
	if (err)
		goto exit_stats;
	err = lx_struct_ops_init();
	if (err)
		goto exit_stats;
	return 0;

exit_stats:
	lx_stats_exit();
	destroy_workqueue(lx_wq);
	return err;
}

/*
 * Nothing is attached and nothing waits to be freed: each of those pins the
 * module. But the last module_put() may have come from a task that has yet to
 * return from this module's text.
 */
static void __exit lx_module_exit(void)
{
	lx_stats_exit();
	destroy_workqueue(lx_wq);
	synchronize_rcu_tasks();
}

module_init(lx_module_init);
module_exit(lx_module_exit);

MODULE_DESCRIPTION("BPF programs that answer a virtual machine's trapped I/O");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
