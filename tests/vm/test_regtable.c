// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A device of plain registers, on ports and MMIO, described by a table: a guest
 * makes random accesses of all lengths, and each read has to give what a second
 * implementation of the table says, whoever answers: the VMM, the program, or both
 * in turns.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regtable_guest.h"
#include "../unit/regtable_ref.h"
#include "regtable.h"
#include "regtable_model.h"
#include "vmscript.h"

VMM_GUEST(regtable);

#define MIN_HANDLED 1000U
#define ACCESSES vmt_scale(200000)
#define SEED 0x7265676973746572ULL
#define PORTS 0U /* regions */
#define MMIO 1U

/* Of the device's own: what passes. */
struct own {
	struct regtable_reg *regs; /* the table, or the reference's */
	uint64_t next;		   /* what the next read that passes gives */
	uint64_t passed;
};

static const struct lx_region regions[] = {
	{ REGTABLE_PORT, REGTABLE_PORTS, LX_SPACE_PIO, 0 },
	{ REGTABLE_MMIO, REGTABLE_MMIO_LEN, LX_SPACE_MMIO, 0 },
};

static struct lx_device *dev;
static struct vmm *vm;
static struct vmm_regtable *table;
static struct own own;

static void teardown(void)
{
	vmm_destroy(vm); /* first: vCPUs use the rest, if the test failed */
	vmm_regtable_free(table);
	lx_device_close(dev);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

TestSuite(regtable, .init = setup, .fini = teardown, .timeout = 240);

#define RW .access = REGTABLE_READ | REGTABLE_WRITE

/* Registers of all widths and kinds, dense ones and sparse ones. */
static const struct regtable_reg regs[] = {
	{ .region = PORTS,
	  .offset = 0x00,
	  .width = 1,
	  .sizes = 1,
	  .read_mask = 0xff,
	  .write_mask = 0x0f,
	  .value = 0x5a,
	  RW },
	{ .region = PORTS,
	  .offset = 0x01,
	  .width = 1,
	  .sizes = 1,
	  .read_mask = 0x7e,
	  .value = 0xff,
	  .access = REGTABLE_READ },
	{ .region = PORTS,
	  .offset = 0x01,
	  .width = 1,
	  .sizes = 1,
	  .write_mask = 0xff,
	  .access = REGTABLE_WRITE },
	{ .region = PORTS,
	  .offset = 0x02,
	  .width = 2,
	  .sizes = 3,
	  .read_mask = 0xffff,
	  .write_mask = 0xfff0,
	  .pass_change = 0x8000,
	  RW },
	{ .region = PORTS,
	  .offset = 0x04,
	  .width = 4,
	  .sizes = 7,
	  .read_mask = 0xffffffff,
	  .write_mask = 0xffff,
	  .w1c_mask = 0xff000000,
	  .value = 0xff001234,
	  RW },
	{ .region = PORTS,
	  .offset = 0x08,
	  .width = 4,
	  .sizes = 7,
	  .read_mask = 0xffffffff,
	  .rc_mask = 0x00ffff00,
	  .write_mask = 0xffffff,
	  .pass_write = 0x80000000,
	  RW },
	{ .region = PORTS,
	  .offset = 0x10,
	  .width = 4,
	  .sizes = 4,
	  .read_mask = 0xfffffff0,
	  .write_mask = 0xffffffff,
	  RW },
	{ .region = PORTS,
	  .offset = 0x14,
	  .width = 1,
	  .sizes = 1,
	  .read_mask = 0xff,
	  .write_mask = 0xff,
	  .pass_read = 0,
	  RW },
	{ .region = MMIO,
	  .offset = 0x00,
	  .width = 8,
	  .sizes = 15,
	  .read_mask = ~0ULL,
	  .write_mask = 0x0000ffffffffffff,
	  .value = 0xc0de000000000000,
	  RW },
	{ .region = MMIO,
	  .offset = 0x08,
	  .width = 8,
	  .sizes = 12,
	  .read_mask = ~0ULL,
	  .write_mask = 0xffffffff00000000,
	  .w1c_mask = 0xffffffff,
	  RW },
	{ .region = MMIO,
	  .offset = 0x10,
	  .width = 4,
	  .sizes = 7,
	  .read_mask = ~0U,
	  .write_mask = ~0U,
	  .pass_read = 0xff0000,
	  RW },
	{ .region = MMIO,
	  .offset = 0x14,
	  .width = 4,
	  .sizes = 4,
	  .read_mask = ~0U,
	  .rc_mask = ~0U,
	  .write_mask = ~0U,
	  .pass_change = 1,
	  RW },
	{ .region = MMIO,
	  .offset = 0x18,
	  .width = 4,
	  .sizes = 7,
	  .read_mask = ~0U,
	  .write_mask = ~0U,
	  RW },
	{ .region = MMIO,
	  .offset = 0x100,
	  .width = 8,
	  .sizes = 15,
	  .read_mask = ~0ULL,
	  .write_mask = ~0ULL,
	  RW },
	{ .region = MMIO,
	  .offset = 0x1f0,
	  .width = 8,
	  .sizes = 15,
	  .read_mask = ~0ULL,
	  .write_mask = ~0ULL,
	  RW },
};

#define N_REGS (sizeof(regs) / sizeof(regs[0]))

static uint64_t own_read(void *opaque, uint32_t region, uint64_t off, uint32_t len)
{
	struct own *o = opaque;

	o->passed++;
	return o->next += 0x9e3779b97f4a7c15ULL;
}

/* As a device does whose command register changes others: values, and what passes. */
static void own_write(void *opaque, uint32_t region, uint64_t off, uint32_t len, uint64_t val)
{
	struct own *o = opaque;
	struct regtable_reg *reg = &o->regs[val % N_REGS];

	o->passed++;
	reg->value ^= (val >> 16) & regtable_bytes(reg->width);
	o->regs[7].pass_read = val & 0x100 ? 0xff : 0;
	o->regs[12].pass_write = val & 0x600 ? 0 : 0xff00;
}

static void create(void)
{
	struct vmm_regtable_opts opts = {
		.name = "regtable",
		.regions = regions,
		.n_regions = 2,
		.read = own_read,
		.write = own_write,
		.opaque = &own,
	};
	struct regtable_state *st;

	dev = vmt_load_at(vmt_bpf_dir(), "regtable", regions, 2);
	cr_assert_eq(vmm_create(&(struct vmm_opts){ .vcpus = 1 }, &vm), 0);
	opts.state = lx_device_state(dev, NULL);
	cr_assert_eq(vmm_regtable_new(vm, &opts, &table), 0);
	st = vmm_regtable_state(table);
	cr_assert_eq(regtable_add_region(st, PORTS, REGTABLE_PORTS, 0), 0);
	cr_assert_eq(regtable_add_region(st, MMIO, REGTABLE_MMIO_LEN, 2), 0);
	for (unsigned int i = 0; i < N_REGS; i++)
		cr_assert_eq(regtable_add(st, &regs[i]), (int)i);
	own = (struct own){ .regs = st->regs };
}

static struct regtable_params *start(void)
{
	struct regtable_params *p = vmm_params(vm);

	*p = (struct regtable_params){ .seed = SEED, .n = ACCESSES, .values = VMM_HEAP_GPA };
	cr_assert_not_null(vmm_mem(vm, VMM_HEAP_GPA, p->n * 8), "%lu accesses", p->n);
	cr_assert_eq(vmm_load(vm, VMM_GUEST_ARGS(regtable)), 0);
	cr_assert_eq(vmm_start(vm), 0);
	return p;
}

static bool running(const struct regtable_params *p)
{
	return __atomic_load_n(&p->done, __ATOMIC_RELAXED) < p->n;
}

static uint64_t handled(void)
{
	struct lx_stats s = vmt_stats(dev);

	return s.regions[0].handled + s.regions[1].handled;
}

/* What the guest must have read, and the registers afterwards. Returns what the table answers. */
static uint64_t check_values(void)
{
	const struct regtable_params *p = vmm_params(vm);
	const struct regtable_state *st = vmm_regtable_state(table);
	const uint64_t *value = vmm_mem(vm, VMM_HEAP_GPA, p->n * 8);
	struct regtable_reg ref[N_REGS];
	struct own expected = { .regs = ref };
	uint64_t seed = SEED, answers = 0;

	memcpy(ref, regs, sizeof(ref));
	cr_assert_eq(vmm_join(vm, VMS_TIMEOUT_MS), 0);
	cr_assert_eq(p->done, p->n);
	for (uint64_t i = 0; i < p->n; i++) {
		struct regtable_access a = regtable_next(&seed);
		__u64 val = a.val & regtable_bytes(a.len);
		bool took = regtable_ref(ref, N_REGS, a.write, a.mmio ? MMIO : PORTS, a.off, a.len,
					 &val);

		answers += took;
		if (!took && a.write)
			own_write(&expected, 0, 0, 0, val);
		else if (!took)
			val = own_read(&expected, 0, 0, 0) & regtable_bytes(a.len);
		if (a.write)
			continue;
		cr_assert_eq(*value, val, "access %lu of %u bytes at %s+%#lx: %#lx, not %#llx", i,
			     a.len, a.mmio ? "mmio" : "ports", a.off, *value, val);
		value++;
	}
	for (unsigned int i = 0; i < N_REGS; i++)
		cr_expect_eq(st->regs[i].value, ref[i].value, "register %u: %#llx, not %#llx", i,
			     st->regs[i].value, ref[i].value);
	cr_expect_eq(own.passed, expected.passed, "%lu passed, not %lu", own.passed,
		     expected.passed);
	cr_expect_geq(answers, p->n / 4);
	return answers;
}

/* Proves: the VMM alone, with the table, gives what the table says. */
Test(regtable, vmm)
{
	create();
	start();
	check_values();
	cr_expect_eq(vmm_regtable_count(table).accesses, ACCESSES);
}

/* Proves: so does the program; all that the table answers it answers, the rest reaches the VMM. */
Test(regtable, program)
{
	uint64_t answers, heavy;

	create();
	vmt_attach(dev, vm);
	start();
	answers = check_values();
	heavy = vmm_regtable_count(table).accesses;
	cr_expect_eq(handled(), answers, "%lu handled, not %lu", handled(), answers);
	cr_expect_eq(heavy, ACCESSES - answers);
	cr_expect_geq(answers, MIN_HANDLED);
}

/* Proves: so do both while the program comes and goes. */
Test(regtable, attached_and_detached_at_random)
{
	struct regtable_params *p;
	uint64_t n = 0, rounds = 0, answers;

	create();
	p = start();
	while (running(p)) {
		vmt_nap(5000);
		vmt_attach(dev, vm);
		vmt_stay(20000);
		n += handled();
		cr_assert_eq(lx_device_detach(dev), 0);
		rounds++;
	}
	answers = check_values();
	cr_expect(n >= MIN_HANDLED && n >= answers / 5, "%lu of %lu handled", n, answers);
	cr_expect_leq(n, answers - 100, "%lu of %lu by the VMM", answers - n, answers);
	cr_log_info("%lu of %lu handled, %lu times attached", n, answers, rounds);
}

/* Proves: so do both while the VMM has the table, for random moments, in a state of its own. */
Test(regtable, held_at_random)
{
	struct regtable_params *p;
	struct regtable_state *st;
	uint64_t answers;

	create();
	st = vmm_regtable_state(table);
	vmt_attach(dev, vm);
	p = start();
	while (running(p)) {
		lx_lock(&st->hdr);
		for (unsigned int i = 0; i < N_REGS; i++)
			st->regs[i].value ^= regtable_bytes(regs[i].width);
		vmt_nap(200);
		for (unsigned int i = 0; i < N_REGS; i++)
			st->regs[i].value ^= regtable_bytes(regs[i].width);
		lx_unlock(&st->hdr);
		vmt_nap(500);
	}
	answers = check_values();
	cr_expect(handled() >= MIN_HANDLED && handled() >= answers / 5, "%lu of %lu handled",
		  handled(), answers);
	cr_expect_leq(handled(), answers - 100, "the table was never held");
}
