// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The layout of what crosses a boundary, in literal numbers. Proves: no edit
 * moves a field, a size or a value that built programs, VMMs and saved states
 * rely on. docs/abi.md says how these types may grow; a test that fails here
 * means that an edit broke that rule.
 */
#include <criterion/criterion.h>
#include <stddef.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/ops.h>

#define FIELD(type, field, offset, size)                                                          \
	do {                                                                                      \
		cr_expect_eq(offsetof(type, field), offset, #type "." #field " is at %zu",        \
			     offsetof(type, field));                                              \
		cr_expect_eq(sizeof(((type *)0)->field), size, #type "." #field " has %zu bytes", \
			     sizeof(((type *)0)->field));                                         \
	} while (0)

#define VALUE(name, value)                                                 \
	cr_expect_eq((unsigned long long)(name), value, #name " is %#llx", \
		     (unsigned long long)(name))

Test(abi, lx_io)
{
	FIELD(struct lx_io, addr, 0, 8);
	FIELD(struct lx_io, data, 8, 8);
	FIELD(struct lx_io, region, 16, 4);
	FIELD(struct lx_io, len, 20, 4);
	FIELD(struct lx_io, vcpu, 24, 4);
	FIELD(struct lx_io, flags, 28, 4);
	FIELD(struct lx_io, owner, 32, 8);
	VALUE(sizeof(struct lx_io), 40);
	VALUE(LX_IO_CONTINUED, 1);
}

Test(abi, lx_region)
{
	FIELD(struct lx_region, addr, 0, 8);
	FIELD(struct lx_region, len, 8, 8);
	FIELD(struct lx_region, space, 16, 4);
	FIELD(struct lx_region, flags, 20, 4);
	VALUE(sizeof(struct lx_region), 24);
	VALUE(LX_REGION_OVERLAY, 1);
	VALUE(LX_REGION_FLAGS, 1);
}

Test(abi, lightexit_ops)
{
	FIELD(struct lightexit_ops, read, 0, 8);
	FIELD(struct lightexit_ops, write, 8, 8);
	FIELD(struct lightexit_ops, sz, 16, 4);
	FIELD(struct lightexit_ops, flags, 20, 4);
	FIELD(struct lightexit_ops, vm_fd, 24, 4);
	FIELD(struct lightexit_ops, nr_regions, 28, 4);
	FIELD(struct lightexit_ops, regions, 32, 192); /* 8 regions of 24 bytes */
	FIELD(struct lightexit_ops, name, 224, 16);
	VALUE(sizeof(struct lightexit_ops), 240);
	VALUE(LX_OPS_MOVE, 1);
	VALUE(LX_OPS_FLAGS, 1);
}

Test(abi, lx_state)
{
	static const unsigned char magic[4] = { 'L', 'X', 'E', 'T' };
	struct lx_state st = { .magic = LX_STATE_MAGIC };

	FIELD(struct lx_state, magic, 0, 4);
	FIELD(struct lx_state, abi, 4, 4);
	FIELD(struct lx_state, size, 8, 4);
	FIELD(struct lx_state, seq, 12, 4);
	VALUE(sizeof(struct lx_state), 16);
	VALUE(LX_STATE_ABI, 1);
	cr_expect_arr_eq(&st.magic, magic, 4);
}

Test(abi, hpet_state)
{
	FIELD(struct hpet_state, hdr, 0, 16);
	FIELD(struct hpet_state, cap, 16, 8);
	FIELD(struct hpet_state, config, 24, 8);
	FIELD(struct hpet_state, counter, 32, 8);
	FIELD(struct hpet_state, base_ns, 40, 8);
	FIELD(struct hpet_state, clock, 48, 4);
	FIELD(struct hpet_state, pad, 52, 4);
	VALUE(sizeof(struct hpet_state), 56);
}

Test(abi, pmtimer_state)
{
	FIELD(struct pmtimer_state, hdr, 0, 16);
	FIELD(struct pmtimer_state, bits, 16, 4);
	FIELD(struct pmtimer_state, clock, 20, 4);
	FIELD(struct pmtimer_state, base_ns, 24, 8);
	VALUE(sizeof(struct pmtimer_state), 32);
}

Test(abi, values)
{
	VALUE(LX_HANDLED, 0);
	VALUE(LX_PASS, 1);
	VALUE(LX_SPACE_PIO, 0);
	VALUE(LX_SPACE_MMIO, 1);
	VALUE(LX_CLOCK_MONOTONIC, 0);
	VALUE(LX_CLOCK_KVM, 1);
	VALUE(LX_EJECT_NONE, 0);
	VALUE(LX_EJECT_ERRORS, 1);
	VALUE(LX_EJECT_OVERRUN, 2);
	VALUE(LX_EJECT_PROGRAM, 3);
	VALUE(LX_MAX_REGIONS, 8);
	VALUE(LX_NAME_LEN, 16);
	VALUE(LX_ERROR_LIMIT, 16);
	VALUE(LX_OVERRUN_LIMIT, 8);
}

/* The registers' places, as the data sheets have them (HPET 1.0a 2.3.3, ACPI 6.5 4.8.3.3). */
Test(abi, registers)
{
	VALUE(HPET_BASE, 0xfed00000);
	VALUE(HPET_LEN, 0x400);
	VALUE(HPET_CAP, 0x000);
	VALUE(HPET_CONFIG, 0x010);
	VALUE(HPET_STATUS, 0x020);
	VALUE(HPET_COUNTER, 0x0f0);
	VALUE(HPET_PERIOD_MAX, 100000000); /* 2.3.4: 100 ns */
	VALUE(HPET_CONFIG_ENABLE, 1);
	VALUE(HPET_CONFIG_LEGACY, 2);
	VALUE(PMTIMER_HZ, 3579545);
	VALUE(PMTIMER_LEN, 4);
	VALUE(PMTIMER_PORT, 0x608);
}
