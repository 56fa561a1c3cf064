// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For the lab only: KVM on PREEMPT_RT refuses to load where the CPU does not advertise a constant
 * TSC, and QEMU's emulation does not, although its TSC is constant. Sets the bit before kvm is
 * loaded.
 */
#include <linux/module.h>
#include <asm/cpufeature.h>

static int __init consttsc_init(void)
{
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_CONSTANT_TSC);
	return 0;
}
module_init(consttsc_init);

static void __exit consttsc_exit(void)
{
}
module_exit(consttsc_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Sets X86_FEATURE_CONSTANT_TSC in an emulated machine");
