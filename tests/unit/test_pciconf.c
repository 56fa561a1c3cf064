// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* PCI configuration mechanism #1 against the PCI Local Bus Specification 3.0, 3.2.2.3.2. */
#include <criterion/criterion.h>
#include <string.h>

#include "pciconf_model.h"

static struct pciconf_state st;

/* 0:1.0 is function 0, and 0:3.2 function 1, whose word 5 is the VMM's. */
static void reset(void)
{
	memset(&st, 0, sizeof(st));
	st.buses = 2;
	st.slot[1 << 3] = 1;
	st.slot[3 << 3 | 2] = 2;
	st.slot[4 << 3] = PCICONF_FUNCTIONS + 1;
	for (unsigned int i = 0; i < 256; i++) {
		((__u8 *)st.functions[0].config)[i] = (__u8)i;
		((__u8 *)st.functions[1].config)[i] = (__u8)~i;
	}
	st.functions[1].pass[0] = 1 << 5;
	st.functions[1].pass[1] = 1U << 31;
}

TestSuite(pciconf, .init = reset);

static void address(unsigned int bus, unsigned int dev, unsigned int fn, unsigned int reg)
{
	cr_assert_eq(pciconf_write(&st, 0, 4, 1U << 31 | bus << 16 | dev << 11 | fn << 8 | reg),
		     LX_HANDLED);
}

static void expect(unsigned int off, unsigned int len, __u64 want)
{
	__u64 val = 0x5555555555555555ULL;

	cr_expect_eq(pciconf_read(&st, off, len, &val), LX_HANDLED, "%u bytes at %u pass", len,
		     off);
	cr_expect_eq(val, want, "%u bytes at %u: %#llx, not %#llx", len, off, val, want);
}

static void expect_pass(unsigned int off, unsigned int len)
{
	__u64 val = 42;

	cr_expect_eq(pciconf_read(&st, off, len, &val), LX_PASS, "%u bytes at %u handled", len,
		     off);
	cr_expect_eq(val, 42);
}

Test(pciconf, parts_of_a_word)
{
	address(0, 1, 0, 0x40);
	expect(4, 4, 0x43424140);
	expect(4, 2, 0x4140);
	expect(5, 2, 0x4241);
	expect(6, 2, 0x4342);
	for (unsigned int i = 0; i < 4; i++)
		expect(4 + i, 1, 0x40 + i);
	address(0, 3, 2, 0xfc);
	expect_pass(4, 4);
	address(0, 3, 2, 0xf8);
	expect(4, 4, 0x04050607);
	expect(7, 1, 0x04);
}

/* Bits 30:24 and 1:0 are read-only, 0. */
Test(pciconf, address_register)
{
	cr_expect_eq(pciconf_write(&st, 0, 4, 0xffffffff), LX_HANDLED);
	expect(0, 4, 0x80fffffc);
	address(0, 1, 0, 0x43);
	expect(0, 4, 0x80000840);
	expect(4, 1, 0x40);
}

Test(pciconf, absent_functions)
{
	address(0, 1, 1, 0);
	expect(4, 4, 0xffffffff);
	expect(6, 2, 0xffff);
	expect(7, 1, 0xff);
	address(2, 1, 0, 0);
	expect(4, 4, 0xffffffff);
	address(255, 31, 7, 0xfc);
	expect(4, 2, 0xffff);
}

/* What is the VMM's, and what is no configuration cycle. A pass changes nothing. */
Test(pciconf, what_passes)
{
	struct pciconf_state before;

	address(0, 3, 2, 5 * 4);
	expect_pass(4, 4);
	expect_pass(7, 1);
	address(0, 3, 2, 4 * 4);
	expect(4, 4, 0xecedeeef);
	address(0, 4, 0, 0);
	expect_pass(4, 4);
	address(1, 1, 0, 0);
	expect_pass(4, 4);
	cr_expect_eq(pciconf_write(&st, 0, 4, 0x00000840), LX_HANDLED);
	expect_pass(4, 4);
	address(0, 1, 0, 0);
	before = st;
	for (unsigned int off = 0; off < 8; off++) {
		for (unsigned int len = 1; len <= 8; len++) {
			if (len > 4 || len == 3 || (off >= 4 && off + len > 8) ||
			    (off < 4 && (off || len != 4)))
				expect_pass(off, len);
			if (off || len != 4)
				cr_expect_eq(pciconf_write(&st, off, len, 0), LX_PASS);
		}
	}
	cr_expect_eq(memcmp(&before, &st, sizeof(st)), 0);
}

/* Every address is within the state, whatever the VMM's table says. */
Test(pciconf, all_addresses)
{
	__u64 val;

	memset(st.slot, 0x7f, sizeof(st.slot));
	for (unsigned int i = 0; i < 256; i++)
		st.slot[i] = i % 40;
	for (__u64 a = 0; a < 0x1000000; a += 4) {
		pciconf_write(&st, 0, 4, a | 1U << 31);
		cr_assert(pciconf_read(&st, 4, 4, &val) == LX_PASS || val <= 0xffffffff);
	}
}
