// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * States without a device: their time, frozen and thawed; saved and restored; taken over.
 * What a saved state looks like in bytes is in include/lightexit/saved.h and test_abi.c.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <lightexit/saved.h>

#include "../../loader/internal.h"
#include "said.h"

#define SEC 1000000000ULL
#define WORDS 5

struct toy {
	struct lx_state hdr;
	uint64_t words[WORDS];
};

/* An offset of struct lx_saved, by test_abi.c. */
enum {
	VERSION = 4,
	SIZE = 8,
	CRC = 12,
	HEADER = 16,
	ABI = 20,
	STATE = 24,
	REGIONS = 28,
	NS = 48
};

#define HEAD 328
#define ALL (HEAD + WORDS * 8)

static struct toy toy;
static unsigned char buf[4096];

static void setup(void)
{
	said_listen();
	lx_state_init(&toy.hdr, sizeof(toy));
	lx_state_start(&toy.hdr, LX_CLOCK_MONOTONIC, 1000 * SEC);
	for (int i = 0; i < WORDS; i++)
		toy.words[i] = 0x1111111111111111ULL * (i + 1);
}

TestSuite(save, .init = setup);
TestSuite(time, .init = setup);
TestSuite(adopt, .init = setup);

static void save_at(uint64_t clock_ns)
{
	cr_assert_eq(lx_state_save(&toy.hdr, "toy", clock_ns, buf, sizeof(buf)), ALL, "%s", said);
}

static void put32(unsigned int off, uint32_t v)
{
	memcpy(buf + off, &v, 4);
}

static void seal(size_t size)
{
	put32(CRC, 0);
	put32(CRC, crc32(0, buf, size));
}

/* Device time runs with the clock, from the start; a clock set back gives a negative one. */
Test(time, runs_by_the_clock)
{
	cr_expect_eq(lx_device_time(&toy.hdr, 1000 * SEC), 0);
	cr_expect_eq(lx_device_time(&toy.hdr, 1007 * SEC), 7 * SEC);
	cr_expect_eq(lx_device_time(&toy.hdr, 999 * SEC), -(int64_t)SEC);
	lx_state_start(&toy.hdr, LX_CLOCK_KVM, 5);
	cr_expect_eq(toy.hdr.clock, LX_CLOCK_KVM);
	cr_expect_eq(lx_device_time(&toy.hdr, 7), 2);
	cr_expect_eq(toy.hdr.seq & 1, 0);
	cr_expect_eq(toy.hdr.lock, LX_LOCK_FREE);
}

Test(time, stands_still_and_goes_on)
{
	cr_expect(lx_state_live(&toy.hdr));
	lx_state_freeze(&toy.hdr, 1010 * SEC);
	cr_expect_not(lx_state_live(&toy.hdr), "a frozen state is not live");
	cr_expect_eq(lx_device_time(&toy.hdr, 5000 * SEC), 10 * SEC);
	lx_state_freeze(&toy.hdr, 1020 * SEC);
	cr_expect_eq(lx_device_time(&toy.hdr, 0), 10 * SEC, "a second freeze changes nothing");
	lx_state_thaw(&toy.hdr, 77 * SEC);
	cr_expect(lx_state_live(&toy.hdr));
	cr_expect_eq(lx_device_time(&toy.hdr, 77 * SEC), 10 * SEC, "no time has passed");
	cr_expect_eq(lx_device_time(&toy.hdr, 78 * SEC), 11 * SEC);
	lx_state_thaw(&toy.hdr, 500 * SEC);
	cr_expect_eq(lx_device_time(&toy.hdr, 78 * SEC), 11 * SEC, "nor a second thaw");
}

/* Frozen by a clock that was set back before the epoch: at 0, not at 584 years. */
Test(time, frozen_before_the_epoch)
{
	lx_state_freeze(&toy.hdr, 5 * SEC);
	cr_expect_eq(lx_device_time(&toy.hdr, 0), 0);
}

/* A reset while frozen: 0, and still frozen. */
Test(time, started_while_frozen)
{
	lx_state_freeze(&toy.hdr, 1010 * SEC);
	lx_state_start(&toy.hdr, LX_CLOCK_MONOTONIC, 1011 * SEC);
	cr_expect_not(lx_state_live(&toy.hdr));
	cr_expect_eq(lx_device_time(&toy.hdr, 1012 * SEC), 0);
	lx_state_thaw(&toy.hdr, 1020 * SEC);
	cr_expect_eq(lx_device_time(&toy.hdr, 1021 * SEC), SEC);
}

/* The header of another host takes up the state's bytes and time, and nothing else. */
Test(save, and_restore_elsewhere)
{
	struct toy other = { .words = { 9, 9, 9, 9, 9 } };

	lx_state_freeze(&toy.hdr, 1042 * SEC + 7);
	save_at(0);
	lx_state_init(&other.hdr, sizeof(other));
	lx_state_start(&other.hdr, LX_CLOCK_KVM, 3 * SEC);
	other.hdr.owner = 5;
	other.hdr.seq = 8;
	cr_assert_eq(lx_state_restore(&other.hdr, "toy", buf, ALL), 0, "%s", said);
	cr_expect_arr_eq(other.words, toy.words, sizeof(toy.words));
	cr_expect_eq(other.hdr.owner, 5);
	cr_expect_eq(other.hdr.clock, LX_CLOCK_KVM);
	cr_expect_eq(other.hdr.lock, LX_LOCK_FREE);
	cr_expect_eq(other.hdr.seq, 10, "readers without a lock noticed");
	cr_expect_not(lx_state_live(&other.hdr));
	cr_expect_eq(lx_device_time(&other.hdr, 4 * SEC), 42 * SEC + 7);
	lx_state_thaw(&other.hdr, 90 * SEC);
	cr_expect_eq(lx_device_time(&other.hdr, 91 * SEC), 43 * SEC + 7);
	cr_expect_str_empty(said);
}

Test(save, running_by_the_clock_given)
{
	uint64_t ns;

	save_at(1003 * SEC);
	memcpy(&ns, buf + NS, 8);
	cr_expect_eq(ns, 3 * SEC);
	cr_expect(lx_state_live(&toy.hdr), "it runs on");
	save_at(5);
	memcpy(&ns, buf + NS, 8);
	cr_expect_eq(ns, 0, "a clock that was set back");
}

/* The bytes are those of docs/abi.md, by offsets and by a checksum of our own call. */
Test(save, format)
{
	uint32_t v[8], crc;

	save_at(1003 * SEC);
	memcpy(v, buf, sizeof(v));
	cr_expect_arr_eq(buf, "LXSV", 4);
	cr_expect_eq(v[1], 1);
	cr_expect_eq(v[2], ALL);
	cr_expect_eq(v[4], HEAD);
	cr_expect_eq(v[5], LX_STATE_ABI);
	cr_expect_eq(v[6], 64 + WORDS * 8);
	cr_expect_eq(v[7], 0, "no counters");
	cr_expect_arr_eq(buf + 32, "toy\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	cr_expect_arr_eq(buf + HEAD, toy.words, sizeof(toy.words));
	crc = v[3];
	seal(ALL);
	memcpy(v, buf, sizeof(v));
	cr_expect_eq(v[3], crc);
}

Test(save, says_how_much_it_takes)
{
	memset(buf, 0x5a, sizeof(buf));
	cr_expect_eq(lx_state_save(&toy.hdr, "toy", 0, NULL, 0), ALL);
	cr_expect_eq(lx_state_save(&toy.hdr, "toy", 0, buf, ALL - 1), ALL);
	cr_expect_eq(buf[0], 0x5a, "too small a buffer stays untouched");
	cr_expect_eq(lx_state_save(&toy.hdr, "toy", 0, buf, ALL), ALL);
	cr_expect_eq(buf[ALL], 0x5a);
}

Test(save, bad_arguments)
{
	struct toy none = { .hdr = { .size = sizeof(none) } };
	char longest[] = "fifteen.letters", longer[] = "sixteen..letters";

	cr_expect_eq(lx_state_save(&toy.hdr, NULL, 0, buf, sizeof(buf)), -EINVAL);
	cr_expect_eq(lx_state_save(&toy.hdr, "", 0, buf, sizeof(buf)), -EINVAL);
	cr_expect_eq(lx_state_save(&toy.hdr, "a b", 0, buf, sizeof(buf)), -EINVAL);
	says("its name \"a b\" is not 1 to 15 printable characters");
	cr_expect_eq(lx_state_save(&toy.hdr, longer, 0, buf, sizeof(buf)), -EINVAL);
	cr_expect_eq(lx_state_save(&toy.hdr, longest, 0, buf, sizeof(buf)), ALL);
	cr_expect_eq(lx_state_save(&none.hdr, "toy", 0, buf, sizeof(buf)), -EINVAL);
	says("saving toy: what is given is no state: magic 0x0, ABI 0, 104 bytes");
	toy.hdr.size = 63;
	cr_expect_eq(lx_state_save(&toy.hdr, "toy", 0, buf, sizeof(buf)), -EINVAL);
}

/* Each is refused with its errno and reason, and leaves the state as it was. */
static void expect_refused(const char *name, size_t size, int err, const char *text)
{
	struct toy before;

	memcpy(&before, &toy, sizeof(toy));
	said[0] = '\0';
	cr_expect_eq(lx_state_restore(&toy.hdr, name, buf, size), err, "%s: %s", text, said);
	says(text);
	cr_expect(!memcmp(&before, &toy, sizeof(toy)), "%s: the state changed", text);
}

Test(save, what_is_no_saved_state)
{
	save_at(0);
	expect_refused("other", ALL, -EINVAL, "restoring other: what was saved is toy");
	memcpy(buf, "NOPE", 4);
	seal(ALL);
	expect_refused("toy", ALL, -EINVAL, "is no saved state");
	expect_refused("toy", 3, -EINVAL, "(3 bytes) is no saved state");
	cr_expect_eq(lx_state_restore(&toy.hdr, "toy", NULL, 5), -EINVAL);
	says("restoring toy: nothing is given");
}

Test(save, cut_short_at_every_byte)
{
	save_at(0);
	for (size_t n = 4; n < ALL; n++)
		expect_refused("toy", n, -EBADMSG, " bytes are given of ");
	expect_refused("toy", ALL + 1, -EBADMSG, "369 bytes are given of 368");
}

/* Any flipped bit is noticed; and told by the checksum, but in the fields that come before it. */
Test(save, any_bit_flipped)
{
	save_at(0);
	for (unsigned int bit = 0; bit < ALL * 8; bit++) {
		struct toy before = toy;
		int err;

		buf[bit / 8] ^= 1U << bit % 8;
		err = lx_state_restore(&toy.hdr, "toy", buf, ALL);
		if (bit / 8 < VERSION)
			cr_expect_eq(err, -EINVAL, "bit %u: %d", bit, err);
		else if (bit / 8 < SIZE || bit / 32 == ABI / 4)
			cr_expect(err == -EPROTO || err == -EBADMSG, "bit %u: %d", bit, err);
		else
			cr_expect_eq(err, -EBADMSG, "bit %u: %d", bit, err);
		cr_expect(!memcmp(&before, &toy, sizeof(toy)), "bit %u", bit);
		buf[bit / 8] ^= 1U << bit % 8;
		said[0] = '\0';
	}
}

Test(save, of_later_versions)
{
	save_at(0);
	put32(VERSION, 2);
	seal(ALL);
	expect_refused("toy", ALL, -EPROTO, "restoring toy: saved in format 2");
	put32(VERSION, 1);
	put32(ABI, LX_STATE_ABI + 1);
	seal(ALL);
	expect_refused("toy", ALL, -EPROTO, "use the version that saved it, or a later one");
}

/* With the right checksum, but made by hand. */
Test(save, contradictions)
{
	static const struct {
		unsigned int off;
		uint32_t v;
	} t[] = {
		{ VERSION, 0 },
		{ HEADER, HEAD - 8 },
		{ HEADER, ALL + 8 },
		{ HEADER, HEAD + 8 },
		{ HEADER, UINT32_MAX },
		{ ABI, 1 },
		{ STATE, 63 },
		{ STATE, 64 },
		{ STATE, UINT32_MAX },
		{ STATE, 0 },
		{ REGIONS, 9 },
		{ REGIONS, UINT32_MAX },
		{ NS + 4, 1U << 31 },
		{ 32, 0 },
		{ 32, '/' },
		{ 44, 0x41414141 },
	};

	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		save_at(0);
		if (t[i].off == 44)
			memset(buf + 32, 'A', 16);
		put32(t[i].off, t[i].v);
		seal(ALL);
		expect_refused("toy", ALL, -EBADMSG, "contradicts itself");
	}
}

/* A later version's header is longer, and the rest is where it says. */
Test(save, with_a_longer_header)
{
	save_at(0);
	memmove(buf + HEAD + 16, buf + HEAD, WORDS * 8);
	memset(buf + HEAD, 0xee, 16);
	put32(SIZE, ALL + 16);
	put32(HEADER, HEAD + 16);
	seal(ALL + 16);
	memset(toy.words, 0, sizeof(toy.words));
	cr_assert_eq(lx_state_restore(&toy.hdr, "toy", buf, ALL + 16), 0, "%s", said);
	cr_expect_eq(toy.words[4], 0x5555555555555555);
}

/* States grow at their end, where 0 is what was before. */
Test(save, of_a_smaller_and_a_larger_state)
{
	struct {
		struct toy t;
		uint64_t more[2];
	} larger = { .more = { 7, 7 } };

	save_at(0);
	lx_state_init(&larger.t.hdr, sizeof(larger));
	cr_assert_eq(lx_state_restore(&larger.t.hdr, "toy", buf, ALL), 0, "%s", said);
	cr_expect_eq(larger.t.words[4], 0x5555555555555555);
	cr_expect(!larger.more[0] && !larger.more[1]);
	cr_assert_eq(lx_state_save(&larger.t.hdr, "toy", 0, buf, sizeof(buf)), ALL + 16);
	cr_assert_eq(lx_state_restore(&toy.hdr, "toy", buf, ALL + 16), 0, "zeros: %s", said);
	larger.more[1] = 1;
	cr_assert_eq(lx_state_save(&larger.t.hdr, "toy", 0, buf, sizeof(buf)), ALL + 16);
	expect_refused("toy", ALL + 16, -EPROTO,
		       "it was saved from 120 bytes; here it has 104, and byte 112 is in use");
}

static void *hold(void *arg)
{
	pthread_barrier_t *both = arg;
	struct timespec ts = { .tv_nsec = 30000000 };

	lx_lock(&toy.hdr);
	pthread_barrier_wait(both);
	nanosleep(&ts, NULL);
	toy.words[0] = 42;
	lx_unlock(&toy.hdr);
	return NULL;
}

/* Who changes the state finishes first. */
Test(save, waits_for_the_lock)
{
	const struct lx_save_req req = { .name = "toy", .lock_ms = 1 };
	pthread_barrier_t both;
	pthread_t thread;
	uint64_t word;

	pthread_barrier_init(&both, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, hold, &both), 0);
	pthread_barrier_wait(&both);
	cr_expect_eq(lx_save(&toy.hdr, &req, buf, sizeof(buf)), -EBUSY);
	says("saving toy: its state stays locked (0x1)");
	save_at(0);
	memcpy(&word, buf + HEAD, 8);
	cr_expect_eq(word, 42);
	pthread_join(thread, NULL);
}

/* Of a device: its counters come along, and time by a clock that is read by itself. */
Test(save, of_a_device)
{
	struct lx_device dev = { .o.obj = (void *)1,
				 .state = &toy,
				 .state_size = sizeof(toy),
				 .link_fd = -1,
				 .name = "toy" };
	struct timespec ts;
	uint64_t before, after, ns;

	dev.saved = (struct lx_stats){
		.sz = sizeof(dev.saved), .n_regions = 2, .overruns = 3, .max_ns = 4
	};
	dev.saved.regions[1].handled = 1000;
	dev.saved.regions[1].string_splits = 1;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	before = ts.tv_sec * SEC + ts.tv_nsec;
	lx_state_start(&toy.hdr, LX_CLOCK_MONOTONIC, 0);
	cr_assert_eq(lx_device_save(&dev, -1, NULL, 0), ALL);
	cr_assert_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), ALL, "%s", said);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	after = ts.tv_sec * SEC + ts.tv_nsec;
	memcpy(&ns, buf + NS, 8);
	cr_expect(ns >= before && ns <= after, "%lu: not in %lu to %lu", ns, before, after);
	memset(&dev.saved, 0, sizeof(dev.saved));
	cr_assert_eq(lx_device_restore(&dev, buf, ALL), 0, "%s", said);
	cr_expect_eq(dev.saved.n_regions, 2);
	cr_expect(dev.saved.overruns == 3 && dev.saved.max_ns == 4);
	cr_expect_eq(dev.saved.regions[1].handled, 1000);
	cr_expect_eq(dev.saved.regions[1].string_splits, 1);
	cr_expect_eq(lx_device_time(&toy.hdr, 0), (int64_t)ns);
}

Test(save, of_a_device_that_cannot)
{
	struct lx_device dev = { .state_fd = -1, .link_fd = -1, .name = "toy" };

	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), -EINVAL);
	says("lx_device_save: the device was made from fds and has no name; use lx_state_save()");
	cr_expect_eq(lx_device_restore(&dev, buf, ALL), -EINVAL);
	says("lx_device_restore: the device was made from fds");
	dev.o.obj = (void *)1;
	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), -EINVAL);
	says("toy is not loaded; call lx_device_load()");
	dev.state = &toy;
	dev.state_size = sizeof(toy) - 8;
	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), -EINVAL, "a size of its own");
	dev.state_size = sizeof(toy);
	lx_state_start(&toy.hdr, LX_CLOCK_KVM, 0);
	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), -EBADF);
	says("the state counts by the VM's clock: fd -1 does not give it");
	cr_expect_eq(lx_device_save(&dev, 0, buf, sizeof(buf)), -ENOTTY);
	cr_expect_eq(toy.hdr.lock, LX_LOCK_FREE, "after a failure too");
	lx_state_freeze(&toy.hdr, 5);
	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), ALL, "frozen: no clock is read");
	lx_state_thaw(&toy.hdr, 5);
	toy.hdr.clock = 2;
	cr_expect_eq(lx_device_save(&dev, -1, buf, sizeof(buf)), -EINVAL);
	says("the state's clock is 2");
}

Test(adopt, in_peace)
{
	cr_expect_eq(lx_state_adopt(&toy.hdr), 0);
	cr_expect_eq(toy.hdr.owner, 2);
	cr_expect_eq(toy.hdr.lock, LX_LOCK_FREE);
	cr_expect_str_empty(said);
	toy.hdr.owner = LX_OWNER_MAX;
	cr_expect_eq(lx_state_adopt(&toy.hdr), 0);
	cr_expect_eq(toy.hdr.owner, 1);
	toy.hdr.magic = 0;
	cr_expect_eq(lx_state_adopt(&toy.hdr), -EINVAL);
}

/* A process that shares the state is killed with the lock held. */
Test(adopt, after_a_death, .timeout = 20)
{
	struct toy *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	cr_assert_neq(s, MAP_FAILED);
	lx_state_init(&s->hdr, sizeof(*s));
	pid = fork();
	if (!pid) {
		lx_lock(&s->hdr);
		lx_write_begin(&s->hdr);
		s->words[0] = 1;
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFSIGNALED(status));
	cr_assert_not(lx_trylock(&s->hdr));
	cr_expect_eq(lx_state_adopt(&s->hdr), 1);
	says("state: generation 1 of its VMM ended while it had the lock");
	says("reset or restore the device");
	cr_expect_eq(s->hdr.owner, 2);
	cr_expect_eq(s->hdr.seq & 1, 0);
	cr_expect(lx_trylock(&s->hdr), "the lock is free");
	cr_expect_eq(s->hdr.lock, 2, "and taken by the new generation");
	lx_unlock(&s->hdr);
	said[0] = '\0';
	cr_expect_eq(lx_state_adopt(&s->hdr), 0);
	cr_expect_str_empty(said);
}

Test(adopt, a_writer_without_the_lock)
{
	toy.hdr.seq = 7;
	cr_expect_eq(lx_state_adopt(&toy.hdr), 1);
	cr_expect_eq(toy.hdr.seq, 8);
	says("between lx_write_begin() and lx_write_end(), without the lock");
}

static void *leave(void *unused)
{
	struct timespec ts = { .tv_nsec = 50000000 };

	nanosleep(&ts, NULL);
	__atomic_store_n(&toy.hdr.lock, LX_LOCK_FREE, __ATOMIC_RELEASE);
	return NULL;
}

/* A program's op that runs, or this VMM's own thread, is waited for; but not for ever. */
Test(adopt, while_somebody_has_the_lock, .timeout = 20)
{
	pthread_t thread;

	toy.hdr.lock = LX_LOCK_PROGRAM;
	cr_assert_eq(pthread_create(&thread, NULL, leave, NULL), 0);
	cr_expect_eq(lx_state_adopt(&toy.hdr), 0);
	pthread_join(thread, NULL);
	toy.hdr.lock = toy.hdr.owner;
	cr_assert_eq(pthread_create(&thread, NULL, leave, NULL), 0);
	cr_expect_eq(lx_state_adopt(&toy.hdr), 0);
	pthread_join(thread, NULL);
	cr_expect_str_empty(said);
	toy.hdr.lock = LX_LOCK_PROGRAM;
	cr_expect_eq(lx_state_adopt(&toy.hdr), 1);
	says("while a program had the lock");
	cr_expect_eq(toy.hdr.lock, LX_LOCK_FREE);
}
