// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A machine and a device whose ends are tested; see lifetime.h. */
#include <time.h>

#include "lifetime.h"

#define INS 8U
#define OUTS 4U
/* In, out, two strings, MMIO read and write. */
#define ACCESSES (4 + INS + OUTS)

struct life life;

void life_setup(unsigned int vcpus)
{
	vmt_init();
	vmt_wait_module_refs(0);
	vms_create(&(struct vmm_opts){ .vcpus = vcpus });
	life.dev = vmt_load(vmt_test_bpf_dir(), "vt_probe");
	life.refs = vmt_module_refs();
	cr_assert_gt(life.refs, 0, "a loaded program does not hold the module");
}

void life_teardown(void)
{
	vms_teardown();
	lx_device_close(life.dev);
	life.dev = NULL;
	vmt_wait_module_refs(0);
}

void life_use(bool by_program)
{
	const struct vt_probe_state *st = lx_device_state(life.dev, NULL);
	uint64_t calls = st->n, exits = vms_count().accesses;

	vms_in(4, VMS_PORT);
	vms_out(4, VMS_PORT, 1);
	vms_add(0, SCRIPT_REP_INS, 2, VMS_PORT, VMM_HEAP_GPA, INS);
	vms_add(0, SCRIPT_REP_OUTS, 2, VMS_PORT, VMM_HEAP_GPA, OUTS);
	vms_read(8, VMS_MMIO);
	vms_write(8, VMS_MMIO, 1);
	vms_run();
	calls = st->n - calls;
	exits = vms_count().accesses - exits;
	cr_assert_eq(exits, by_program ? 0 : ACCESSES, "%lu of %u accesses exited to the VMM",
		     exits, ACCESSES);
	/* A program of another process has a state of its own. */
	cr_assert(calls == 0 || (by_program && calls == ACCESSES),
		  "the program was asked %lu times in %u accesses", calls, ACCESSES);
}

void life_ok(int err, const char *what)
{
	cr_assert_eq(err, 0, "%s: %d: %s", what, err, vmt_log());
}

static int count_one(const struct lx_stats *s, void *ctx)
{
	(*(unsigned int *)ctx)++;
	return 0;
}

unsigned int life_devices(void)
{
	unsigned int n = 0;

	life_ok(lx_for_each_device(count_one, &n), "list the devices");
	return n;
}

void life_wait_quiet(void)
{
	vmt_wait_module_refs(life.refs);
	cr_assert_eq(life_devices(), 0, "a device is still listed");
}

uint64_t life_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
