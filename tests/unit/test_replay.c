// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Recorded traces (traces/, docs/trace-format.md) on the programs that watch a counter, and on the
 * models that are the counter: what real VMMs answered real guests, instead of what a test made up.
 *
 * LX_TRACES names other traces, as "/dir/x.trace:/dir/y.trace".
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/ops.h>

#include "hpet_model.h"
#include "pmtimer_model.h"
#include "replay.h"

/* QEMU's HPET, 10 ns */
#define HPET_PERIOD 10000000U
#define SEC 1000000000U
/* The capabilities of QEMU's: 2.3.4 of IA-PC HPET 1.0a; 3 timers, legacy routes, 64 bits */
#define HPET_CAP_VALUE 0x009896808086a201ULL
/* Less than WATCH_TRUST_NS, so that short traces have answers. */
#define TRUST_NS 1000000U
#define MARGIN_NS (2 * WATCH_CLOCK_MARGIN_NS)

extern struct lightexit_ops pmtimer_ops, hpet_ops, upper_pmtimer_ops, upper_hpet_ops;
int pmtimer_traced(struct bpf_raw_tracepoint_args *ctx);
int pmtimer_exited(struct bpf_raw_tracepoint_args *ctx);
int hpet_traced(struct bpf_raw_tracepoint_args *ctx);
int hpet_exited(struct bpf_raw_tracepoint_args *ctx);
int upper_pmtimer_traced(struct bpf_raw_tracepoint_args *ctx);
int upper_pmtimer_exited(struct bpf_raw_tracepoint_args *ctx);
int upper_hpet_traced(struct bpf_raw_tracepoint_args *ctx);
int upper_hpet_exited(struct bpf_raw_tracepoint_args *ctx);

#define PMTIMER_AT(_port, _p)               \
	{ .base = (_port),                  \
	  .len = PMTIMER_LEN,               \
	  .mul = PMTIMER_HZ,                \
	  .div = SEC,                       \
	  .bits = 24,                       \
	  .watch_bits = WATCH_PMTIMER_BITS, \
	  .ops = &_p##ops,                  \
	  .traced = _p##traced,             \
	  .exited = _p##exited }
#define HPET_AT(_p)                      \
	{ .mmio = true,                  \
	  .base = HPET_BASE,             \
	  .len = HPET_LEN,               \
	  .counter = HPET_COUNTER,       \
	  .mul = HPET_FS_PER_NS,         \
	  .div = HPET_PERIOD,            \
	  .bits = 64,                    \
	  .watch_bits = WATCH_HPET_BITS, \
	  .ops = &_p##ops,               \
	  .traced = _p##traced,          \
	  .exited = _p##exited }

static const struct replay_device devices[] = {
	PMTIMER_AT(PMTIMER_PORT, pmtimer_),
	PMTIMER_AT(PMTIMER_PORT_PC, pmtimer_),
	HPET_AT(hpet_),
};

/* The same, answering with the upper bound of what is known of the VMM's clock. */
static const struct replay_device upper[] = {
	PMTIMER_AT(PMTIMER_PORT, upper_pmtimer_),
	PMTIMER_AT(PMTIMER_PORT_PC, upper_pmtimer_),
	HPET_AT(upper_hpet_),
};

#define N_DEVICES (sizeof(devices) / sizeof(devices[0]))

static glob_t traces;

static void add_traces(const char *pattern)
{
	cr_assert_eq(glob(pattern, GLOB_APPEND, NULL, &traces), 0, "no trace %s", pattern);
}

static void setup(void)
{
	const char *others = getenv("LX_TRACES");
	char *list = strdup(others ?: ""), *p, *save = NULL;

	glob("traces/*.trace", 0, NULL, &traces);
	for (p = strtok_r(list, ":", &save); p; p = strtok_r(NULL, ":", &save))
		add_traces(p);
	free(list);
}

static void teardown(void)
{
	globfree(&traces);
}

TestSuite(replay, .init = setup, .fini = teardown);

static bool is_in(const struct tracefile *t, const struct replay_device *dev)
{
	unsigned int i;

	for (i = 0; i < t->n_ranges; i++) {
		if (t->ranges[i].mmio == dev->mmio && t->ranges[i].addr <= dev->base &&
		    t->ranges[i].addr + t->ranges[i].len >= dev->base + dev->len)
			return true;
	}
	return false;
}

static void open_trace(struct tracefile *t, const char *path)
{
	cr_assert(tracefile_read(t, path), "%s: %s", path, t->why);
}

static void expect_right(const struct replay *r, const char *path, const struct replay_opts *o)
{
	cr_expect_eq(r->back + r->above + r->late, 0,
		     "%s, from line %zu, verified each %" PRIu64 " ns: %" PRIu64
		     " reads went back, %" PRIu64 " answers above the VMM's, %" PRIu64
		     " too far below; the first: event %zu",
		     path, o->from, o->verify_ns, r->back, r->above, r->late, r->line);
	cr_expect_eq(r->st.above, 0, "%s: the program itself saw answers above the VMM's", path);
}

/* Attached at the start and at 15 lines after, verifying seldom and often. @return: answered */
static uint64_t replay_all(const struct tracefile *t, const struct replay_device *dev,
			   const char *path)
{
	static const uint64_t verify[] = { WATCH_VERIFY_NS, 1000000, 100000 };
	struct replay_opts o = { .trust_ns = TRUST_NS };
	uint64_t answered = 0;
	unsigned int i, j;
	struct replay r;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < 16; j++) {
			o.verify_ns = verify[i];
			o.from = t->n / 16 * j;
			replay_run(t, dev, &o, &r);
			expect_right(&r, path, &o);
			if (i || j)
				continue;
			answered = r.answered;
			cr_expect_geq(2 * answered, r.reads,
				      "%s: %" PRIu64 " of %" PRIu64 " reads were answered", path,
				      answered, r.reads);
			cr_log_info("%s: %" PRIu64 " of %" PRIu64 " answered, by %" PRIu64
				    " ns late at most",
				    path, answered, r.reads, r.lag_ns);
		}
	}
	return answered;
}

/*
 * Proves: on what was recorded no read goes back, no answer is above the VMM's own, nor further
 * below it than one way to the VMM and back; and most reads are answered, of each counter.
 */
Test(replay, watching_programs)
{
	uint64_t answered[N_DEVICES] = { 0 };
	struct tracefile t;
	size_t i, d;

	for (i = 0; i < traces.gl_pathc; i++) {
		open_trace(&t, traces.gl_pathv[i]);
		for (d = 0; d < N_DEVICES; d++) {
			if (is_in(&t, &devices[d]))
				answered[d] += replay_all(&t, &devices[d], traces.gl_pathv[i]);
		}
		tracefile_free(&t);
	}
	cr_expect_gt(answered[0], 1000, "%" PRIu64 " reads of a PM timer", answered[0]);
	cr_expect_gt(answered[2], 1000, "%" PRIu64 " reads of an HPET", answered[2]);
}

/* Proves: the traces would show it, if an answer were the latest that the clock could be. */
Test(replay, upper_bound_fails)
{
	const struct replay_opts o = { .verify_ns = WATCH_VERIFY_NS, .trust_ns = TRUST_NS };
	uint64_t above[N_DEVICES] = { 0 };
	struct tracefile t;
	struct replay r;
	size_t i, d;

	for (i = 0; i < traces.gl_pathc; i++) {
		open_trace(&t, traces.gl_pathv[i]);
		for (d = 0; d < N_DEVICES; d++) {
			if (!is_in(&t, &upper[d]))
				continue;
			replay_run(&t, &upper[d], &o, &r);
			above[d] += r.above;
		}
		tracefile_free(&t);
	}
	cr_expect_gt(above[0], 0, "the PM timer's upper bound was never wrong");
	cr_expect_gt(above[2], 0, "the HPET's upper bound was never wrong");
}

#define READ_NS 20000U

static void add_line(struct tracefile *t, struct trace_line l)
{
	t->v = reallocarray(t->v, t->n + 1, sizeof(*t->v));
	cr_assert_not_null(t->v);
	t->v[t->n++] = l;
}

/**
 * struct vm - two vCPUs that read a PM timer in turn, for a trace that nobody recorded
 * @now:    of the host
 * @behind: the VMM's clock is, for it stands still while the VM is stopped
 */
struct vm {
	struct tracefile t;
	uint64_t now, behind;
};

static void vm_reads(struct vm *vm, unsigned int n, bool frozen)
{
	uint64_t begin = vm->now, clock;
	unsigned int i;

	for (i = 0; i < n; i++) {
		clock = (frozen ? begin : vm->now + READ_NS / 2) - vm->behind;
		add_line(&vm->t,
			 (struct trace_line){
				 .kind = 'i',
				 .thread = frozen ? 1 : i % 2,
				 .trap_ns = vm->now,
				 .ns = vm->now + READ_NS,
				 .addr = PMTIMER_PORT,
				 .val = (unsigned __int128)clock * PMTIMER_HZ / SEC & 0xffffff,
				 .size = PMTIMER_LEN,
				 .count = 1,
			 });
		vm->now += 2 * READ_NS;
	}
	if (frozen)
		vm->behind += vm->now - begin;
}

static void vm_paused(struct vm *vm, uint32_t vcpu)
{
	struct trace_line l = { .kind = 'x', .thread = vcpu, .addr = KVM_EXIT_INTR, .val = EINTR };

	l.ns = vm->now;
	add_line(&vm->t, l);
	vm->now += READ_NS;
	vm->behind += READ_NS;
}

/*
 * Proves: a VM whose VMM takes its time to pause the second vCPU, which meanwhile reads a clock
 * that stands still, is answered again when it goes on: that was not another counter.
 */
Test(replay, paused_one_after_the_other)
{
	const struct replay_opts o = { .verify_ns = WATCH_VERIFY_NS, .trust_ns = WATCH_TRUST_NS };
	struct vm vm = { .now = TRACE_START };
	struct replay r;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		vm_reads(&vm, 4000, false);
		vm_paused(&vm, 0);
		vm_reads(&vm, 4 * WATCH_MISFIT_LIMIT, true);
		vm_paused(&vm, 1);
	}
	vm_reads(&vm, 4000, false);
	replay_run(&vm.t, &devices[0], &o, &r);
	expect_right(&r, "stopped", &o);
	cr_expect_eq(r.st.off, WATCH_ON, "it was left alone: %u", r.st.off);
	cr_expect_geq(r.st.ends[WATCH_END_MISFIT], 5 * WATCH_MISFIT_LIMIT);
	cr_expect_geq(2 * r.answered, r.reads, "%" PRIu64 " of %" PRIu64 " reads were answered",
		      r.answered, r.reads);
	tracefile_free(&vm.t);
}

/* What device time may be at TRACE_START, if @known; and the count last seen, and when. */
struct bounds {
	int64_t lo, hi;
	bool known;
	uint64_t count, ns;
};

/* A count that was read between two times narrows them; false: it contradicts what was read. */
static bool narrow(struct bounds *b, const struct trace_line *l, uint64_t from_ns, uint64_t to_ns)
{
	int64_t lo = from_ns - (l->ns - TRACE_START) - MARGIN_NS;
	int64_t hi = to_ns - (l->trap_ns - TRACE_START) + MARGIN_NS;

	if (!b->known) {
		b->lo = lo;
		b->hi = hi;
		b->known = true;
		return true;
	}
	if (lo > b->lo)
		b->lo = lo;
	if (hi < b->hi)
		b->hi = hi;
	return b->lo <= b->hi;
}

/* A counter's count: that of its value which is nearest to the count before and the time since. */
static uint64_t next_count(struct bounds *b, const struct trace_line *l,
			   const struct replay_device *dev)
{
	uint32_t n = l->size * 8 < dev->bits ? l->size * 8 : dev->bits;
	uint64_t mask = ~0ULL >> (64 - n), half = mask / 2 + 1, about;

	about = b->count + (__int128)(int64_t)(l->ns - b->ns) * dev->mul / dev->div;
	b->count = b->ns ? about + ((l->val - about + half) & mask) - half : l->val;
	b->ns = l->ns;
	return b->count;
}

/*
 * Proves: what a VMM's PM timer answered is what pmtimer_model.h has for one course of device time
 * that no read contradicts.
 */
static unsigned int pmtimer_reads(const struct tracefile *t, const struct replay_device *dev,
				  const char *path)
{
	const struct pmtimer_state st = { .bits = 24 };
	struct bounds b = { 0 };
	uint64_t count, from, to;
	unsigned int n = 0;
	__u64 val[2];
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct trace_line *l = &t->v[i];

		if (l->kind == 'x')
			b.known = false; /* the VM may have been stopped */
		if (l->kind != 'i' || l->addr != dev->base || l->size != PMTIMER_LEN)
			continue;
		count = next_count(&b, l, dev);
		from = ((unsigned __int128)count * SEC + PMTIMER_HZ - 1) / PMTIMER_HZ;
		to = ((unsigned __int128)(count + 1) * SEC - 1) / PMTIMER_HZ;
		cr_assert_eq(pmtimer_read(&st, from, 0, 4, &val[0]), LX_HANDLED);
		cr_assert_eq(pmtimer_read(&st, to, 0, 4, &val[1]), LX_HANDLED);
		cr_expect(val[0] == l->val && val[1] == l->val,
			  "%s: event %zu: 0x%" PRIx64 "; the model has 0x%llx, 0x%llx", path, i,
			  l->val, val[0], val[1]);
		cr_expect(narrow(&b, l, from, to), "%s: event %zu contradicts those before", path,
			  i);
		n++;
	}
	return n;
}

/* When the write of line @i has taken effect: its thread does something else. */
static uint64_t settled(const struct tracefile *t, size_t i)
{
	size_t j = i + 1;

	while (j < t->n && (t->v[j].kind == 'l' || t->v[j].thread != t->v[i].thread))
		j++;
	if (j == t->n)
		return UINT64_MAX;
	return t->v[j].trap_ns ?: t->v[j].ns;
}

/* Proves: the same for the HPET's counter, wherever the guest sets it. */
static unsigned int hpet_reads(const struct tracefile *t, const char *path)
{
	const struct hpet_state running = { .config = HPET_CONFIG_ENABLE, .cap = HPET_CAP_VALUE };
	struct bounds b = { 0 };
	uint64_t count, since = 0;
	unsigned int n = 0;
	bool on = true;
	__u64 val;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct trace_line *l = &t->v[i];
		uint64_t off = l->addr - HPET_BASE;

		if (l->kind == 'x' || l->kind == 'w')
			b.known = false;
		if (l->kind == 'w' && off < HPET_LEN) {
			if (off == HPET_CONFIG)
				on = l->val & HPET_CONFIG_ENABLE;
			since = settled(t, i);
			b.ns = 0;
		}
		if (l->kind != 'r' || off != HPET_COUNTER || l->trap_ns < since || !on)
			continue;
		count = next_count(&b, l, &devices[2]);
		cr_assert_eq(hpet_read(&running, count * 10, off, l->size, &val), LX_HANDLED);
		cr_expect_eq(val, l->val, "%s: event %zu: 0x%" PRIx64 ", not 0x%llx", path, i,
			     l->val, val);
		cr_expect(narrow(&b, l, count * 10, count * 10 + 9),
			  "%s: event %zu contradicts those before", path, i);
		n++;
	}
	return n;
}

Test(replay, models)
{
	unsigned int pmtimer = 0, hpet = 0;
	struct tracefile t;
	size_t i, d;

	for (i = 0; i < traces.gl_pathc; i++) {
		open_trace(&t, traces.gl_pathv[i]);
		for (d = 0; d < N_DEVICES; d++) {
			if (!is_in(&t, &devices[d]))
				continue;
			if (devices[d].mmio)
				hpet += hpet_reads(&t, traces.gl_pathv[i]);
			else
				pmtimer += pmtimer_reads(&t, &devices[d], traces.gl_pathv[i]);
		}
		tracefile_free(&t);
	}
	cr_expect_gt(pmtimer, 1000, "%u reads of a PM timer", pmtimer);
	cr_expect_gt(hpet, 1000, "%u reads of an HPET", hpet);
}

/* A trace of these lines is refused, for this reason; or taken, if @why is NULL. */
static void expect_read(const char *lines, const char *why)
{
	char path[] = "/tmp/lxtrace.XXXXXX";
	int fd = mkstemp(path);
	struct tracefile t;
	bool ok;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	close(fd);
	ok = tracefile_read(&t, path);
	unlink(path);
	cr_expect_eq(ok, !why, "%s: %s", lines, t.why);
	if (why)
		cr_expect_not_null(strstr(t.why, why), "'%s', not '%s'", t.why, why);
	tracefile_free(&t);
}

/* Proves: a trace that is cut off, damaged or of another version is not taken for a whole one. */
Test(replay, damaged_traces)
{
#define HEAD "lightexit-trace 1\nrange pio:0x608+0x4\nt 0 CPU 0/KVM\n"
	expect_read(HEAD "0 0 i 5 608 4 1a\n0 9 x 10 4\nl 3\n0 1 i 5 608 2*3 1a # x\n\nend 2 3\n",
		    NULL);
	expect_read("lightexit-trace 2\nend 0 0\n", "line 1: not lightexit-trace 1");
	expect_read(HEAD, "cut off");
	expect_read(HEAD "0 0 i 5 608 4 1a\n0 0 i 5 608 4\nend 2 0\n", "line 5: 0 0 i 5 608 4");
	expect_read(HEAD "1 0 i 5 608 4 1a\nend 1 0\n", "line 4: 1 0 i");
	expect_read(HEAD "0 0 q 5 608 4 1a\nend 1 0\n", "line 4: 0 0 q");
	expect_read(HEAD "0 0 i 5 608 4 1a\nend 2 0\n", "line 5: the sums differ");
	expect_read(HEAD "l 3\nend 0 0\n", "line 5: the sums differ");
	expect_read(HEAD "end 0 0\nend 0 0\n", "line 5: after the end");
	expect_read("lightexit-trace 1\nrange pio:0x608\nend 0 0\n", "line 2: range");
}
