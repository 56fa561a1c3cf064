// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * PCI configuration space as a guest sees it, from the VMM, from the program, and from
 * both in turns, while the guest writes to it: PCI 3.0, 3.2.2.3.2.
 */
#include "pciconf.h"
#include "turns.h"

#define ADDRESS 0xcf8U
#define DATA 0xcfcU
#define SEED 0x706369ULL

static struct lx_device *dev;
static struct vmm_pciconf *pci;
static struct vmm_pciconf_function want[2]; /* functions 0 and 1 of device 3 */

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	vmm_pciconf_free(pci);
	lx_device_close(dev);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 31;
}

static void setup(void)
{
	uint64_t seed = 1;

	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	dev = vmt_load(vmt_bpf_dir(), "pciconf");
	turns_init(dev, NULL);
	cr_assert_eq(vmm_pciconf_new(vms.vm, lx_device_state(dev, NULL), &pci), 0);
	for (unsigned int f = 0; f < 2; f++) {
		for (unsigned int i = 0; i < 64; i++) {
			want[f].config[i] = (uint32_t)next(&seed);
			want[f].writable[i] = (uint32_t)(next(&seed) & next(&seed));
		}
		cr_assert_eq(vmm_pciconf_add(pci, (uint8_t)(3 << 3 | f), &want[f]), 0);
	}
}

TestSuite(pciconf, .init = setup, .fini = teardown, .timeout = 240);

/* @len bytes at @off of a word; a write changes the writable bits of them. */
static uint32_t part(uint32_t word, unsigned int off, uint32_t len)
{
	return (uint32_t)(word >> 8 * off & ~0ULL >> (64 - 8 * len));
}

static void write_part(struct vmm_pciconf_function *f, unsigned int word, unsigned int off,
		       uint32_t len, uint32_t val)
{
	uint32_t bits = (uint32_t)(~0ULL >> (64 - 8 * len) << 8 * off) & f->writable[word];

	f->config[word] = (f->config[word] & ~bits) | (val << 8 * off & bits);
}

#define OPS 80U

static void check(enum path path)
{
	const struct script_op *ops[OPS];
	uint32_t expect[OPS];
	uint64_t seed = SEED;
	unsigned int round = 0;

	if (path == BY_PROGRAM)
		turns_attach();
	for (; round < 25 || (path == IN_TURNS && !turns_enough(path, round * OPS) && round < 2000);
	     round++) {
		for (unsigned int i = 0; i < OPS; i++) {
			unsigned int fn = next(&seed) % 3, word = next(&seed) % 64;
			uint32_t len = 1U << next(&seed) % 3, off = next(&seed) % (5 - len);
			uint32_t bus = next(&seed) % 8 ? 0 : 1, val = (uint32_t)next(&seed);

			vms_out(4, ADDRESS, 1U << 31 | bus << 16 | 3 << 11 | fn << 8 | word << 2);
			ops[i] = NULL;
			if (next(&seed) % 8) {
				ops[i] = vms_in(len, DATA + off);
				expect[i] =
					part(bus || fn > 1 ? ~0U : want[fn].config[word], off, len);
				continue;
			}
			vms_out(len, DATA + off, part(val, 0, len));
			if (!bus && fn < 2)
				write_part(&want[fn], word, off, len, part(val, 0, len));
		}
		turns_run(path);
		for (unsigned int i = 0; i < OPS; i++)
			cr_assert(!ops[i] || ops[i]->data == expect[i],
				  "round %u, access %u: %#lx, not %#x", round, i, ops[i]->data,
				  expect[i]);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	cr_expect(turns_enough(path, round * OPS), "%lu handled in %u rounds", turns.handled,
		  round);
}

Test(pciconf, of_the_vmm)
{
	check(BY_VMM);
}

Test(pciconf, of_the_program)
{
	check(BY_PROGRAM);
}

Test(pciconf, of_both_in_turns)
{
	check(IN_TURNS);
}

/* A bus scan: no heavy exit, present or absent. */
Test(pciconf, scan_without_exits)
{
	const struct script_op *id[32];
	uint64_t exits;

	vmt_attach(dev, vms.vm);
	exits = vmm_dev_count(vms.vm, vmm_pciconf_index(pci)).exits;
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 32; i++) {
			vms_out(4, ADDRESS, 1U << 31 | i << 11);
			id[i] = vms_in(4, DATA);
		}
		vms_run();
		for (unsigned int i = 0; i < 32; i++)
			cr_assert_eq(id[i]->data, i == 3 ? want[0].config[0] : 0xffffffff);
	}
	cr_expect_eq(vmm_dev_count(vms.vm, vmm_pciconf_index(pci)).exits, exits);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 20 * 64);
}
