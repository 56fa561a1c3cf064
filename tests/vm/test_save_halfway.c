// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Devices that leave a host between two accesses that belong together: a count half read or half
 * written, a register selected and not read, a byte of two. What is read on the next host, with
 * the program or by the VMM alone, is what the data sheet says of one device that never moved.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"
#include "move.h"
#include "pit.h"
#include "rtc.h"
#include "vmscript.h"

#define MS 1000000ULL
#define HOSTS 5U
#define OPS 12U
#define DISK 512
#define SAVED (1U << 17)

/* Where the device is in turn; kvmclock is ahead of the one before, and behind it. */
static const struct place {
	bool program;
	enum lx_clock clock;
	uint64_t kvmclock;
} places[HOSTS] = {
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = 1000000 * MS },
	{ .program = true, .clock = LX_CLOCK_KVM, .kvmclock = 1 },
	{ .program = false, .clock = LX_CLOCK_KVM, .kvmclock = 5000000 * MS },
	{ .program = true, .clock = LX_CLOCK_MONOTONIC },
	{ .program = false, .clock = LX_CLOCK_MONOTONIC },
};

/* An access of one byte; what a read has to be. @port 0: there are no more */
struct access {
	bool write;
	uint16_t port;
	uint8_t val;
};

#define OUT(_port, _val) { true, (_port), (_val) }
#define IN(_port, _val) { false, (_port), (_val) }

/**
 * struct halfway - a device, and what it is asked on each host
 * @make: its back end; @st: its state
 */
struct halfway {
	const char *program;
	uint32_t size;
	void (*make)(struct lx_state *st, enum lx_clock clock);
	void (*free)(void);
	struct access asked[HOSTS][OPS];
};

/* This host's. */
static struct {
	struct lx_device *dev;
	struct lx_state *st;
	struct vmm_pit *pit;
	struct vmm_rtc *rtc;
	struct vmm_ide *ide;
	int disk;
} h;

static struct {
	size_t size;
	uint8_t data[SAVED];
} saved;

static void setup(void)
{
	vmt_init();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	saved.size = 0;
}

static void teardown(void)
{
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(save_halfway, .init = setup, .fini = teardown, .timeout = 240);

static uint64_t now(void)
{
	return vmm_clock_ns(vms.vm, h.st->clock);
}

static struct lx_state *new_state(uint32_t size)
{
	struct lx_state *st = aligned_alloc(64, (size + 63UL) / 64 * 64);

	cr_assert_not_null(st);
	memset(st, 0, size);
	lx_state_init(st, size);
	return st;
}

static void arrive(const struct halfway *way, const struct place *place)
{
	int err = 0;

	vms_create(&(struct vmm_opts){ .vcpus = 1, .irqchip = VMM_IRQCHIP_NONE });
	if (place->kvmclock)
		move_set_clock(vms.vm, place->kvmclock);
	h.dev = place->program ? vmt_load(vmt_bpf_dir(), way->program) : NULL;
	h.st = h.dev ? lx_device_state(h.dev, NULL) : new_state(way->size);
	way->make(h.st, place->clock);
	if (saved.size && h.dev)
		err = lx_device_restore(h.dev, saved.data, saved.size);
	else if (saved.size)
		err = lx_state_restore(h.st, way->program, saved.data, saved.size);
	cr_assert_eq(err, 0, "restore: %d: %s", err, vmt_log());
	if (h.dev)
		vmt_attach(h.dev, vms.vm);
	if (saved.size)
		lx_state_thaw(h.st, now());
}

static void leave(const struct halfway *way)
{
	ssize_t n;

	lx_state_freeze(h.st, now());
	if (h.dev)
		n = lx_device_save(h.dev, vms.vm->fd, saved.data, sizeof(saved.data));
	else
		n = lx_state_save(h.st, way->program, now(), saved.data, sizeof(saved.data));
	cr_assert(n > 0 && n < (ssize_t)sizeof(saved.data), "save: %zd: %s", n, vmt_log());
	saved.size = (size_t)n;
	vms_teardown();
	way->free();
	if (h.dev)
		lx_device_close(h.dev);
	else
		free(h.st);
}

static uint64_t handled(void)
{
	struct lx_stats stats = vmt_stats(h.dev);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < stats.n_regions; i++)
		sum += stats.regions[i].handled;
	return sum;
}

/* Each read of a program's host is its program's; each access has a run of its own. */
static void ask_one(const struct access *a, unsigned int host, unsigned int i)
{
	uint64_t before = h.dev ? handled() : 0;
	const struct script_op *op;

	if (a->write) {
		vms_out(1, a->port, a->val);
		vms_run();
		return;
	}
	op = vms_in(1, a->port);
	vms_run();
	cr_expect_eq(op->data, a->val, "host %u, access %u: port %#x read %#lx, not %#x", host, i,
		     a->port, op->data, a->val);
	if (h.dev)
		cr_expect_eq(handled() - before, 1, "host %u, access %u: handled %lu times", host,
			     i, handled() - before);
}

static void ask(const struct access *asked, unsigned int host)
{
	for (unsigned int i = 0; i < OPS && asked[i].port; i++)
		ask_one(&asked[i], host, i);
}

static void go(const struct halfway *way)
{
	for (unsigned int i = 0; i < HOSTS; i++) {
		arrive(way, &places[i]);
		ask(way->asked[i], i);
		leave(way);
	}
}

static void make_pit(struct lx_state *st, enum lx_clock clock)
{
	const struct vmm_pit_opts opts = {
		.clock = clock,
		.irq_fd = -1,
		.state = (struct pit_state *)st,
		.kick_fd = -1,
		.handover_fd = -1,
	};

	cr_assert_eq(vmm_pit_new(vms.vm, &opts, &h.pit), 0);
}

static void free_pit(void)
{
	vmm_pit_free(h.pit);
}

/*
 * Counter 2 in mode 0, GATE low: it is loaded and stands still. A latched count is held until
 * it is read, whatever is written meanwhile; LSB and MSB come in turns (8254, "Read Operations").
 * Read-back of both: the status first, OUT low, count loaded, RW 3, mode 0.
 */
static const struct halfway pit = {
	.program = "pit",
	.size = sizeof(struct pit_state),
	.make = make_pit,
	.free = free_pit,
	.asked = {
		{ OUT(0x61, 0), OUT(0x43, 0xb0), OUT(0x42, 0x34), OUT(0x42, 0x12), OUT(0x43, 0x80),
		  OUT(0x42, 0xef), OUT(0x42, 0xbe), IN(0x42, 0x34) },
		{ IN(0x42, 0x12), IN(0x42, 0xef) },
		{ IN(0x42, 0xbe), OUT(0x43, 0xc8) },
		{ IN(0x42, 0x30), IN(0x42, 0xef), OUT(0x42, 0x11) },
		{ OUT(0x42, 0x22), IN(0x42, 0xbe), IN(0x42, 0x11), IN(0x42, 0x22) },
	},
};

Test(save_halfway, latches_of_the_pit)
{
	go(&pit);
}

static void make_rtc(struct lx_state *st, enum lx_clock clock)
{
	const struct vmm_rtc_opts opts = {
		.clock = clock,
		.irq_fd = -1,
		.state = (struct rtc_state *)st,
		.kick_fd = -1,
		.handover_fd = -1,
	};

	cr_assert_eq(vmm_rtc_new(vms.vm, &opts, &h.rtc), 0);
}

static void free_rtc(void)
{
	vmm_rtc_free(h.rtc);
}

/* The index is on one host, the data on the next. */
static const struct halfway rtc = {
	.program = "rtc",
	.size = sizeof(struct rtc_state),
	.make = make_rtc,
	.free = free_rtc,
	.asked = {
		{ OUT(0x70, 0x2e), OUT(0x71, 0x5a), OUT(0x70, 0x2f), OUT(0x71, 0xa5),
		  OUT(0x70, 0x2e) },
		{ IN(0x71, 0x5a), OUT(0x70, 0x2f) },
		{ IN(0x71, 0xa5), OUT(0x70, 0x30) },
		{ OUT(0x71, 0xc3), OUT(0x70, 0x2f) },
		{ IN(0x71, 0xa5), OUT(0x70, 0x30), IN(0x71, 0xc3) },
	},
};

Test(save_halfway, index_of_the_rtc)
{
	go(&rtc);
}

static void make_ide(struct lx_state *st, enum lx_clock clock)
{
	struct vmm_ide_opts opts = { .irq_fd = -1, .state = (struct ide_state *)st };

	h.disk = memfd_create("disk", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(h.disk, DISK), 0);
	opts.fd = h.disk;
	cr_assert_eq(vmm_ide_new(vms.vm, &opts, &h.ide), 0);
}

static void free_ide(void)
{
	vmm_ide_free(h.ide);
	close(h.disk);
}

/*
 * The 48-bit registers are two bytes deep; HOB has the byte written before read, and the next
 * write to the command block clears it (ATA/ATAPI-7, 6.20).
 */
static const struct halfway ide = {
	.program = "ide",
	.size = sizeof(struct ide_state),
	.make = make_ide,
	.free = free_ide,
	.asked = {
		{ OUT(0x1f2, 0x01), OUT(0x1f3, 0x11) },
		{ OUT(0x1f2, 0x02), OUT(0x1f3, 0x12), IN(0x1f2, 0x02), OUT(0x3f6, 0x80) },
		{ IN(0x1f2, 0x01) },
		{ IN(0x1f3, 0x11), IN(0x1f2, 0x01), OUT(0x1f4, 0x21) },
		{ IN(0x1f2, 0x02), IN(0x1f3, 0x12), IN(0x1f4, 0x21) },
	},
};

Test(save_halfway, registers_of_the_ide)
{
	go(&ide);
}
