// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The 8254 of QEMU's i440fx machine with port 61h, and ours. Sentences: Intel 8254
 * data sheet (231164); port 61h: ICH9 data sheet 13.7.1, NMI_SC.
 *
 * Two differences are in each value, so the trace takes them out. QEMU counts by
 * 1,193,182 Hz from the nanosecond of the write, ours by CLK pulses of 105/88 MHz:
 * accesses are at pulses' numbers, which each side gets in its own nanoseconds. And
 * QEMU loads a count at the write; "the initial count will be loaded on the next CLK
 * pulse": so what samples a counter comes one pulse later on our side than what
 * programs it.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pit.h"
#include "replay.h"

#define QEMU_HZ 1193182ULL
/* QEMU's place in a pulse of 838 ns, of writes and of samples; ours. */
#define WRITE_NS 84U
#define SAMPLE_NS 500U
#define OURS_NS 400U

enum {
	NONE = -1,
	UNLOADED,
	NEW_COUNT,
	GATE,
	TRIGGER,
	ODD,
	BCD,
	ALIAS,
	FIRST_BYTE,
	REPROGRAM,
	NULL_COUNT,
	STROBE,
	REFRESH,
	PORT_BITS,
	CONTROL_READ,
	LATE,
};

static struct difference differences[] = {
	[UNLOADED] = { .name = "no count since the control word",
		       .sentence = "\"N stands for an undefined count\", and OUT is the mode's "
				   "initial one. QEMU counts on with the old count." },
	[NEW_COUNT] = { .name = "count written while counting",
			.sentence = "Mode 2: \"Writing a new count while counting does not affect "
				    "the current counting sequence.\" QEMU starts anew." },
	[GATE] = { .name = "GATE low",
		   .sentence = "\"GATE = 0 disables counting.\" QEMU counts on." },
	[TRIGGER] = { .name = "no trigger yet",
		      .sentence = "Mode 1, 5: \"the counter will not be loaded until the CLK pulse "
				  "after a trigger\". QEMU starts at the count's write." },
	[ODD] = { .name = "odd count in mode 3",
		  .sentence = "\"The initial count minus one (an even number) is loaded\". QEMU "
			      "counts down from the odd one." },
	[BCD] = { .name = "BCD", .sentence = "BCD = 1: \"(4 Decades)\". QEMU counts in binary." },
	[ALIAS] = { .name = "modes 6 and 7",
		    .sentence = "M2 M1 M0 = X10 is mode 2, X11 mode 3. QEMU has 8 modes." },
	[FIRST_BYTE] = { .name = "first of two bytes in mode 0",
			 .sentence = "\"Writing the first byte disables counting. OUT is set low "
				     "immediately\". QEMU counts on." },
	[REPROGRAM] = { .name = "latch and new control word",
			.sentence =
				"\"the count is held [...] until it is read by the CPU (or until "
				"the Counter is reprogrammed)\". QEMU holds it on." },
	[NULL_COUNT] = { .name = "null count",
			 .sentence =
				 "\"NULL COUNT bit D6 indicates when the last count written [...] "
				 "has been loaded\". QEMU has 0 there." },
	[STROBE] = { .name = "OUT in modes 1, 2, 4, 5",
		     .sentence =
			     "OUT is low in the one-shot, and for one pulse in 2, 4 and 5. QEMU "
			     "has the opposite, as interrupts." },
	[REFRESH] = { .name = "refresh toggle",
		      .sentence =
			      "REF_TOGGLE: \"toggles [...] at a rate that is equivalent to when "
			      "refresh cycles would occur\". QEMU toggles with each read." },
	[PORT_BITS] = { .name = "port 61h, bits 3:2",
			.sentence = "PCI_SERR_EN and IOCHK_NMI_EN are R/W. QEMU reads 0." },
	[CONTROL_READ] = { .name = "read of the control word register",
			   .sentence = "A1 A0 = 11: \"No-Operation (3-State)\". QEMU answers 0." },
	[LATE] = { .name = "interrupt of mode 2",
		   .sentence = "\"OUT goes low for one CLK pulse. OUT then goes high again\", N "
			       "pulses after the last time. QEMU interrupts a pulse later." },
	{ 0 },
};

/* A counter as the trace knows it; @why: it does not count as QEMU's does. */
struct shadow {
	unsigned int rw;
	unsigned int mode;
	unsigned int count;
	unsigned int low; /* the first byte of a new count */
	unsigned int latched;
	bool bcd;
	bool gate;
	bool loaded;
	bool half;
	bool stale;
	bool status;
	int why;
	int latch_why;
	int status_why;
};

struct context {
	struct vmm_pit *pit;
	struct pit_state st;
	struct shadow c[3];
	uint64_t pulse;
	int irq_fd;
};

/* Why a counter's value may differ. */
static int reason(const struct shadow *c)
{
	if (c->stale)
		return REPROGRAM;
	if (c->bcd)
		return BCD;
	if (c->mode > 5)
		return ALIAS;
	if (!c->loaded)
		return UNLOADED;
	if (c->half && c->mode == 0)
		return FIRST_BYTE;
	if (c->why != NONE)
		return c->why;
	return c->mode == 3 && c->count & 1 ? ODD : NONE;
}

/* Why OUT may differ. */
static int out_reason(const struct shadow *c)
{
	int why = reason(c);

	/* OUT of odd counts is the same. */
	if (why == ODD)
		return NONE;
	return why == NONE && c->mode != 0 && c->mode != 3 ? STROBE : why;
}

static struct difference *found(int why)
{
	return why == NONE ? NULL : &differences[why];
}

static struct difference *excuse_port_b(const struct context *x, unsigned int diff)
{
	if (diff & 0x20 && out_reason(&x->c[2]) == NONE)
		return NULL;
	if (diff & 0xc3)
		return NULL;
	if (diff & 0x20)
		return found(out_reason(&x->c[2]));
	return diff & 0x10 ? &differences[REFRESH] : &differences[PORT_BITS];
}

/* What a read of a counter's port gives: what was latched, in its order. */
static int read_reason(struct shadow *c, unsigned int diff)
{
	if (c->stale)
		return REPROGRAM;
	if (c->status) {
		if (diff & 0x3f)
			return NONE;
		return diff & 0x80 ? c->status_why : NULL_COUNT;
	}
	return c->latched ? c->latch_why : reason(c);
}

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	struct context *x = rig->ctx;
	unsigned int diff = (unsigned int)(qemu ^ ours);

	if (a->addr == PIT_PORT_B)
		return excuse_port_b(x, diff);
	if (a->addr == PIT_PORT + 3)
		return ours == 0xff ? &differences[CONTROL_READ] : NULL;
	if (a->addr < PIT_PORT || a->addr > PIT_PORT + 2)
		return NULL;
	return found(read_reason(&x->c[a->addr - PIT_PORT], diff));
}

/* The first nanosecond of a pulse, rounded up. */
static uint64_t first_ns(uint64_t pulse, uint64_t num, uint64_t den)
{
	unsigned __int128 n = pulse;

	return (uint64_t)((n * num + den - 1) / den);
}

static void to_write(struct rig *rig)
{
	const struct context *x = rig->ctx;

	rig_at(rig, first_ns(x->pulse, 1000000000, QEMU_HZ) + WRITE_NS,
	       first_ns(x->pulse, 17600, 21) + OURS_NS);
}

static void to_sample(struct rig *rig)
{
	const struct context *x = rig->ctx;

	rig_at(rig, first_ns(x->pulse, 1000000000, QEMU_HZ) + SAMPLE_NS,
	       first_ns(x->pulse + 1, 17600, 21) + OURS_NS);
}

/* After a sample the next write is at the next pulse at the earliest. */
static void forward(struct rig *rig, uint64_t pulses)
{
	struct context *x = rig->ctx;

	x->pulse += pulses;
}

static void setup(struct rig *rig)
{
	struct context *x = calloc(1, sizeof(*x));
	struct vmm_pit_opts opts = { .kick_fd = -1, .handover_fd = -1 };

	if (!x)
		abort();
	rig_start(rig, "pc", true);
	x->irq_fd = eventfd(0, EFD_NONBLOCK);
	opts.irq_fd = x->irq_fd;
	lx_state_init(&x->st.hdr, sizeof(x->st));
	opts.state = &x->st;
	if (vmm_pit_new(&rig->vm, &opts, &x->pit))
		exit(1);
	for (unsigned int i = 0; i < 3; i++)
		x->c[i] = (struct shadow){
			.mode = 3,
			.gate = i != 2,
			.loaded = true,
			.why = i == 2 ? GATE : NONE,
		};
	rig->ctx = x;
	rig->excuse = excuse;
}

static void teardown(struct rig *rig)
{
	struct context *x = rig->ctx;

	vmm_pit_free(x->pit);
	close(x->irq_fd);
	free(x);
	rig_stop(rig);
}

static void read_counter(struct rig *rig, unsigned int n)
{
	struct shadow *c = &((struct context *)rig->ctx)->c[n];

	to_sample(rig);
	rig_in(rig, 1, PIT_PORT + n);
	if (c->status)
		c->status = false;
	else if (c->latched)
		c->latched--;
	forward(rig, 1);
}

static void read_port_b(struct rig *rig)
{
	to_sample(rig);
	rig_in(rig, 1, PIT_PORT_B);
	forward(rig, 1);
}

static void control(struct rig *rig, unsigned int n, unsigned int rw, unsigned int mode, bool bcd)
{
	struct shadow *c = &((struct context *)rig->ctx)->c[n];

	to_write(rig);
	rig_out(rig, 1, PIT_PORT + 3, n << 6 | rw << 4 | mode << 1 | bcd);
	c->stale = c->latched || c->status;
	c->rw = rw;
	c->mode = mode;
	c->bcd = bcd;
	c->loaded = false;
	c->half = false;
	c->why = NONE;
}

static void write_byte(struct rig *rig, unsigned int n, unsigned int byte)
{
	struct shadow *c = &((struct context *)rig->ctx)->c[n];
	bool first = c->rw == 3 && !c->half;

	to_write(rig);
	rig_out(rig, 1, PIT_PORT + n, byte);
	c->half = first;
	if (first) {
		c->low = byte;
		return;
	}
	c->count = c->rw == 3 ? c->low | byte << 8 : c->rw == 2 ? byte << 8 : byte;
	if ((c->mode == 2 || c->mode == 3) && c->loaded)
		c->why = NEW_COUNT;
	else if (c->mode == 1 || c->mode == 5)
		c->why = TRIGGER;
	else
		c->why = c->gate ? NONE : GATE;
	c->loaded = true;
}

static void write_count(struct rig *rig, unsigned int n, unsigned int count)
{
	const struct shadow *c = &((struct context *)rig->ctx)->c[n];

	if (c->rw != 2)
		write_byte(rig, n, count & 0xff);
	if (c->rw != 1)
		write_byte(rig, n, count >> 8);
}

static void set_port_b(struct rig *rig, unsigned int val)
{
	struct shadow *c = &((struct context *)rig->ctx)->c[2];
	bool high = val & 1, trigger = high && !c->gate;

	to_write(rig);
	rig_out(rig, 1, PIT_PORT_B, val);
	if (!high && c->mode != 1 && c->mode != 5)
		c->why = GATE;
	if (trigger && c->loaded && c->mode != 0 && c->mode != 4)
		c->why = NONE;
	c->gate = high;
}

static void gate(struct rig *rig, bool high)
{
	set_port_b(rig, high | (rig_below(rig, 16) & ~1U));
}

static void latch(struct rig *rig, unsigned int n)
{
	struct shadow *c = &((struct context *)rig->ctx)->c[n];

	to_sample(rig);
	rig_out(rig, 1, PIT_PORT + 3, n << 6);
	if (!c->latched) {
		c->latched = c->rw == 3 ? 2 : 1;
		c->latch_why = reason(c);
	}
	forward(rig, 1);
}

static void read_back(struct rig *rig, unsigned int what)
{
	struct context *x = rig->ctx;

	to_sample(rig);
	rig_out(rig, 1, PIT_PORT + 3, 0xc0 | what);
	for (unsigned int i = 0; i < 3; i++) {
		struct shadow *c = &x->c[i];

		if (!(what & 2U << i))
			continue;
		if (!(what & 0x20) && !c->latched) {
			c->latched = c->rw == 3 ? 2 : 1;
			c->latch_why = reason(c);
		}
		if (!(what & 0x10) && !c->status) {
			c->status = true;
			c->status_why = out_reason(c);
		}
	}
	forward(rig, 1);
}

static void drain(struct rig *rig, unsigned int n)
{
	const struct shadow *c = &((struct context *)rig->ctx)->c[n];

	while (c->latched || c->status)
		read_counter(rig, n);
}

/* Two periods and more of a counter, pulse by pulse: value, OUT, status. */
static void watch(struct rig *rig, unsigned int n, unsigned int pulses)
{
	while (pulses--) {
		read_counter(rig, n);
		read_port_b(rig);
	}
	read_back(rig, 2U << n);
	drain(rig, n);
}

static uint64_t signals(const struct context *x)
{
	uint64_t n = 0;

	return read(x->irq_fd, &n, sizeof(n)) < 0 ? 0 : n;
}

/* IRQ0 pulse by pulse, once counting began. */
static void interrupts(struct rig *rig, unsigned int mode, unsigned int count)
{
	struct context *x = rig->ctx;
	uint64_t seen, ours, last = 0;

	control(rig, 0, 3, mode, false);
	write_count(rig, 0, count);
	to_sample(rig);
	vmm_pit_expire(x->pit);
	signals(x);
	seen = rig->qemu.rises[0];
	for (unsigned int i = 0; i < 3 * count + 5; i++) {
		forward(rig, 1);
		to_sample(rig);
		vmm_pit_expire(x->pit);
		ours = signals(x);
		rig_same(rig, "IRQ0", 0x10000 + i, rig->qemu.rises[0] - seen,
			 mode == 2 ? last : ours);
		seen = rig->qemu.rises[0];
		differences[LATE].met += mode == 2 && ours;
		last = ours;
	}
	forward(rig, 1);
}

static void directed(struct rig *rig, unsigned int n)
{
	/* "Prior to initialization, the Mode, count value, and output [...] are undefined." */
	for (unsigned int i = 0; i < 20; i++)
		read_counter(rig, 0);
	gate(rig, true);
	for (unsigned int mode = 0; mode < 8; mode++) {
		for (unsigned int count = 2; count < 9; count++) {
			control(rig, 2, 1 + (count & 2), mode, false);
			read_counter(rig, 2);
			read_counter(rig, 2);
			write_count(rig, 2, count);
			watch(rig, 2, 20);
			gate(rig, false);
			watch(rig, 2, 3);
			gate(rig, true);
			watch(rig, 2, 20);
		}
	}
	control(rig, 2, 3, 2, false);
	write_count(rig, 2, 6);
	watch(rig, 2, 8);
	write_count(rig, 2, 9);
	watch(rig, 2, 20);
	control(rig, 2, 3, 0, true);
	write_count(rig, 2, 0x100);
	watch(rig, 2, 5);
	control(rig, 2, 3, 0, false);
	write_count(rig, 2, 9);
	write_byte(rig, 2, 7);
	forward(rig, 3);
	watch(rig, 2, 3);
	write_byte(rig, 2, 0);
	latch(rig, 2);
	control(rig, 2, 3, 4, false);
	read_counter(rig, 2);
	drain(rig, 2);
	to_sample(rig);
	rig_in(rig, 1, PIT_PORT + 3);
	forward(rig, 1);
	for (unsigned int count = 2; count < 40; count++) {
		interrupts(rig, 0, count);
		interrupts(rig, 2, count);
		interrupts(rig, 3, count);
	}
}

/* A counter anew: mostly what QEMU counts as the data sheet says. */
static void reprogram(struct rig *rig, unsigned int n)
{
	bool odd_one = !rig_below(rig, 8);
	unsigned int mode = (unsigned int)rig_below(rig, odd_one ? 8 : 6);
	unsigned int count = (unsigned int)(rig_random(rig) & 0xffff) >> rig_below(rig, 16);

	if (!odd_one) {
		drain(rig, n);
		count &= ~1U;
	}
	control(rig, n, 1 + (unsigned int)rig_below(rig, 3), mode, odd_one && rig_below(rig, 2));
	if (!n) /* QEMU's timer fires at each edge of the way */
		count |= 0x400;
	if (count == 1 && (mode & 3) >= 2)
		count = 2; /* "In mode 2, a COUNT of 1 is illegal." */
	write_count(rig, n, count < 256 || mode & 1 ? count : count | 0x100);
	if (n == 2 && rig_below(rig, 4)) {
		gate(rig, false);
		gate(rig, true);
	}
}

static void at_random(struct rig *rig, unsigned int n)
{
	for (unsigned int i = 0; i < 3; i++)
		reprogram(rig, i);
	while (n--) {
		unsigned int c = (unsigned int)rig_below(rig, 3);

		forward(rig, rig_random(rig) >> (44 + rig_below(rig, 20)));
		switch (rig_below(rig, 32)) {
		case 0:
		case 1:
			reprogram(rig, c);
			break;
		case 2:
			gate(rig, rig_below(rig, 2));
			break;
		case 3:
			write_count(rig, c, 0x400 + (unsigned int)rig_below(rig, 0xfc00));
			break;
		case 4:
		case 5:
		case 6:
			latch(rig, c);
			break;
		case 7:
		case 8:
		case 9:
			read_back(rig, (unsigned int)rig_below(rig, 64));
			break;
		case 10:
		case 11:
		case 12:
			read_port_b(rig);
			break;
		default:
			read_counter(rig, c);
			break;
		}
	}
}

static void feed_write(struct rig *rig, const struct ls_access *a)
{
	unsigned int n = (unsigned int)(a->addr - PIT_PORT), val = (unsigned int)a->val;

	if (a->addr == PIT_PORT_B)
		set_port_b(rig, val);
	else if (n < 3)
		write_byte(rig, n, val);
	else if (val >> 6 == 3)
		read_back(rig, val & 0x3f);
	else if (val & 0x30)
		control(rig, val >> 6, val >> 4 & 3, val >> 1 & 7, val & 1);
	else
		latch(rig, val >> 6);
}

/* QEMU's timer fires at each edge of the way: where counter 0 counts little, less time goes by. */
static void feed_time(struct rig *rig, uint64_t ns)
{
	const struct context *x = rig->ctx;
	uint64_t pulses = ns * 21 / 17600, most = x->c[0].count < 0x400 ? 0x400 : ~0ULL;

	forward(rig, pulses < most ? pulses : most);
}

/* ISA: each byte of a longer access is one of its own port. */
static bool feed(struct rig *rig, const struct ls_access *a)
{
	if (a->kind >= LS_TIME) {
		feed_time(rig, a->val);
		return true;
	}
	for (unsigned int i = 0; i < a->len; i++) {
		const struct ls_access byte = replay_byte(a, i);

		if (a->kind == LS_OUT) {
			feed_write(rig, &byte);
		} else if (byte.addr == PIT_PORT_B) {
			read_port_b(rig);
		} else if (byte.addr < PIT_PORT + 3) {
			read_counter(rig, (unsigned int)(byte.addr - PIT_PORT));
		} else {
			to_sample(rig);
			rig_in(rig, 1, byte.addr);
			forward(rig, 1);
		}
	}
	return true;
}

static void by_lockstep(struct rig *rig, unsigned int n)
{
	const struct context *x = rig->ctx;

	/* "Prior to initialization, the Mode, count value, and output [...] are undefined." */
	for (unsigned int i = 0; i < 3; i++) {
		control(rig, i, 3, 3, false);
		write_count(rig, i, 0x1000);
	}
	forward(rig, 1);
	replay(rig, &ls_pit, &x->st, n, 80, feed);
}

const struct oracle_test pit_tests[] = {
	{ "pit.directed", false, setup, directed, teardown, differences },
	{ "pit.random", true, setup, at_random, teardown, differences },
	{ "pit.lockstep", true, setup, by_lockstep, teardown, differences },
	{ 0 },
};
