// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The model of virtio-mmio against the Virtual I/O Device specification 1.2, section
 * 4.2.2: register offsets here are its own, as literals.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "virtio_mmio_model.h"

#define UNTOUCHED 0x5555aaaa5555aaaaULL

/* 4.2.2: offsets */
#define DEVICE_FEATURES 0x010
#define DEVICE_FEATURES_SEL 0x014
#define QUEUE_SEL 0x030
#define QUEUE_NUM_MAX 0x034
#define QUEUE_READY 0x044
#define QUEUE_NOTIFY 0x050
#define INTERRUPT_STATUS 0x060
#define INTERRUPT_ACK 0x064

static struct virtio_mmio_state st;

static void setup(void)
{
	memset(&st, 0, sizeof(st));
	st.device_features = 0x0123456789abcdef;
	st.queues[0].num_max = 256;
	st.queues[1].num_max = 64;
	st.queues[1].ready = 1;
	st.queues[7].num_max = 8;
}

TestSuite(virtio_mmio, .init = setup);

static __u32 get(__u64 off)
{
	__u64 val = UNTOUCHED;

	cr_expect_eq(virtio_mmio_read(&st, off, 4, &val), LX_HANDLED, "read of %#llx passed", off);
	return (__u32)val;
}

static struct virtio_mmio_ring put(__u64 off, __u64 val)
{
	struct virtio_mmio_ring ring = { .signal = true, .quiet = true };

	cr_expect_eq(virtio_mmio_write(&st, off, 4, val, &ring), LX_HANDLED,
		     "write of %#llx passed", off);
	return ring;
}

static void expect_pass(__u64 off, __u32 len, __u64 val)
{
	static struct virtio_mmio_state before;
	struct virtio_mmio_ring ring;

	before = st;
	cr_expect_eq(virtio_mmio_write(&st, off, len, val, &ring), LX_PASS,
		     "write of %u bytes at %#llx was handled", len, off);
	cr_expect_not(ring.signal, "a pass signals");
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0, "a pass changed the state");
}

/* Proves: each register that can be read is where 4.2.2 has it. */
Test(virtio_mmio, layout)
{
	st.page.magic = 0x74726976;
	st.page.version = 2;
	st.page.device_id = 1;
	st.page.vendor_id = 3;
	st.page.device_features = 4;
	st.page.queue_num_max = 5;
	st.page.queue_ready = 6;
	st.page.interrupt_status = 7;
	st.page.status = 8;
	st.page.shm_len_low = 9;
	st.page.shm_len_high = 10;
	st.page.shm_base_low = 11;
	st.page.shm_base_high = 12;
	st.page.config_generation = 13;
	st.page.config[0] = 14;
	cr_expect_eq(get(0x000), 0x74726976);
	cr_expect_eq(get(0x004), 2);
	cr_expect_eq(get(0x008), 1);
	cr_expect_eq(get(0x00c), 3);
	cr_expect_eq(get(0x010), 4);
	cr_expect_eq(get(0x034), 5);
	cr_expect_eq(get(0x044), 6);
	cr_expect_eq(get(0x060), 7);
	cr_expect_eq(get(0x070), 8);
	cr_expect_eq(get(0x0b0), 9);
	cr_expect_eq(get(0x0b4), 10);
	cr_expect_eq(get(0x0b8), 11);
	cr_expect_eq(get(0x0bc), 12);
	cr_expect_eq(get(0x0fc), 13);
	cr_expect_eq(get(0x100), 14);
	cr_expect_eq(sizeof(st.page), 4096);
	cr_expect_eq((char *)&st.page - (char *)&st, 4096);
	cr_expect_eq(sizeof(st), 8192);
}

/* Proves: aligned reads of 1, 2, 4, 8 bytes anywhere in the page are what memory would give. */
Test(virtio_mmio, reads)
{
	__u8 *page = (__u8 *)&st.page;
	__u64 val, want;

	for (unsigned int i = 0; i < 4096; i++)
		page[i] = (__u8)(i * 7 + (i >> 8));
	for (__u64 off = 0; off < 4096 + 8; off++) {
		for (__u32 len = 0; len < 10; len++) {
			bool good = (len == 1 || len == 2 || len == 4 || len == 8) && off < 4096 &&
				    off % len == 0;

			val = UNTOUCHED;
			want = 0;
			cr_assert_eq(virtio_mmio_read(&st, off, len, &val) == LX_HANDLED, good,
				     "%u bytes at %#llx", len, off);
			if (good)
				memcpy(&want, page + off, len);
			cr_assert_eq(val, good ? want : UNTOUCHED);
		}
	}
	cr_expect_eq(virtio_mmio_read(&st, 1ULL << 40, 4, &val), LX_PASS);
}

/* Proves: QueueSel shows that queue's QueueNumMax and QueueReady; 0 where there is none. */
Test(virtio_mmio, queue_sel)
{
	put(QUEUE_SEL, 1);
	cr_expect_eq(st.queue_sel, 1);
	cr_expect_eq(get(QUEUE_NUM_MAX), 64);
	cr_expect_eq(get(QUEUE_READY), 1);
	put(QUEUE_SEL, 0);
	cr_expect_eq(get(QUEUE_NUM_MAX), 256);
	cr_expect_eq(get(QUEUE_READY), 0);
	put(QUEUE_SEL, 7);
	cr_expect_eq(get(QUEUE_NUM_MAX), 8);
	put(QUEUE_SEL, 1);
	put(QUEUE_SEL, 8);
	cr_expect_eq(st.queue_sel, 8);
	cr_expect_eq(get(QUEUE_NUM_MAX), 0);
	cr_expect_eq(get(QUEUE_READY), 0);
	put(QUEUE_SEL, 1);
	put(QUEUE_SEL, 0xffffffff);
	cr_expect_eq(get(QUEUE_NUM_MAX), 0);
	put(QUEUE_SEL, 1);
	put(QUEUE_SEL, 3);
	cr_expect_eq(get(QUEUE_NUM_MAX), 0);
	cr_expect_eq(get(QUEUE_READY), 0);
}

/* Proves: DeviceFeaturesSel shows bits 0 to 31, 32 to 63, and of other sets none. */
Test(virtio_mmio, device_features_sel)
{
	put(DEVICE_FEATURES_SEL, 1);
	cr_expect_eq(get(DEVICE_FEATURES), 0x01234567);
	put(DEVICE_FEATURES_SEL, 0);
	cr_expect_eq(get(DEVICE_FEATURES), 0x89abcdef);
	put(DEVICE_FEATURES_SEL, 2);
	cr_expect_eq(get(DEVICE_FEATURES), 0);
	put(DEVICE_FEATURES_SEL, 1);
	put(DEVICE_FEATURES_SEL, 0x80000001);
	cr_expect_eq(get(DEVICE_FEATURES), 0);
}

/* Proves: InterruptACK clears the bits that are set in it, and signals nothing. */
Test(virtio_mmio, interrupt_ack)
{
	st.page.interrupt_status = 3;
	cr_expect_not(put(INTERRUPT_ACK, 1).signal);
	cr_expect_eq(get(INTERRUPT_STATUS), 2);
	put(INTERRUPT_ACK, 0);
	cr_expect_eq(get(INTERRUPT_STATUS), 2);
	put(INTERRUPT_ACK, 0xffffffff);
	cr_expect_eq(get(INTERRUPT_STATUS), 0);
}

/* Proves: a queue's doorbell signals its own slot; with the bell once until it is rearmed. */
Test(virtio_mmio, notify)
{
	struct virtio_mmio_queue *q = &st.queues[1];
	struct virtio_mmio_ring ring;

	q->doorbell = VIRTIO_MMIO_DOORBELL;
	for (int i = 0; i < 3; i++) {
		ring = put(QUEUE_NOTIFY, 1);
		cr_expect(ring.signal);
		cr_expect_not(ring.quiet);
		cr_expect_eq(ring.queue, 1);
	}
	lx_bell_rearm(&q->bell);
	q->doorbell |= VIRTIO_MMIO_DOORBELL_BELL;
	cr_expect(put(QUEUE_NOTIFY, 1).signal);
	cr_expect_not(put(QUEUE_NOTIFY, 1).signal);
	cr_expect_not(put(QUEUE_NOTIFY, 1).signal);
	lx_bell_rearm(&q->bell);
	cr_expect(put(QUEUE_NOTIFY, 1).signal);
	cr_expect_eq(q->bell.rings, 7);
	cr_expect_eq(st.queues[0].bell.rings, 0);
}

/* Proves: NO_NOTIFY is asked for with each signal, at the used ring, and never without one. */
Test(virtio_mmio, notify_quiet)
{
	struct virtio_mmio_queue *q = &st.queues[0];
	struct virtio_mmio_ring ring;

	q->doorbell = VIRTIO_MMIO_DOORBELL | VIRTIO_MMIO_DOORBELL_BELL | VIRTIO_MMIO_DOORBELL_QUIET;
	q->device = 0x123456789000;
	ring = put(QUEUE_NOTIFY, 0);
	cr_expect(ring.signal && ring.quiet);
	cr_expect_eq(ring.used, 0x123456789000);
	ring = put(QUEUE_NOTIFY, 0);
	cr_expect(!ring.signal && !ring.quiet);
}

/* Proves: a notification that is taken back is as if it had never been. */
Test(virtio_mmio, unring)
{
	struct virtio_mmio_ring ring;

	st.queues[2].doorbell = VIRTIO_MMIO_DOORBELL | VIRTIO_MMIO_DOORBELL_BELL;
	ring = put(QUEUE_NOTIFY, 2);
	virtio_mmio_unring(&st, &ring);
	cr_expect_eq(st.queues[2].bell.rings, 0);
	cr_expect_eq(st.queues[2].bell.suppress, 0);
	cr_expect(put(QUEUE_NOTIFY, 2).signal);
}

/* Proves: what is no doorbell passes: queues that are not ready or not there, other values. */
Test(virtio_mmio, notify_passes)
{
	expect_pass(QUEUE_NOTIFY, 4, 0);
	expect_pass(QUEUE_NOTIFY, 4, 7);
	expect_pass(QUEUE_NOTIFY, 4, 8);
	expect_pass(QUEUE_NOTIFY, 4, 0xffffffff);
	st.queues[0].doorbell = VIRTIO_MMIO_DOORBELL_BELL | VIRTIO_MMIO_DOORBELL_QUIET;
	expect_pass(QUEUE_NOTIFY, 4, 0);
	st.queues[0].doorbell |= VIRTIO_MMIO_DOORBELL;
	expect_pass(QUEUE_NOTIFY, 4, 0x10000); /* no VIRTIO_F_NOTIFICATION_DATA */
}

/* Proves: every other offset and length passes, and changes nothing (4.2.2.2: 32 bits). */
Test(virtio_mmio, other_writes_pass)
{
	static const __u32 lengths[] = { 0, 1, 2, 3, 5, 6, 7, 8, 16 };

	for (unsigned int i = 0; i < 8; i++)
		st.queues[i].doorbell = VIRTIO_MMIO_DOORBELL;
	for (__u64 off = 0; off < 0x1008; off++) {
		for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			expect_pass(off, lengths[i], 1);
		if (off != DEVICE_FEATURES_SEL && off != QUEUE_SEL && off != QUEUE_NOTIFY &&
		    off != INTERRUPT_ACK)
			expect_pass(off, 4, 1);
	}
	expect_pass((1ULL << 32) + QUEUE_NOTIFY, 4, 0);
}
