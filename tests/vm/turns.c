// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>
#include <unistd.h>

#include "turns.h"

/* Handled accesses of a turn; or so long, in waits, if the guest asks for none. */
#define TURN_ACCESSES 40
#define TURN_WAITS 100
#define WAIT_US 200
#define NAP_US 3000

struct turns turns;

void turns_init(struct lx_device *dev, void (*attached)(void))
{
	turns = (struct turns){ dev, attached, 0 };
}

static uint64_t handled_now(void)
{
	struct lx_stats s = vmt_stats(turns.dev);
	uint64_t n = 0;

	for (unsigned int i = 0; i < LX_MAX_REGIONS; i++)
		n += s.regions[i].handled;
	return n;
}

void turns_attach(void)
{
	vmt_attach(turns.dev, vms.vm);
	if (turns.attached)
		turns.attached();
}

void turns_detach(void)
{
	turns.handled += handled_now();
	cr_assert_eq(lx_device_detach(turns.dev), 0);
}

static bool running(void)
{
	return !__atomic_load_n(&vms.vm->vcpus[0].exited, __ATOMIC_ACQUIRE);
}

/* The program's turn is as many accesses long, not as much time: an attach takes its own. */
static void let_program(void)
{
	uint64_t end = handled_now() + (uint64_t)rand() % TURN_ACCESSES;

	for (int i = 0; i < TURN_WAITS && running() && handled_now() < end; i++)
		usleep(WAIT_US);
}

void turns_run(enum path path)
{
	bool on = path == IN_TURNS && rand() % 2;

	if (path != IN_TURNS) {
		vms_run();
		return;
	}
	if (on)
		turns_attach();
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
	while (running()) {
		if (on)
			let_program();
		usleep((useconds_t)rand() % NAP_US);
		if (on)
			turns_detach();
		else
			turns_attach();
		on = !on;
	}
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	vms_clear();
	if (on)
		turns_detach();
}

bool turns_enough(enum path path, uint64_t answers)
{
	return path == BY_VMM ||
	       (turns.handled >= TURNS_MIN_HANDLED && turns.handled * 5 >= answers);
}
