/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A flat guest as data of the program: guest_NAME to guest_NAME_end. */
	.section .rodata, "a"
	.balign	16
	.globl	GUEST_SYM
GUEST_SYM:
	.incbin	GUEST_BIN
	.globl	GUEST_END
GUEST_END:
	.section .note.GNU-stack, "", @progbits
