// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * <lightexit/queue.h> and <lightexit/bell.h> as user space compiles them: order, a full
 * queue, counts that wrap or make no sense; and a doorbell between two threads.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lightexit/bell.h>
#include <lightexit/queue.h>

static struct lx_queue q;

static bool push(__u64 n)
{
	const struct lx_io io = {
		.addr = n * 3, .data = ~n, .region = n & 7, .len = 1U << (n & 3)
	};

	return lx_queue_push(&q, &io);
}

static void expect_pop(__u64 n)
{
	struct lx_queued w;

	cr_assert(lx_queue_pop(&q, &w), "number %llu is missing", n);
	cr_expect(w.addr == n * 3 && w.data == ~n && w.region == (n & 7) && w.len == 1U << (n & 3),
		  "number %llu: %#llx at %#llx of region %u, %u bytes", n, w.data, w.addr, w.region,
		  w.len);
}

static void expect_empty(void)
{
	struct lx_queued w;

	cr_expect_eq(lx_queue_count(&q), 0);
	cr_expect_not(lx_queue_pop(&q, &w));
}

/* Proves: first in, first out, also where the counts wrap past 2^32. */
Test(queue, order)
{
	__u64 in = 0, out = 0;

	q.head = UINT32_MAX - 5000;
	q.tail = q.head;
	expect_empty();
	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < round % 100; i++)
			cr_assert(push(in++));
		cr_expect_eq(lx_queue_count(&q), in - out);
		for (unsigned int i = 0; i < round % 101 && out < in; i++)
			expect_pop(out++);
	}
	while (out < in)
		expect_pop(out++);
	expect_empty();
	cr_expect_gt(out, 5001);
}

/* Proves: 256 writes fit (docs/abi.md), the next one changes nothing. */
Test(queue, full)
{
	struct lx_queue before;

	for (__u64 n = 0; n < 256; n++)
		cr_assert(push(n));
	before = q;
	cr_expect_not(push(256));
	cr_expect_arr_eq(&q, &before, sizeof(q));
	expect_pop(0);
	cr_expect(push(256));
	for (__u64 n = 1; n <= 256; n++)
		expect_pop(n);
	expect_empty();
}

/* Proves: counts from a corrupt saved state give nothing out, and take nothing in. */
Test(queue, counts_that_make_no_sense)
{
	static const __u32 counts[] = { 257, 1000, 1U << 31, UINT32_MAX };
	struct lx_queued w;

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		memset(&q, 0, sizeof(q));
		q.head = 77;
		q.tail = q.head + counts[i];
		cr_expect_not(lx_queue_pop(&q, &w), "%u writes", counts[i]);
		cr_expect_not(push(1), "%u writes", counts[i]);
	}
}

/* Proves: a bell signals once until it is rearmed. */
Test(bell, once)
{
	struct lx_bell bell = { 0 };

	for (unsigned int i = 1; i <= 3; i++) {
		cr_expect(lx_bell_ring(&bell));
		cr_expect_not(lx_bell_ring(&bell));
		cr_expect_not(lx_bell_ring(&bell));
		cr_expect_eq(bell.rings, 3 * i);
		lx_bell_rearm(&bell);
	}
}

#define RINGS 50000U

/* Work without a lock: @done follows @published. */
static struct {
	struct lx_bell bell;
	int fd;
	uint32_t published;
	uint32_t done;
	uint32_t signals;
} race;

static void *produce(void *arg)
{
	for (uint32_t n = 1; n <= RINGS; n++) {
		__atomic_store_n(&race.published, n, __ATOMIC_RELAXED);
		if (lx_bell_ring(&race.bell)) {
			race.signals++;
			eventfd_write(race.fd, 1);
		}
		/* Let the consumer go to sleep, now and then. */
		while (n % 4 == 0 && __atomic_load_n(&race.done, __ATOMIC_ACQUIRE) != n)
			sched_yield();
	}
	return NULL;
}

/* Return: false if nobody rang though there is work. */
static bool consume(void)
{
	struct pollfd p = { .fd = race.fd, .events = POLLIN };
	eventfd_t count;

	while (race.done < RINGS) {
		if (poll(&p, 1, 10000) != 1)
			return false;
		eventfd_read(race.fd, &count);
		do {
			__atomic_store_n(&race.done,
					 __atomic_load_n(&race.published, __ATOMIC_RELAXED),
					 __ATOMIC_RELEASE);
			lx_bell_rearm(&race.bell);
		} while (race.done != __atomic_load_n(&race.published, __ATOMIC_RELAXED));
	}
	return true;
}

/* Proves: a consumer that sleeps whenever it finds no work is woken for all of it. */
Test(bell, wakes_the_consumer, .timeout = 120)
{
	pthread_t producer;

	race.fd = eventfd(0, EFD_CLOEXEC);
	cr_assert_eq(pthread_create(&producer, NULL, produce, NULL), 0);
	cr_assert(consume(), "asleep at %u with %u published, %u signals", race.done,
		  race.published, race.signals);
	pthread_join(producer, NULL);
	cr_expect(race.signals >= RINGS / 100 && race.signals <= RINGS, "%u signals", race.signals);
	close(race.fd);
}

#define MEETINGS 1000000U
#define MEETINGS_MAX (50 * MEETINGS) /* on a busy machine the two take turns for long */

/* What both do at the same moment, each variable in a cache line of its own. */
static struct {
	struct lx_bell bell __attribute__((aligned(64)));
	uint32_t work __attribute__((aligned(64)));
	uint32_t seen __attribute__((aligned(64)));
	uint32_t here[2] __attribute__((aligned(64)));
	bool over; /* written between two meetings */
} meet;

static void wait_for_other(unsigned int me, uint32_t n)
{
	unsigned int spins = 0;

	__atomic_store_n(&meet.here[me], n, __ATOMIC_RELEASE);
	while ((int32_t)(__atomic_load_n(&meet.here[!me], __ATOMIC_ACQUIRE) - n) < 0) {
		if (++spins % 2000 == 0)
			sched_yield();
	}
}

static void *rearm_and_look(void *arg)
{
	for (uint32_t n = 1; !meet.over; n++) {
		wait_for_other(1, 2 * n - 1);
		lx_bell_rearm(&meet.bell);
		meet.seen = __atomic_load_n(&meet.work, __ATOMIC_RELAXED);
		wait_for_other(1, 2 * n);
	}
	return NULL;
}

/* Proves: work that is published while the consumer rearms is either seen, or rung for. */
Test(bell, no_ring_is_lost, .timeout = 120)
{
	uint32_t lost = 0, rung = 0, n;
	pthread_t consumer;

	meet.bell.suppress = 1;
	cr_assert_eq(pthread_create(&consumer, NULL, rearm_and_look, NULL), 0);
	for (n = 1; !meet.over; n++) {
		bool signal;

		wait_for_other(0, 2 * n - 1);
		__atomic_store_n(&meet.work, n, __ATOMIC_RELAXED);
		signal = lx_bell_ring(&meet.bell);
		rung += signal;
		meet.over = n >= MEETINGS_MAX || (n >= MEETINGS && rung < n);
		wait_for_other(0, 2 * n);
		lost += !signal && meet.seen != n;
		meet.bell.suppress = 1;
	}
	pthread_join(consumer, NULL);
	n--;
	cr_expect_eq(lost, 0, "%u of %u rings", lost, n);
	cr_expect(rung > 0 && rung < n, "they never met: %u of %u rung", rung, n);
}
