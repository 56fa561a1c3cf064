/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The RTCs of QEMU's i440fx machine and ours, their bytes and their interrupt. */
#ifndef RTCRIG_H
#define RTCRIG_H

#include "rig.h"
#include "rtc.h"

#define IRQ 8U
#define CENTURY_2 0x37U
#define SECOND 1000000000ULL
#define TBUC 244140U
#define TUC_TBUC 2228000U

/* In what QEMU differs from the data sheet. */
enum rtc_difference {
	NONE = -1,
	UIP,
	PF,
	SET_FLAGS,
	PHASE,
	DAY,
	CENTURY_PS2,
	ALARM_12H,
	ALARM_NOW,
	ALARM_RANGE,
	RELEASE
};

extern struct difference rtc_differences[];

/*
 * Of lockstep's traces, since C was read: @rate: there was a rate; @pie: it interrupted; @af_why:
 * alarms that QEMU sees otherwise, @aie: they interrupted. @adrift: seconds begin elsewhere
 */
struct rtc_context {
	struct vmm_rtc *rtc;
	struct rtc_state st;
	bool rate;
	bool pie;
	bool aie;
	bool adrift;
	int af_why;
	uint64_t matched; /* interrupts that both gave */
	uint64_t alarms;  /* seen in C on both */
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

void rtc_setup(struct rig *rig);
void rtc_teardown(struct rig *rig);

/* A byte; a read, or a write with what it does to IRQ8; and the one that is selected. */
void cmos_select(struct rig *rig, unsigned int index);
unsigned int cmos_get(struct rig *rig, unsigned int index);
unsigned int cmos_get_data(struct rig *rig);
void cmos_put(struct rig *rig, unsigned int index, unsigned int val);
void cmos_put_data(struct rig *rig, unsigned int val);

/* All that has no meaning, at random. */
void cmos_fill(struct rig *rig);

/* IRQ8's rises since it was last looked at. */
void cmos_irqs(struct rig *rig);

/* Time goes on. */
void cmos_pass(struct rig *rig, uint64_t ns);

/* UIP alone differs, @ns after a second began. */
struct difference *rtc_excuse_a(const struct rtc_context *x, uint64_t ns, uint64_t ours);

/* rtcreplay.c: notes what there was since C was read; @anew: it was just read. */
void rtc_follow(struct rtc_context *x, bool anew);

void rtc_by_lockstep(struct rig *rig, unsigned int n);

#endif /* RTCRIG_H */
