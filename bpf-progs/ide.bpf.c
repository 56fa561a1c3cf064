// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ide: answers the registers of a PIIX3's primary IDE channel, accepts the commands that
 * wait, and buffers what is written by PIO. (3 in docs/path.md)
 *
 * Regions: command block, 8 ports; control block, 1; bus master, 8; in this order.
 * State:   map ide_state, struct ide_state; program and VMM write it.
 * Eventfds: slot 0: IRQ14, an edge for each rise of INTRQ.
 * Handles: registers, a byte at a time; the descriptor table's address; READ and WRITE DMA,
 *          WRITE SECTOR(S) and MULTIPLE up to where the disk is needed.
 * Passes:  reads of the data port; the bus master's start under a command; the last word of
 *          what can be buffered; all other commands; everything while somebody else has the
 *          state's lock.
 */
#include "lx.bpf.h"
#include "ide_model.h"

LX_STATE_MAP(ide_state, struct ide_state);

SEC("struct_ops/ide_io_read")
int BPF_PROG(ide_io_read, struct lx_io *io)
{
	struct ide_state *st = lx_state_of(ide_state);
	int verdict;
	__u64 val;

	/* Of a string the first element decides for all: so before the lock. */
	if (io->region == IDE_REGION_COMMAND && io->addr == IDE_DATA)
		return LX_PASS;
	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = ide_read(st, io->region, io->addr, io->len, &val);
	lx_leave(&st->hdr);
	if (verdict == LX_HANDLED)
		io->data = val;
	return verdict;
}

SEC("struct_ops/ide_io_write")
int BPF_PROG(ide_io_write, struct lx_io *io)
{
	struct ide_state *st = lx_state_of(ide_state);
	bool rose = false;
	int verdict;

	if (!st || !lx_enter(&st->hdr))
		return LX_PASS;
	verdict = ide_write(st, io->region, io->addr, io->len, io->data, &rose);
	lx_leave(&st->hdr);
	if (rose)
		lx_signal(io, IDE_SLOT_IRQ);
	return verdict;
}

SEC(".struct_ops.link")
struct lightexit_ops ide = {
	.read = (void *)ide_io_read,
	.write = (void *)ide_io_write,
	.sz = sizeof(struct lightexit_ops),
	.nr_regions = 3,
	.regions = { { .addr = IDE_COMMAND_PORT, .len = IDE_COMMAND_LEN, .space = LX_SPACE_PIO },
		     { .addr = IDE_CONTROL_PORT, .len = IDE_CONTROL_LEN, .space = LX_SPACE_PIO },
		     { .addr = IDE_BM_PORT, .len = IDE_BM_LEN, .space = LX_SPACE_PIO } },
	.name = "ide",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
