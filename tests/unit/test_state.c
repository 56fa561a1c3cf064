// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sequence count of <lightexit/state.h> as user space compiles it: first its
 * rules one by one, then a writer and a reader that race.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#include <lightexit/state.h>

#define WORDS 8	       /* all of them alike in a state that is whole */
#define READS 1000000  /* complete reads that must all be whole */
#define CHANGES 1000   /* different values among them, or the writer hardly ran */
#define CONTROL_SEC 60 /* how long the control may take to see a torn one */

struct shared {
	struct lx_state hdr;
	uint64_t words[WORDS];
	bool stop;
};

/* Proves: a reader that no writer met trusts what it read. */
Test(state, quiet_read)
{
	struct lx_state st = { .seq = 4 };
	__u32 seq = 0;

	cr_expect(lx_read_begin(&st, &seq));
	cr_expect_eq(seq, 4);
	cr_expect_not(lx_read_retry(&st, seq));
}

/* Proves: a read that begins while a writer is at work is refused. */
Test(state, begin_in_write)
{
	struct lx_state st = { .seq = 4 };
	__u32 seq;

	lx_write_begin(&st);
	cr_expect_eq(st.seq, 5);
	cr_expect_not(lx_read_begin(&st, &seq));
	lx_write_end(&st);
	cr_expect_eq(st.seq, 6);
	cr_expect(lx_read_begin(&st, &seq));
}

/* Proves: a write that begins, or is over, within the read is noticed at its end. */
Test(state, write_in_read)
{
	struct lx_state st = { .seq = 4 };
	__u32 seq;

	cr_assert(lx_read_begin(&st, &seq));
	lx_write_begin(&st);
	cr_expect(lx_read_retry(&st, seq));
	lx_write_end(&st);
	cr_expect(lx_read_retry(&st, seq));
}

/* Proves: the count's wrap from 2^32 - 1 to 0 is a write like any other. */
Test(state, count_wraps)
{
	struct lx_state st = { .seq = 0xfffffffe };
	__u32 seq;

	cr_assert(lx_read_begin(&st, &seq));
	lx_write_begin(&st);
	cr_expect_eq(st.seq, 0xffffffff);
	lx_write_end(&st);
	cr_expect_eq(st.seq, 0);
	cr_expect(lx_read_retry(&st, seq));
	cr_assert(lx_read_begin(&st, &seq));
	cr_expect_not(lx_read_retry(&st, seq));
}

/* Proves: magic, ABI, and size are no business of the writer's. */
Test(state, header_kept)
{
	struct lx_state st = { .magic = LX_STATE_MAGIC, .abi = LX_STATE_ABI, .size = 99 };

	lx_write_begin(&st);
	lx_write_end(&st);
	cr_expect_eq(st.magic, LX_STATE_MAGIC);
	cr_expect_eq(st.abi, LX_STATE_ABI);
	cr_expect_eq(st.size, 99);
}

/* Writes without end; each pause leaves the reader time for some whole reads. */
static void *writer(void *arg)
{
	struct shared *s = arg;

	for (uint64_t v = 1; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); v++) {
		lx_write_begin(&s->hdr);
		for (int i = 0; i < WORDS; i++)
			__atomic_store_n(&s->words[i], v, __ATOMIC_RELAXED);
		lx_write_end(&s->hdr);
		for (volatile int pause = 0; pause < 200; pause++)
			;
	}
	return NULL;
}

/* One pass over the words, without the protocol. Return: they were not all alike. */
static bool read_words(const struct shared *s, uint64_t *first)
{
	bool torn = false;

	*first = __atomic_load_n(&s->words[0], __ATOMIC_RELAXED);
	for (int i = 1; i < WORDS; i++)
		torn |= __atomic_load_n(&s->words[i], __ATOMIC_RELAXED) != *first;
	return torn;
}

static void start(struct shared *s, pthread_t *thread)
{
	cr_assert_eq(pthread_create(thread, NULL, writer, s), 0);
}

static void stop(struct shared *s, pthread_t thread)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/*
 * Proves: of 10^6 reads that the protocol accepted while a writer was at work
 * none is torn or older than the one before.
 */
Test(state, no_torn_read, .timeout = 60)
{
	static struct shared s;
	uint64_t torn = 0, backward = 0, changes = 0, last = 0, v;
	pthread_t thread;
	__u32 seq;

	start(&s, &thread);
	for (int done = 0; done < READS || changes < CHANGES;) {
		bool is_torn;

		if (!lx_read_begin(&s.hdr, &seq)) {
			sched_yield(); /* the writer may be off the CPU */
			continue;
		}
		is_torn = read_words(&s, &v);
		if (lx_read_retry(&s.hdr, seq))
			continue;
		torn += is_torn;
		backward += v < last;
		changes += v != last;
		last = v;
		done++;
	}
	stop(&s, thread);
	cr_expect_eq(torn, 0, "%lu torn reads", torn);
	cr_expect_eq(backward, 0, "%lu steps back", backward);
}

/*
 * The control. Proves: the same race without lx_read_retry() does show torn
 * reads, so the test above can fail. Where threads share one CPU a tear takes a
 * preemption in the right place, hence the patience.
 */
Test(state, control_sees_torn_reads, .timeout = 2 * CONTROL_SEC)
{
	static struct shared s;
	uint64_t torn = 0, v;
	time_t end = time(NULL) + CONTROL_SEC;
	pthread_t thread;
	__u32 seq;

	start(&s, &thread);
	while (!torn && time(NULL) < end)
		for (int i = 0; i < READS; i++)
			if (lx_read_begin(&s.hdr, &seq))
				torn += read_words(&s, &v);
	stop(&s, thread);
	cr_expect_gt(torn, 0, "no torn read in %d s", CONTROL_SEC);
}
