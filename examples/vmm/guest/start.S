/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A guest's first instructions, and the two functions that gcc may call. */
	.section .text.start, "ax"
	.globl	guest_start
guest_start:
	/* rdi: vCPU, rsi: parameters; rsp as after a call */
	subq	$8, %rsp
	cld
	call	guest_main
	outl	%eax, $0xf4
	/* VMM_EXIT_PORT does not return */
	ud2

	.text
	.globl	memcpy
memcpy:
	movq	%rdi, %rax
	movq	%rdx, %rcx
	rep movsb
	ret

	.globl	memset
memset:
	movq	%rdi, %r8
	movl	%esi, %eax
	movq	%rdx, %rcx
	rep stosb
	movq	%r8, %rax
	ret

	.section .note.GNU-stack, "", @progbits
