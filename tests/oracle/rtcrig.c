// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The RTC of QEMU's i440fx machine and ours. Sentences: Motorola MC146818 data sheet.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rtcrig.h"

/* 2024-02-28 23:59:50 UTC: see qemu.c */
#define START 1709164790ULL

struct difference rtc_differences[] = {
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
	[ALARM_RANGE] = { .name = "alarm that is no time",
			  .sentence =
				  "Table 3 has ranges for alarms. Ours match never out of them, "
				  "QEMU's do." },
	[RELEASE] = { .name = "end of a divider reset while SET",
		      .sentence =
			      "\"When the divider reset is removed the first update cycle begins "
			      "one-half second later.\" QEMU's dividers go on as before." },
	{ 0 },
};

static struct difference *excuse_c(const struct rtc_context *x, unsigned int diff)
{
	/* IRQF with UF or PF alone is one of those. */
	if (x->phase)
		return &rtc_differences[PHASE];
	if (x->alarm_12h && !(diff & 0x50))
		return &rtc_differences[ALARM_12H];
	if (x->alarm_now && diff == 0x20)
		return &rtc_differences[ALARM_NOW];
	if (diff & 0x30 && !x->was_set)
		return NULL;
	if (diff & 0x40 && !x->was_no_pie)
		return NULL;
	if (diff & 0x30)
		return &rtc_differences[SET_FLAGS];
	return diff & 0x40 ? &rtc_differences[PF] : NULL;
}

/* UIP alone, between the two lengths of it. */
struct difference *rtc_excuse_a(const struct rtc_context *x, uint64_t now, uint64_t ours)
{
	uint64_t left = SECOND - now % SECOND;

	if (x->phase)
		return &rtc_differences[PHASE];
	return ours & 0x80 && left <= TUC_TBUC && left > TBUC ? &rtc_differences[UIP] : NULL;
}

static struct difference *excuse(struct rig *rig, const struct access *a, uint64_t qemu,
				 uint64_t ours)
{
	const struct rtc_context *x = rig->ctx;
	unsigned int diff = (unsigned int)(qemu ^ ours);

	if (a->addr == IRQ)
		return x->alarm_12h ? &rtc_differences[ALARM_12H] :
		       x->phase	    ? &rtc_differences[PHASE] :
				      NULL;
	if (x->index == RTC_C)
		return excuse_c(x, diff);
	if (x->index == RTC_A && diff == RTC_A_UIP)
		return rtc_excuse_a(x, rig->now, ours);
	if (x->index == RTC_DAY && x->day)
		return &rtc_differences[DAY];
	if (x->index == CENTURY_2)
		return &rtc_differences[CENTURY_PS2];
	return x->phase && x->index < RTC_A ? &rtc_differences[PHASE] : NULL;
}

/* QEMU's PIT would interrupt 18 times a second all along. */
static void silence_pit(struct rig *rig)
{
	static const unsigned int ports[] = { 0x43, 0x40, 0x40 }, values[] = { 0x30, 1, 0 };

	for (unsigned int i = 0; i < 3; i++)
		qemu_access(&rig->qemu, LX_SPACE_PIO, true, ports[i], 1, values[i]);
}

void rtc_setup(struct rig *rig)
{
	struct vmm_rtc_opts opts = { .time = START, .kick_fd = -1, .handover_fd = -1 };
	struct rtc_context *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	rig_start(rig, "pc", true);
	silence_pit(rig);
	x->irq_fd = eventfd(0, EFD_NONBLOCK);
	opts.irq_fd = x->irq_fd;
	opts.state = &x->st;
	lx_state_init(&x->st.hdr, sizeof(x->st));
	if (vmm_rtc_new(&rig->vm, &opts, &x->rtc))
		exit(1);
	x->a = 0x26;
	x->b = 0x02;
	x->was_no_pie = true;
	rig->ctx = x;
	rig->excuse = excuse;
}

void rtc_teardown(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;

	vmm_rtc_free(x->rtc);
	close(x->irq_fd);
	free(x);
	rig_stop(rig);
}

void cmos_select(struct rig *rig, unsigned int index)
{
	((struct rtc_context *)rig->ctx)->index = index;
	rig_out(rig, 1, RTC_PORT, index);
}

unsigned int cmos_get_data(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;
	unsigned int val = (unsigned int)rig_in(rig, 1, RTC_PORT + RTC_DATA);

	if (x->index == RTC_C) {
		x->was_set = x->b & RTC_B_SET;
		x->was_no_pie = x->a & RTC_A_RS && !(x->b & RTC_B_PIE);
	}
	return val;
}

unsigned int cmos_get(struct rig *rig, unsigned int index)
{
	cmos_select(rig, index);
	return cmos_get_data(rig);
}

/* IRQ8's rises since it was last looked at. */
void cmos_irqs(struct rig *rig)
{
	struct rtc_context *x = rig->ctx;
	uint64_t n = 0;

	if (read(x->irq_fd, &n, sizeof(n)) < 0)
		n = 0;
	rig_same(rig, "IRQ8", IRQ, rig->qemu.rises[IRQ] - x->rises, n);
	if (n && rig->qemu.rises[IRQ] - x->rises == n && !x->pie && !x->was_set && !x->aie)
		x->matched++;
	x->rises = rig->qemu.rises[IRQ];
}

void cmos_put_data(struct rig *rig, unsigned int val)
{
	struct rtc_context *x = rig->ctx;

	rig_out(rig, 1, RTC_PORT + RTC_DATA, val);
	if (x->index == RTC_A)
		x->a = val;
	if (x->index == RTC_B)
		x->b = val;
	x->was_set |= x->b & RTC_B_SET;
	x->was_no_pie |= x->a & RTC_A_RS && !(x->b & RTC_B_PIE);
	rtc_follow(x, false);
	cmos_irqs(rig);
}

void cmos_put(struct rig *rig, unsigned int index, unsigned int val)
{
	cmos_select(rig, index);
	cmos_put_data(rig, val);
}

void cmos_pass(struct rig *rig, uint64_t ns)
{
	struct rtc_context *x = rig->ctx;

	rig_step(rig, ns);
	vmm_rtc_expire(x->rtc);
	cmos_irqs(rig);
}

void cmos_fill(struct rig *rig)
{
	for (unsigned int i = 0xe; i < RTC_BYTES; i++) {
		if (i != RTC_CENTURY && i != CENTURY_2)
			cmos_put(rig, i, rig_random(rig) & 0xff);
	}
}
