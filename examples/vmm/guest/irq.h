/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Interrupts for guests: IDT, local APIC, IO-APIC. For machines with
 * VMM_IRQCHIP_KERNEL (with VMM_IRQCHIP_SPLIT there is no IO-APIC in the kernel).
 * Included by one file of a guest.
 *
 *   irq_init(counts);                  on each vCPU that takes interrupts
 *   irq_set_handler(0x40, fn);
 *   ioapic_route(pin, 0x40, false, lapic_id());
 *   irq_enable();
 *   irq_wait(0x40, 1);                 halts until it has come once
 *
 * A handler runs with interrupts off; the EOI follows when it has returned. Exceptions
 * have no handlers: they end the guest with a triple fault, whose place the VMM prints.
 */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "guest.h"

/* Vectors below are the CPU's, and the last one is the local APIC's for spurious interrupts. */
#define IRQ_FIRST 32U
#define IRQ_SPURIOUS 255U
#define IRQ_VECTORS 256U

#define IRQ_CODE_SELECTOR 0x08
#define IDT_INTERRUPT_GATE 0x8e00U

/* Intel SDM 3, 11.4.1 */
#define LAPIC_BASE 0xfee00000UL
#define LAPIC_ID 0x20U
#define LAPIC_TPR 0x80U
#define LAPIC_EOI 0xb0U
#define LAPIC_SVR 0xf0U
#define LAPIC_SVR_ENABLE (1U << 8)
#define LAPIC_LVT_LINT0 0x350U
#define LAPIC_LVT_MASKED (1U << 16)

/* 82093AA, 3.0 */
#define IOAPIC_BASE 0xfec00000UL
#define IOAPIC_INDEX 0x00U
#define IOAPIC_DATA 0x10U
#define IOAPIC_REDIR(_pin) (0x10U + 2 * (_pin))
#define IOAPIC_LEVEL (1U << 15)
#define IOAPIC_MASKED (1U << 16)

/* 8259A: the operation command word 1 of both, at PC addresses */
#define PIC_MASTER_MASK 0x21U
#define PIC_SLAVE_MASK 0xa1U

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

static struct idt_gate irq_idt[IRQ_VECTORS];
static void (*irq_handlers[IRQ_VECTORS])(unsigned int vector);
static uint32_t *irq_counts;

/* 16 bytes for each vector from IRQ_FIRST on. */
extern const uint8_t irq_stubs[];

/*
 * The CPU aligns the stack to 16 and pushes five words.
 *
 * An interrupt that comes with IF = 0 (SDM 3, 7.8.1: it cannot) is the last one again, from QEMU's
 * emulated SVM, once in some thousands (docs/decisions.md 18). It leaves its type in the VMCB's
 * EXITINTINFO, where KVM since 6.14 takes it for an event whose delivery needs the emulator, and
 * ends the guest at its next MMIO access. CPUID is an exit that KVM does not emulate: after it
 * the field is right.
 */
asm(".pushsection .text\n"
    "	.balign 16\n"
    "irq_stubs:\n"
    "	.set irq_vector, 32\n"
    "	.rept 256 - 32\n"
    "	pushq $irq_vector\n"
    "	jmp irq_entry\n"
    "	.balign 16\n"
    "	.set irq_vector, irq_vector + 1\n"
    "	.endr\n"
    "irq_again:\n"
    "	pushq %rax\n"
    "	pushq %rbx\n"
    "	pushq %rcx\n"
    "	pushq %rdx\n"
    "	xorl %eax, %eax\n"
    "	cpuid\n"
    "	popq %rdx\n"
    "	popq %rcx\n"
    "	popq %rbx\n"
    "	popq %rax\n"
    "	addq $8, %rsp\n"
    "	iretq\n"
    "irq_entry:\n"
    "	testl $0x200, 24(%rsp)\n" /* RFLAGS.IF, above the vector, RIP and CS */
    "	jz irq_again\n"
    "	pushq %rdi\n"
    "	movq 8(%rsp), %rdi\n"
    "	pushq %rax\n"
    "	pushq %rcx\n"
    "	pushq %rdx\n"
    "	pushq %rsi\n"
    "	pushq %r8\n"
    "	pushq %r9\n"
    "	pushq %r10\n"
    "	pushq %r11\n"
    "	cld\n"
    "	call irq_dispatch\n"
    "	popq %r11\n"
    "	popq %r10\n"
    "	popq %r9\n"
    "	popq %r8\n"
    "	popq %rsi\n"
    "	popq %rdx\n"
    "	popq %rcx\n"
    "	popq %rax\n"
    "	popq %rdi\n"
    "	addq $8, %rsp\n"
    "	iretq\n"
    "	.popsection\n");

static inline void lapic_eoi(void)
{
	mmio_write32(LAPIC_BASE + LAPIC_EOI, 0);
}

/* Of this vCPU; the destination of its interrupts. */
static inline uint32_t lapic_id(void)
{
	return mmio_read32(LAPIC_BASE + LAPIC_ID) >> 24;
}

static inline void irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

/* How often a vector has come, on all vCPUs. */
static inline uint32_t irq_count(unsigned int vector)
{
	return __atomic_load_n(&irq_counts[vector], __ATOMIC_ACQUIRE);
}

/* Halts until @vector has come @n times in all. Interrupts are on, before and after. */
static inline void irq_wait(unsigned int vector, uint32_t n)
{
	irq_disable();
	while (irq_count(vector) < n) {
		/* sti takes effect after the next instruction: none slips in between. */
		asm volatile("sti; hlt; cli" : : : "memory");
	}
	irq_enable();
}

/* What the stubs call. Counts when the handler has done its work. */
__attribute__((used)) static void irq_dispatch(unsigned long vector)
{
	if (irq_handlers[vector])
		irq_handlers[vector]((unsigned int)vector);
	__atomic_fetch_add(&irq_counts[vector], 1, __ATOMIC_RELEASE);
	if (vector != IRQ_SPURIOUS)
		lapic_eoi();
}

/* Call before the vector may come. NULL: it is only counted. */
static inline void irq_set_handler(unsigned int vector, void (*fn)(unsigned int vector))
{
	irq_handlers[vector] = fn;
}

/*
 * Routes an IO-APIC's pin to @vector of the vCPU whose lapic_id() is @id, active
 * high; @level: level-triggered. Vector 0 masks the pin.
 */
static inline void ioapic_route(unsigned int pin, unsigned int vector, bool level, uint32_t id)
{
	uint32_t low = vector ? vector | (level ? IOAPIC_LEVEL : 0) : IOAPIC_MASKED;

	mmio_write32(IOAPIC_BASE + IOAPIC_INDEX, IOAPIC_REDIR(pin));
	mmio_write32(IOAPIC_BASE + IOAPIC_DATA, IOAPIC_MASKED);
	mmio_write32(IOAPIC_BASE + IOAPIC_INDEX, IOAPIC_REDIR(pin) + 1);
	mmio_write32(IOAPIC_BASE + IOAPIC_DATA, id << 24);
	mmio_write32(IOAPIC_BASE + IOAPIC_INDEX, IOAPIC_REDIR(pin));
	mmio_write32(IOAPIC_BASE + IOAPIC_DATA, low);
}

static inline void irq_load_idt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(irq_idt) - 1, (uint64_t)irq_idt };

	for (unsigned int i = IRQ_FIRST; i < IRQ_VECTORS; i++) {
		uint64_t entry = (uint64_t)(irq_stubs + (i - IRQ_FIRST) * 16);

		irq_idt[i] = (struct idt_gate){
			.offset_low = (uint16_t)entry,
			.selector = IRQ_CODE_SELECTOR,
			.flags = IDT_INTERRUPT_GATE,
			.offset_mid = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
	asm volatile("lidt %0" : : "m"(idtr) : "memory");
}

/*
 * IDT and local APIC of this vCPU; the 8259s are masked. Interrupts stay off.
 * @counts: IRQ_VECTORS of them, where interrupts are counted; the same on all vCPUs.
 */
static inline void irq_init(uint32_t *counts)
{
	irq_disable();
	irq_counts = counts;
	irq_load_idt();
	outb(PIC_MASTER_MASK, 0xff);
	outb(PIC_SLAVE_MASK, 0xff);
	mmio_write32(LAPIC_BASE + LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	mmio_write32(LAPIC_BASE + LAPIC_TPR, 0);
	mmio_write32(LAPIC_BASE + LAPIC_SVR, LAPIC_SVR_ENABLE | IRQ_SPURIOUS);
}

#endif /* GUEST_IRQ_H */
