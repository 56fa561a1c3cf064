// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The IDE channel as a guest sees it, from the VMM, from the program, and from both in
 * turns. Beside the guest's channel a second one, which no program and no KVM touches, gets
 * the same accesses: all that is read, guest memory, the disk and the interrupts are the same
 * to the byte. What the second one answers is held to ATA by unit/ide_disk.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ide.h"
#include "irqfd.h"
#include "turns.h"

#define CMD 0x1f0U
#define CTL 0x3f6U
#define BM 0xc000U
#define IRQ14_PIN 14U
#define VECTOR 0x3eU
#define SEED 0x41544136ULL
#define SECTORS 512U
#define MEM 0x800000U

/* Each command of a script has a table and a buffer of its own. */
#define COMMANDS 8U
#define TABLE(_i) (VMM_HEAP_GPA + (_i) * 0x100U)
#define BUFFER(_i) (VMM_HEAP_GPA + 0x10000U + (_i) * 0x4000U)
#define BUFFER_SECTORS 32U

/* A channel with its disk. */
struct side {
	struct vmm_ide *ide;
	int disk;
	int irq;
};

static struct side guest = { .disk = -1, .irq = -1 }, second = { .disk = -1, .irq = -1 };
static struct vmm shadow;
static struct lx_device *dev;
static uint64_t seed, answers;

/* What is to be read: by the guest in a script, as by the second channel at once. */
static struct {
	const struct script_op *op;
	uint64_t want;
} reads[SCRIPT_OPS];
static unsigned int n_reads;

static uint64_t below(uint64_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static void make_disk(struct side *side)
{
	static uint8_t data[SECTORS * 512];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 29 + i / 512);
	side->disk = memfd_create("disk", MFD_CLOEXEC);
	cr_assert_eq(write(side->disk, data, sizeof(data)), (ssize_t)sizeof(data));
}

static void add_side(struct side *side, struct vmm *vm, int irq, struct ide_state *state)
{
	struct vmm_ide_opts opts = { .irq_fd = irq, .state = state };

	make_disk(side);
	opts.fd = side->disk;
	side->irq = irq;
	cr_assert_eq(vmm_ide_new(vm, &opts, &side->ide), 0);
}

static void setup_chip(enum vmm_irqchip irqchip)
{
	struct lx_eventfds fds = { .sz = sizeof(fds), .n = 1 };

	vmt_init();
	vms_create(&(struct vmm_opts){ .vcpus = 1, .irqchip = irqchip });
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
	dev = vmt_load(vmt_bpf_dir(), "ide");
	turns_init(dev, NULL);
	add_side(&guest, vms.vm,
		 irqchip == VMM_IRQCHIP_NO_PIT ? vmm_irqfd(vms.vm, IRQ14_PIN, -1) :
						 eventfd(0, EFD_NONBLOCK),
		 lx_device_state(dev, NULL));
	fds.slots[IDE_SLOT_IRQ] = guest.irq;
	cr_assert_eq(lx_device_set_eventfds(dev, &fds), 0, "%s", vmt_log());
	shadow.mem_size = MEM;
	shadow.mem = calloc(1, MEM);
	cr_assert_not_null(shadow.mem);
	add_side(&second, &shadow, eventfd(0, EFD_NONBLOCK), NULL);
	seed = SEED;
	answers = 0;
}

static void free_side(struct side *side)
{
	vmm_ide_free(side->ide);
	close(side->disk);
	close(side->irq);
}

static void teardown(void)
{
	vms_teardown(); /* first: vCPUs use the rest, if the test failed */
	free_side(&guest);
	free_side(&second);
	free(shadow.mem);
	lx_device_close(dev);
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

static void setup(void)
{
	setup_chip(VMM_IRQCHIP_NONE);
}

TestSuite(ide, .init = setup, .fini = teardown, .timeout = 480);

static const struct vmm_dev *shadow_dev(uint64_t port)
{
	unsigned int i = 0;

	while (i < shadow.n_devs && port - shadow.devs[i].base >= shadow.devs[i].len)
		i++;
	cr_assert_lt(i, shadow.n_devs);
	return &shadow.devs[i];
}

static uint64_t shadow_in(uint32_t len, uint64_t port)
{
	const struct vmm_dev *d = shadow_dev(port);

	return d->read(d->opaque, NULL, port - d->base, len) & ((1ULL << 8 * len) - 1);
}

static void shadow_out(uint32_t len, uint64_t port, uint64_t val)
{
	const struct vmm_dev *d = shadow_dev(port);

	d->write(d->opaque, NULL, port - d->base, len, val);
}

static void get(uint32_t len, uint64_t port)
{
	reads[n_reads].op = vms_in(len, port);
	reads[n_reads++].want = shadow_in(len, port);
}

static void put(uint32_t len, uint64_t port, uint64_t val)
{
	vms_out(len, port, val);
	shadow_out(len, port, val);
}

static void ins(uint64_t gpa, unsigned int words)
{
	vms_add(0, SCRIPT_REP_INS, 2, CMD, gpa, words);
	for (unsigned int i = 0; i < words; i++) {
		uint16_t word = (uint16_t)shadow_in(2, CMD);

		memcpy(shadow.mem + gpa + 2 * (size_t)i, &word, 2);
	}
}

static void outs(uint64_t gpa, unsigned int words)
{
	vms_add(0, SCRIPT_REP_OUTS, 2, CMD, gpa, words);
	for (unsigned int i = 0; i < words; i++) {
		uint16_t word;

		memcpy(&word, shadow.mem + gpa + 2 * (size_t)i, 2);
		shadow_out(2, CMD, word);
	}
}

static void write_memory(uint64_t gpa, const void *data, size_t len)
{
	memcpy(vmm_mem(vms.vm, gpa, len), data, len);
	memcpy(shadow.mem + gpa, data, len);
}

static void fill_buffer(unsigned int i)
{
	static uint8_t data[BUFFER_SECTORS * 512];

	for (unsigned int b = 0; b < sizeof(data); b++)
		data[b] = (uint8_t)below(256);
	write_memory(BUFFER(i), data, sizeof(data));
}

static void same_memory(void)
{
	const size_t len = BUFFER(COMMANDS) - VMM_HEAP_GPA;

	cr_assert_eq(memcmp(vmm_mem(vms.vm, VMM_HEAP_GPA, len), shadow.mem + VMM_HEAP_GPA, len), 0,
		     "guest memory");
}

static void same_disk(void)
{
	static uint8_t a[SECTORS * 512], b[SECTORS * 512];

	cr_assert_eq(pread(guest.disk, a, sizeof(a), 0), pread(second.disk, b, sizeof(b), 0));
	cr_assert_eq(memcmp(a, b, sizeof(a)), 0, "the disks");
}

/* Runs the script on a path, and compares what came of it. */
static void run(enum path path)
{
	turns_run(path);
	for (unsigned int i = 0; i < n_reads; i++)
		cr_assert_eq(reads[i].op->data, reads[i].want, "read %u of %#lx: %#lx, not %#lx", i,
			     reads[i].op->addr, reads[i].op->data, reads[i].want);
	answers += n_reads;
	n_reads = 0;
	same_memory();
}

static void same_interrupts(void)
{
	eventfd_t a = 0, b = 0;

	if (eventfd_read(guest.irq, &a))
		a = 0;
	if (eventfd_read(second.irq, &b))
		b = 0;
	cr_expect_eq(a, b, "%lu interrupts, not %lu", a, b);
}

static void registers(void)
{
	get(1, CTL);
	get(1, BM + 2);
	for (unsigned int i = 1; i < 7; i++)
		get(1, CMD + i);
}

static void task_file(unsigned int count, uint64_t lba, bool ext)
{
	if (ext) {
		put(1, CMD + 2, count >> 8);
		for (unsigned int i = 0; i < 3; i++)
			put(1, CMD + 3 + i, lba >> (24 + 8 * i) & 0xff);
	}
	put(1, CMD + 2, count & 0xff);
	for (unsigned int i = 0; i < 3; i++)
		put(1, CMD + 3 + i, lba >> 8 * i & 0xff);
	put(1, CMD + 6, 0xe0 | (ext ? 0 : lba >> 24));
}

/* One or two PRDs for @bytes of a command's buffer. */
static void table(unsigned int i, uint32_t bytes)
{
	uint32_t cut = 2 + 2 * (uint32_t)below(bytes / 2 - 1);
	uint32_t prd[4] = { (uint32_t)BUFFER(i), cut, (uint32_t)BUFFER(i) + cut,
			    (bytes - cut) | 1U << 31 };

	write_memory(TABLE(i), prd, sizeof(prd));
}

/* As drivers do it, but for the interrupt, which their handler's accesses stand for. */
static void dma(unsigned int i, uint8_t cmd, unsigned int count, uint64_t lba, bool ext)
{
	bool to_memory = cmd == 0xc8 || cmd == 0x25;

	put(4, BM + 4, TABLE(i));
	put(1, BM, to_memory ? 8 : 0);
	put(1, BM + 2, 0x66);
	task_file(count, lba, ext);
	put(1, CMD + 7, cmd);
	get(1, CTL);
	put(1, BM, to_memory ? 9 : 1);
	get(1, BM + 2);
	get(1, CMD + 7);
	put(1, BM, 0);
	put(1, BM + 2, 0x66);
}

static void pio(unsigned int i, uint8_t cmd, unsigned int count, uint64_t lba, bool ext,
		unsigned int block)
{
	bool in = cmd == 0x20 || cmd == 0x24 || cmd == 0xc4 || cmd == 0x29;
	uint64_t gpa = BUFFER(i);

	task_file(count, lba, ext);
	put(1, CMD + 7, cmd);
	for (unsigned int n; count; count -= n, gpa += n * 512ULL) {
		n = count < block ? count : block;
		get(1, CMD + 7);
		if (in)
			ins(gpa, n * 256);
		else
			outs(gpa, n * 256);
	}
	get(1, CMD + 7);
}

/* A command of sectors, now and then behind the disk's end. */
static void random_command(unsigned int i)
{
	static const uint8_t dmas[] = { 0xc8, 0xca, 0x25, 0x35 };
	static const uint8_t pios[] = { 0x20, 0x30, 0x24, 0x34, 0xc4, 0xc5, 0x29, 0x39 };
	uint64_t lba = below(SECTORS);
	unsigned int k, count;

	fill_buffer(i);
	if (below(3)) {
		k = (unsigned int)below(4);
		count = 1 + (unsigned int)below(BUFFER_SECTORS);
		table(i, count * 512);
		dma(i, dmas[k], count, lba, k >= 2);
	} else {
		k = (unsigned int)below(8);
		count = 1 + (unsigned int)below(4);
		pio(i, pios[k], count, lba, k % 4 >= 2, k < 4 ? 1 : 16);
	}
	registers();
}

static void finish(enum path path)
{
	same_disk();
	same_interrupts();
	cr_expect(path == BY_VMM || turns.handled >= TURNS_MIN_HANDLED, "%lu handled",
		  turns.handled);
	cr_expect(path == BY_VMM || turns.handled * 5 >= answers, "%lu handled of %lu",
		  turns.handled, answers);
}

static void check_commands(enum path path)
{
	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0;
	     round < 20 || (path == IN_TURNS && !turns_enough(path, answers) && round < 1000);
	     round++) {
		for (unsigned int i = 0; i < COMMANDS; i++)
			random_command(i);
		run(path);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	finish(path);
}

Test(ide, commands_of_the_vmm)
{
	check_commands(BY_VMM);
}

Test(ide, commands_of_the_program)
{
	check_commands(BY_PROGRAM);
}

Test(ide, commands_of_both_in_turns)
{
	check_commands(IN_TURNS);
}

/* Any register, any length, any value, any command; device 1, resets, transfers cut short. */
static void random_access(void)
{
	static const uint8_t codes[] = {
		0x20, 0x30, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0x24, 0x34, 0x25,
		0x35, 0x90, 0xec, 0xef, 0xe7, 0xff, 0x00, 0x40, 0x10, 0x39
	};
	uint32_t len = below(4) ? 1 : below(2) ? 2 : 4;
	uint64_t kind = below(16), val = below(1ULL << 31) & ((1ULL << 8 * len) - 1);

	if (kind == 0) {
		put(1, CTL, below(4) ? (below(2) ? 0 : 0x80) : below(256));
	} else if (kind == 1) {
		put(1, CMD + 6, below(6) ? 0xe0 : val & 0xff);
	} else if (kind < 4) {
		put(1, CMD + 7, codes[below(sizeof(codes))]);
	} else if (kind < 6) {
		put(len, BM + below(5 - len), val); /* not the table's address */
	} else if (kind < 9) {
		put(1, CMD + 1 + below(5), below(3) ? below(3) : val & 0xff);
	} else if (kind == 9) {
		put(below(2) ? 2 : 4, CMD, val & 0xffff);
	} else if (kind == 10) {
		get(below(2) ? 2 : 4, CMD);
	} else if (kind == 11) {
		put(1, CTL, 0);
		put(1, CMD + 6, 0xe0);
	} else if (below(3)) {
		get(len, CMD + below(9 - len));
	} else if (below(2)) {
		get(len, BM + below(9 - len));
	} else {
		get(1, CTL);
	}
}

static void check_accesses(enum path path)
{
	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0;
	     round < 20 || (path == IN_TURNS && !turns_enough(path, answers) && round < 1000);
	     round++) {
		table((unsigned int)below(COMMANDS), 512 + 512 * (uint32_t)below(8));
		put(4, BM + 4, TABLE(below(COMMANDS)));
		for (unsigned int i = 0; i < SCRIPT_OPS / 2 - 1; i++)
			random_access();
		run(path);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	finish(path);
}

Test(ide, accesses_of_the_vmm)
{
	check_accesses(BY_VMM);
}

Test(ide, accesses_of_the_program)
{
	check_accesses(BY_PROGRAM);
}

Test(ide, accesses_of_both_in_turns)
{
	check_accesses(IN_TURNS);
}

/* A disk that shrinks, and one that is pulled: the same errors from both. */
static void check_failures(enum path path)
{
	if (path == BY_PROGRAM)
		turns_attach();
	for (unsigned int round = 0; round < 12; round++) {
		off_t size = (off_t)(round < 6 ? below(SECTORS) : 0) * 512 + 100;

		cr_assert_eq(ftruncate(guest.disk, size), 0);
		cr_assert_eq(ftruncate(second.disk, size), 0);
		if (round == 9) {
			vmm_ide_remove(guest.ide);
			vmm_ide_remove(second.ide);
		}
		for (unsigned int i = 0; i < 4; i++)
			random_command(i);
		run(path);
	}
	if (path == BY_PROGRAM)
		turns_detach();
	same_interrupts();
}

Test(ide, failures_of_the_vmm)
{
	check_failures(BY_VMM);
}

Test(ide, failures_of_the_program)
{
	check_failures(BY_PROGRAM);
}

Test(ide, failures_of_both_in_turns)
{
	check_failures(IN_TURNS);
}

static uint64_t heavy(void)
{
	return vmm_ide_count(guest.ide).exits;
}

/* What a command costs: DMA its start; a sector in, the command and the string; out, its end. */
Test(ide, heavy_exits)
{
	uint64_t before;

	turns_attach();
	fill_buffer(0);
	for (unsigned int i = 0; i < 2; i++) {
		table(0, 8 * 512);
		before = heavy();
		dma(0, i ? 0x35 : 0xc8, 8, 40, i);
		run(BY_PROGRAM);
		cr_expect_eq(heavy() - before, 1, "DMA: %lu heavy exits", heavy() - before);
		before = heavy();
		pio(0, 0x20, 1, 50, false, 1);
		run(BY_PROGRAM);
		cr_expect_eq(heavy() - before, 2, "in: %lu heavy exits", heavy() - before);
		before = heavy();
		pio(0, 0x34, 4, 60, true, 1);
		run(BY_PROGRAM);
		cr_expect_eq(heavy() - before, 1, "out: %lu heavy exits", heavy() - before);
	}
	turns_detach();
	before = heavy();
	pio(0, 0x34, 1, 60, true, 1);
	run(BY_VMM);
	cr_expect_gt(heavy() - before, 256);
	same_disk();
}

static void setup_irqs(void)
{
	setup_chip(VMM_IRQCHIP_NO_PIT);
}

TestSuite(ide_irq, .init = setup_irqs, .fini = teardown, .timeout = 480);

static uint32_t irqs(void)
{
	const struct script_params *p = vmm_params(vms.vm);

	return __atomic_load_n(&p->irqs[VECTOR], __ATOMIC_ACQUIRE);
}

/* The handler of a driver: whose is it, how did it end, acknowledged at both ends. */
static void take_interrupts(void)
{
	vms_add(0, SCRIPT_ON_IRQ, 0, VECTOR, 0, 4);
	vms_in(1, BM + 2);
	vms_out(1, BM, 0);
	vms_in(1, CMD + 7);
	vms_out(1, BM + 2, 0x66);
	vms_add(0, SCRIPT_ROUTE, 0, IRQ14_PIN, VECTOR, 1);
}

/* @n READ DMA commands that are waited for. */
static void start_commands(unsigned int n)
{
	take_interrupts();
	for (unsigned int i = 0; i < n; i++) {
		uint32_t before = irqs();

		vms_out(4, BM + 4, TABLE(0));
		vms_out(1, BM, 8);
		vms_out(1, CMD + 2, 8);
		vms_out(1, CMD + 3, i);
		vms_out(1, CMD + 4, 0);
		vms_out(1, CMD + 5, 0);
		vms_out(1, CMD + 6, 0xe0);
		vms_out(1, CMD + 7, 0xc8);
		vms_out(1, BM, 9);
		vms_add(0, SCRIPT_IRQ_WAIT, 0, VECTOR, 0, before + i + 1);
	}
	vms_load();
	cr_assert_eq(vmm_start(vms.vm), 0);
}

static void end_commands(void)
{
	cr_assert_eq(vmm_join(vms.vm, VMS_TIMEOUT_MS), 0);
	vms_clear();
}

/* One heavy exit a command, none for its interrupt; each interrupts once. */
Test(ide_irq, dma_of_the_program)
{
	const unsigned int n = 20;
	uint64_t before = heavy();
	uint8_t data[8 * 512];

	table(0, 8 * 512);
	turns_attach();
	start_commands(n);
	end_commands();
	turns_detach();
	cr_expect_eq(heavy() - before, n, "%lu heavy exits", heavy() - before);
	cr_expect_eq(irqs(), n);
	cr_assert_eq(pread(guest.disk, data, sizeof(data), (n - 1) * 512), sizeof(data));
	cr_expect_eq(memcmp(vmm_mem(vms.vm, BUFFER(0), sizeof(data)), data, sizeof(data)), 0);
}

Test(ide_irq, dma_of_the_vmm)
{
	table(0, 8 * 512);
	start_commands(20);
	end_commands();
	cr_expect_eq(irqs(), 20);
}

/* The program comes and goes: no interrupt is lost, none comes twice. */
Test(ide_irq, attached_and_detached_at_random)
{
	uint64_t commands = 0;

	table(0, 8 * 512);
	/* 12 accesses each, of which one in 5 has to be answered */
	while ((turns.handled < TURNS_MIN_HANDLED || turns.handled * 5 < commands * 12) &&
	       commands < 4000) {
		bool on = true;

		start_commands(20);
		commands += 20;
		turns_attach();
		while (!__atomic_load_n(&vms.vm->vcpus[0].exited, __ATOMIC_ACQUIRE)) {
			if (on) {
				vmt_stay(12000);
				turns_detach();
			} else {
				vmt_nap(4000);
				turns_attach();
			}
			on = !on;
		}
		end_commands();
		if (on)
			turns_detach();
		cr_assert_eq(irqs(), commands, "%u interrupts of %lu", irqs(), commands);
	}
	cr_expect_geq(turns.handled, TURNS_MIN_HANDLED);
	cr_expect_geq(turns.handled * 5, commands * 12, "%lu handled in %lu commands",
		      turns.handled, commands);
}
