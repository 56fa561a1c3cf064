// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The RTC of QEMU's i440fx machine and ours. Sentences: Motorola MC146818 data sheet.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rig.h"
#include "rtc.h"

/* 2024-02-28 23:59:50 UTC: see qemu.c */
#define START 1709164790ULL
#define SECOND 1000000000ULL
#define TBUC 244140U
#define TUC_TBUC 2228000U
#define IRQ 8U

enum {
	UIP,
	PF,
	SET_FLAGS,
	PHASE,
	DAY,
	CENTURY_PS2,
	ALARM_12H,
	ALARM_NOW
};

static struct difference differences[] = {
	[UIP] = { .name = "length of UIP",
		  .sentence =
			  "tBUC 244 us before the update cycle, tUC 1984 us for it: UIP is 1 in "
			  "both. QEMU updates at once, and has 244 us." },
	[PF] = { .name = "PF without PIE",
		 .sentence =
			 "\"PF is set to 1 independent of the state of the PIE bit.\" QEMU sets "
			 "it with PIE alone, from where PIE was set on." },
	[SET_FLAGS] = { .name = "flags while SET",
			.sentence =
				"\"When SET is 1, any update cycle in progress is aborted\": no "
				"update ends. QEMU sets UF and AF." },
	[PHASE] = { .name = "time written while it runs",
		    .sentence = "The dividers are not among the time bytes. QEMU begins a second "
				"with such a write." },
	[DAY] = { .name = "day of the week",
		  .sentence = "\"Day of the week\" is a byte of its own, 1 to 7. QEMU computes it "
			      "from the date." },
	[CENTURY_PS2] = { .name = "byte 37h",
			  .sentence = "Bytes 0Eh to 3Fh are \"general purpose RAM\". QEMU has the "
				      "century there too, as the PS/2." },
	[ALARM_12H] = { .name = "alarm hour with 12 hours",
			.sentence =
				"\"the high-order bit of the hours byte represents PM\", of the "
				"alarm's too. QEMU takes that of the time." },
	[ALARM_NOW] = { .name = "alarm of the current second",
			.sentence =
				"\"An alarm is generated every minute with don't-care codes in the "
				"hours and minutes alarm bytes.\" QEMU waits for a day if the second "
				"is the current one while the alarm is set or C is read." },
	{ 0 },
};

struct context {
	struct vmm_rtc *rtc;
	int irq_fd;
	unsigned int index;
	unsigned int a;
	unsigned int b;
	bool was_set;	 /* SET, since C was read */
	bool was_no_pie; /* RS, without PIE, since then */
	bool phase;
	bool day;
	bool alarm_12h;
	bool alarm_now;
	uint64_t rises;
};

static struct difference *excuse_c(const struct context *x, unsigned int diff)
{
	/* IRQF with UF or PF alone is one of those. */
	if (x->phase)
		return &differences[PHASE];
	if (x->alarm_12h && !(diff & 0x50))
		return &differences[ALARM_12H];
	if (x->alarm_now && diff == 0x20)
		return &differences[ALARM_NOW];
	if (diff & 0x30 && !x->was_set)
		return NULL;
	if (diff & 0x40 && !x->was_no_pie)
		return NULL;
	if (diff & 0x30)
		return &differences[SET_FLAGS];
	return diff & 0x40 ? &differences[PF] : NULL;
}

/* UIP alone, between the two lengths of it. */
static struct difference *excuse_a(const struct context *x, uint64_t now, uint64_t ours)
{
	uint64_t left = SECOND - now % SECOND;

	if (x->phase)
		return &differences[PHASE];
	return ours & 0x80 && left <= TUC_TBUC && left > TBUC ? &differences[UIP] : NULL;
}

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct context *x = rig->ctx;
	unsigned int diff = (unsigned int)(qemu ^ ours);

	if (a->addr == IRQ)
		return x->alarm_12h ? &differences[ALARM_12H] :
		       x->phase	    ? &differences[PHASE] :
				      NULL;
	if (x->index == RTC_C)
		return excuse_c(x, diff);
	if (x->index == RTC_A && diff == RTC_A_UIP)
		return excuse_a(x, rig->now, ours);
	if (x->index == RTC_DAY && x->day)
		return &differences[DAY];
	if (x->index == 0x37)
		return &differences[CENTURY_PS2];
	return x->phase && x->index < RTC_A ? &differences[PHASE] : NULL;
}

/* QEMU's PIT would interrupt 18 times a second all along. */
static void silence_pit(struct rig *rig)
{
	static const unsigned int ports[] = { 0x43, 0x40, 0x40 }, values[] = { 0x30, 1, 0 };

	for (unsigned int i = 0; i < 3; i++)
		qemu_access(&rig->qemu, LX_SPACE_PIO, true, ports[i], 1, values[i]);
}

static void setup(struct rig *rig)
{
	struct vmm_rtc_opts opts = { .time = START, .kick_fd = -1, .handover_fd = -1 };
	struct context *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	rig_start(rig, "pc", true);
	silence_pit(rig);
	x->irq_fd = eventfd(0, EFD_NONBLOCK);
	opts.irq_fd = x->irq_fd;
	if (vmm_rtc_new(&rig->vm, &opts, &x->rtc))
		exit(1);
	x->a = 0x26;
	x->b = 0x02;
	x->was_no_pie = true;
	rig->ctx = x;
	rig->excuse = excuse;
}

static void teardown(struct rig *rig)
{
	struct context *x = rig->ctx;

	vmm_rtc_free(x->rtc);
	close(x->irq_fd);
	free(x);
	rig_stop(rig);
}

static void select_byte(struct rig *rig, unsigned int index)
{
	((struct context *)rig->ctx)->index = index;
	rig_out(rig, 1, RTC_PORT, index);
}

static unsigned int get(struct rig *rig, unsigned int index)
{
	struct context *x = rig->ctx;
	unsigned int val;

	select_byte(rig, index);
	val = (unsigned int)rig_in(rig, 1, RTC_PORT + 1);
	if (index == RTC_C) {
		x->was_set = x->b & RTC_B_SET;
		x->was_no_pie = x->a & RTC_A_RS && !(x->b & RTC_B_PIE);
	}
	return val;
}

/* IRQ8's rises since it was last looked at. */
static void irqs(struct rig *rig)
{
	struct context *x = rig->ctx;
	uint64_t n = 0;

	if (read(x->irq_fd, &n, sizeof(n)) < 0)
		n = 0;
	rig_same(rig, "IRQ8", IRQ, rig->qemu.rises[IRQ] - x->rises, n);
	x->rises = rig->qemu.rises[IRQ];
}

static void put(struct rig *rig, unsigned int index, unsigned int val)
{
	struct context *x = rig->ctx;

	select_byte(rig, index);
	rig_out(rig, 1, RTC_PORT + 1, val);
	if (index == RTC_A)
		x->a = val;
	if (index == RTC_B)
		x->b = val;
	x->was_set |= x->b & RTC_B_SET;
	x->was_no_pie |= x->a & RTC_A_RS && !(x->b & RTC_B_PIE);
	irqs(rig);
}

static void pass(struct rig *rig, uint64_t ns)
{
	struct context *x = rig->ctx;

	rig_step(rig, ns);
	vmm_rtc_expire(x->rtc);
	irqs(rig);
}

static void read_all(struct rig *rig)
{
	for (unsigned int i = 0; i < RTC_C; i++)
		get(rig, i);
	get(rig, RTC_D);
	get(rig, RTC_CENTURY);
}

static unsigned int coded(const struct context *x, unsigned int v)
{
	return x->b & RTC_B_DM ? v : v / 10 << 4 | v % 10;
}

/* A valid time, while SET. */
static void set_time(struct rig *rig, unsigned int hour, unsigned int min, unsigned int sec,
		     unsigned int year, unsigned int month, unsigned int date)
{
	const struct context *x = rig->ctx;
	unsigned int h12 = coded(x, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? RTC_PM : 0);

	put(rig, RTC_B, x->b | RTC_B_SET);
	put(rig, RTC_SECONDS, coded(x, sec));
	put(rig, RTC_MINUTES, coded(x, min));
	put(rig, RTC_HOURS, x->b & RTC_B_24H ? coded(x, hour) : h12);
	put(rig, RTC_DATE, coded(x, date));
	put(rig, RTC_MONTH, coded(x, month));
	put(rig, RTC_YEAR, coded(x, year % 100));
	put(rig, RTC_CENTURY, coded(x, year / 100));
	read_all(rig);
	put(rig, RTC_B, x->b & ~RTC_B_SET);
	read_all(rig);
}

/* Leap days, ends of centuries, all four formats. */
static void calendar(struct rig *rig)
{
	static const unsigned int years[] = { 1970, 1999, 2000, 2023, 2024, 2099, 2100 };
	struct context *x = rig->ctx;

	x->day = true;
	for (unsigned int format = 0; format < 4; format++) {
		put(rig, RTC_B, format << 1 | RTC_B_SET);
		for (unsigned int i = 0; i < 7; i++) {
			set_time(rig, 23, 59, 58, years[i], 2, 28);
			for (unsigned int s = 0; s < 3; s++) {
				pass(rig, SECOND);
				read_all(rig);
			}
			set_time(rig, 11, 59, 59, years[i], 12, 31);
			for (unsigned int s = 0; s < 4; s++) {
				pass(rig, 43200 * SECOND / 4);
				read_all(rig);
			}
		}
	}
}

/* Periodic interrupts that begin with a second. A bit later: QEMU's are a nanosecond late. */
static void periodic(struct rig *rig, unsigned int rs)
{
	struct context *x = rig->ctx;
	uint64_t clocks = 1ULL << (rs < 3 ? rs + 6 : rs - 1);

	put(rig, RTC_B, 0x02);
	put(rig, RTC_A, 0x20);
	pass(rig, SECOND - rig->now % SECOND + 1000);
	get(rig, RTC_C);
	put(rig, RTC_B, 0x42);
	put(rig, RTC_A, 0x20 | rs);
	x->was_no_pie = false;
	for (uint64_t i = 0; i < 40; i++) {
		pass(rig, clocks * SECOND / 32768 / 2);
		if (i % 3 != 2)
			get(rig, RTC_C);
	}
	put(rig, RTC_B, 0x02);
	put(rig, RTC_A, 0x20);
	get(rig, RTC_C);
}

static void alarm_12h(struct rig *rig)
{
	struct context *x = rig->ctx;

	/* 1:59:58 PM; the alarm is for 2 AM. */
	put(rig, RTC_B, 0x20);
	set_time(rig, 13, 59, 58, 2024, 3, 1);
	put(rig, RTC_SECONDS_ALARM, 0);
	put(rig, RTC_MINUTES_ALARM, 0);
	put(rig, RTC_HOURS_ALARM, 2);
	get(rig, RTC_C);
	x->alarm_12h = true;
	pass(rig, 3 * SECOND);
	get(rig, RTC_C);
	x->alarm_12h = false;
}

/* Every minute at 10 s, and every hour at 13:10; then one that QEMU misses. */
static void alarms(struct rig *rig)
{
	struct context *x = rig->ctx;

	put(rig, RTC_B, 0x06);
	put(rig, RTC_SECONDS_ALARM, 10);
	put(rig, RTC_MINUTES_ALARM, 0xff);
	put(rig, RTC_HOURS_ALARM, 0xc0);
	set_time(rig, 12, 11, 5, 2024, 3, 1);
	get(rig, RTC_C);
	for (unsigned int i = 0; i < 20; i++) {
		pass(rig, 17 * SECOND); /* never in the alarm's second */
		get(rig, RTC_C);
	}
	put(rig, RTC_MINUTES_ALARM, 13);
	for (unsigned int i = 0; i < 20; i++) {
		pass(rig, 570 * SECOND);
		get(rig, RTC_C);
	}
	put(rig, RTC_MINUTES_ALARM, 0xff);
	set_time(rig, 12, 11, 10, 2024, 3, 1);
	get(rig, RTC_C);
	x->alarm_now = true;
	pass(rig, 61 * SECOND);
	get(rig, RTC_C);
	x->alarm_now = false;
}

static void directed(struct rig *rig, unsigned int n)
{
	struct context *x = rig->ctx;

	read_all(rig);
	get(rig, RTC_C);
	rig_in(rig, 1, RTC_PORT);
	pass(rig, SECOND - TUC_TBUC - 1);
	for (unsigned int i = 0; i < 6; i++) {
		get(rig, RTC_A);
		pass(rig, 500000);
	}
	pass(rig, SECOND);
	get(rig, RTC_C);
	put(rig, RTC_A, 0x20);
	get(rig, RTC_C);
	put(rig, RTC_B, 0x12);
	for (unsigned int i = 0; i < 20; i++) {
		pass(rig, SECOND / 3);
		if (i % 5 != 4)
			get(rig, RTC_C);
	}
	get(rig, RTC_C);
	put(rig, RTC_B, 0x82);
	pass(rig, 3 * SECOND);
	get(rig, RTC_C);
	get(rig, RTC_B);
	put(rig, RTC_B, 0x02);
	calendar(rig);
	put(rig, RTC_B, 0x02);
	for (unsigned int rs = 1; rs < 16; rs++)
		periodic(rig, rs);
	put(rig, RTC_A, 0x60);
	pass(rig, 1234567890);
	read_all(rig);
	put(rig, RTC_A, 0x20);
	get(rig, RTC_C);
	for (unsigned int i = 0; i < 20; i++) {
		pass(rig, SECOND / 8);
		get(rig, RTC_SECONDS);
		get(rig, RTC_C);
	}
	put(rig, 0x37, 0x12);
	get(rig, 0x37);
	alarm_12h(rig);
	alarms(rig);
	put(rig, RTC_B, 0x02);
	x->phase = true;
	put(rig, RTC_SECONDS, 0x10);
	for (unsigned int i = 0; i < 20; i++) {
		pass(rig, SECOND / 8);
		get(rig, RTC_SECONDS);
	}
}

static void random_time(struct rig *rig)
{
	set_time(rig, (unsigned int)rig_below(rig, 24), (unsigned int)rig_below(rig, 60),
		 (unsigned int)rig_below(rig, 60), 1970 + (unsigned int)rig_below(rig, 120),
		 1 + (unsigned int)rig_below(rig, 12), 1 + (unsigned int)rig_below(rig, 28));
}

/* Seconds with hours or minutes that do not matter: directed traces have them, see the table. */
static void random_alarm(struct rig *rig)
{
	struct context *x = rig->ctx;
	bool h24 = x->b & RTC_B_24H, all = h24 && rig_below(rig, 2);
	unsigned int sec = coded(x, (unsigned int)rig_below(rig, 60));
	unsigned int min = coded(x, (unsigned int)rig_below(rig, 60));
	unsigned int hour = coded(x, (unsigned int)rig_below(rig, 24));

	put(rig, RTC_SECONDS_ALARM, all ? sec : 0xff);
	put(rig, RTC_MINUTES_ALARM, all || rig_below(rig, 3) ? min : 0xc0);
	put(rig, RTC_HOURS_ALARM, all || (h24 && rig_below(rig, 3)) ? hour : 0xff);
}

/* Bits of B that interrupt, and formats; the latter only with a new time and alarm. */
static void random_b(struct rig *rig)
{
	struct context *x = rig->ctx;

	if (rig_below(rig, 4)) {
		put(rig, RTC_B, (x->b & 6) | (rig_random(rig) & 0x30));
		return;
	}
	put(rig, RTC_B, RTC_B_SET | (rig_random(rig) & 6));
	random_alarm(rig); /* with 12 hours for any hour: see the table */
	random_time(rig);
}

static void at_random(struct rig *rig, unsigned int n)
{
	struct context *x = rig->ctx;

	x->day = true;
	for (unsigned int i = 0xe; i < 128; i++) {
		if (i != RTC_CENTURY && i != 0x37)
			put(rig, i, rig_random(rig) & 0xff);
	}
	put(rig, RTC_A, 0x20);
	get(rig, RTC_C);
	n /= 4;
	while (n--) {
		unsigned int index = (unsigned int)rig_below(rig, 128);

		pass(rig, rig_random(rig) >> (18 + rig_below(rig, 40)));
		switch (rig_below(rig, 16)) {
		case 0:
			random_alarm(rig);
			break;
		case 1:
			random_b(rig);
			break;
		case 2:
			random_time(rig);
			break;
		case 3:
			if (index > 0xd && index != RTC_CENTURY && index != 0x37)
				put(rig, index, rig_random(rig) & 0xff);
			break;
		case 4:
		case 5:
			get(rig, RTC_C);
			break;
		case 6:
			if (index != 0x37)
				get(rig, index);
			break;
		default:
			get(rig, index % 14);
			break;
		}
	}
}

const struct oracle_test rtc_tests[] = {
	{ "rtc.directed", false, setup, directed, teardown, differences },
	{ "rtc.random", true, setup, at_random, teardown, differences },
	{ 0 },
};
