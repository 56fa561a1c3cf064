// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * IDE back end: the state's lock, the model, and what that passes: the disk's commands, the
 * data port, the bus master. Sections are those of ATA/ATAPI-6, if nothing else is said.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ide.h"
#include "ide_model.h"
#include "ide_priv.h"

#define BM_PORTS 16U
/* A descriptor table is not looked at behind a page: QEMU's bound, too. */
#define PRDS 512U
#define PRD_END (1U << 31)

#define REGIONS 3U

/* A range of ports, as the machine's table has it. */
struct ports {
	struct vmm_ide *ide;
	uint32_t region;
	unsigned int index;
};

struct vmm_ide {
	struct ide_state *st;
	struct ide_state *own;
	struct vmm *vm;
	struct vmm_ide_opts opts;
	struct ports ports[REGIONS];
};

static uint8_t *buffer(struct ide_state *st)
{
	return (uint8_t *)st->buf;
}

/*
 * Moves whole sectors between the disk and memory. Return: the sectors that were moved; less
 * than all of them if the disk ends or fails.
 */
static uint32_t move(const struct vmm_ide *ide, bool write, uint64_t lba, struct iovec *iov, int n)
{
	uint64_t at = lba * IDE_SECTOR, from = at;

	while (n) {
		ssize_t got = write ? pwritev(ide->opts.fd, iov, n, (off_t)at) :
				      preadv(ide->opts.fd, iov, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		at += (uint64_t)got;
		for (; n && (size_t)got >= iov->iov_len; n--, iov++)
			got -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + got;
			iov->iov_len -= (size_t)got;
		}
	}
	return (uint32_t)((at - from) / IDE_SECTOR);
}

/* The same for @n sectors of the buffer. */
static uint32_t move_buffer(struct vmm_ide *ide, bool write, uint64_t lba, uint32_t n)
{
	struct iovec iov = { buffer(ide->st), (size_t)n * IDE_SECTOR };

	return move(ide, write, lba, &iov, 1);
}

/* A command ends well, or not, and interrupts. */
static void finish(struct ide_state *st)
{
	ide_end(st, IDE_STATUS_READY, 0);
	st->pending = 1;
}

static void fail(struct ide_state *st, uint32_t error)
{
	ide_end(st, IDE_STATUS_DRDY | IDE_STATUS_ERR, error);
	st->pending = 1;
}

/* The disk failed: registers have the address of the first sector that it failed on. */
static void fail_at(struct ide_state *st, uint64_t lba, bool write)
{
	ide_set_lba(st, lba);
	fail(st, write ? IDE_ERROR_ABRT : IDE_ERROR_UNC);
}

/* The next DRQ block of a PIO data-in command. */
static void load(struct vmm_ide *ide)
{
	struct ide_state *st = ide->st;
	uint32_t n = ide_block(st), got;

	if (!ide_in_disk(st, n)) {
		fail(st, IDE_ERROR_ABRT);
		return;
	}
	got = move_buffer(ide, false, ide_lba(st), n);
	if (got < n) {
		fail_at(st, ide_lba(st) + got, false);
		return;
	}
	ide_advance(st, n);
	ide_request(st, 0, n);
	st->pending = 1;
}

/* What the guest has written, the last word in: to the disk, and on. */
static void store(struct vmm_ide *ide)
{
	struct ide_state *st = ide->st;
	uint32_t n = ide_block(st), got, due = st->pos / IDE_SECTOR;
	bool outside = !ide_in_disk(st, n);

	if (outside)
		due -= n;
	got = ide->opts.read_only ? 0 : move_buffer(ide, true, st->start, due);
	if (got < due) {
		fail_at(st, st->start + got, true);
		return;
	}
	if (outside) {
		fail(st, IDE_ERROR_ABRT);
		return;
	}
	ide_advance(st, n);
	if (!st->left) {
		finish(st);
		return;
	}
	st->start = ide_lba(st);
	ide_request(st, 0, ide_block(st));
	st->pending = 1;
}

/* A word or two of a PIO data-in block. */
static uint64_t data_in(struct vmm_ide *ide, uint32_t len)
{
	struct ide_state *st = ide->st;
	uint64_t val = 0;

	if (st->phase != IDE_PIO_IN || !ide_selected(st) || st->pos + len > st->end)
		return 0;
	memcpy(&val, buffer(st) + st->pos, len);
	st->pos += len;
	if (st->pos < st->end)
		return val;
	st->status &= ~IDE_STATUS_DRQ;
	if (st->left)
		load(ide);
	else
		ide_end(st, IDE_STATUS_READY, 0);
	return val;
}

/* The last word of what can be buffered. */
static void data_out(struct vmm_ide *ide, uint32_t len, uint64_t val)
{
	ide_store(ide->st, len, val);
	ide->st->status &= ~IDE_STATUS_DRQ;
	store(ide);
}

/* What the descriptors say: where a command's data is. */
struct table {
	struct iovec iov[PRDS];
	int n;
	uint64_t bytes; /* of all descriptors */
	bool bad;	/* not guest memory */
};

/* 82371AB, figure 8: base, count, end of table. At most @due bytes are taken. */
static void read_table(const struct vmm_ide *ide, uint64_t due, struct table *t)
{
	const struct ide_state *st = ide->st;
	uint32_t prd[2] = { 0 };

	t->n = 0;
	t->bytes = 0;
	for (uint32_t i = 0; i < PRDS && !(prd[1] & PRD_END); i++) {
		const void *p =
			vmm_mem(ide->vm, (uint64_t)st->bm_table + i * sizeof(prd), sizeof(prd));
		uint64_t len, left = t->bytes < due ? due - t->bytes : 0;
		struct iovec *v = &t->iov[t->n];

		t->bad = !p;
		if (t->bad)
			return;
		memcpy(prd, p, sizeof(prd));
		len = prd[1] & 0xfffe ? prd[1] & 0xfffe : 0x10000;
		t->bytes += len;
		if (!left)
			continue;
		v->iov_len = len < left ? len : left;
		v->iov_base = vmm_mem(ide->vm, prd[0] & ~1U, v->iov_len);
		t->bad = !v->iov_base;
		if (t->bad)
			return;
		t->n++;
	}
}

/* 82371AB, 5.2.2 and table 15: what the bus master says of a transfer's end. */
static void transfer(struct vmm_ide *ide, struct table *t)
{
	struct ide_state *st = ide->st;
	uint32_t n = st->left, got;

	st->bm_status &= ~IDE_BM_ACTIVE;
	if (!ide_in_disk(st, n) || (st->is_write && ide->opts.read_only)) {
		fail(st, IDE_ERROR_ABRT);
		return;
	}
	got = move(ide, st->is_write, ide_lba(st), t->iov, t->n);
	if (got < n) {
		fail_at(st, ide_lba(st) + got, st->is_write);
		return;
	}
	ide_advance(st, n);
	finish(st);
	if (t->bytes > (uint64_t)n * IDE_SECTOR)
		st->bm_status |= IDE_BM_ACTIVE;
}

/* The bus master is active, and a command waits for it. */
static void bus_master(struct vmm_ide *ide)
{
	struct ide_state *st = ide->st;
	uint64_t due = (uint64_t)st->left * IDE_SECTOR;
	struct table t;

	read_table(ide, due, &t);
	if (!t.bad && t.bytes >= due) {
		transfer(ide, &t);
		return;
	}
	st->bm_status &= ~IDE_BM_ACTIVE;
	if (t.bad) {
		st->bm_status |= IDE_BM_ERROR;
		fail(st, IDE_ERROR_ABRT);
	} else { /* too short: no interrupt, table 15; Status as in QEMU */
		ide_end(st, IDE_STATUS_READY, 0);
	}
}

/* A command that moves sectors and does not wait: ide_waits(). */
static void move_sectors(struct vmm_ide *ide, uint32_t kind)
{
	struct ide_state *st = ide->st;

	if (kind & IDE_IS_MULTIPLE && !st->multiple) {
		fail(st, IDE_ERROR_ABRT);
		return;
	}
	if (kind & IDE_IS_DMA) {
		ide_begin(st, kind);
		bus_master(ide);
		return;
	}
	ide_accept(st, kind & IDE_IS_EXT);
	st->phase = IDE_PIO_IN;
	st->block = kind & IDE_IS_MULTIPLE ? st->multiple : 1;
	load(ide);
}

/* IDENTIFY DEVICE: a block of data that is no sector's. */
static void identify(struct ide_state *st)
{
	vmm_ide_identify(st, st->buf);
	st->phase = IDE_PIO_IN;
	st->left = 0;
	ide_request(st, 0, 1);
	st->pending = 1;
}

/* READ VERIFY SECTOR(S): reads, and keeps nothing. */
static void verify(struct vmm_ide *ide, bool ext)
{
	struct ide_state *st = ide->st;
	uint64_t lba;

	ide_accept(st, ext);
	lba = ide_lba(st);
	if (!ide_in_disk(st, st->left)) {
		fail(st, IDE_ERROR_ABRT);
		return;
	}
	for (uint32_t n, left = st->left; left; left -= n) {
		uint32_t got;

		n = left < IDE_BUF / IDE_SECTOR ? left : IDE_BUF / IDE_SECTOR;
		got = move_buffer(ide, false, lba, n);
		lba += got;
		if (got < n) {
			fail_at(st, lba, false);
			return;
		}
	}
	finish(st);
}

static void flush(struct vmm_ide *ide)
{
	if (fdatasync(ide->opts.fd) && errno != EINVAL) /* a file that knows no such thing */
		fail(ide->st, IDE_ERROR_ABRT);
	else
		finish(ide->st);
}

static void check(struct ide_state *st, bool ok)
{
	if (ok)
		finish(st);
	else
		fail(st, IDE_ERROR_ABRT);
}

/* SET MULTIPLE MODE: 0 switches it off; else a power of two. */
static bool set_multiple(struct ide_state *st)
{
	uint32_t n = st->file[IDE_COUNT][0];

	if (n > IDE_MULTIPLE_MAX || n & (n - 1))
		return false;
	st->multiple = n;
	return true;
}

/* INITIALIZE DEVICE PARAMETERS (of ATA-5): heads of a cylinder and sectors of a track. */
static bool set_translation(struct ide_state *st)
{
	if (!st->file[IDE_COUNT][0])
		return false;
	st->heads = (st->device & IDE_DEVICE_LOW) + 1;
	st->track = st->file[IDE_COUNT][0];
	return true;
}

/* Commands that move no sectors; 8. All others are aborted. */
static void control_command(struct vmm_ide *ide, uint32_t command)
{
	struct ide_state *st = ide->st;

	switch (command) {
	case 0x10:	    /* RECALIBRATE */
	case 0x70:	    /* SEEK */
	case 0x94 ... 0x97: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE */
	case 0x99:	    /* SLEEP; without the sleep */
	case 0xe0 ... 0xe3:
	case 0xe6:
		finish(st);
		break;
	case 0x91:
		check(st, set_translation(st));
		break;
	case 0x98: /* CHECK POWER MODE: active or idle */
	case 0xe5:
		st->file[IDE_COUNT][0] = 0xff;
		finish(st);
		break;
	case 0x40:
	case 0x41:
	case 0x42:
		verify(ide, command == 0x42);
		break;
	case 0xc6:
		check(st, set_multiple(st));
		break;
	case 0xe7:
	case 0xea:
		flush(ide);
		break;
	case 0xec:
		identify(st);
		break;
	case 0xef:
		check(st, vmm_ide_set_features(st));
		break;
	default:
		fail(st, IDE_ERROR_ABRT);
		break;
	}
}

/* What ide_command() passed. */
static void command(struct vmm_ide *ide, uint32_t val)
{
	struct ide_state *st = ide->st;
	uint32_t kind = ide_kind(val);

	st->control &= ~IDE_CONTROL_HOB;
	if (val == 0x90) { /* EXECUTE DEVICE DIAGNOSTIC, of both devices */
		ide_sign(st);
		st->pending = 1;
		return;
	}
	ide_accept(st, false);
	if (!st->sectors)
		fail(st, IDE_ERROR_ABRT);
	else if (kind)
		move_sectors(ide, kind);
	else
		control_command(ide, val);
}

static void signal_irq(const struct vmm_ide *ide)
{
	if (ide->opts.irq_fd >= 0)
		eventfd_write(ide->opts.irq_fd, 1);
}

/* Before a reset: what the disk was told to have, ide_holds(). */
static void spill(struct vmm_ide *ide)
{
	const struct ide_state *st = ide->st;

	if (!ide->opts.read_only)
		move_buffer(ide, true, st->start, (uint32_t)(ide_lba(st) - st->start));
}

/* One register's write that may pass; bytes of longer ones come one by one. */
static void write_one(struct vmm_ide *ide, uint32_t region, uint64_t off, uint32_t len,
		      uint64_t val)
{
	struct ide_state *st = ide->st;
	bool was = ide_line(st), rose;

	if (ide_write(st, region, off, len, val, &rose) == LX_PASS) {
		if (region == IDE_REGION_COMMAND && off == IDE_COMMAND) {
			was = false; /* 5.2.9: the write negates INTRQ; the end is a new edge */
			command(ide, (uint32_t)val);
		} else if (region == IDE_REGION_COMMAND && len > 1) {
			data_out(ide, len, val);
		} else if (region == IDE_REGION_CONTROL) {
			spill(ide);
			ide_set_control(st, (uint32_t)val);
		} else if (region == IDE_REGION_BM && off == IDE_BM_COMMAND) {
			st->bm_status |= IDE_BM_ACTIVE;
			st->bm_command = (uint32_t)val & IDE_BM_COMMAND_BITS;
			bus_master(ide);
		}
		rose = ide_raise(st, was);
	}
	if (rose)
		signal_irq(ide);
}

/* Registers are bytes, but for the data port and the descriptor table's. */
static bool is_whole(uint32_t region, uint64_t off, uint32_t len)
{
	if (region == IDE_REGION_COMMAND)
		return off == IDE_DATA && len > 1;
	return region == IDE_REGION_BM && off >= IDE_BM_TABLE && off + len <= IDE_BM_LEN;
}

static void write_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
		       uint64_t val)
{
	const struct ports *p = opaque;
	uint32_t step = is_whole(p->region, off, len) ? len : 1;

	lx_lock(&p->ide->st->hdr);
	for (uint32_t i = 0; i < len; i += step) {
		if (p->region != IDE_REGION_BM || off + i < IDE_BM_LEN)
			write_one(p->ide, p->region, off + i, step,
				  val >> 8 * i & ~0ULL >> (64 - 8 * step));
	}
	lx_unlock(&p->ide->st->hdr);
}

/* An access of the data port that moves data. The lock is held. */
static uint64_t read_data(struct vmm_ide *ide, uint32_t len)
{
	bool was = ide_line(ide->st);
	uint64_t val = data_in(ide, len);

	if (ide_raise(ide->st, was))
		signal_irq(ide);
	return val;
}

static uint64_t read_one(struct vmm_ide *ide, uint32_t region, uint64_t off, uint32_t len)
{
	__u64 val;

	if (region == IDE_REGION_BM && off >= IDE_BM_LEN)
		return 0; /* the secondary channel: switched off, and not simplex */
	if (region == IDE_REGION_COMMAND && off == IDE_DATA)
		/* A byte takes a word, as in QEMU: boot loaders rely on it. */
		return len > 1 ? read_data(ide, len) : read_data(ide, 2) & 0xff;
	return ide_read(ide->st, region, off, len, &val) == LX_HANDLED ? val : ~0ULL;
}

static uint64_t read_port(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len)
{
	const struct ports *p = opaque;
	uint32_t step = is_whole(p->region, off, len) ? len : 1;
	uint64_t val = 0;

	lx_lock(&p->ide->st->hdr);
	for (uint32_t i = 0; i < len; i += step)
		val |= read_one(p->ide, p->region, off + i, step) << 8 * i;
	lx_unlock(&p->ide->st->hdr);
	return val;
}

/* A string: of the data port's with the lock taken once. */
static void read_string(void *opaque, struct vmm_vcpu *vcpu, uint64_t off, uint32_t len,
			uint8_t *to, uint32_t n)
{
	const struct ports *p = opaque;
	bool data = p->region == IDE_REGION_COMMAND && off == IDE_DATA && len > 1;

	if (data)
		lx_lock(&p->ide->st->hdr);
	for (; n; n--, to += len) {
		uint64_t val = data ? read_data(p->ide, len) : read_port(opaque, vcpu, off, len);

		memcpy(to, &val, len);
	}
	if (data)
		lx_unlock(&p->ide->st->hdr);
}

static int add_ports(struct vmm_ide *ide)
{
	static const char *const names[REGIONS] = { "ide", "ide control", "ide bus master" };
	const uint16_t base[REGIONS] = { IDE_COMMAND_PORT, IDE_CONTROL_PORT, ide->opts.bm_port };
	const uint16_t len[REGIONS] = { IDE_COMMAND_LEN, IDE_CONTROL_LEN, BM_PORTS };

	for (uint32_t i = 0; i < REGIONS; i++) {
		const struct vmm_dev dev = {
			.name = names[i],
			.space = LX_SPACE_PIO,
			.base = base[i],
			.len = len[i],
			.read = read_port,
			.write = write_port,
			.read_string = read_string,
			.opaque = &ide->ports[i],
		};
		int index = vmm_add_dev(ide->vm, &dev);

		if (index < 0)
			return index;
		ide->ports[i] = (struct ports){ ide, i, (unsigned int)index };
	}
	return 0;
}

static int publish(struct vmm_ide *ide)
{
	off_t size = lseek(ide->opts.fd, 0, SEEK_END);
	struct ide_state *st = ide->st;

	if (size < 0)
		return vmm_error(-errno, "disk");
	if (size < (off_t)IDE_SECTOR)
		return vmm_error(-EINVAL, "disk of %ld bytes: give a sector", (long)size);
	if (st == ide->own) /* else the library did */
		lx_state_init(&st->hdr, sizeof(*st));
	lx_lock(&st->hdr);
	st->sectors = (uint64_t)size / IDE_SECTOR;
	st->mode = VMM_IDE_UDMA5;
	st->cache = 1;
	ide_reset(st);
	lx_unlock(&st->hdr);
	return 0;
}

static int setup(struct vmm_ide *ide, struct vmm *vm, const struct vmm_ide_opts *opts)
{
	int err;

	ide->vm = vm;
	ide->opts = *opts;
	if (!opts->bm_port)
		ide->opts.bm_port = IDE_BM_PORT;
	ide->st = opts->state;
	if (!ide->st) {
		ide->own = calloc(1, sizeof(*ide->own));
		if (!ide->own)
			return vmm_error(-ENOMEM, "IDE");
		ide->st = ide->own;
	}
	err = publish(ide);
	return err ? err : add_ports(ide);
}

int vmm_ide_new(struct vmm *vm, const struct vmm_ide_opts *opts, struct vmm_ide **out)
{
	struct vmm_ide *ide = calloc(1, sizeof(*ide));
	int err;

	if (!ide)
		return vmm_error(-ENOMEM, "IDE");
	err = setup(ide, vm, opts);
	if (err) {
		vmm_ide_free(ide);
		return err;
	}
	*out = ide;
	return 0;
}

void vmm_ide_free(struct vmm_ide *ide)
{
	if (!ide)
		return;
	free(ide->own);
	free(ide);
}

struct vmm_count vmm_ide_count(const struct vmm_ide *ide)
{
	struct vmm_count sum = { 0 };

	for (unsigned int i = 0; i < REGIONS; i++) {
		struct vmm_count c = vmm_dev_count(ide->vm, ide->ports[i].index);

		sum.exits += c.exits;
		sum.accesses += c.accesses;
	}
	return sum;
}

void vmm_ide_remove(struct vmm_ide *ide)
{
	lx_lock(&ide->st->hdr);
	ide->st->sectors = 0;
	lx_unlock(&ide->st->hdr);
}

void vmm_ide_function(const struct vmm_ide *ide, struct vmm_pciconf_function *out)
{
	*out = (struct vmm_pciconf_function){
		.config = {
			[0] = 0x70108086,
			[1] = 0x02800005, /* ports decode, bus master; medium DEVSEL */
			[2] = 0x01018000, /* IDE, bus master, legacy ports */
			[8] = ide->opts.bm_port | 1U,
			[16] = 0x00008000, /* IDETIM: the primary channel is on */
		},
		.writable = {
			[1] = 0x00000005,
			[8] = 0x0000fff0,
			[16] = 0xffffffff,
			[17] = 0x000000ff, /* SIDETIM */
		},
	};
}
