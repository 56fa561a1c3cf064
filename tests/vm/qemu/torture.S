/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The torture guest's first instructions: the boot CPU's by rom.S, the others' by SIPI. */
#define TRAMPOLINE 0x8000

	.section .text.start, "ax"
	.code32
	.globl	torture_start
torture_start:
	cli
	cld
	lgdt	gdtr
	ljmp	$8, $1f
1:	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$stacks + 0x1000, %esp
	movl	$ap_start, %esi
	movl	$TRAMPOLINE, %edi
	movl	$ap_end - ap_start, %ecx
	rep movsb
	call	torture_boot
2:	hlt
	jmp	2b

ap_protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$1, %eax
	lock xaddl %eax, next_vcpu
	movl	%eax, %edx
	shll	$12, %edx
	leal	stacks + 0x1000(%edx), %esp
	pushl	%eax
	call	torture_vcpu
3:	hlt
	jmp	3b

	.code16
ap_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (ap_gdtr - ap_start)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $ap_protected
ap_gdtr:
	.word	23
	.long	gdt
ap_end:

	.data
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word	23
	.long	gdt
next_vcpu:
	.long	1

	.bss
	.balign	4096
stacks:
	.skip	0x4000
	.section .note.GNU-stack, "", @progbits
