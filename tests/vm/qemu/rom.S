/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The torture guest's firmware, 64 KiB below 1 MiB: goes to protected mode, copies
 * the guest to 1 MiB, places the PM timer as firmware does, and jumps.
 */
#define GUEST 0x100000
#define ROM 0xf0000
#define PCI(dev, fn, reg) (0x80000000 | (dev) << 11 | (fn) << 8 | (reg))

	.macro	pci_write addr, val
	movl	$\addr, %eax
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movl	$\val, %eax
	movw	$0xcfc, %dx
	outl	%eax, %dx
	.endm

	.section .text, "ax"
	.globl	payload
payload:
	.incbin	TORTURE_BIN

	.org	0xf000
	.code16
rom16:
	cli
	cld
	lgdtl	%cs:gdtr - payload
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $rom32
	.code32
rom32:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$ROM, %esi
	movl	$GUEST, %edi
	movl	$0xf000, %ecx
	rep movsb
	/* ICH9, 13.1.13 and 13.1.14: PMBASE, ACPI_CNTL; PIIX4, 7.1.11 and 7.1.26 */
	pci_write PCI(31, 0, 0x40), 0x601
	pci_write PCI(31, 0, 0x44), 0x80
	pci_write PCI(1, 3, 0x40), 0xb001
	pci_write PCI(1, 3, 0x80), 1
	movl	$GUEST, %eax
	jmp	*%eax

	.balign	8
/* The accessed bits are set, as the ROM cannot take them. */
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word	23
	.long	gdt

	.org	0xfff0
	.code16
	ljmp	$0xf000, $0xf000
	.org	0x10000
	.section .note.GNU-stack, "", @progbits
