// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lock, doorbell, queue and timer of a state: their rules, then native threads that race,
 * one side compiled as programs are (program_side.h). tests/vm/test_state.c has the same
 * with real programs, tests/litmus the orders that a CPU may choose.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lightexit/bell.h>
#include <lightexit/queue.h>
#include <lightexit/state.h>
#include <lightexit/timer.h>

#include "program_side.h"

#define OPS 300000U
#define BELL_OPS 100000U
#define LOST_MS 3000 /* so long a sleep with work there is a lost wakeup */

static struct {
	struct lx_state hdr;
	struct lx_bell bell;
	struct lx_timer timer;
	struct lx_queue queue;
	uint64_t ticket, words[4];
	uint32_t inside, overlaps, torn;
	uint64_t published, done;
	bool stop;
} s;

static void setup(void)
{
	lx_state_init(&s.hdr, sizeof(s));
}

TestSuite(parts, .init = setup, .timeout = 120);

static void start(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	cr_assert_eq(pthread_create(thread, NULL, fn, arg), 0);
}

/* A vCPU does other things between its accesses; it does not keep the lock from the VMM. */
static void breathe(uint64_t i)
{
	for (volatile int pause = 0; pause < 100; pause++)
		;
	if (i % 8 == 0)
		sched_yield();
}

/* ---- the lock */

/* Proves: who has it is in the word; nobody else gets it; a program only tries. */
Test(parts, lock_rules)
{
	lx_lock(&s.hdr);
	cr_expect_eq(s.hdr.lock, 1, "the VMM of generation 1");
	cr_expect_not(lx_trylock(&s.hdr));
	cr_expect_not(program_enter(&s.hdr));
	lx_unlock(&s.hdr);
	cr_expect(program_enter(&s.hdr));
	cr_expect_eq(s.hdr.lock, LX_LOCK_PROGRAM);
	cr_expect_not(lx_trylock(&s.hdr));
	cr_expect_not(program_enter(&s.hdr));
	program_leave(&s.hdr);
	cr_expect_eq(s.hdr.lock, LX_LOCK_FREE);
	s.hdr.owner = 77;
	cr_expect(lx_trylock(&s.hdr));
	cr_expect_eq(s.hdr.lock, 77);
}

/* Proves: programs do not enter a state that is frozen, or no state, and leave it unlocked. */
Test(parts, lock_of_what_is_not_live)
{
	lx_state_freeze(&s.hdr, 5);
	cr_expect_not(program_live(&s.hdr));
	cr_expect_not(program_enter(&s.hdr));
	cr_expect_eq(s.hdr.lock, LX_LOCK_FREE);
	lx_state_thaw(&s.hdr, 5);
	cr_expect(program_live(&s.hdr));
	s.hdr.abi = 1;
	cr_expect_not(program_enter(&s.hdr));
	s.hdr.abi = LX_STATE_ABI;
	s.hdr.magic ^= 1;
	cr_expect_not(program_enter(&s.hdr));
	cr_expect_eq(s.hdr.lock, LX_LOCK_FREE);
}

/* Proves: the two sides' sequence counts are one. */
Test(parts, seq_of_both_sides)
{
	uint32_t seq;

	program_write_begin(&s.hdr);
	cr_expect_not(lx_read_begin(&s.hdr, &seq));
	program_write_end(&s.hdr);
	cr_expect_eq(s.hdr.seq, 2);
	cr_expect(program_read_begin(&s.hdr, &seq));
	cr_expect_not(program_read_retry(&s.hdr, seq));
	lx_write_begin(&s.hdr);
	cr_expect(program_read_retry(&s.hdr, seq));
	cr_expect_not(program_read_begin(&s.hdr, &seq));
	lx_write_end(&s.hdr);
	cr_expect(lx_read_begin(&s.hdr, &seq));
	cr_expect_eq(seq, 4);
}

static void take_ticket(void)
{
	volatile uint64_t *words = s.words;
	uint64_t ticket = s.ticket;

	s.overlaps += *(volatile uint32_t *)&s.inside;
	*(volatile uint32_t *)&s.inside = 1;
	for (int i = 0; i < 4; i++)
		s.torn += words[i] != ticket;
	for (int i = 0; i < 4; i++)
		words[i] = ticket + 1;
	s.ticket = ticket + 1;
	*(volatile uint32_t *)&s.inside = 0;
}

static void *by_vmm(void *unused)
{
	for (unsigned int i = 0; i < OPS; i++) {
		lx_lock(&s.hdr);
		take_ticket();
		lx_unlock(&s.hdr);
	}
	return NULL;
}

static void *by_program(void *unused)
{
	for (unsigned int i = 0; i < OPS;) {
		if (!program_enter(&s.hdr)) {
			sched_yield();
			continue;
		}
		take_ticket();
		program_leave(&s.hdr);
		i++;
	}
	return NULL;
}

/* Proves: two programs and two threads of the VMM are inside one at a time. */
Test(parts, lock_of_four)
{
	pthread_t t[4];

	start(&t[0], by_vmm, NULL);
	start(&t[1], by_program, NULL);
	start(&t[2], by_vmm, NULL);
	start(&t[3], by_program, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	cr_expect_eq(s.ticket, 4 * OPS, "%lu tickets of %u", s.ticket, 4 * OPS);
	cr_expect_eq(s.overlaps, 0, "%u overlaps", s.overlaps);
	cr_expect_eq(s.torn, 0, "%u torn", s.torn);
}

/* ---- the doorbell */

/* Proves: the first ring signals, more do not, until the consumer rearms. */
Test(parts, bell_rules)
{
	cr_expect(program_bell_ring(&s.bell));
	cr_expect_not(program_bell_ring(&s.bell));
	cr_expect_not(lx_bell_ring(&s.bell));
	lx_bell_rearm(&s.bell);
	cr_expect(lx_bell_ring(&s.bell));
	cr_expect_eq(s.bell.rings, 4);
}

static int bell_fd;

/* So that the two meet at every place. */
static void random_pause(unsigned int *seed)
{
	for (volatile unsigned int pause = rand_r(seed) % 64; pause; pause--)
		;
}

/* Takes work until it has seen all; sleeps when there is none. Return: wakeups that were lost. */
static void *consumer(void *unused)
{
	struct pollfd p = { .fd = bell_fd, .events = POLLIN };
	unsigned int seed = 1;
	uintptr_t lost = 0;
	uint64_t done = 0;
	eventfd_t n;

	while (done < BELL_OPS && !lost) {
		uint64_t seen = __atomic_load_n(&s.published, __ATOMIC_ACQUIRE);

		if (seen != done) {
			done = seen;
			__atomic_store_n(&s.done, done, __ATOMIC_RELEASE);
			continue;
		}
		random_pause(&seed);
		lx_bell_rearm(&s.bell);
		if (__atomic_load_n(&s.published, __ATOMIC_ACQUIRE) != done)
			continue;
		lost = poll(&p, 1, LOST_MS) == 0 &&
		       __atomic_load_n(&s.published, __ATOMIC_ACQUIRE) != done;
		eventfd_read(bell_fd, &n);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	return (void *)lost;
}

/* Rings for work @i. Return: whether that signalled. */
static uint64_t ring_for(uint64_t i)
{
	__atomic_store_n(&s.published, i, __ATOMIC_RELEASE);
	if (!program_bell_ring(&s.bell))
		return 0;
	eventfd_write(bell_fd, 1);
	return 1;
}

/*
 * One by one: the next when the consumer has seen the last, and is on its way to sleep. Now
 * and then two: where the threads share a CPU nothing else is suppressed.
 */
static uint64_t produce_one_by_one(void)
{
	uint64_t signals = 0, spins = 0;
	unsigned int seed = 2;

	for (uint64_t i = 1; i <= BELL_OPS; i++) {
		random_pause(&seed);
		signals += ring_for(i);
		if (i % 100 == 0 && i < BELL_OPS)
			signals += ring_for(++i);
		while (__atomic_load_n(&s.done, __ATOMIC_ACQUIRE) != i &&
		       !__atomic_load_n(&s.stop, __ATOMIC_RELAXED)) {
			if (++spins % 1000 == 0)
				sched_yield();
		}
	}
	return signals;
}

/* Proves: with signals suppressed no work is slept over. */
Test(parts, bell_loses_no_wakeup)
{
	uint64_t signals;
	pthread_t thread;
	void *lost;

	bell_fd = eventfd(0, EFD_NONBLOCK);
	start(&thread, consumer, NULL);
	signals = produce_one_by_one();
	pthread_join(thread, &lost);
	cr_expect_null(lost, "%lu lost wakeups", (unsigned long)(uintptr_t)lost);
	cr_expect_lt(signals, BELL_OPS, "%lu of %u rings signalled", signals, BELL_OPS);
	cr_expect_gt(signals, 1);
}

/* ---- the queue */

/* Proves: first in, first out, over the end of the array and of the counts; and full is full. */
Test(parts, queue_rules)
{
	struct lx_queued e;

	s.queue.head = 0xffffff80; /* wraps after 128 */
	s.queue.tail = s.queue.head;
	cr_expect_not(lx_queue_pop(&s.queue, &e));
	for (uint32_t i = 0; i < LX_QUEUE_LEN; i++)
		cr_assert(program_push(&s.queue, i % 8, 0x100 + i, i));
	cr_expect_eq(lx_queue_count(&s.queue), 256);
	cr_expect_not(program_push(&s.queue, 0, 0, 0), "a 257th");
	cr_expect_eq(lx_queue_count(&s.queue), 256);
	for (uint32_t i = 0; i < LX_QUEUE_LEN; i++) {
		cr_assert(lx_queue_pop(&s.queue, &e));
		cr_assert(e.region == i % 8 && e.addr == 0x100 + i && e.data == i && e.len == 4);
	}
	cr_expect_not(lx_queue_pop(&s.queue, &e));
}

struct producer {
	uint32_t region;
	uint64_t order; /* the ticket of each write is its data */
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (uint64_t i = 0; i < OPS;) {
		if (!program_enter(&s.hdr)) {
			sched_yield();
			continue;
		}
		if (program_push(&s.queue, p->region, i, s.ticket)) {
			s.ticket++;
			i++;
		}
		program_leave(&s.hdr);
		breathe(i);
	}
	return NULL;
}

/* Proves: what two vCPUs queue comes out in the order in which they had the lock. */
Test(parts, queue_of_two)
{
	struct producer p[2] = { { .region = 0 }, { .region = 1 } };
	uint64_t next[2] = { 0 }, tickets = 0, bad = 0;
	struct lx_queued e;
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		start(&t[i], produce, &p[i]);
	while (tickets < 2 * OPS) {
		lx_lock(&s.hdr);
		while (lx_queue_pop(&s.queue, &e))
			bad += e.data != tickets++ || e.addr != next[e.region & 1]++;
		lx_unlock(&s.hdr);
		sched_yield();
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	cr_expect_eq(bad, 0, "%lu out of order", bad);
	cr_expect(next[0] == OPS && next[1] == OPS);
}

/* ---- the timer */

/* Proves: not before it is due, once, and only while it is armed. */
Test(parts, timer_rules)
{
	cr_expect_not(lx_timer_claim(&s.timer, UINT64_MAX), "never armed");
	lx_timer_arm(&s.timer, 100);
	cr_expect_not(lx_timer_claim(&s.timer, 99));
	cr_expect(lx_timer_claim(&s.timer, 100));
	cr_expect_not(lx_timer_claim(&s.timer, 100), "twice");
	lx_timer_arm(&s.timer, 50);
	cr_expect(lx_timer_claim(&s.timer, 1000), "late");
	lx_timer_arm(&s.timer, 50);
	lx_timer_disarm(&s.timer);
	cr_expect_not(lx_timer_claim(&s.timer, 1000), "disarmed");
	cr_expect_eq(s.timer.fired, 2);
}

static void *claim(void *arg)
{
	uint64_t *claimed = arg, i = 0;

	while (!__atomic_load_n(&s.stop, __ATOMIC_RELAXED)) {
		if (program_enter(&s.hdr)) {
			*claimed += lx_timer_claim(&s.timer, UINT64_MAX);
			program_leave(&s.hdr);
		}
		breathe(i++);
	}
	return NULL;
}

static bool both(const uint64_t *n)
{
	return __atomic_load_n(&n[0], __ATOMIC_RELAXED) && __atomic_load_n(&n[1], __ATOMIC_RELAXED);
}

/* Proves: two that look for a due timer, while it is armed again and again, fire it once each. */
Test(parts, timer_of_two)
{
	uint64_t claimed[2] = { 0 }, armed = 0;
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		start(&t[i], claim, &claimed[i]);
	while (armed < OPS / 10 || !both(claimed)) {
		lx_lock(&s.hdr);
		if (!s.timer.armed) {
			lx_timer_arm(&s.timer, armed);
			armed++;
		}
		lx_unlock(&s.hdr);
		sched_yield();
	}
	for (bool done = false; !done; sched_yield()) {
		lx_lock(&s.hdr);
		done = !s.timer.armed;
		lx_unlock(&s.hdr);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	cr_expect_eq(claimed[0] + claimed[1], armed, "%lu and %lu of %lu", claimed[0], claimed[1],
		     armed);
	cr_expect_eq(s.timer.fired, armed);
}
