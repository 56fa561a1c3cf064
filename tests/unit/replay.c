// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See replay.h. */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include <lightexit/clock.h>
#include <lightexit/ops.h>

#include "replay.h"

#include "shim/bpf/bpf_helpers.h"

#define THREADS 256U
#define TGID 77ULL
#define STRING_BYTES 65536U
#define MARGIN_NS (2 * WATCH_CLOCK_MARGIN_NS)
/* arch/x86/kvm/trace.h, include/trace/events/kvm.h */
#define PIO_IN 0
#define PIO_OUT 1
#define MMIO_READ 1
#define MMIO_WRITE 2

__u64 lx_monotonic_ns(void);
__u64 lx_clock_gen(struct lx_io *io);

/* In the order in which they happen at one instant. */
enum step_kind {
	STEP_DONE, /* a read is complete */
	STEP_LINE, /* anything else */
	STEP_TRAP,
};

struct step {
	uint64_t ns;
	size_t line;
	enum step_kind kind;
};

/**
 * struct thread - a vCPU
 * @pending: what the program notes of it, if @noted
 * @seen, @epoch: when its read began: the largest count that any had got
 * @answered, @answer: it was answered by the program
 * @writing: its last line was a write, which may not have taken effect
 */
struct thread {
	struct watch_pending pending;
	uint64_t seen, epoch, answer;
	bool noted, answered, writing;
};

/**
 * struct world - where the replay is
 * @mark:   the program's, of one CPU: what is answered is traced at once
 * @max:    largest count that the guest got since the counter was set
 * @epoch:  how often that was
 * @writes: that may not have taken effect
 * @count, @count_ns: a count that the VMM gave, and when; @known: there is one
 * @passed_ns: what the read that was passed last took
 */
static struct world {
	const struct tracefile *t;
	const struct replay_device *dev;
	struct replay *r;
	struct thread threads[THREADS];
	unsigned int thread;
	uint64_t now, from_ns;
	__u32 mark;
	uint64_t max, epoch, writes, count, count_ns, passed_ns;
	bool known;
} w;

void *replay_lookup(const char *map, const void *key)
{
	struct thread *th;

	if (strstr(map, "watch_threads")) {
		th = &w.threads[(*(const __u32 *)key - 1) % THREADS];
		return th->noted ? &th->pending : NULL;
	}
	return strstr(map, "watch_answered") ? (void *)&w.mark : (void *)&w.r->st;
}

void replay_insert(const char *map, const void *key, const void *val)
{
	struct thread *th = &w.threads[(*(const __u32 *)key - 1) % THREADS];

	th->pending = *(const struct watch_pending *)val;
	th->noted = true;
}

__u64 bpf_get_current_pid_tgid(void)
{
	return TGID << 32 | (w.thread + 1);
}

__u64 bpf_ktime_get_ns(void)
{
	return w.now;
}

__u64 lx_monotonic_ns(void)
{
	return w.now;
}

__u64 lx_clock_gen(struct lx_io *io)
{
	return 0;
}

long bpf_probe_read_kernel(void *to, __u32 len, const void *from)
{
	memcpy(to, from, len);
	return 0;
}

static bool attached(void)
{
	return w.now >= w.from_ns;
}

static uint64_t ticks(uint64_t ns)
{
	return (unsigned __int128)ns * w.dev->mul / w.dev->div;
}

/* The count that a value is of, which is near what the counter should be at @ns. */
static uint64_t unfold(uint64_t val, uint32_t size, uint64_t ns)
{
	uint32_t bits = size * 8 < w.dev->bits ? size * 8 : w.dev->bits;
	uint64_t mask = ~0ULL >> (64 - bits), half = mask / 2 + 1, about = w.count;

	about += ns >= w.count_ns ? ticks(ns - w.count_ns) : -ticks(w.count_ns - ns);
	return w.known ? about + ((val - about + half) & mask) - half : val;
}

static bool is_counter(const struct trace_line *l)
{
	return l->addr == w.dev->base + w.dev->counter && (l->size == 4 || l->size == 8);
}

static bool is_ours(const struct trace_line *l)
{
	return (l->kind == 'r' || l->kind == 'w' || l->kind == 'R') == w.dev->mmio &&
	       l->addr < w.dev->base + w.dev->len && w.dev->base < l->addr + l->size;
}

static void wrong(uint64_t *what, const struct trace_line *l)
{
	if (!w.r->back && !w.r->above && !w.r->late)
		w.r->line = l - w.t->v;
	++*what;
}

/* A guest got a count. */
static void given(const struct trace_line *l, const struct thread *th, uint64_t count)
{
	if (w.writes || th->epoch != w.epoch)
		return;
	if (count < th->seen)
		wrong(&w.r->back, l);
	if (count > w.max)
		w.max = count;
}

static void trace(const struct trace_line *l, bool write, uint64_t val)
{
	static unsigned char string[STRING_BYTES];
	struct bpf_raw_tracepoint_args a = { { write ? PIO_OUT : PIO_IN, l->addr, l->size, l->count,
					       (__u64)string } };
	size_t last = (l->count - 1) * l->size;

	if (last + sizeof(val) > sizeof(string))
		abort();
	memcpy(string + last, &val, sizeof(val));
	if (w.dev->mmio)
		a = (struct bpf_raw_tracepoint_args){ { write ? MMIO_WRITE : MMIO_READ, l->size,
							l->addr, (__u64)string } };
	w.dev->traced(&a);
}

static void leave(uint32_t reason, int err)
{
	struct bpf_raw_tracepoint_args a = { { reason, err } };

	w.dev->exited(&a);
}

static void leave_for_access(void)
{
	leave(w.dev->mmio ? KVM_EXIT_MMIO : KVM_EXIT_IO, 0);
}

/* The program's op, as KVM's bus calls it. */
static int call(int (*op)(struct lx_io *io), const struct trace_line *l, uint32_t flags,
		uint64_t *val)
{
	struct lx_io io = { .addr = l->addr - w.dev->base,
			    .len = l->size,
			    .data = *val,
			    .vcpu = l->thread,
			    .flags = flags };
	int verdict;

	if (!op || l->addr < w.dev->base || l->addr + l->size > w.dev->base + w.dev->len ||
	    (l->size & (l->size - 1)))
		return LX_PASS;
	verdict = op(&io);
	*val = l->size < 8 ? io.data & ((1ULL << l->size * 8) - 1) : io.data;
	return verdict;
}

/* The write that the thread did last has taken effect: the counter may be any. */
static void settle(struct thread *th)
{
	if (!th->writing)
		return;
	th->writing = false;
	w.writes--;
	w.epoch++;
	w.known = false;
	w.max = 0;
}

static void trap(const struct trace_line *l, struct thread *th)
{
	uint64_t val = 0;
	uint32_t i;

	settle(th);
	th->seen = w.max;
	th->epoch = w.epoch;
	th->answered = attached() && call(w.dev->ops->read, l, 0, &val) == LX_HANDLED;
	if (attached() && !th->answered)
		leave_for_access();
	if (!th->answered)
		return;
	/* A string of which the first element was answered has all of them answered. */
	for (i = 1; i < l->count; i++)
		call(w.dev->ops->read, l, LX_IO_CONTINUED, &val);
	th->answer = unfold(val, l->size, w.now);
	trace(l, false, val);
	given(l, th, th->answer);
}

/* What the VMM answered, where the program had already. */
static void compare(const struct trace_line *l, const struct thread *th, uint64_t count)
{
	uint64_t ns, tick = w.dev->div / w.dev->mul + 1;

	w.r->answered++;
	if (w.writes || th->epoch != w.epoch)
		return;
	if (th->answer > count) {
		wrong(&w.r->above, l);
		return;
	}
	ns = (unsigned __int128)(count - th->answer) * w.dev->div / w.dev->mul;
	if (ns > w.r->lag_ns)
		w.r->lag_ns = ns;
	if (ns > l->ns - l->trap_ns + w.passed_ns + MARGIN_NS + 2 * tick)
		wrong(&w.r->late, l);
}

static void done(const struct trace_line *l, struct thread *th)
{
	uint64_t count = unfold(l->val, l->size, w.now);

	if (attached() && !th->answered)
		trace(l, false, l->val);
	if (!is_counter(l))
		return;
	w.r->reads += attached();
	if (th->answered)
		compare(l, th, count);
	else
		w.passed_ns = l->ns - l->trap_ns;
	if (w.writes || th->epoch != w.epoch)
		return;
	if (!th->answered)
		given(l, th, count);
	w.count = count;
	w.count_ns = w.now;
	w.known = true;
}

static void write_line(const struct trace_line *l, struct thread *th)
{
	uint64_t val = l->val;

	settle(th);
	if (is_ours(l)) {
		th->writing = true;
		w.writes++;
	}
	if (!attached() || (l->kind == 'w') != w.dev->mmio)
		return;
	call(w.dev->ops->write, l, 0, &val);
	trace(l, true, l->val);
	leave_for_access();
}

/* As the program does when a sample is lost. */
static void lose(void)
{
	w.r->st.gen++;
	w.r->st.ends[WATCH_END_LOST]++;
}

static void line(const struct trace_line *l, struct thread *th)
{
	switch (l->kind) {
	case 'o':
	case 'w':
		write_line(l, th);
		break;
	case 'x':
		settle(th);
		if (attached())
			leave(l->addr, -(int)l->val);
		break;
	default: /* lines are missing, or a read was answered by somebody else */
		if (attached())
			lose();
	}
}

static int by_time(const void *a, const void *b)
{
	const struct step *s = a, *t = b;

	if (s->ns != t->ns)
		return s->ns < t->ns ? -1 : 1;
	if (s->kind != t->kind)
		return s->kind < t->kind ? -1 : 1;
	return s->line < t->line ? -1 : s->line > t->line;
}

/* A read is two steps, all else one. */
static size_t make_steps(const struct tracefile *t, struct step *steps)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		const struct trace_line *l = &t->v[i];
		bool read = l->kind == 'i' || l->kind == 'r';

		if (read && !is_ours(l))
			continue;
		if (read)
			steps[n++] = (struct step){ l->trap_ns, i, STEP_TRAP };
		steps[n++] = (struct step){ l->ns, i, read ? STEP_DONE : STEP_LINE };
	}
	qsort(steps, n, sizeof(*steps), by_time);
	return n;
}

static void set_up(const struct replay_opts *opts)
{
	struct watch_state *st = &w.r->st;

	st->hdr = (struct lx_state){ .magic = LX_STATE_MAGIC, .abi = LX_STATE_ABI };
	st->addr = w.dev->base;
	st->mul = w.dev->mul;
	st->div = w.dev->div;
	st->bits = w.dev->watch_bits;
	st->verify_ns = opts->verify_ns;
	st->trust_ns = opts->trust_ns;
}

void replay_run(const struct tracefile *t, const struct replay_device *dev,
		const struct replay_opts *opts, struct replay *r)
{
	struct step *steps = calloc(2 * t->n + 1, sizeof(*steps));
	size_t i, n;

	if (!steps)
		abort();
	*r = (struct replay){ 0 };
	memset(&w, 0, sizeof(w));
	w.t = t;
	w.dev = dev;
	w.r = r;
	w.from_ns = opts->from < t->n ? t->v[opts->from].ns : 0;
	set_up(opts);
	n = make_steps(t, steps);
	for (i = 0; i < n; i++) {
		const struct trace_line *l = &t->v[steps[i].line];
		struct thread *th = &w.threads[l->thread % THREADS];

		w.now = steps[i].ns;
		w.thread = l->thread;
		if (steps[i].kind == STEP_TRAP)
			trap(l, th);
		else if (steps[i].kind == STEP_DONE)
			done(l, th);
		else
			line(l, th);
	}
	free(steps);
}
