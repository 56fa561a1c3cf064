// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A device that uses the kernel's services; see svc.h. */
#include <errno.h>
#include <glob.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "svc.h"

struct svc svc;

uint64_t svc_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void svc_load(void)
{
	vmt_init();
	vmr_init();
	vmr_load(&svc.prog, "vt_svc", sizeof(*svc.st));
	svc.st = svc.prog.state;
	svc.link = -1;
	svc.refs = vmt_module_refs();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

void svc_machine(unsigned int vcpus, enum vmm_irqchip irqchip)
{
	vms_create(&(struct vmm_opts){ .vcpus = vcpus, .irqchip = irqchip });
	svc.ops = vmr_ops(vms.vm->fd);
	svc.ops.regions[0].addr = VMS_PORT;
	svc.ops.regions[0].len = VMS_PORTS;
	svc.ops.regions[0].flags = LX_REGION_STRINGS;
	strcpy(svc.ops.name, "vt_svc");
	vmr_set_ops(&svc.ops, &svc.prog);
}

void svc_setup(unsigned int vcpus, enum vmm_irqchip irqchip)
{
	svc_load();
	svc_machine(vcpus, irqchip);
}

void svc_teardown(void)
{
	if (svc.link >= 0)
		svc_detach();
	vms_teardown();
	vmr_unload(&svc.prog);
	vmr_exit();
	vmt_set_param("enable", "Y");
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
	vmt_wait_module_refs(0);
}

void svc_attach(void)
{
	svc.link = vmr_attach(&svc.ops);
	cr_assert_geq(svc.link, 0, "attach: %d", svc.link);
}

void svc_attach_quietly(void)
{
	svc_attach();
	svc_wait_for((const uint64_t *)&svc.st->kick.runs, 1, "the attach's kick");
	svc_settle();
}

void svc_detach(void)
{
	close(svc.link);
	svc.link = -1;
}

int svc_update(void)
{
	struct lightexit_ops ops = svc.ops;

	ops.nr_eventfds = 0;
	memset(ops.eventfds, 0, sizeof(ops.eventfds));
	ops.handover_fd = 0;
	ops.kick_fd = 0;
	return vmr_update(svc.link, &ops);
}

int svc_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	cr_assert_gt(fd, 0, "eventfd: %m");
	return fd;
}

int svc_add_slot(void)
{
	int fd = svc_eventfd();

	svc.ops.eventfds[svc.ops.nr_eventfds++] = fd;
	return fd;
}

void svc_irqfd(int fd, unsigned int pin, int resample)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = pin };

	if (resample >= 0) {
		irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
		irqfd.resamplefd = (uint32_t)resample;
	}
	cr_assert_eq(ioctl(vms.vm->fd, KVM_IRQFD, &irqfd), 0, "KVM_IRQFD: %m");
}

uint32_t svc_irqs(unsigned int vector)
{
	const struct script_params *params = vmm_params(vms.vm);

	return __atomic_load_n(&params->irqs[vector], __ATOMIC_ACQUIRE);
}

uint64_t svc_count(int fd)
{
	eventfd_t n = 0;

	if (eventfd_read(fd, &n))
		cr_assert_eq(errno, EAGAIN, "eventfd: %m");
	return n;
}

uint64_t svc_wait(int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	cr_assert_eq(poll(&p, 1, SVC_TIMEOUT_MS), 1, "no signal: %s", what);
	return svc_count(fd);
}

struct vt_call *svc_call(struct vt_order *order, enum vt_what what, uint32_t a, uint64_t b,
			 uint32_t c)
{
	struct vt_call *call = &order->calls[order->n];

	cr_assert_lt(order->n, VT_CALLS);
	*call = (struct vt_call){ .what = what, .a = a, .b = b, .c = c, .ret = -1000 };
	order->n++;
	return call;
}

void svc_access(unsigned int order)
{
	vms_out(4, VMS_PORT + 4 * order, order);
}

void svc_do(unsigned int order)
{
	uint64_t runs = svc.st->access[order].runs, exits = vms_count().exits;

	svc_access(order);
	vms_run();
	cr_assert_eq(svc.st->access[order].runs, runs + 1, "the program was not asked");
	cr_assert_eq(vms_count().exits, exits, "the access reached the VMM");
}

void svc_wait_for(const uint64_t *n, uint64_t want, const char *what)
{
	uint64_t end = svc_ns() + SVC_TIMEOUT_MS * MS;

	while (__atomic_load_n(n, __ATOMIC_ACQUIRE) < want && svc_ns() < end)
		usleep(1000);
	cr_assert_geq(*n, want, "%s: %lu, not %lu", what, *n, want);
}

static const char *find_line(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!strncmp(line, key, len) && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

/* The text of the debugfs file of the device whose link this is. */
static const char *read_info(void)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	const char *text = NULL, *id;
	glob_t g;

	cr_assert_eq(bpf_link_get_info_by_fd(svc.link, &info, &len), 0, "%m");
	cr_assert_eq(glob("/sys/kernel/debug/lightexit/*/info", 0, NULL, &g), 0, "debugfs");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		text = vmt_read_file(g.gl_pathv[i]);
		id = find_line(text, "link_id");
		if (id && strtoul(id, NULL, 10) == info.id)
			break;
		text = NULL;
	}
	globfree(&g);
	cr_assert_not_null(text, "link %u is not in debugfs", info.id);
	return text;
}

uint64_t svc_info(const char *line, const char *key)
{
	const char *at = find_line(read_info(), line), *end;
	size_t len = strlen(key);

	cr_assert_not_null(at, "debugfs has no line %s", line);
	end = strchrnul(at, '\n');
	while ((at = strstr(at, key)) && at < end) {
		if (at[-1] == ' ' && at[len] == '=')
			return strtoull(at + len + 1, NULL, 10);
		at += len;
	}
	cr_assert_fail("debugfs has no %s in line %s", key, line);
	return 0;
}

const char *svc_info_text(const char *key)
{
	static char text[256];
	const char *at = find_line(read_info(), key);

	cr_assert_not_null(at, "debugfs has no line %s", key);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	return text;
}

void svc_forget_runs(void)
{
	memset(svc.st->run, 0, sizeof(svc.st->run));
	svc.st->n_runs = 0;
}

void svc_wait_runs(uint64_t n)
{
	svc_wait_for((const uint64_t *)&svc.st->n_runs, n, "timer ops");
	for (uint64_t i = 0; i < n && i < VT_RUNS; i++)
		svc_wait_for((const uint64_t *)&svc.st->run[i].noted, 1, "timer ops noted");
}

/* Timer ops run inside an RCU read-side section; this waits for those that have begun. */
void svc_settle(void)
{
	cr_assert_eq(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), 0, "membarrier: %m");
}

void svc_expect_runs(uint64_t n, unsigned int ms)
{
	usleep(ms * 1000);
	cr_expect_eq(svc.st->n_runs, n, "%llu timer ops, not %lu", svc.st->n_runs, n);
}
