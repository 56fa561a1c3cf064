// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * String instructions: what the program gets of them, what the VMM gets, and
 * what becomes of a string that a program gives up. docs/path.md.
 */
#include <string.h>

#include "bpf/vt_probe.h"
#include "vmscript.h"

/* What KVM emulates of a rep ins in one exit. */
#define EXIT_BYTES 1024

static struct lx_device *probe;
static struct vt_probe_state *st;

static void attach_probe(int verdict)
{
	probe = vmt_load(vmt_test_bpf_dir(), "vt_probe");
	st = lx_device_state(probe, NULL);
	st->verdict = verdict;
	st->data = 0x1000;
	st->step = 1;
	vmt_attach(probe, vms.vm);
}

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(probe);
	probe = NULL;
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(strings, .init = setup, .fini = teardown, .timeout = 120);

static uint16_t *insw(unsigned int n)
{
	uint16_t *buf = vmm_mem(vms.vm, VMM_HEAP_GPA, 2 * (n + 1));

	memset(buf, 0xee, 2 * (n + 1));
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, n);
	vms_run();
	cr_expect_eq(buf[n], 0xeeee, "written past the string's end");
	return buf;
}

Test(strings, handled_to_the_end)
{
	const unsigned int n = EXIT_BYTES / 2 + 88;
	const uint16_t *buf;

	attach_probe(LX_HANDLED);
	buf = insw(n);
	for (unsigned int i = 0; i < n; i++) {
		const struct vt_seen *s = &st->seen[i];

		cr_assert_eq(buf[i], 0x1000 + i, "element %u is %#x", i, buf[i]);
		cr_assert(s->addr == 0 && s->len == 2 && !s->write);
		/* The first element of each exit begins anew. */
		cr_assert_eq(s->flags, i % (EXIT_BYTES / 2) ? LX_IO_CONTINUED : 0,
			     "element %u has flags %u", i, s->flags);
	}
	cr_expect_eq(st->n, n);
	cr_expect_eq(vms_count().accesses, 0);
	cr_expect_eq(vmt_stats(probe).regions[0].handled, n);
	cr_expect_eq(vmt_stats(probe).regions[0].string_splits, 0);
}

/* Without LX_REGION_STRINGS nobody begins what he might not end: it is the VMM's, all of it. */
Test(strings, not_asked_for)
{
	const struct lx_region region = { .addr = VMS_PORT, .len = VMS_PORTS };
	const unsigned int n = EXIT_BYTES / 2 + 88;
	const uint16_t *buf;

	probe = vmt_load_at(vmt_test_bpf_dir(), "vt_probe", &region, 1);
	st = lx_device_state(probe, NULL);
	st->verdict = LX_HANDLED;
	vmt_attach(probe, vms.vm);
	vms.next = 0x5000;
	buf = insw(n);
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(buf[i], (uint16_t)(0x5000 + i * 0x0101), "element %u is %#x", i,
			     buf[i]);
	cr_expect_eq(st->n, 0, "asked %llu times", st->n);
	cr_expect_eq(vms_count().exits, 2, "%lu exits", vms_count().exits);
	cr_expect_eq(vmt_stats(probe).regions[0].passed, 2);
	cr_expect_eq(vmt_stats(probe).regions[0].string_splits, 0);

	vms_in(2, VMS_PORT);
	vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT, VMM_HEAP_GPA, 7);
	vms_run();
	cr_expect_eq(st->n, 8, "asked %llu times for what is no string read", st->n);
}

/* A single access after a string, and a second string, are no continuations. */
Test(strings, what_begins_anew)
{
	attach_probe(LX_HANDLED);
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, 2);
	vms_in(2, VMS_PORT);
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, 2);
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT + 2, VMM_HEAP_GPA, 1);
	vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT, VMM_HEAP_GPA, 2);
	vms_run();
	cr_assert_eq(st->n, 8);
	for (unsigned int i = 0; i < 8; i++)
		cr_expect_eq(st->seen[i].flags, i == 1 || i == 4 ? LX_IO_CONTINUED : 0,
			     "element %u has flags %u", i, st->seen[i].flags);
}

/* The trap that docs/path.md tells of: KVM fills the rest with zeros and tells nobody. */
Test(strings, given_up_on_the_way)
{
	const uint16_t *buf;

	attach_probe(LX_HANDLED);
	st->limit = 100;
	st->then = LX_PASS;
	buf = insw(256);
	for (unsigned int i = 0; i < 256; i++)
		cr_assert_eq(buf[i], i < 100 ? 0x1000 + i : 0, "element %u is %#x", i, buf[i]);
	cr_expect_eq(st->n, 101, "asked %llu times", st->n);
	cr_expect_eq(vms_count().accesses, 0, "the VMM was asked for the rest");
	cr_expect_eq(vmt_stats(probe).regions[0].string_splits, 1);
	cr_expect_eq(vmt_stats(probe).regions[0].handled, 100);
	cr_expect_eq(vmt_stats(probe).regions[0].passed, 1);
}

/* A device that is ejected in a string still ends it. */
Test(strings, ejected_on_the_way)
{
	const uint16_t *buf;

	attach_probe(LX_HANDLED);
	st->eject_at = 10;
	st->eject_code = 1;
	buf = insw(300);
	for (unsigned int i = 0; i < 300; i++)
		cr_assert_eq(buf[i], 0x1000 + i, "element %u is %#x", i, buf[i]);
	cr_expect_eq(vmt_stats(probe).regions[0].string_splits, 0);
	cr_expect_eq(vmt_stats(probe).eject, LX_EJECT_PROGRAM);
	vms.next = 0x7172;
	buf = insw(2);
	cr_expect(buf[0] == 0x7172 && buf[1] == 0x7273, "%#x %#x", buf[0], buf[1]);
	cr_expect_eq(st->n, 300);
}

/* What a pass costs: one heavy exit for up to 1,024 bytes in, one for each element out. */
Test(strings, exits_of_passed_strings)
{
	const unsigned int n = EXIT_BYTES / 2;
	const uint16_t *buf;

	attach_probe(LX_PASS);
	vms.next = 0x5000;
	buf = insw(n + 1);
	cr_expect_eq(buf[0], 0x5000);
	cr_expect_eq(buf[n], (uint16_t)(0x5000 + n * 0x0101));
	cr_expect_eq(vms_count().exits, 2, "%lu exits", vms_count().exits);
	cr_expect_eq(vms_count().accesses, n + 1);
	cr_expect_eq(st->n, 2, "a passed string asks for its first element only");

	vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT, VMM_HEAP_GPA, 256);
	vms_run();
	cr_expect_eq(vms_count().exits, 2 + 256, "%lu exits", vms_count().exits);
	cr_expect_eq(vms_count().accesses, n + 1 + 256);
}

Test(strings, handled_output)
{
	uint32_t *buf = vmm_mem(vms.vm, VMM_HEAP_GPA, 4 * 200);

	attach_probe(LX_HANDLED);
	for (unsigned int i = 0; i < 200; i++)
		buf[i] = 0x81000000 + i;
	vms_add(0, SCRIPT_REP_OUTS, 4, VMS_PORT + 4, VMM_HEAP_GPA, 200);
	vms_run();
	cr_assert_eq(st->n, 200);
	for (unsigned int i = 0; i < 200; i++) {
		const struct vt_seen *s = &st->seen[i];

		cr_assert(s->data == 0x81000000 + i && s->addr == 4 && s->len == 4 && s->write,
			  "element %u is %#llx", i, s->data);
	}
	cr_expect_eq(vms_count().accesses, 0);
}
