// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The KVM rig: two machines, whose vCPUs do one access each time that they are run, on this
 * thread; the programs in the kernel, under the clock of lockstep.bpf.h. Interrupts are MSIs
 * to vCPU 0, which an eventfd delivers before its signal returns. Those that stay asserted
 * until an EOI have no irqfd: the rig reads their eventfds.
 *
 * The host has one CPU: so what the kernel's timers do is done, signals and all, when this
 * thread runs again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "guest/lockstep.h"
#include "irqfd.h"
#include "lockstep.h"

#define MSI_ADDRESS 0xfee00000U
/* Intel SDM 3, 11.8.4: IRR of vectors 40h and up */
#define LAPIC_IRR_40 0x220
/* No op overruns it, however slow the machine is. */
#define BUDGET_US "500000"
/* What is to come at once comes in so many waits. */
#define WAIT_US 50
#define WAITS 1000000U

VMM_GUEST(lockstep);

static struct {
	struct lx_device *dev;
	struct ls_clock *clock;
	bool rang;
} kvm;

uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __real_ioctl(int fd, unsigned long request, void *arg);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
ssize_t __real_write(int fd, const void *buf, size_t n);
int __wrap_eventfd_write(int fd, eventfd_t val);
int __real_eventfd_write(int fd, eventfd_t val);

uint64_t __wrap_vmm_clock_ns(const struct vmm *vm, uint32_t clock)
{
	return ls_now;
}

static bool is_level(int fd)
{
	for (unsigned int i = 0; i < 2 * LX_MAX_SLOTS; i++) {
		const struct ls_side *side = &ls_rig.side[i & 1];

		if (side->dev && side->dev->level_slots & 1U << i / 2 &&
		    side->fds.slots[i / 2] == fd)
			return true;
	}
	return false;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	const struct kvm_irqfd *kvm_irqfd = arg;

	if (request == KVM_IRQFD && is_level((int)kvm_irqfd->fd))
		return 0;
	return __real_ioctl(fd, request, arg);
}

/* A kick of the back end's is told from the rig's. */
static void note_kick(int fd)
{
	if (fd > 0 && fd == ls_rig.side[1].fds.kick_fd && ls_rig.side[1].attached)
		__atomic_store_n(&kvm.clock->kicked, 1, __ATOMIC_SEQ_CST);
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	note_kick(fd);
	return __real_write(fd, buf, n);
}

int __wrap_eventfd_write(int fd, eventfd_t val)
{
	note_kick(fd);
	return __real_eventfd_write(fd, val);
}

static int irqfd(struct ls_side *side, uint32_t gsi)
{
	int fd = vmm_irqfd(side->vm, gsi, -1);

	if (fd < 0)
		ls_die("no irqfd");
	return fd;
}

static bool is_quiet(void)
{
	const struct ls_clock *c = kvm.clock;

	return !__atomic_load_n(&c->kicked, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&c->tick_done, __ATOMIC_SEQ_CST) == c->tick &&
	       !__atomic_load_n(&c->busy, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&c->pending, __ATOMIC_SEQ_CST);
}

static void quiet(struct ls_rig *rig)
{
	for (unsigned int i = 0; rig->side[1].attached && !is_quiet(); i++) {
		if (i == WAITS)
			ls_die("timers do not come: kicked %u, tick %u of %u, busy %u, pending %#x",
			       kvm.clock->kicked, kvm.clock->tick_done, kvm.clock->tick,
			       kvm.clock->busy, kvm.clock->pending);
		usleep(WAIT_US);
	}
}

static void tick(struct ls_rig *rig)
{
	struct ls_clock *c = kvm.clock;
	bool due = false;

	__atomic_store_n(&c->now_ns, ls_now, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		due |= c->due[i] <= ls_now;
	if (!due || !rig->side[1].attached)
		return;
	__atomic_store_n(&c->tick, c->tick + 1, __ATOMIC_SEQ_CST);
	__real_eventfd_write(rig->side[1].fds.kick_fd, 1);
}

static void reset_clock(struct ls_clock *c)
{
	*c = (struct ls_clock){ .now_ns = ls_now };
	for (unsigned int i = 0; i < LX_MAX_TIMERS; i++)
		c->due[i] = LS_NOT_SET;
}

static void count_handled(struct ls_rig *rig)
{
	struct lx_stats s = { .sz = sizeof(s) };

	if (lx_device_stats(kvm.dev, &s))
		ls_die("no counters");
	for (unsigned int i = 0; i < s.n_regions; i++)
		rig->handled += s.regions[i].handled;
}

static void toggle(struct ls_rig *rig)
{
	struct ls_side *side = &rig->side[1];

	if (side->attached) {
		count_handled(rig);
		if (lx_device_detach(kvm.dev))
			ls_die("detach");
		side->attached = false;
		return;
	}
	if (side->dev->attaching)
		side->dev->attaching(side);
	reset_clock(kvm.clock);
	kvm.clock->kicked = side->fds.kick_fd > 0; /* the attach kicks */
	side->attached = true;
	if (lx_device_attach(kvm.dev, side->vm->fd))
		ls_die("attach");
	quiet(rig);
	if (side->dev->attached)
		side->dev->attached(side);
}

static void rang(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len, uint64_t val)
{
	kvm.rang = true;
}

/* Until the guest says that it has done what it was to do. */
static void run(struct vmm_vcpu *vcpu)
{
	kvm.rang = false;
	while (!kvm.rang) {
		int step = vmm_vcpu_step(vcpu);

		if (step != VMM_CONTINUE)
			ls_die("vCPU %u ended: %d", vcpu->index, step);
	}
}

static struct ls_guest_params *params(const struct ls_side *side)
{
	return vmm_params(side->vm);
}

static void do_access(struct ls_rig *rig, struct ls_side *side, const struct ls_access *a,
		      union ls_data *data)
{
	struct ls_guest_access *g = &params(side)->access[a->vcpu];

	g->kind = a->kind;
	g->len = a->len;
	g->count = a->count;
	g->addr = a->addr;
	g->val = a->val;
	if (a->kind == LS_OUTS || a->kind == LS_INS)
		memcpy(g->string, data->string, a->count * a->len);
	run(&side->vm->vcpus[a->vcpu]);
	if (a->kind == LS_IN || a->kind == LS_READ)
		data->val = g->val;
	else if (a->kind == LS_INS)
		memcpy(data->string, g->string, a->count * a->len);
}

/* Whether vCPU 0 has yet to take one of LS_GUEST_VECTOR(): they are 40h to 5fh. */
static bool has_pending(const struct ls_side *side)
{
	struct kvm_lapic_state lapic;

	_Static_assert(LS_GUEST_VECTOR(LS_GUEST_GSIS) <= 0x60, "more than one register");
	if (__real_ioctl(side->vm->vcpus[0].fd, KVM_GET_LAPIC, &lapic))
		ls_die("KVM_GET_LAPIC: %m");
	return lapic.regs[LAPIC_IRR_40] || lapic.regs[LAPIC_IRR_40 + 1] ||
	       lapic.regs[LAPIC_IRR_40 + 2];
}

/* Where SVM is emulated, one interrupt after another may come some instructions late. */
static void take_all(struct ls_rig *rig, struct ls_side *side)
{
	static const struct ls_access nothing = { .kind = LS_TIME };
	union ls_data data;

	for (unsigned int i = 0; has_pending(side); i++) {
		if (i == WAITS)
			ls_die("vCPU 0 takes no interrupts");
		do_access(rig, side, &nothing, &data);
	}
}

/* Between the elements of a string edges may be taken one by one, or fall together. */
static void fold(struct ls_guest_params *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_log; i++) {
		if (!n || p->log[n - 1] != p->log[i])
			p->log[n++] = p->log[i];
	}
	p->n_log = n;
}

/* What vCPU 0 has taken is known once it has run. */
static bool irqs_same(struct ls_rig *rig, const struct ls_access *a)
{
	struct ls_guest_params *p = params(&rig->side[0]), *q = params(&rig->side[1]);
	bool same;

	if (a->kind >= LS_TIME || a->vcpu)
		return true;
	for (unsigned int i = 0; i < 2; i++) {
		take_all(rig, &rig->side[i]);
		if (a->kind == LS_INS || a->kind == LS_OUTS)
			fold(params(&rig->side[i]));
	}
	same = p->n_log == q->n_log && !memcmp(p->log, q->log, p->n_log);
	if (!same) {
		for (uint32_t i = 0; i < p->n_log || i < q->n_log; i++)
			printf("#   vector %#x, and %#x\n", i < p->n_log ? p->log[i] : 0,
			       i < q->n_log ? q->log[i] : 0);
	}
	p->n_log = 0;
	q->n_log = 0;
	return same;
}

/* All GSIs are vCPU 0's vectors. */
static void route_gsis(const struct vmm *vm)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + LS_GUEST_GSIS * sizeof(r->entries[0]));

	if (!r)
		ls_die("no memory");
	r->nr = LS_GUEST_GSIS;
	for (uint32_t i = 0; i < LS_GUEST_GSIS; i++) {
		r->entries[i].gsi = i;
		r->entries[i].type = KVM_IRQ_ROUTING_MSI;
		r->entries[i].u.msi.address_lo = MSI_ADDRESS;
		r->entries[i].u.msi.data = LS_GUEST_VECTOR(i);
	}
	if (__real_ioctl(vm->fd, KVM_SET_GSI_ROUTING, r))
		ls_die("KVM_SET_GSI_ROUTING: %m");
	free(r);
}

static void make_machine(struct ls_side *side)
{
	const struct vmm_opts opts = { .vcpus = LS_GUEST_VCPUS, .irqchip = VMM_IRQCHIP_NO_PIT };
	const struct vmm_dev bell = {
		.name = "bell", .base = LS_GUEST_PORT, .len = 1, .write = rang
	};

	if (vmm_create(&opts, &side->vm) || vmm_add_dev(side->vm, &bell) < 0)
		ls_die("no machine");
	route_gsis(side->vm);
}

static void say(void *ctx, enum lx_log_level level, const char *msg)
{
	if (level != LX_LOG_DEBUG)
		printf("# %s\n", msg);
}

static void load(struct ls_side *side)
{
	const struct lx_open_opts opts = { .sz = sizeof(opts), .dir = getenv("LS_BPF_DIR") };
	char name[32];
	size_t size;

	lx_set_log(say, NULL);
	snprintf(name, sizeof(name), "ls_%s", side->dev->name);
	if (lx_device_open(name, &opts, &kvm.dev) ||
	    lx_device_set_regions(kvm.dev, side->dev->regions, side->dev->n_regions) ||
	    lx_device_load(kvm.dev))
		ls_die("no program %s", name);
	side->st = lx_device_state(kvm.dev, &size);
	if (size != side->dev->state_size + sizeof(*kvm.clock))
		ls_die("%s: its state has %zu bytes", name, size);
	kvm.clock = (struct ls_clock *)((char *)side->st + side->dev->state_size);
}

static void set_budget(void)
{
	int fd = open("/sys/module/lightexit/parameters/budget_us", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || __real_write(fd, BUDGET_US, strlen(BUDGET_US)) < 0)
		ls_die("the module's budget_us: %m");
	close(fd);
}

static void start(struct ls_side *side)
{
	if (vmm_load(side->vm, VMM_GUEST_ARGS(lockstep)))
		ls_die("no guest");
	for (unsigned int i = 0; i < LS_GUEST_VCPUS; i++)
		run(&side->vm->vcpus[i]);
}

void ls_rig_open(const struct ls_device *dev, uint64_t seed)
{
	set_budget();
	memset(ls_rig.side, 0, sizeof(ls_rig.side));
	ls_rig.irqfd = irqfd;
	ls_rig.access = do_access;
	ls_rig.tick = tick;
	ls_rig.toggle = toggle;
	ls_rig.quiet = quiet;
	ls_rig.irqs_same = irqs_same;
	for (unsigned int i = 0; i < 2; i++) {
		struct ls_side *side = &ls_rig.side[i];

		side->dev = dev;
		make_machine(side);
		if (vmm_loop_new(&side->loop))
			ls_die("no memory");
		if (i) {
			load(side);
		} else {
			side->st = calloc(1, dev->state_size);
			lx_state_init(side->st, (uint32_t)dev->state_size);
		}
		dev->make(side, seed);
		start(side);
	}
	if (ls_rig.side[1].fds.sz && lx_device_set_eventfds(kvm.dev, &ls_rig.side[1].fds))
		ls_die("eventfds");
	toggle(&ls_rig);
}

void ls_rig_close(void)
{
	if (ls_rig.side[1].attached)
		toggle(&ls_rig);
	for (unsigned int i = 0; i < 2; i++) {
		struct ls_side *side = &ls_rig.side[i];

		side->dev->free(side);
		vmm_loop_free(side->loop);
		vmm_destroy(side->vm);
	}
	lx_device_close(kvm.dev);
	free(ls_rig.side[0].st);
}
