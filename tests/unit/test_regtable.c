// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The register table against its description in <lightexit/dev/regtable.h>: cases
 * by hand, and random tables and accesses against a second implementation, which
 * goes bit by bit.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "longdiv.h"
#include "regtable_model.h"
#include "regtable_ref.h"

#define UNTOUCHED 0x5555aaaa5555aaaaULL
#define ALL_SIZES 15U
#define BOTH (REGTABLE_READ | REGTABLE_WRITE)

static struct regtable_state st;

static void setup(void)
{
	memset(&st, 0, sizeof(st));
	cr_assert_eq(regtable_add_region(&st, 0, 0x40, 0), 0);
	cr_assert_eq(regtable_add_region(&st, 3, 0x400, 2), 0);
}

TestSuite(regtable, .init = setup);

static int add(struct regtable_reg reg)
{
	return regtable_add(&st, &reg);
}

/* A plain register: all of it can be read and written. */
static struct regtable_reg plain(__u32 region, __u32 offset, __u32 width, __u64 value)
{
	return (struct regtable_reg){
		.value = value,
		.read_mask = regtable_bytes(width),
		.write_mask = regtable_bytes(width),
		.region = region,
		.offset = offset,
		.width = width,
		.sizes = 2 * width - 1,
		.access = BOTH,
	};
}

static void expect_read(__u32 region, __u64 off, __u32 len, __u64 want)
{
	__u64 val = UNTOUCHED;
	int ret = regtable_read(&st, region, off, len, &val);

	cr_expect_eq(ret, LX_HANDLED, "%u bytes at %u:%#llx passed", len, region, off);
	cr_expect_eq(val, want, "%u bytes at %u:%#llx: %#llx, not %#llx", len, region, off, val,
		     want);
}

static void expect_write(__u32 region, __u64 off, __u32 len, __u64 val)
{
	cr_expect_eq(regtable_write(&st, region, off, len, val), LX_HANDLED,
		     "%u bytes at %u:%#llx passed", len, region, off);
}

static void expect_pass(__u32 region, __u64 off, __u32 len, bool write)
{
	static struct regtable_state before;
	__u64 val = UNTOUCHED;
	int ret;

	before = st;
	ret = write ? regtable_write(&st, region, off, len, UNTOUCHED) :
		      regtable_read(&st, region, off, len, &val);
	cr_expect_eq(ret, LX_PASS, "%s of %u bytes at %u:%#llx was handled",
		     write ? "write" : "read", len, region, off);
	cr_expect_eq(val, UNTOUCHED, "a pass wrote %#llx", val);
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0, "a pass changed the state");
}

/* Proves: each length at each place of a 64-bit register gives those bytes. */
Test(regtable, all_widths)
{
	static const __u8 bytes[8] = { 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01 };

	cr_assert_eq(add(plain(0, 0x10, 8, 0x0123456789abcdef)), 0);
	for (__u32 i = 0; i < 8; i++)
		expect_read(0, 0x10 + i, 1, bytes[i]);
	expect_read(0, 0x10, 2, 0xcdef);
	expect_read(0, 0x12, 2, 0x89ab);
	expect_read(0, 0x14, 2, 0x4567);
	expect_read(0, 0x16, 2, 0x0123);
	expect_read(0, 0x10, 4, 0x89abcdef);
	expect_read(0, 0x14, 4, 0x01234567);
	expect_read(0, 0x10, 8, 0x0123456789abcdef);
}

/* Proves: a write of each length changes its bytes alone; bits above the length do nothing. */
Test(regtable, write_widths)
{
	cr_assert_eq(add(plain(3, 0x3f8, 8, 0)), 0);
	expect_write(3, 0x3f8, 8, 0x1111111111111111);
	expect_write(3, 0x3fc, 4, 0xffffffff22222222);
	expect_read(3, 0x3f8, 8, 0x2222222211111111);
	expect_write(3, 0x3fa, 2, 0xffff3333);
	expect_read(3, 0x3f8, 8, 0x2222222233331111);
	expect_write(3, 0x3ff, 1, 0xff44);
	expect_read(3, 0x3f8, 8, 0x4422222233331111);
	cr_expect_eq(st.regs[0].value, 0x4422222233331111);
}

/* Proves: what is not naturally aligned, straddles registers or is of another length passes. */
Test(regtable, straddles_and_lengths_pass)
{
	static const __u32 odd[] = { 0, 3, 5, 6, 7, 9, 16, 0x80000000, UINT32_MAX };

	cr_assert_eq(add(plain(0, 0x10, 4, 1)), 0);
	cr_assert_eq(add(plain(0, 0x14, 4, 2)), 1);
	cr_assert_eq(add(plain(0, 0x18, 1, 3)), 2);
	for (int write = 0; write < 2; write++) {
		for (__u64 off = 0xe; off < 0x1c; off++) {
			for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
				expect_pass(0, off, odd[i], write);
			if (off & 1)
				expect_pass(0, off, 2, write);
			if (off & 3)
				expect_pass(0, off, 4, write);
			expect_pass(0, off, 8, write);
		}
		expect_pass(0, 0x0f, 1, write);
		expect_pass(0, 0x18, 2, write);
		expect_pass(0, 0x18, 4, write);
		expect_pass(0, 0x19, 1, write);
	}
	expect_read(0, 0x10, 4, 1);
	expect_read(0, 0x14, 4, 2);
	expect_read(0, 0x18, 1, 3);
}

/* Proves: an access of a length that the register does not take passes. */
Test(regtable, sizes)
{
	struct regtable_reg reg = plain(0, 0x20, 4, 0x87654321);

	reg.sizes = 4 | 1;
	cr_assert_eq(add(reg), 0);
	expect_read(0, 0x20, 4, 0x87654321);
	expect_read(0, 0x23, 1, 0x87);
	expect_pass(0, 0x20, 2, false);
	expect_pass(0, 0x22, 2, true);
	expect_pass(0, 0x20, 8, false);
}

/* Proves: hidden bits read 0 and read-only bits keep their value. */
Test(regtable, read_and_write_masks)
{
	struct regtable_reg reg = plain(0, 0, 2, 0xa5a5);

	reg.read_mask = 0x0ff0;
	reg.write_mask = 0x3c3c;
	cr_assert_eq(add(reg), 0);
	expect_read(0, 0, 2, 0x05a0);
	expect_write(0, 0, 2, 0x5a5a);
	cr_expect_eq(st.regs[0].value, 0x9999);
	expect_read(0, 0, 1, 0x90);
	expect_write(0, 1, 1, 0x00);
	cr_expect_eq(st.regs[0].value, 0x8199);
}

/* Proves: a written 1 clears, a written 0 does not, and only in the bytes that are written. */
Test(regtable, write_1_to_clear)
{
	struct regtable_reg reg = plain(0, 8, 4, 0xffffffff);

	reg.write_mask = 0x000000ff;
	reg.w1c_mask = 0xff00ff00;
	cr_assert_eq(add(reg), 0);
	expect_write(0, 8, 4, 0x0f0f0f0f);
	expect_read(0, 8, 4, 0xf0fff00f);
	expect_write(0, 9, 1, 0x10);
	expect_read(0, 8, 4, 0xf0ffe00f);
	expect_write(0, 0xa, 2, 0xffff);
	expect_read(0, 8, 4, 0x00ffe00f);
}

/* Proves: a read clears the bits that it has shown, and no others. */
Test(regtable, read_to_clear)
{
	struct regtable_reg reg = plain(0, 8, 4, 0x12345678);

	reg.rc_mask = 0x0000ffff;
	cr_assert_eq(add(reg), 0);
	expect_read(0, 9, 1, 0x56);
	expect_read(0, 8, 4, 0x12340078);
	expect_read(0, 8, 4, 0x12340000);
	reg = st.regs[0];
	cr_expect_eq(reg.value, 0x12340000);
}

/* Proves: pass_read, pass_write count for the bytes that are accessed, and for nothing else. */
Test(regtable, pass_masks)
{
	struct regtable_reg reg = plain(0, 8, 4, 0x01020304);

	reg.pass_read = 0x00000100;
	reg.pass_write = 0x80000000;
	cr_assert_eq(add(reg), 0);
	expect_pass(0, 8, 4, false);
	expect_pass(0, 8, 2, false);
	expect_pass(0, 9, 1, false);
	expect_read(0, 8, 1, 0x04);
	expect_read(0, 0xa, 2, 0x0102);
	expect_pass(0, 8, 4, true);
	expect_pass(0, 0xb, 1, true);
	expect_write(0, 8, 2, 0xbeef);
	cr_expect_eq(st.regs[0].value, 0x0102beef);
}

/* Proves: what would change a bit of pass_change passes, by write, written 1 and read; else not. */
Test(regtable, pass_on_change)
{
	struct regtable_reg reg = plain(0, 8, 1, 0xa0);

	reg.write_mask = 0x1f;
	reg.w1c_mask = 0x80;
	reg.rc_mask = 0x40;
	reg.pass_change = 0xd0; /* bits 7, 6 and 4 */
	cr_assert_eq(add(reg), 0);
	expect_write(0, 8, 1, 0x0f);
	expect_read(0, 8, 1, 0xaf);
	cr_expect_eq(regtable_write(&st, 0, 8, 1, 0x10), LX_PASS);
	cr_expect_eq(regtable_write(&st, 0, 8, 1, 0x80), LX_PASS);
	cr_expect_eq(st.regs[0].value, 0xaf);
	st.regs[0].value = 0xff; /* the VMM sets bits 6 and 4 */
	expect_pass(0, 8, 1, false);
	cr_expect_eq(regtable_write(&st, 0, 8, 1, 0x00), LX_PASS);
	expect_write(0, 8, 1, 0x10);
	cr_expect_eq(st.regs[0].value, 0xf0);
}

/* Proves: two registers may share a place, one to read and one to write (IDE's 1F1h). */
Test(regtable, what_is_written_is_not_what_is_read)
{
	struct regtable_reg error = plain(0, 1, 1, 0x04), features = plain(0, 1, 1, 0);

	error.access = REGTABLE_READ;
	features.access = REGTABLE_WRITE;
	cr_assert_eq(add(error), 0);
	expect_pass(0, 1, 1, true);
	cr_assert_eq(add(features), 1);
	expect_write(0, 1, 1, 0x55);
	expect_read(0, 1, 1, 0x04);
	cr_expect_eq(st.regs[1].value, 0x55);
}

/* Proves: nothing outside a region's granules, nor in a region without any, is found. */
Test(regtable, outside)
{
	cr_assert_eq(add(plain(0, 0x38, 8, 1)), 0);
	cr_assert_eq(add(plain(3, 0, 4, 2)), 1);
	cr_assert_eq(add(plain(0, 0, 4, 3)), 2); /* granule 0 of the index */
	expect_read(0, 0x38, 8, 1);
	expect_pass(0, 0x40, 1, false);
	expect_pass(0, 0x40, 4, false); /* granule 0 of region 3 follows in the index */
	expect_pass(0, UINT64_MAX - 7, 8, false);
	expect_pass(0, 1ULL << 32, 4, true);
	expect_pass(3, 0x400, 4, false);
	expect_pass(1, 0, 4, false);
	expect_pass(7, 0, 4, true);
	expect_pass(8, 0, 4, false);
	expect_pass(UINT32_MAX, 0, 4, true);
}

/* Proves: a table of nonsense finds nothing outside itself (the VMM may write what it likes). */
Test(regtable, nonsense)
{
	static struct regtable_state rubbish;
	uint64_t seed = 0x7461626c;
	__u64 val = 0;

	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(rubbish) / 8; i++)
			((uint64_t *)&rubbish)[i] = repeatable_random(&seed);
		for (int i = 0; i < 200; i++) {
			__u32 region = repeatable_random(&seed) % 10;
			__u64 off = repeatable_random(&seed) >> repeatable_random(&seed) % 64;

			regtable_read(&rubbish, region, off, 1U << i % 4, &val);
			regtable_write(&rubbish, region, off, 1U << i % 4, val);
		}
	}
}

/* Proves: what makes no sense is refused, and leaves the table as it was. */
Test(regtable, refusals)
{
	static struct regtable_state before;
	struct regtable_reg reg;

	cr_expect_eq(regtable_add_region(&st, 8, 4, 0), -EINVAL);
	cr_expect_eq(regtable_add_region(&st, 1, 0, 0), -EINVAL);
	cr_expect_eq(regtable_add_region(&st, 1, 16, 4), -EINVAL);
	cr_expect_eq(regtable_add_region(&st, 1, 6, 2), -EINVAL);
	cr_expect_eq(regtable_add_region(&st, 0, 4, 0), -EEXIST);
	cr_expect_eq(regtable_add_region(&st, 1, 4096, 0), -ENOSPC);
	cr_expect_eq(regtable_add_region(&st, 1, 1ULL << 40, 3), -ENOSPC);
	cr_expect_eq(regtable_add_region(&st, 1, 4096 - 0x40 - 0x100, 0), 0);
	cr_expect_eq(regtable_add_region(&st, 2, 1, 0), -ENOSPC);

	cr_assert_eq(add(plain(0, 4, 4, 0)), 0);
	before = st;
#define REFUSE(_err, _base, ...)                                           \
	do {                                                               \
		reg = _base;                                               \
		__VA_ARGS__;                                               \
		cr_expect_eq(regtable_add(&st, &reg), _err, #__VA_ARGS__); \
	} while (0)
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.width = 3);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.width = 16);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.width = 0);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.offset = 10);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.sizes = 0);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.sizes = 8);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.access = 0);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.access = 4);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.value = 1ULL << 32);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.pass_change = 1ULL << 32);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.w1c_mask = 1);
	REFUSE(-EINVAL, plain(0, 8, 4, 0), reg.region = 8);
	REFUSE(-ERANGE, plain(5, 8, 4, 0), reg.value = 0);
	REFUSE(-ERANGE, plain(0, 0x40, 4, 0), reg.value = 0);
	REFUSE(-ERANGE, plain(3, 0x400, 4, 0), reg.value = 0);
	REFUSE(-ERANGE, plain(0, 0xfffffffc, 4, 0), reg.value = 0);
	REFUSE(-EEXIST, plain(0, 4, 4, 0), reg.value = 0);
	REFUSE(-EEXIST, plain(0, 7, 1, 0), reg.access = REGTABLE_WRITE);
	REFUSE(-EEXIST, plain(0, 0, 8, 0), reg.access = REGTABLE_READ);
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0, "a refusal changed the table");
}

/* Proves: 64 registers are found, each in its place, and no 65th is taken. */
Test(regtable, all_registers)
{
	for (__u32 i = 0; i < REGTABLE_REGS; i++)
		cr_assert_eq(add(plain(3, i * 16, 4, i + 1)), (int)i);
	cr_expect_eq(add(plain(0, 0, 4, 0)), -ENOSPC);
	for (__u32 i = 0; i < REGTABLE_REGS; i++)
		expect_read(3, i * 16, 4, i + 1);
}

/* Few bits, or half of them, in a register's width. */
static __u64 random_mask(uint64_t *seed, __u32 width)
{
	__u64 mask = repeatable_random(seed) & repeatable_random(seed);

	if (repeatable_random(seed) % 2)
		mask &= repeatable_random(seed) & repeatable_random(seed);
	return repeatable_random(seed) % 4 ? mask & regtable_bytes(width) : 0;
}

static struct regtable_reg random_reg(uint64_t *seed)
{
	__u32 width = 1U << repeatable_random(seed) % 4;
	struct regtable_reg reg = plain(repeatable_random(seed) % 2 * 3, 0, width, 0);

	reg.offset = repeatable_random(seed) % 0x40 & ~(width - 1);
	reg.value = repeatable_random(seed) & regtable_bytes(width);
	reg.read_mask = ~random_mask(seed, width) & regtable_bytes(width);
	reg.write_mask = ~random_mask(seed, width) & regtable_bytes(width);
	reg.w1c_mask = random_mask(seed, width) & ~reg.write_mask;
	reg.rc_mask = random_mask(seed, width);
	reg.pass_read =
		random_mask(seed, width) & repeatable_random(seed) & repeatable_random(seed);
	reg.pass_write =
		random_mask(seed, width) & repeatable_random(seed) & repeatable_random(seed);
	reg.pass_change =
		random_mask(seed, width) & repeatable_random(seed) & repeatable_random(seed);
	reg.sizes = repeatable_random(seed) % 4 ? 2 * width - 1 : width;
	reg.access = 1 + repeatable_random(seed) % 3;
	return reg;
}

/* Proves: random accesses to random tables do what the description says, bit by bit. */
Test(regtable, random_accesses)
{
	uint64_t seed = 0x72656774, handled = 0, total = 0;

	for (int round = 0; round < 500; round++) {
		struct regtable_reg regs[REGTABLE_REGS], reg;
		__u32 n = 0;

		setup();
		for (int i = 0; i < 40; i++) {
			reg = random_reg(&seed);
			if (regtable_add(&st, &reg) == (int)n)
				regs[n++] = reg;
		}
		for (int i = 0; i < 2000; i++, total++) {
			bool write = repeatable_random(&seed) % 2;
			__u32 region = repeatable_random(&seed) % 2 * 3;
			__u32 len = 1U << repeatable_random(&seed) % 4;
			__u64 off = repeatable_random(&seed) % 0x42;
			__u64 val = repeatable_random(&seed), got = val, want = val;
			bool took;
			int ret;

			if (i % 8)
				off &= ~(__u64)(len - 1);
			took = regtable_ref(regs, n, write, region, off, len, &want);
			ret = write ? regtable_write(&st, region, off, len, val) :
				      regtable_read(&st, region, off, len, &got);

			handled += took;
			cr_assert_eq(ret == LX_HANDLED, took, "%d %u:%#llx %u: %d", write, region,
				     off, len, ret);
			cr_assert_eq(got, want);
			for (__u32 r = 0; r < n; r++)
				cr_assert_eq(st.regs[r].value, regs[r].value);
		}
	}
	cr_expect_geq(handled, total / 10, "%lu of %lu handled", handled, total);
}
