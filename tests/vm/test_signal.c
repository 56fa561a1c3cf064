// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lx_signal(): what a program signals reaches whoever is behind the eventfd: a
 * thread of the VMM, the guest through an irqfd (edge, and level with resampling),
 * vhost. It does so once the op is over, if the op handled its access; and an attach
 * takes no eventfds but good ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "svc.h"

#define PIN 10U
#define VECTOR 0x45U
/* A device of the VMM's that answers what the first slot holds. */
#define PEEK_MMIO 0xfd000000UL

static void setup(void)
{
	svc_setup(1, VMM_IRQCHIP_KERNEL);
}

TestSuite(signal, .init = setup, .fini = svc_teardown, .timeout = 120);

static void *wait_in_thread(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return (void *)(long)poll(&p, 1, SVC_TIMEOUT_MS);
}

/* A plain eventfd wakes a VMM thread. */
Test(signal, wakes_a_thread)
{
	int fd = svc_add_slot();
	pthread_t thread;
	void *woken;

	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	cr_assert_eq(pthread_create(&thread, NULL, wait_in_thread, &fd), 0);
	usleep(20000);
	svc_do(0);
	pthread_join(thread, &woken);
	cr_expect_eq((long)woken, 1, "the thread was not woken: %ld", (long)woken);
	cr_expect_eq(svc.st->access[0].calls[0].ret, 0);
	cr_expect_eq(svc_count(fd), 1);
	cr_expect_eq(svc_info("region 0", "signals"), 1);
}

static uint64_t peek(void *fd, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	return svc_count(*(int *)fd);
}

/* The signal is there when the guest's next instruction looks. */
Test(signal, is_sent_before_the_guest_runs_on)
{
	int fd = svc_add_slot();
	const struct vmm_dev dev = {
		.name = "peek",
		.space = LX_SPACE_MMIO,
		.base = PEEK_MMIO,
		.len = 4,
		.read = peek,
		.opaque = &fd,
	};
	struct script_op *op[10];

	cr_assert_geq(vmm_add_dev(vms.vm, &dev), 0);
	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	for (int i = 0; i < 10; i++) {
		svc_access(0);
		op[i] = vms_read(4, PEEK_MMIO);
	}
	vms_run();
	for (int i = 0; i < 10; i++)
		cr_expect_eq(op[i]->data, 1, "%lu signals after access %d", op[i]->data, i);
}

/* Irqfd interrupts the guest, once a signal. */
Test(signal, irqfd_interrupts_the_guest)
{
	int fd = svc_add_slot();

	svc_irqfd(fd, PIN, -1);
	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	vms_add(0, SCRIPT_ROUTE, 0, PIN, VECTOR, 1);
	for (unsigned int i = 1; i <= 20; i++) {
		svc_access(0);
		vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, i);
	}
	vms_run();
	cr_expect_eq(svc_irqs(VECTOR), 20);
	cr_expect_eq(vms_count().exits, 0);
}

/* Access 0 raises the line for @n interrupts; access 1, in the handler, serves one. */
static void run_level(uint32_t n)
{
	svc_call(&svc.st->access[0], VT_ADD, 0, n, 0);
	svc_call(&svc.st->access[0], VT_SIGNAL_LEVEL, 0, 0, 0);
	svc_call(&svc.st->access[1], VT_ADD, 0, -1ULL, 0);
	svc_attach_quietly(); /* a kick meanwhile would signal, too */
	vms_add(0, SCRIPT_ON_IRQ, 0, VECTOR, 0, 1);
	svc_access(1);
	vms_add(0, SCRIPT_ROUTE, 1, PIN, VECTOR, 1);
	svc_access(0);
	vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, n);
	/* Time for one too many. */
	vms_add(0, SCRIPT_READ, 4, VMS_MMIO, 0, 1000);
	vms_run();
	cr_expect_eq(svc_irqs(VECTOR), n, "%u interrupts, not %u", svc_irqs(VECTOR), n);
	cr_expect_eq(svc.st->access[1].runs, n);
	cr_expect_eq(svc.st->level, 0);
}

/* Level-triggered; at EOI the resample eventfd kicks the device, which decides again. */
Test(signal, level_resampled_by_the_device)
{
	int fd = svc_add_slot();

	svc.ops.kick_fd = svc_eventfd();
	svc_irqfd(fd, PIN, svc.ops.kick_fd);
	svc_call(&svc.st->kick, VT_SIGNAL_LEVEL, 0, 0, 0);
	run_level(10);
	cr_expect_geq(svc.st->kick.runs, 10, "%llu kicks", svc.st->kick.runs);
	cr_expect_eq(svc_info("timer", "signals"), 9, "all but the first are the timer op's");
	cr_expect_eq(svc_count(svc.ops.kick_fd), 0, "the device left something in its eventfd");
}

/* A line that nobody serves stays asserted: it interrupts again after each EOI. */
Test(signal, level_stays_until_served)
{
	int fd = svc_add_slot();

	svc.ops.kick_fd = svc_eventfd();
	svc_irqfd(fd, PIN, svc.ops.kick_fd);
	svc_call(&svc.st->kick, VT_SIGNAL_LEVEL, 0, 0, 0);
	svc_call(&svc.st->access[0], VT_ADD, 0, 1, 0);
	svc_call(&svc.st->access[0], VT_SIGNAL_LEVEL, 0, 0, 0);
	svc_attach();
	vms_add(0, SCRIPT_ROUTE, 1, PIN, VECTOR, 1);
	svc_access(0);
	vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 20);
	vms_run();
	cr_expect_geq(svc_irqs(VECTOR), 20);
	cr_expect_eq(svc.st->level, 1);
}

struct resampler {
	int line;
	int resample;
	bool stop;
	uint64_t n;
};

static void *resample(void *arg)
{
	struct resampler *r = arg;
	struct pollfd p = { .fd = r->resample, .events = POLLIN };

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (poll(&p, 1, 10) != 1)
			continue;
		svc_count(r->resample);
		__atomic_fetch_add(&r->n, 1, __ATOMIC_RELEASE);
		if (__atomic_load_n(&svc.st->level, __ATOMIC_ACQUIRE) > 0)
			eventfd_write(r->line, 1);
	}
	return NULL;
}

/* Resample to a VMM thread; both raise the line through the same eventfd. */
Test(signal, level_resampled_by_the_vmm)
{
	struct resampler r = { .line = svc_add_slot(), .resample = svc_eventfd() };
	pthread_t thread;

	svc_irqfd(r.line, PIN, r.resample);
	cr_assert_eq(pthread_create(&thread, NULL, resample, &r), 0);
	run_level(10);
	svc_wait_for(&r.n, 10, "resamples");
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	close(r.resample);
}

Test(signal, bad_slots_are_counted)
{
	struct vt_order *order = &svc.st->access[0];
	int fd = svc_eventfd();

	svc.ops.nr_eventfds = 3;
	svc.ops.eventfds[0] = -1;
	svc.ops.eventfds[2] = fd;
	svc_call(order, VT_SIGNAL, 0, 0, 0);
	svc_call(order, VT_SIGNAL, 1, 0, 0);
	svc_call(order, VT_SIGNAL, 2, 0, 0);
	svc_call(order, VT_SIGNAL, 3, 0, 0);
	svc_call(order, VT_SIGNAL, LX_MAX_SLOTS, 0, 0);
	svc_call(order, VT_SIGNAL, ~0U, 0, 0);
	svc_attach();
	svc_do(0);
	for (unsigned int i = 0; i < order->n; i++)
		cr_expect_eq(order->calls[i].ret, i == 2 ? 0 : -ENOENT, "slot %u: %lld",
			     order->calls[i].a, order->calls[i].ret);
	cr_expect_eq(svc_count(fd), 1);
	cr_expect_eq(svc_info("region 0", "bad_slots"), 5);
	cr_expect_eq(svc_info("region 0", "signals"), 1);
}

Test(signal, an_op_that_passes_or_errs_signals_nothing)
{
	static const int verdicts[] = { LX_PASS, LX_RETRY, 7, -1 };
	int fd = svc_add_slot();

	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	for (unsigned int i = 0; i < 4; i++) {
		svc.st->access[0].verdict = verdicts[i];
		svc_access(0);
		vms_run();
		cr_expect_eq(svc.st->access[0].runs, i + 1);
		cr_expect_eq(svc.st->access[0].calls[0].ret, 0);
		cr_expect_eq(svc_count(fd), 0, "verdict %d signalled", verdicts[i]);
	}
	cr_expect_eq(svc_info("region 0", "signals"), 0);
	svc.st->access[0].verdict = LX_HANDLED;
	svc_do(0);
	cr_expect_eq(svc_count(fd), 1, "nothing is left of the passed ones");
}

/* Several signals in one op; 16 slots. */
Test(signal, all_slots_in_one_op)
{
	int fd[LX_MAX_SLOTS];

	for (unsigned int i = 0; i < LX_MAX_SLOTS; i++) {
		fd[i] = svc_add_slot();
		svc_call(&svc.st->access[0], VT_SIGNAL, LX_MAX_SLOTS - 1 - i, 0, 0);
	}
	/* However often it was asked for. */
	svc_call(&svc.st->access[0], VT_SIGNAL, 3, 0, 0);
	svc_call(&svc.st->access[0], VT_SIGNAL, 3, 0, 0);
	svc_attach();
	svc_do(0);
	for (unsigned int i = 0; i < LX_MAX_SLOTS; i++)
		cr_expect_eq(svc_count(fd[i]), 1, "slot %u", i);
	cr_expect_eq(svc_info("region 0", "signals"), LX_MAX_SLOTS);
}

/* Each element of a string signals by itself. */
Test(signal, in_strings)
{
	int fd = svc_add_slot();

	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT, VMM_HEAP_GPA, 100);
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, 100);
	vms_run();
	cr_expect_eq(svc_count(fd), 200);
}

/* The device holds the eventfd, not the file descriptor. */
Test(signal, a_closed_fd_is_signalled_still)
{
	int fd = svc_add_slot(), copy = dup(fd);

	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	close(fd);
	svc_do(0);
	cr_expect_eq(svc_count(copy), 1);
	close(copy);
	svc_do(0);
	cr_expect_eq(svc.st->access[0].calls[0].ret, 0);
}

Test(signal, a_slot_survives_update_and_move)
{
	int fd = svc_add_slot();

	svc_call(&svc.st->access[0], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	cr_assert_eq(svc_update(), 0);
	svc_do(0);
	svc.ops.flags = LX_OPS_MOVE;
	svc.ops.regions[0].len = 4;
	cr_assert_eq(svc_update(), 0);
	svc_do(0);
	cr_expect_eq(svc_count(fd), 2);
}

static void expect_attach(int want, const char *what)
{
	int link = vmr_attach(&svc.ops);

	cr_expect_eq(link, want, "%s: %d, not %d", what, link, want);
	if (link >= 0)
		close(link);
}

/* Attaches with what @fd is in each place where an eventfd may be. */
static void expect_all(int fd, int want, const char *what)
{
	svc.ops.nr_eventfds = 2;
	svc.ops.eventfds[1] = fd;
	expect_attach(want, what);
	svc.ops.nr_eventfds = 0;
	svc.ops.eventfds[1] = 0;
	svc.ops.handover_fd = fd;
	expect_attach(want, what);
	svc.ops.handover_fd = 0;
	svc.ops.kick_fd = fd;
	expect_attach(want, what);
	svc.ops.kick_fd = 0;
}

/* Nr_eventfds, closed fds, non-eventfds, behind-the-count entries refused. */
Test(signal, refused_eventfds)
{
	/* A number that nobody else gets meanwhile. */
	int pipes[2], closed = fcntl(svc_eventfd(), F_DUPFD_CLOEXEC, 500);

	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	close(closed);
	expect_all(closed, -EBADF, "a closed fd");
	expect_all(1 << 30, -EBADF, "no fd at all");
	expect_all(pipes[0], -EINVAL, "a pipe");
	expect_all(vms.vm->fd, -EINVAL, "the VM");

	svc.ops.handover_fd = svc_eventfd();
	svc.ops.kick_fd = fcntl(svc.ops.handover_fd, F_DUPFD_CLOEXEC, 0);
	expect_attach(-EINVAL, "a device that would kick itself");
	svc.ops.handover_fd = 0;
	svc.ops.kick_fd = 0;

	svc.ops.nr_eventfds = LX_MAX_SLOTS + 1;
	expect_attach(-EINVAL, "17 slots");
	svc.ops.nr_eventfds = ~0U;
	expect_attach(-EINVAL, "2^32 - 1 slots");
	svc.ops.nr_eventfds = 1;
	svc.ops.eventfds[1] = 3;
	expect_attach(-EINVAL, "a slot behind the count");
	svc.ops.eventfds[1] = 0;
	svc.ops.pad = 1;
	expect_attach(-EINVAL, "the padding");
	svc.ops.pad = 0;
	close(pipes[0]);
	close(pipes[1]);
	vmt_wait_module_refs(svc.refs);
	svc_attach();
}

Test(signal, an_update_takes_no_eventfds)
{
	int fd = svc_eventfd();
	struct lightexit_ops ops = svc.ops;

	svc_attach();
	ops.nr_eventfds = 1;
	cr_expect_eq(vmr_update(svc.link, &ops), -EINVAL, "an empty slot");
	ops.eventfds[0] = fd;
	cr_expect_eq(vmr_update(svc.link, &ops), -EINVAL, "a slot");
	ops = svc.ops;
	ops.handover_fd = fd;
	cr_expect_eq(vmr_update(svc.link, &ops), -EINVAL, "a handover eventfd");
	ops = svc.ops;
	ops.kick_fd = fd;
	cr_expect_eq(vmr_update(svc.link, &ops), -EINVAL, "a kick eventfd");
	ops = svc.ops;
	cr_expect_eq(vmr_update(svc.link, &ops), 0);
}

/* Two rings of the guest's, at these places of its memory. */
#define RING_SIZE 8U
#define RING_GPA(_i) (VMM_HEAP_GPA + 0x10000 + (_i) * 0x4000)
#define DATA_GPA(_i) (RING_GPA(_i) + 0x3000)
#define GUEST_CID 77U
#define RX 0
#define TX 1

static struct vring rings[2];
static int vhost;

static void vhost_ioctl(unsigned long request, void *arg, const char *what)
{
	cr_assert_eq(ioctl(vhost, request, arg), 0, "%s: %m", what);
}

/* One descriptor, made available. */
static void fill_ring(unsigned int i, uint32_t len, uint16_t flags)
{
	struct vring *r = &rings[i];

	r->desc[0] = (struct vring_desc){ .addr = DATA_GPA(i), .len = len, .flags = flags };
	r->avail->ring[0] = 0;
	__atomic_store_n(&r->avail->idx, 1, __ATOMIC_RELEASE);
}

static void set_ring(unsigned int i, int kick, int call)
{
	struct vring *r = &rings[i];
	struct vhost_vring_state num = { .index = i, .num = RING_SIZE }, base = { .index = i };
	struct vhost_vring_addr addr = { .index = i };
	struct vhost_vring_file kick_file = { i, kick }, call_file = { i, call };

	vring_init(r, RING_SIZE, vmm_mem(vms.vm, RING_GPA(i), 0x4000), 0x1000);
	addr.desc_user_addr = (uintptr_t)r->desc;
	addr.avail_user_addr = (uintptr_t)r->avail;
	addr.used_user_addr = (uintptr_t)r->used;
	vhost_ioctl(VHOST_SET_VRING_NUM, &num, "VHOST_SET_VRING_NUM");
	vhost_ioctl(VHOST_SET_VRING_BASE, &base, "VHOST_SET_VRING_BASE");
	vhost_ioctl(VHOST_SET_VRING_ADDR, &addr, "VHOST_SET_VRING_ADDR");
	vhost_ioctl(VHOST_SET_VRING_KICK, &kick_file, "VHOST_SET_VRING_KICK");
	vhost_ioctl(VHOST_SET_VRING_CALL, &call_file, "VHOST_SET_VRING_CALL");
}

static void open_vhost(void)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} mem = { .head.nregions = 1 };

	cr_assert_eq(system("modprobe vhost_vsock"), 0);
	vhost = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
	cr_assert_geq(vhost, 0, "/dev/vhost-vsock: %m");
	mem.region.memory_size = vms.vm->mem_size;
	mem.region.userspace_addr = (uintptr_t)vms.vm->mem;
	vhost_ioctl(VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
	vhost_ioctl(VHOST_SET_MEM_TABLE, &mem, "VHOST_SET_MEM_TABLE");
}

static void start_vhost(void)
{
	uint64_t cid = GUEST_CID;
	int on = 1;

	vhost_ioctl(VHOST_VSOCK_SET_GUEST_CID, &cid, "VHOST_VSOCK_SET_GUEST_CID");
	vhost_ioctl(VHOST_VSOCK_SET_RUNNING, &on, "VHOST_VSOCK_SET_RUNNING");
}

/*
 * Vhost. The guest's doorbell is the program's; vhost-vsock takes the
 * guest's request to connect to a port where nobody listens, and its answer interrupts.
 */
Test(signal, rings_vhosts_bell)
{
	int tx_kick = svc_add_slot(), rx_kick = svc_add_slot(), call = svc_eventfd();
	struct virtio_vsock_hdr *hdr = vmm_mem(vms.vm, DATA_GPA(TX), sizeof(*hdr)), *answer;
	int unused = svc_eventfd();

	open_vhost();
	set_ring(RX, rx_kick, call);
	set_ring(TX, tx_kick, unused);
	svc_irqfd(call, PIN, -1);
	start_vhost();
	*hdr = (struct virtio_vsock_hdr){
		.src_cid = GUEST_CID,
		.dst_cid = VMADDR_CID_HOST,
		.src_port = 1234,
		.dst_port = 9999,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_REQUEST,
	};
	fill_ring(RX, 0x800, VRING_DESC_F_WRITE);
	fill_ring(TX, sizeof(*hdr), 0);
	svc_call(&svc.st->access[0], VT_SIGNAL, 1, 0, 0);
	svc_call(&svc.st->access[1], VT_SIGNAL, 0, 0, 0);
	svc_attach();
	usleep(20000);
	cr_assert_eq(rings[TX].used->idx, 0, "vhost looked at its ring before it was kicked");

	vms_add(0, SCRIPT_ROUTE, 0, PIN, VECTOR, 1);
	svc_access(0);
	svc_access(1);
	vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, 1);
	vms_run();
	cr_expect_eq(rings[TX].used->idx, 1, "vhost did not take the request");
	cr_expect_eq(rings[RX].used->idx, 1, "vhost did not answer");
	answer = vmm_mem(vms.vm, DATA_GPA(RX), sizeof(*answer));
	cr_expect_eq(answer->op, VIRTIO_VSOCK_OP_RST, "the answer is %u", answer->op);
	cr_expect_eq(answer->dst_port, 1234);
	cr_expect_eq(vms_count().exits, 0);
	close(vhost);
}
