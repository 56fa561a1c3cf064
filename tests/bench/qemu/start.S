/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* First instructions under QEMU: the boot CPU's by rom.S, the other's by SIPI; to 64-bit mode. */
#define TRAMPOLINE 0x8000

	.section .text.start, "ax"
	.code32
	.globl	bench_start
bench_start:
	cli
	cld
	/* Intel SDM 3A, 5.5: 4 GiB in pages of 2 MiB, each at its own address */
	movl	$directories, %edi
	movl	$0x83, %eax
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$pointers, %edi
	movl	$directories + 3, %eax
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	2b
	movl	$pointers + 3, level4
	movl	$ap_start, %esi
	movl	$TRAMPOLINE, %edi
	movl	$ap_end - ap_start, %ecx
	rep movsb
	lgdt	gdtr
	xorl	%ebp, %ebp
	ljmp	$8, $protected

/* ebp: number of the vCPU */
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	/* Intel SDM 3A, 10.8.5: PAE, page tables, EFER.LME, paging */
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	$level4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax
	movl	%eax, %cr0
	ljmp	$24, $long_mode
	.code64
long_mode:
	movl	%ebp, %edi
	shll	$12, %ebp
	leaq	stacks + 0x1000(%rbp), %rsp
	call	bench_vcpu
3:	hlt
	jmp	3b

	.code16
ap_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (ap_gdtr - ap_start)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movl	$1, %ebp
	ljmpl	$8, $protected
ap_gdtr:
	.word	31
	.long	gdt
ap_end:

	.data
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdtr:
	.word	31
	.long	gdt

	.bss
	.balign	4096
level4:
	.skip	0x1000
pointers:
	.skip	0x1000
directories:
	.skip	0x4000
stacks:
	.skip	0x2000
	.section .note.GNU-stack, "", @progbits
