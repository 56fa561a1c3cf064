// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A VMM without any right runs accelerated on file descriptors that a broker
 * made. Three processes:
 *   the test    starts the two others and tells them what to do
 *   the broker  root: gets the VM's fd, loads and attaches, gives the state's
 *               and the link's fd back
 *   the VMM     uid 65534, no capabilities, no_new_privs, killed by seccomp
 *               for a bpf(2): makes the VM and runs a guest that reads the PM timer
 * The VMM is the broker's client over a socket pair of theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lightexit/dev/pmtimer.h>

#include "pmtimer.h"
#include "vmchild.h"
#include "vmscript.h"

#define READS 2000U
#define TIMEOUT_MS vmt_patience(60000)
#define TIMEOUT_S vmt_patience(60)

/* From the test, one at a time; each is answered by a struct reply. */
enum order {
	BROKER_COUNT, /* the counters */
	BROKER_CLOSE, /* closes the device, and with it the link */
	VMM_RUN,      /* the guest reads the PM timer READS times */
	VMM_CLOSE,    /* closes the link's fd */
	QUIT,
};

/* @err and @text: 0, or what failed; @handled: the program's, @heavy: the VMM's reads. */
struct reply {
	int err;
	uint64_t handled;
	uint64_t passed;
	uint64_t heavy;
	char text[512];
};

static struct reply failure(int err, const char *what)
{
	struct reply r = { .err = err };

	snprintf(r.text, sizeof(r.text), "%s: %s; %s", what, strerror(-err), vmt_log());
	return r;
}

/* ---- the broker */

static struct reply broker_serve(int client, struct lx_device **dev)
{
	struct lx_open_opts opts = { .sz = sizeof(opts), .dir = vmt_bpf_dir() };
	int vm, fds[2], err;
	char hello;

	err = vmc_recv(client, &hello, 1, &vm, 1);
	if (err)
		return failure(err, "broker: receiving the VM");
	err = lx_device_open("pmtimer", &opts, dev);
	err = err ?: lx_device_load(*dev);
	err = err ?: lx_device_attach(*dev, vm);
	close(vm);
	if (err)
		return failure(err, "broker: attaching");
	fds[0] = lx_device_fd(*dev, LX_FD_STATE);
	fds[1] = lx_device_fd(*dev, LX_FD_LINK);
	err = vmc_send(client, "", 1, fds, 2);
	return err ? failure(err, "broker: sending the device") : (struct reply){ 0 };
}

static struct reply broker_count(const struct lx_device *dev)
{
	struct lx_stats s = { .sz = sizeof(s) };
	int err = lx_device_stats(dev, &s);

	if (err)
		return failure(err, "broker: counters");
	return (struct reply){ .handled = s.regions[0].handled, .passed = s.regions[0].passed };
}

static void broker(int test, int client)
{
	struct lx_device *dev = NULL;
	struct reply reply = broker_serve(client, &dev);
	enum order order;

	while (!vmc_send(test, &reply, sizeof(reply), NULL, 0) &&
	       !vmc_recv(test, &order, sizeof(order), NULL, 0) && order != QUIT) {
		if (order == BROKER_COUNT) {
			reply = broker_count(dev);
		} else {
			lx_device_close(dev);
			dev = NULL;
			reply = (struct reply){ 0 };
		}
	}
	lx_device_close(dev);
}

/* ---- the VMM */

struct vmm_side {
	struct vmm *vm;
	struct lx_device *state; /* maps the state for as long as the VMM lives */
	struct lx_device *link;	 /* holds the link */
	struct vmm_pmtimer *pmt;
};

static int deny_bpf(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int err = ctx ? 0 : -ENOMEM;

	err = err ?: seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(bpf), 0);
	err = err ?: seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

/* 0 if a bpf(2) is deadly; tried by a child. */
static int bpf_kills(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_bpf, 0, NULL, 0);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 0 : -EPERM;
}

static int give_up_rights(void)
{
	int err = vmc_become_nobody();

	err = err ?: prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	err = err ?: deny_bpf();
	return err ?: bpf_kills();
}

static struct reply vmm_set_up(int broker_sock, struct vmm_side *v)
{
	struct vmm_pmtimer_opts opts = { .port = PMTIMER_PORT, .bits = 32 };
	int fds[2], err;
	char hello;

	err = give_up_rights();
	if (err)
		return failure(err, "VMM: giving up rights");
	err = vmm_create(&(struct vmm_opts){ 0 }, &v->vm);
	err = err ?: vmc_send(broker_sock, "", 1, &v->vm->fd, 1);
	err = err ?: vmc_recv(broker_sock, &hello, 1, fds, 2);
	if (err)
		return failure(err, "VMM: asking the broker");
	err = lx_device_from_fds(fds[0], -1, &v->state);
	err = err ?: lx_device_from_fds(fds[0], fds[1], &v->link);
	close(fds[0]);
	close(fds[1]);
	if (err)
		return failure(err, "VMM: lx_device_from_fds");
	opts.state = lx_device_state(v->state, NULL);
	err = vmm_pmtimer_new(v->vm, &opts, &v->pmt);
	return err ? failure(err, "VMM: PM timer") : (struct reply){ 0 };
}

static struct reply vmm_run_guest(const struct vmm_side *v)
{
	struct script_params *p = vmm_params(v->vm);
	struct vmm_count before = vmm_dev_count(v->vm, vmm_pmtimer_index(v->pmt)), now;
	int err;

	*p = (struct script_params){ 0 };
	p->vcpu[0].n = 1;
	p->vcpu[0].ops[0] = (struct script_op){ SCRIPT_IN, 4, READS, PMTIMER_PORT, 0 };
	err = vmm_load(v->vm, VMM_GUEST_ARGS(script));
	err = err ?: vmm_run(v->vm, TIMEOUT_MS);
	if (err)
		return failure(err, "VMM: the guest");
	if (!p->vcpu[0].ops[0].data)
		return failure(-EIO, "VMM: the guest read 0");
	now = vmm_dev_count(v->vm, vmm_pmtimer_index(v->pmt));
	return (struct reply){ .heavy = now.accesses - before.accesses };
}

static void vmm(int test, int broker_sock)
{
	struct vmm_side v = { 0 };
	struct reply reply = vmm_set_up(broker_sock, &v);
	enum order order;

	while (!vmc_send(test, &reply, sizeof(reply), NULL, 0) &&
	       !vmc_recv(test, &order, sizeof(order), NULL, 0) && order != QUIT) {
		if (order == VMM_RUN) {
			reply = vmm_run_guest(&v);
		} else {
			lx_device_close(v.link);
			v.link = NULL;
			reply = (struct reply){ 0 };
		}
	}
	vmm_destroy(v.vm);
	vmm_pmtimer_free(v.pmt);
	lx_device_close(v.link);
	lx_device_close(v.state);
}

/* ---- the test */

struct side {
	pid_t pid;
	int sock;
};

static struct side the_broker, the_vmm;
static int refs;

static struct side start(void (*side)(int test, int peer), int peer, int others)
{
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	struct side s;
	int sock[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	cr_assert_eq(setsockopt(sock[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	s.pid = fork();
	cr_assert_geq(s.pid, 0);
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(sock[0]);
		close(others);
		vmt_log_clear();
		side(sock[1], peer);
		_exit(0);
	}
	close(sock[1]);
	s.sock = sock[0];
	return s;
}

static struct reply answer(const struct side *s)
{
	struct reply r = { 0 };
	int err = vmc_recv(s->sock, &r, sizeof(r), NULL, 0);

	cr_assert_eq(err, 0, "no answer: %s", strerror(-err));
	cr_assert_eq(r.err, 0, "%s", r.text);
	return r;
}

static struct reply tell(const struct side *s, enum order order)
{
	cr_assert_eq(vmc_send(s->sock, &order, sizeof(order), NULL, 0), 0);
	return answer(s);
}

static void end(struct side *s, int want)
{
	enum order order = QUIT;
	int status;

	if (want != SIGKILL)
		vmc_send(s->sock, &order, sizeof(order), NULL, 0);
	else
		kill(s->pid, SIGKILL);
	cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
	cr_assert_eq(status, want, "a process ended with status 0x%x", status);
	close(s->sock);
	s->pid = 0;
}

static void setup(void)
{
	int pair[2];

	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	refs = vmt_module_refs();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	the_broker = start(broker, pair[0], pair[1]);
	the_vmm = start(vmm, pair[1], pair[0]);
	close(pair[0]);
	close(pair[1]);
	answer(&the_broker);
	answer(&the_vmm);
}

static void teardown(void)
{
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(broker, .init = setup, .fini = teardown, .timeout = 180);

static int find(const struct lx_stats *s, void *ctx)
{
	struct lx_stats *found = ctx;

	found->n_regions++;
	found->regions[0].handled = s->regions[0].handled;
	return 0;
}

/* Attached devices of this host, and what the last of them handled. */
static unsigned int devices(uint64_t *handled)
{
	struct lx_stats found = { 0 };

	cr_assert_eq(lx_for_each_device(find, &found), 0, "%s", vmt_log());
	*handled = found.regions[0].handled;
	return found.n_regions;
}

Test(broker, an_unprivileged_vmm_is_accelerated)
{
	struct reply run = tell(&the_vmm, VMM_RUN), count = tell(&the_broker, BROKER_COUNT);

	cr_assert_geq(count.handled, 1000, "%lu reads were handled", count.handled);
	cr_assert_eq(count.handled + count.passed, READS);
	cr_assert_eq(run.heavy, count.passed, "%lu heavy exits", run.heavy);
	end(&the_vmm, 0);
	end(&the_broker, 0);
	vmt_wait_module_refs(refs);
}

/* The device lasts until both have closed the link; the VM lasts longer. */
Test(broker, both_close_the_link)
{
	struct reply run, count;
	uint64_t handled;

	tell(&the_vmm, VMM_CLOSE);
	run = tell(&the_vmm, VMM_RUN);
	count = tell(&the_broker, BROKER_COUNT);
	cr_assert_geq(count.handled, 1000, "the broker holds the link: %lu", count.handled);
	cr_assert_eq(run.heavy + count.handled, READS);
	tell(&the_broker, BROKER_CLOSE);
	cr_assert_eq(devices(&handled), 0, "nobody holds the link");
	run = tell(&the_vmm, VMM_RUN);
	cr_assert_eq(run.heavy, READS, "%lu heavy exits", run.heavy);
	end(&the_broker, 0);
	vmt_wait_module_refs(refs);
	run = tell(&the_vmm, VMM_RUN);
	cr_assert_eq(run.heavy, READS, "%lu heavy exits", run.heavy);
	end(&the_vmm, 0);
}

/* The broker's close detaches, whoever else holds the link: it decides. */
Test(broker, broker_detaches)
{
	struct reply run;
	uint64_t handled;

	tell(&the_broker, BROKER_CLOSE);
	cr_assert_eq(devices(&handled), 0, "the VMM alone holds the link");
	run = tell(&the_vmm, VMM_RUN);
	cr_assert_eq(run.heavy, READS, "%lu heavy exits", run.heavy);
	end(&the_vmm, 0);
	end(&the_broker, 0);
	vmt_wait_module_refs(refs);
}

Test(broker, broker_is_killed)
{
	struct reply run;
	uint64_t handled;

	end(&the_broker, SIGKILL);
	run = tell(&the_vmm, VMM_RUN);
	cr_assert_eq(devices(&handled), 1);
	cr_assert_geq(handled, 1000, "the VMM holds the link: %lu", handled);
	cr_assert_eq(run.heavy + handled, READS);
	tell(&the_vmm, VMM_CLOSE);
	cr_assert_eq(devices(&handled), 0, "nobody holds the link");
	run = tell(&the_vmm, VMM_RUN);
	cr_assert_eq(run.heavy, READS, "%lu heavy exits", run.heavy);
	end(&the_vmm, 0);
	vmt_wait_module_refs(refs);
}

Test(broker, vmm_is_killed)
{
	struct reply count;
	uint64_t handled;

	tell(&the_vmm, VMM_RUN);
	end(&the_vmm, SIGKILL);
	count = tell(&the_broker, BROKER_COUNT);
	cr_assert_geq(count.handled, 1000, "the counters last: %lu", count.handled);
	tell(&the_broker, BROKER_CLOSE);
	cr_assert_eq(devices(&handled), 0);
	end(&the_broker, 0);
	vmt_wait_module_refs(refs);
}
