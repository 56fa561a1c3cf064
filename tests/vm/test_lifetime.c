// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The VM, the link, the loader and the VMM end in every order and at any moment:
 * the rest goes on, nothing hangs, and nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "churnvm.h"
#include <criterion/logging.h>

#include "lifetime.h"
#include "vmraw.h"

#define PIN "/sys/fs/bpf/lx_test_lifetime"

static void setup(void)
{
	life_setup(1);
}

TestSuite(lifetime, .init = setup, .fini = life_teardown);

Test(lifetime, vm_before_link)
{
	vmt_attach(life.dev, vms.vm);
	life_use(true);
	cr_assert_eq(vmt_stats(life.dev).pid, getpid());
	vms_teardown();
	for (int i = 0; i < vmt_patience(500) && vmt_stats(life.dev).pid; i++)
		usleep(10000);
	cr_expect_eq(vmt_stats(life.dev).pid, 0, "the VM is gone and the device names its process");
	life_ok(lx_device_detach(life.dev), "detach");
	life_wait_quiet();
}

Test(lifetime, link_before_vm)
{
	for (int i = 0; i < 3; i++) {
		life_use(false);
		vmt_attach(life.dev, vms.vm);
		life_use(true);
		life_ok(lx_device_detach(life.dev), "detach");
	}
	life_use(false);
	life_wait_quiet();
}

/* As when a process ends that did not detach: the link's file is closed, no more. */
Test(lifetime, last_fd_of_the_link)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	vmt_attach(life.dev, vms.vm);
	life_use(true);
	cr_assert_geq(dup2(null, lx_device_fd(life.dev, LX_FD_LINK)), 0, "%m");
	life_use(false);
	life_wait_quiet();
	close(null);
}

/* In a child: attaches a device of its own to the test's VM; pins the link if @pin. */
static int attach_in_child(bool pin)
{
	struct lx_open_opts opts = { .sz = sizeof(opts), .dir = vmt_test_bpf_dir() };
	struct lx_device *dev;
	int err = lx_device_open("vt_probe", &opts, &dev);

	err = err ?: lx_device_load(dev);
	err = err ?: lx_device_attach(dev, vms.vm->fd);
	if (!err && pin)
		err = bpf_obj_pin(lx_device_fd(dev, LX_FD_LINK), PIN);
	return err;
}

/* A loader: attaches, says so, and waits to be killed. */
static pid_t start_loader(bool pin)
{
	char ok = 0;
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0, "%m");
	pid = fork();
	cr_assert_geq(pid, 0, "%m");
	if (!pid) {
		int err = attach_in_child(pin);

		if (err)
			fprintf(stderr, "loader: %d: %s\n", err, vmt_log());
		if (!err && write(fds[1], "1", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	cr_assert_eq(read(fds[0], &ok, 1), 1, "the loader did not attach");
	close(fds[0]);
	return pid;
}

static void kill_child(pid_t pid)
{
	int status;

	cr_assert_eq(kill(pid, SIGKILL), 0, "%m");
	cr_assert_eq(waitpid(pid, &status, 0), pid, "%m");
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended with %#x",
		  status);
}

Test(lifetime, loader_killed)
{
	for (int i = 0; i < 3; i++) {
		pid_t loader = start_loader(false);

		life_use(true);
		kill_child(loader);
		life_use(false);
	}
	life_wait_quiet();
}

Test(lifetime, pinned_link_outlives_its_loader)
{
	pid_t loader = start_loader(true);
	int fd;

	kill_child(loader);
	life_use(true);
	cr_expect_eq(life_devices(), 1);
	fd = bpf_obj_get(PIN);
	cr_assert_geq(fd, 0, "%m");
	life_ok(bpf_link_detach(fd), "detach the pinned link");
	life_use(false);
	cr_expect_eq(bpf_link_detach(fd), 0, "a second detach");
	close(fd);
	cr_assert_eq(unlink(PIN), 0, "%m");
	life_wait_quiet();
}

static void vmm_in_child(int ready)
{
	struct churn_half half = { 0 };
	struct lx_device *dev = vmt_load(vmt_test_bpf_dir(), "vt_churn");
	struct vmm *vm = churn_start(dev, &half);

	for (unsigned int i = 0;; i++) {
		life_ok(lx_device_set_regions(dev, churn_regions(0), 2), "set regions");
		vmt_attach(dev, vm);
		if (!i && write(ready, "1", 1) != 1)
			_exit(1);
		life_ok(lx_device_move(dev, vm->fd, churn_regions(1), 2), "move");
		life_ok(lx_device_detach(dev), "detach");
	}
}

static void kill_vmm_after(int us, bool once_ready)
{
	struct pollfd poll_fd;
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0, "%m");
	pid = fork();
	cr_assert_geq(pid, 0, "%m");
	if (!pid) {
		close(fds[0]);
		vmm_in_child(fds[1]);
	}
	close(fds[1]);
	poll_fd = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	if (once_ready) {
		cr_assert_eq(poll(&poll_fd, 1, VMS_TIMEOUT_MS), 1, "the VMM did not attach");
		cr_assert(poll_fd.revents & POLLIN, "the VMM died by itself");
	}
	usleep(us);
	kill_child(pid);
	close(fds[0]);
}

/* The VMM killed at random points, with its two vCPUs and its link in use. */
Test(lifetime, vmm_killed)
{
	unsigned long n = vmt_scale(200);
	unsigned int seed = (unsigned int)life_ms();

	cr_log_info("seed %u", seed);
	srandom(seed);
	for (unsigned long i = 0; i < n; i++)
		kill_vmm_after(random() % (i % 4 ? 50000 : 1000000), i % 4);
	life_use(false);
	life_wait_quiet();
}

Test(lifetime, ejected_device)
{
	struct vt_probe_state *st = lx_device_state(life.dev, NULL);
	struct lx_stats s;

	vmt_attach(life.dev, vms.vm);
	life_use(true);
	st->eject_at = st->n + 1;
	st->eject_code = 77;
	vms_in(4, VMS_PORT);
	vms_run();
	s = vmt_stats(life.dev);
	cr_expect_eq(s.eject, LX_EJECT_PROGRAM);
	cr_expect_eq(s.eject_detail, 77);
	life_use(false);
	life_ok(lx_device_detach(life.dev), "detach");
	life_use(false);
	vmt_attach(life.dev, vms.vm);
	life_use(true);
	cr_expect_eq(vmt_stats(life.dev).eject, LX_EJECT_NONE);
	life_ok(lx_device_detach(life.dev), "detach");
	life_wait_quiet();
}

/* A thread for each side of the race, started together and then delayed a little. */
struct side {
	pthread_barrier_t *start;
	unsigned int us;
	int err;
};

static void *detach_side(void *arg)
{
	struct side *side = arg;

	pthread_barrier_wait(side->start);
	usleep(side->us);
	side->err = lx_device_detach(life.dev);
	return NULL;
}

static void *destroy_side(void *arg)
{
	struct side *side = arg;

	pthread_barrier_wait(side->start);
	usleep(side->us);
	vms_teardown();
	return NULL;
}

static int count_pieces(const struct lx_stats *s, void *ctx)
{
	*(unsigned int *)ctx += s->n_regions;
	return 0;
}

static void race_once(void)
{
	void *(*const fn[2])(void *) = { detach_side, destroy_side };
	pthread_barrier_t start;
	struct side side[2];
	pthread_t thread[2];
	unsigned int n = 0;

	pthread_barrier_init(&start, NULL, 3);
	for (int i = 0; i < 2; i++) {
		side[i] = (struct side){ &start, (unsigned int)random() % 1000, 0 };
		cr_assert_eq(pthread_create(&thread[i], NULL, fn[i], &side[i]), 0);
	}
	pthread_barrier_wait(&start);
	/* A reader of debugfs looks at pieces and bus meanwhile. */
	while (pthread_tryjoin_np(thread[1], NULL) == EBUSY)
		lx_for_each_device(count_pieces, &n);
	pthread_join(thread[0], NULL);
	cr_assert_eq(side[0].err, 0, "detach: %d: %s", side[0].err, vmt_log());
	pthread_barrier_destroy(&start);
}

Test(lifetime, close_races_with_detach)
{
	unsigned long n = vmt_scale(500);

	for (unsigned long i = 0; i < n; i++) {
		vmt_attach(life.dev, vms.vm);
		if (i % 5 == 0)
			life_use(true);
		race_once();
		vms_create(&(struct vmm_opts){ .vcpus = 1 });
	}
	life_wait_quiet();
}

/* Kernel objects of bpf(2). */
static unsigned int count_ids(int (*next)(__u32 start, __u32 *id))
{
	unsigned int n = 0;
	__u32 id = 0;

	while (!next(id, &id))
		n++;
	return n;
}

static unsigned int bpf_objects(void)
{
	return count_ids(bpf_map_get_next_id) + count_ids(bpf_prog_get_next_id) +
	       count_ids(bpf_link_get_next_id);
}

static const char *const slabs[] = { "8",   "16",  "32",  "64", "96", "128",
				     "192", "256", "512", "1k", "2k", "4k" };
#define N_SLABS (sizeof(slabs) / sizeof(slabs[0]))

/* Objects in use of the sizes that the module asks for, charged to a cgroup as all of its are. */
static void count_slabs(long objects[N_SLABS])
{
	char path[96];
	FILE *f;

	for (size_t i = 0; i < N_SLABS; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/kmalloc-cg-%s/shrink", slabs[i]);
		f = fopen(path, "w");
		cr_assert_not_null(f, "%s: %m", path);
		fputs("1\n", f);
		cr_assert_eq(fclose(f), 0, "%s: %m", path);
		snprintf(path, sizeof(path), "/sys/kernel/slab/kmalloc-cg-%s/objects", slabs[i]);
		objects[i] = strtol(vmt_read_file(path), NULL, 10);
	}
}

static long percpu_kb(void)
{
	const char *line = strstr(vmt_read_file("/proc/meminfo"), "Percpu:");

	cr_assert_not_null(line);
	return strtol(line + strlen("Percpu:"), NULL, 10);
}

/* Maps are freed after several grace periods: waits until for 2 s none was, within bounds. */
static void wait_freed(void)
{
	unsigned int last = bpf_objects(), now;
	int same = 0;

	for (int i = 0; i < vmt_patience(500) && same < 100; i++) {
		usleep(20000);
		now = bpf_objects();
		same = now == last ? same + 1 : 0;
		last = now;
	}
}

static void cycle(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		vmt_attach(life.dev, vms.vm);
		if (i % 10 == 0)
			life_use(true);
		life_ok(lx_device_detach(life.dev), "detach");
	}
	life_wait_quiet();
	wait_freed();
}

Test(lifetime, cycles_leak_nothing)
{
	unsigned long n = vmt_scale(3000);
	long before[N_SLABS], after[N_SLABS], kb;
	unsigned int objects;

	cycle(20);
	objects = bpf_objects();
	count_slabs(before);
	kb = percpu_kb();
	cycle(n);
	count_slabs(after);
	for (size_t i = 0; i < N_SLABS; i++)
		cr_expect_lt(after[i] - before[i], (long)n / 2,
			     "kmalloc-cg-%s: %ld objects, %ld before %lu cycles", slabs[i],
			     after[i], before[i], n);
	cr_expect_lt(percpu_kb() - kb, 128, "%ld kB of per-CPU memory, %ld before", percpu_kb(),
		     kb);
	cr_expect_eq(bpf_objects(), objects, "%u maps, programs and links, %u before",
		     bpf_objects(), objects);
}

/* Tests of the module's own end; no device is loaded. */
static struct vmm *vm;

static void unload_setup(void)
{
	const struct vmm_opts opts = { .vcpus = 1 };

	vmt_init();
	cr_assert_eq(vmm_create(&opts, &vm), 0);
	vmt_wait_module_refs(0);
	vmr_init();
}

static void unload_teardown(void)
{
	vmr_exit();
	vmm_destroy(vm);
}

TestSuite(unload, .init = unload_setup, .fini = unload_teardown);

Test(unload, refused_while_a_map_or_a_link_exists)
{
	const struct lightexit_ops ops = vmr_ops(vm->fd);
	int map, link;

	map = vmr_map(&ops, BPF_F_LINK);
	cr_assert_geq(map, 0, "map: %d", map);
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "with a map");
	link = vmr_link(map);
	cr_assert_geq(link, 0, "link: %d", link);
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "attached");
	close(map);
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "attached, the link is all there is");
	close(link);
	vmt_wait_module_refs(0);
	cr_assert_eq(vmt_unload(), 0);
	vmt_reload();
}

Test(unload, refused_until_the_program_is_gone)
{
	struct lx_device *dev = vmt_load(vmt_test_bpf_dir(), "vt_probe");

	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "loaded");
	vmt_attach(dev, vm);
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "attached");
	life_ok(lx_device_detach(dev), "detach");
	cr_expect_eq(vmt_unload(), -EWOULDBLOCK, "loaded still");
	lx_device_close(dev);
	vmt_wait_module_refs(0);
	cr_assert_eq(vmt_unload(), 0);
	vmt_reload();
}

Test(unload, a_map_backs_one_device)
{
	const struct lightexit_ops ops = vmr_ops(vm->fd);
	int map = vmr_map(&ops, BPF_F_LINK), first, second;

	cr_assert_geq(map, 0, "map: %d", map);
	first = vmr_link(map);
	cr_assert_geq(first, 0, "link: %d", first);
	second = vmr_link(map);
	cr_expect_eq(second, -EEXIST, "the same map again: %d", second);
	close(first);
	second = vmr_link(map);
	cr_assert_geq(second, 0, "the same map once it is free: %d", second);
	close(second);
	close(map);
	vmt_wait_module_refs(0);
}
