// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* See timer.h. Who waits for the timers is the program while it is attached, else the VMM. */
#include <stdio.h>

#include "hpet.h"
#include "timer.h"

VMM_GUEST(hpet);

/* A machine, for one run. */
struct machine {
	struct vmm *vm;
	struct vmm_loop *loop;
	struct vmm_accel *accel;
	struct vmm_hpet *hpet;
};

/* A line of the table. */
struct row {
	const char *name;
	struct example_cost cost;
	uint64_t interrupts;
	uint64_t accesses;
};

static int attach(struct machine *m)
{
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = HPET_SLOTS };
	int err;

	if (!m->accel)
		return 0;
	vmm_hpet_eventfds(m->hpet, fds.slots, &fds.handover_fd, &fds.kick_fd);
	err = vmm_accel_set_eventfds(m->accel, &fds);
	if (!err)
		err = vmm_hpet_hand_out(m->hpet);
	if (!err)
		err = vmm_accel_attach(m->accel, m->vm);
	if (!err && !vmm_accel_active(m->accel))
		vmm_hpet_take_back(m->hpet);
	return err;
}

static int create(struct machine *m, const struct timer_config *c)
{
	struct vmm_hpet_irqs irqs = { .legacy_gsi = { 2, 8 } };
	int err = vmm_create(&(struct vmm_opts){ .irqchip = VMM_IRQCHIP_KERNEL }, &m->vm);

	if (!err)
		err = vmm_loop_new(&m->loop);
	if (!err)
		err = example_open(c->common, "hpet", sizeof(struct hpet_state), NULL, 0,
				   &m->accel);
	if (!err)
		err = vmm_hpet_new(m->vm, HPET_BASE, c->clock, vmm_accel_state(m->accel), &m->hpet);
	if (err)
		return err;
	irqs.loop = m->loop;
	err = vmm_hpet_connect(m->hpet, &irqs);
	return err ? err : attach(m);
}

static void destroy(struct machine *m)
{
	if (m->hpet)
		vmm_hpet_disconnect(m->hpet);
	vmm_loop_free(m->loop);
	vmm_destroy(m->vm);
	vmm_hpet_free(m->hpet);
	vmm_accel_close(m->accel);
}

static int run_guest(struct machine *m, const struct timer_config *c, enum hpet_timer kind,
		     struct row *row)
{
	struct timer_params *p = vmm_params(m->vm);
	int err;

	*p = (struct timer_params){
		.reg = REG_TIMER,
		.kind = kind,
		.hpet = HPET_BASE,
		.ticks = c->period_us * 1000 * HPET_FS_PER_NS / VMM_HPET_PERIOD_FS,
		.interrupts = c->interrupts,
	};
	err = vmm_load(m->vm, VMM_GUEST_ARGS(hpet));
	if (!err)
		err = vmm_run(m->vm, -1);
	*row = (struct row){
		.name = kind == TIMER_ONE_SHOT ? "one-shot" : "periodic",
		.cost = example_cost(vmm_dev_count(m->vm, vmm_hpet_index(m->hpet)), m->accel),
		.interrupts = p->taken,
		.accesses = p->accesses,
	};
	return err;
}

static int measure(const struct timer_config *c, enum hpet_timer kind, struct row *row)
{
	struct machine m = { 0 };
	int err = create(&m, c);

	if (!err)
		err = run_guest(&m, c, kind, row);
	destroy(&m);
	return err;
}

static void print_table(const struct row *rows, unsigned int n)
{
	printf("%-9s %-5s %10s %9s %12s %15s %15s\n", "TIMER", "PATH", "INTERRUPTS", "ACCESSES",
	       "HEAVY EXITS", "EXITS/INTERRUPT", "ANSWERED BY BPF");
	for (unsigned int i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		char buf[24];

		printf("%-9s %-5s %10lu %9lu %12lu %15.3f %15s\n", r->name, example_path(&r->cost),
		       r->interrupts, r->accesses, r->cost.heavy,
		       (double)r->cost.heavy / (double)r->interrupts,
		       example_answered(&r->cost, buf));
	}
}

static json_t *row_json(const struct row *r)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "timer", r->name, "path",
			 example_path(&r->cost), "interrupts", (json_int_t)r->interrupts,
			 "accesses", (json_int_t)r->accesses, "heavy_exits",
			 (json_int_t)r->cost.heavy, "answered", example_answered_json(&r->cost));
}

int timer_run(const struct timer_config *c)
{
	struct row rows[TIMER_COUNT];
	unsigned int n = 0;
	json_t *json;
	int err = 0;

	for (enum hpet_timer i = 0; i < TIMER_COUNT && !err; i++) {
		if (c->kinds[i])
			err = measure(c, i, &rows[n++]);
	}
	if (err)
		return err;
	if (!c->common->json) {
		print_table(rows, n);
		return 0;
	}
	json = json_array();
	for (unsigned int i = 0; i < n; i++)
		json = example_append(json, row_json(&rows[i]));
	return example_print_json(json);
}
