/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The files that `lightexit new` writes, as strings. */
	.section .rodata, "a"

.macro template symbol, file
	.globl \symbol
	.hidden \symbol
	.type \symbol, @object
\symbol:
	.incbin "\file"
	.byte 0
	.size \symbol, . - \symbol
.endm

	template template_header, "templates/lxname.h"
	template template_model, "templates/lxname_model.h"
	template template_program, "templates/lxname.bpf.c"
	template template_test, "templates/test_lxname.c"
	template template_makefile, "templates/Makefile"

	.section .note.GNU-stack, "", @progbits
