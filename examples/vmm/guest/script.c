// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The script guest; see script.h. */
#include "guest.h"
#include "script.h"

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
	default:
		return false;
	}
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
		if (!run_op(params, script, &script->ops[i]))
			return SCRIPT_BAD_OP;
	}
	return 0;
}
