// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The churn guest; see churn.h. */
#include "guest.h"
#include "../churn.h"

static uint16_t words[VT_CHURN_VCPUS][CHURN_INS];

static void check(struct churn_result *r, uint32_t kind, uint64_t got, uint64_t due)
{
	if (got == due || r->bad++)
		return;
	r->kind = kind;
	r->got = got;
	r->due = due;
}

static void use_numbers(struct churn_result *r, uint16_t port, uintptr_t mmio)
{
	outl(port, (uint32_t)++r->n[VT_CHURN_WRITE]);
	mmio_write64(mmio, ++r->n[VT_CHURN_WRITE]);
	check(r, VT_CHURN_READ, mmio_read64(mmio), r->n[VT_CHURN_READ] + 1);
	r->n[VT_CHURN_READ]++;
	check(r, VT_CHURN_READ, inl(port), (uint32_t)(r->n[VT_CHURN_READ] + 1));
	r->n[VT_CHURN_READ]++;
}

static void use_strings(struct churn_result *r, uint16_t port, uint16_t *buf)
{
	for (uint32_t i = 0; i < CHURN_INS; i++)
		buf[i] = 0;
	insw(port, buf, CHURN_INS);
	for (uint32_t i = 0; i < CHURN_INS; i++)
		check(r, VT_CHURN_INS, buf[i], vt_churn_word(++r->n[VT_CHURN_INS]));
	for (uint32_t i = 0; i < CHURN_OUTS; i++)
		buf[i] = (uint16_t)++r->n[VT_CHURN_OUTS];
	outsw(port, buf, CHURN_OUTS);
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct churn_params *p = arg;
	struct churn_result *r = &p->result[vcpu];

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		for (uint32_t set = 0; set < VT_CHURN_SETS; set++) {
			uint16_t port = (uint16_t)(VT_CHURN_PORT(set) + set * VT_CHURN_SET);

			use_numbers(r, port, VT_CHURN_MMIO(set) + set * VT_CHURN_SET);
			use_strings(r, (uint16_t)(port + VT_CHURN_STRING), words[vcpu]);
		}
		__atomic_fetch_add(&r->rounds, 1, __ATOMIC_RELEASE);
	}
	return 0;
}
