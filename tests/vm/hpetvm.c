// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine with an HPET; see hpetvm.h. */
#include <string.h>

#include "hpetvm.h"

struct hpetvm hpetvm;

static struct hpet_state own; /* where there is no program */

void hpetvm_setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

void hpetvm_teardown(void)
{
	if (hpetvm.hpet)
		vmm_hpet_disconnect(hpetvm.hpet);
	vmm_loop_free(hpetvm.loop);
	vms_teardown();
	vmm_hpet_free(hpetvm.hpet);
	lx_device_close(hpetvm.dev);
	memset(&hpetvm, 0, sizeof(hpetvm));
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

static void set_eventfds(void)
{
	struct lx_eventfds e = { .sz = sizeof(e), .n = HPET_SLOTS };

	vmm_hpet_eventfds(hpetvm.hpet, e.slots, &e.handover_fd, &e.kick_fd);
	cr_assert_eq(lx_device_set_eventfds(hpetvm.dev, &e), 0, "%s", vmt_log());
}

void hpetvm_attach(void)
{
	cr_assert_eq(vmm_hpet_hand_out(hpetvm.hpet), 0);
	vmt_attach(hpetvm.dev, vms.vm);
}

uint64_t hpetvm_detach(void)
{
	uint64_t n = hpetvm_handled();

	cr_assert_eq(lx_device_detach(hpetvm.dev), 0, "%s", vmt_log());
	return n;
}

static void on_legacy(void *opaque, bool on)
{
	hpetvm.legacy = on;
}

void hpetvm_make(enum path path, unsigned int vcpus, enum lx_clock clock)
{
	struct vmm_hpet_irqs irqs = { .legacy_gsi = { 2, 8 }, .legacy = on_legacy };

	vms_create(&(struct vmm_opts){ .vcpus = vcpus, .irqchip = VMM_IRQCHIP_KERNEL });
	cr_assert_eq(vmm_loop_new(&hpetvm.loop), 0);
	if (path != BY_VMM) {
		hpetvm.dev = vmt_load(vmt_bpf_dir(), "hpet");
		hpetvm.st = lx_device_state(hpetvm.dev, NULL);
	} else {
		memset(&own, 0, sizeof(own));
		lx_state_init(&own.hdr, sizeof(own));
		hpetvm.st = &own;
	}
	cr_assert_eq(vmm_hpet_new(vms.vm, BASE, clock, hpetvm.st, &hpetvm.hpet), 0);
	irqs.loop = hpetvm.loop;
	cr_assert_eq(vmm_hpet_connect(hpetvm.hpet, &irqs), 0);
	if (hpetvm.dev)
		set_eventfds();
	if (path == BY_PROGRAM)
		hpetvm_attach();
}

uint64_t hpetvm_handled(void)
{
	return vmt_stats(hpetvm.dev).regions[0].handled;
}

uint64_t hpetvm_exited(void)
{
	return vmm_dev_count(vms.vm, vmm_hpet_index(hpetvm.hpet)).accesses;
}
