// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An HPET that is saved, and whose program is replaced, while vCPUs use it: each saved state
 * is of one instant, and nothing is lost or early. What cannot be restored is refused with
 * the reason, by library and command, and changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/logging.h>
#include <lightexit/saved.h>
#include <zlib.h>

#include "hpethost.h"

TestSuite(save_live, .init = hh_setup, .fini = hh_teardown, .timeout = 300);

/* The guest, on one host, with all that it needs to be judged. */
static void begin(const struct hpet_guest_params *p)
{
	hh.travel->place = hh_places[0];
	hh.travel->begin = *p;
	hh_make(p->vcpus);
	hh_begin_guest();
	cr_assert_eq(vmm_start(vms.vm), 0);
}

static void end(uint32_t timer)
{
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0, "%lu interrupts", hh_taken());
	hh_expect_sound(hh_guest(), hh.st->timers[timer].timer.fired);
	cr_expect_geq(hh_counters().handled, 1000);
}

static bool done(void)
{
	return __atomic_load_n(&hh_guest()->done, __ATOMIC_ACQUIRE);
}

/* What is no saved HPET of this version; @words: of the message. */
enum fault {
	CUT,
	CHANGED,
	OF_A_LATER_FORMAT,
	OF_A_LATER_STATE,
	OF_ANOTHER_DEVICE,
	NO_STATE_AT_ALL,
	FAULTS
};

static const struct {
	int err;
	const char *words;
} refusals[] = {
	[CUT] = { -EBADMSG, "hpet: 1000 bytes are given of " },
	[CHANGED] = { -EBADMSG, "hpet: wrong checksum" },
	[OF_A_LATER_FORMAT] = { -EPROTO, "hpet: saved in format 2, of state ABI 2; version 0.1 " },
	[OF_A_LATER_STATE] = { -EPROTO, "hpet: saved in format 1, of state ABI 3; version 0.1 " },
	[OF_ANOTHER_DEVICE] = { -EINVAL, "hpet: what was saved is pmtimer" },
	[NO_STATE_AT_ALL] = { -EINVAL, "is no saved state" },
};

/* saved.h: the checksum is zlib's, of all but itself. */
static void seal(uint8_t *blob, size_t size)
{
	struct lx_saved *h = (void *)blob;

	h->crc = 0;
	h->crc = (uint32_t)crc32(0, blob, (uInt)size);
}

static size_t spoil(enum fault fault, uint8_t *blob, size_t size)
{
	struct lx_saved *h = (void *)blob;

	switch (fault) {
	case CUT:
		return 1000;
	case CHANGED:
		blob[(size_t)rand() % (size - sizeof(*h)) + sizeof(*h)] ^= 1 << rand() % 8;
		return size;
	case OF_A_LATER_FORMAT:
		h->version++;
		break;
	case OF_A_LATER_STATE:
		h->state_abi++;
		break;
	case OF_ANOTHER_DEVICE:
		memcpy(h->name, "pmtimer", sizeof("pmtimer"));
		break;
	default:
		memset(blob, 0, size);
		return size;
	}
	seal(blob, size);
	return size;
}

static void expect_refused(enum fault fault)
{
	static uint8_t blob[MOVE_DEVICE];
	struct hpet_state before = *hh.st;
	char out[1024];
	size_t size;
	int rc;

	memcpy(blob, hh.travel->image.device, hh.travel->image.device_size);
	size = spoil(fault, blob, hh.travel->image.device_size);
	vmt_log_clear();
	rc = lx_device_restore(hh.dev, blob, size);
	cr_expect_eq(rc, refusals[fault].err, "fault %d: %d", fault, rc);
	cr_expect(strstr(vmt_log(), refusals[fault].words), "fault %d: %s", fault, vmt_log());
	hh_write_file(blob, size);
	rc = hh_command("restore", out, sizeof(out));
	cr_expect_eq(rc, 1, "fault %d: lightexit restore ended with %d", fault, rc);
	cr_expect(strstr(out, refusals[fault].words), "fault %d: %s", fault, out);
	cr_expect_arr_eq(&before, hh.st, sizeof(before), "fault %d: the state was changed", fault);
}

/* Of a VM that is paused; it goes on as if nobody had tried. */
Test(save_live, what_is_refused_changes_nothing)
{
	const struct hpet_guest_params p = hh_params(2, 0, 5 * MS_TICKS, 1000000, 1);
	char out[1024];

	begin(&p);
	hh_wait_taken(10);
	hh_save();
	hh_write_file(hh.travel->image.device, hh.travel->image.device_size);
	cr_expect_eq(hh_command("restore", out, sizeof(out)), 1, "restored while it ran");
	cr_expect(strstr(out, "its time runs"), "%s", out);
	vmm_stop(vms.vm);
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), -ECANCELED);
	hh_leave();
	for (unsigned int fault = 0; fault < FAULTS; fault++)
		expect_refused(fault);
	hh_expect_registers("after refusals");
	hh_guest()->want = hh_taken() + 400;
	hh_thaw();
	cr_assert_eq(vmm_start(vms.vm), 0);
	end(2);
}

/* 2.3.9.1: the next match is ahead, within a period; and no snapshot is before another. */
static void expect_snapshot(const struct hpet_state *copy, uint64_t *counter, uint64_t period)
{
	const struct hpet_timer_state *t = &copy->timers[0];
	uint64_t now = copy->counter + (copy->hdr.frozen_ns - copy->base_ns) / HH_TICK_NS;

	cr_assert_eq(copy->hdr.seq & 1, 0);
	cr_expect_geq(now, *counter, "the counter went back by %lu", *counter - now);
	*counter = now;
	if (!t->timer.armed)
		return;
	cr_expect_geq(t->comparator, t->from);
	cr_expect_eq(t->comparator % period, 0, "comparator %llu", t->comparator);
	cr_expect_leq(t->comparator, now + period, "comparator %llu at %lu", t->comparator, now);
}

Test(save_live, while_vcpus_run)
{
	struct hpet_guest_params p =
		hh_params(0, PERIODIC | LEVEL, 5 * MS_TICKS, vmt_scale(4000), 2);
	struct hpet_state copy;
	uint64_t counter = 0;
	unsigned int n;

	p.hold = 1;
	begin(&p);
	hh_wait_taken(1);
	for (n = 0; !done(); n++) {
		if (n == 100)
			__atomic_store_n(&hh_guest()->hold, 0, __ATOMIC_RELEASE);
		hh_save();
		memset(&copy, 0, sizeof(copy));
		lx_state_init(&copy.hdr, sizeof(copy));
		cr_assert_eq(lx_state_restore(&copy.hdr, "hpet", hh.travel->image.device,
					      hh.travel->image.device_size),
			     0, "%s", vmt_log());
		expect_snapshot(&copy, &counter, p.ticks);
	}
	end(0);
	cr_log_info("saved %u times", n);
	cr_expect_geq(n, 100);
}

/* The same program, on the same state. Verified once: a debug kernel takes a minute for it. */
static struct lx_device *load_again(void)
{
	struct lx_open_opts opts = {
		.sz = sizeof(opts),
		.dir = vmt_bpf_dir(),
		.state_fd = lx_device_fd(hh.dev, LX_FD_STATE),
	};
	struct lx_device *with;

	cr_assert_eq(lx_device_open("hpet", &opts, &with), 0, "%s", vmt_log());
	cr_assert_eq(lx_device_load(with), 0, "%s", vmt_log());
	return with;
}

/* One-shots: a timer that a replacement lost would be missed for ever. */
Test(save_live, replaced_while_vcpus_run)
{
	const struct hpet_guest_params p = hh_params(2, 0, 2 * MS_TICKS, 1000000, 2);
	unsigned long n = vmt_scale(200);
	struct lx_device *with;

	begin(&p);
	with = load_again();
	for (unsigned long i = 1; i <= n; i++) {
		cr_assert_eq(lx_device_replace(hh.dev, vms.vm->fd, with), 0, "%s", vmt_log());
		hh_wait_taken(hh_taken() + 2);
	}
	lx_device_close(with);
	__atomic_store_n(&hh_guest()->want, hh_taken() + 100, __ATOMIC_RELEASE);
	end(2);
}
