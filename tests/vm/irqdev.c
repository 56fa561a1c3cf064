// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See irqdev.h. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "irqdev.h"
#include "irqfd.h"
#include "loop.h"

struct irqdev irqdev;

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	cr_assert_geq(fd, 0);
	return fd;
}

void irqdev_setup(enum vmm_irqchip irqchip, const char *program, unsigned int pin,
		  void (*attached)(void))
{
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };

	vmt_init();
	vms_create(&(struct vmm_opts){ .vcpus = 1, .irqchip = irqchip });
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	cr_assert_eq(vmm_loop_new(&irqdev.loop), 0);
	irqdev.irq = irqchip == VMM_IRQCHIP_NO_PIT ? vmm_irqfd(vms.vm, pin, -1) : new_eventfd();
	cr_assert_geq(irqdev.irq, 0);
	irqdev.kick = new_eventfd();
	irqdev.handover = new_eventfd();
	irqdev.dev = vmt_load(vmt_bpf_dir(), program);
	turns_init(irqdev.dev, attached);
	irqdev.state = lx_device_state(irqdev.dev, NULL);
	fds.slots[0] = irqdev.irq;
	fds.kick_fd = irqdev.kick;
	fds.handover_fd = irqdev.handover;
	cr_assert_eq(lx_device_set_eventfds(irqdev.dev, &fds), 0, "%s", vmt_log());
}

void irqdev_teardown(void)
{
	vmm_loop_free(irqdev.loop);
	lx_device_close(irqdev.dev);
	close(irqdev.irq);
	close(irqdev.kick);
	close(irqdev.handover);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}
