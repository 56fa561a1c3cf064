// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The script guest; see script.h. */
#include "guest.h"
#include "irq.h"
#include "script.h"

_Static_assert(sizeof(struct script_params) <= 0x10000, "larger than VMM_PARAMS_SIZE");

/* Lines for interrupts, by vector: a SCRIPT_ON_IRQ and its params. */
static struct {
	struct script_params *params;
	struct script *script;
	struct script_op *op;
} on_irq[SCRIPT_VECTORS];
static bool took_interrupts[SCRIPT_VCPUS];

static bool port_in(struct script_op *op)
{
	for (uint64_t i = 0; i < op->count; i++) {
		switch (op->len) {
		case 1:
			op->data = inb((uint16_t)op->addr);
			break;
		case 2:
			op->data = inw((uint16_t)op->addr);
			break;
		case 4:
			op->data = inl((uint16_t)op->addr);
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool port_out(struct script_op *op)
{
	for (uint64_t i = 0; i < op->count; i++) {
		switch (op->len) {
		case 1:
			outb((uint16_t)op->addr, (uint8_t)op->data);
			break;
		case 2:
			outw((uint16_t)op->addr, (uint16_t)op->data);
			break;
		case 4:
			outl((uint16_t)op->addr, (uint32_t)op->data);
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool mmio_read(struct script_op *op)
{
	for (uint64_t i = 0; i < op->count; i++) {
		switch (op->len) {
		case 1:
			op->data = mmio_read8(op->addr);
			break;
		case 2:
			op->data = mmio_read16(op->addr);
			break;
		case 4:
			op->data = mmio_read32(op->addr);
			break;
		case 8:
			op->data = mmio_read64(op->addr);
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool mmio_write(struct script_op *op)
{
	for (uint64_t i = 0; i < op->count; i++) {
		switch (op->len) {
		case 1:
			mmio_write8(op->addr, (uint8_t)op->data);
			break;
		case 2:
			mmio_write16(op->addr, (uint16_t)op->data);
			break;
		case 4:
			mmio_write32(op->addr, (uint32_t)op->data);
			break;
		case 8:
			mmio_write64(op->addr, op->data);
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool rep_ins(struct script_op *op)
{
	if (op->len == 1)
		insb((uint16_t)op->addr, (void *)op->data, op->count);
	else if (op->len == 2)
		insw((uint16_t)op->addr, (void *)op->data, op->count);
	else if (op->len == 4)
		insl((uint16_t)op->addr, (void *)op->data, op->count);
	else
		return false;
	return true;
}

static bool rep_outs(struct script_op *op)
{
	if (op->len == 1)
		outsb((uint16_t)op->addr, (void *)op->data, op->count);
	else if (op->len == 2)
		outsw((uint16_t)op->addr, (void *)op->data, op->count);
	else if (op->len == 4)
		outsl((uint16_t)op->addr, (void *)op->data, op->count);
	else
		return false;
	return true;
}

static bool route(struct script_params *params, const struct script *script, struct script_op *op)
{
	bool *ready = &took_interrupts[script - params->vcpu];

	if (op->data < IRQ_FIRST || op->data >= IRQ_SPURIOUS)
		return false;
	if (!*ready)
		irq_init(params->irqs);
	*ready = true;
	irq_disable();
	ioapic_route((unsigned int)op->addr, (unsigned int)op->data, op->len, lapic_id());
	irq_enable();
	return true;
}

static bool run_op(struct script_params *params, const struct script *script, struct script_op *op)
{
	switch (op->kind) {
	case SCRIPT_IN:
		return port_in(op);
	case SCRIPT_OUT:
		return port_out(op);
	case SCRIPT_READ:
		return mmio_read(op);
	case SCRIPT_WRITE:
		return mmio_write(op);
	case SCRIPT_REP_INS:
		return rep_ins(op);
	case SCRIPT_REP_OUTS:
		return rep_outs(op);
	case SCRIPT_BARRIER:
		if (op->addr >= SCRIPT_GATES)
			return false;
		guest_barrier(&params->gates[op->addr], script->vcpus);
		return true;
	case SCRIPT_ROUTE:
		return route(params, script, op);
	case SCRIPT_IRQ_WAIT:
		irq_wait((uint8_t)op->addr, (uint32_t)op->count);
		return true;
	default:
		return false;
	}
}

static void irq_came(unsigned int vector)
{
	struct script_op *op = on_irq[vector].op;

	for (uint64_t i = 1; i <= op->count; i++)
		run_op(on_irq[vector].params, on_irq[vector].script, &op[i]);
}

/* Notes the lines that follow; returns their number. */
static uint32_t set_on_irq(struct script_params *params, struct script *script,
			   struct script_op *op)
{
	uint8_t vector = (uint8_t)op->addr;

	on_irq[vector].params = params;
	on_irq[vector].script = script;
	on_irq[vector].op = op;
	irq_set_handler(vector, irq_came);
	return (uint32_t)op->count;
}

uint32_t guest_main(unsigned long vcpu, void *arg)
{
	struct script_params *params = arg;
	struct script *script;

	if (vcpu >= SCRIPT_VCPUS)
		return SCRIPT_BAD_OP;
	script = &params->vcpu[vcpu];
	if (script->n > SCRIPT_OPS)
		return SCRIPT_BAD_OP;
	for (uint32_t i = 0; i < script->n; i++) {
		if (script->ops[i].kind == SCRIPT_ON_IRQ)
			i += set_on_irq(params, script, &script->ops[i]);
		else if (!run_op(params, script, &script->ops[i]))
			return SCRIPT_BAD_OP;
	}
	return 0;
}
