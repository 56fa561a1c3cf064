// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pciconf: answers reads of PCI configuration space by mechanism #1. (3 in docs/path.md)
 *
 * Regions: one of 8 bytes, PIO: CONFIG_ADDRESS at CF8h, CONFIG_DATA at CFCh.
 * State:   map pciconf_state, struct pciconf_state; the VMM writes it, both the address.
 * Handles: CONFIG_ADDRESS; reads of CONFIG_DATA, 1, 2 and 4 bytes: mirrored words, and
 *          all ones for functions that do not exist.
 * Passes:  writes of CONFIG_DATA, words that the state says are the VMM's, what is no
 *          configuration cycle, and all while somebody else holds the state's lock.
 */
#include "lx.bpf.h"
#include "pciconf_model.h"

LX_STATE_MAP(pciconf_state, struct pciconf_state);

SEC("struct_ops/pciconf_io_read")
int BPF_PROG(pciconf_io_read, struct lx_io *io)
{
	struct pciconf_state *st = lx_state_of(pciconf_state);
	int verdict;
	__u64 val;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = pciconf_read(st, io->addr, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/pciconf_io_write")
int BPF_PROG(pciconf_io_write, struct lx_io *io)
{
	struct pciconf_state *st = lx_state_of(pciconf_state);
	int verdict;

	if (io->addr != PCICONF_ADDRESS || !st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = pciconf_write(st, io->addr, io->len, io->data);
	lx_leave(&st->hdr);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops pciconf = {
	.read = (void *)pciconf_io_read,
	.write = (void *)pciconf_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 1,
	.regions = { { .addr = PCICONF_PORT, .len = PCICONF_LEN, .space = LX_SPACE_PIO } },
	.name = "pciconf",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
