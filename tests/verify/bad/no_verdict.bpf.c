// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R0 !read_ok
/* A program that returns without a verdict */
#include "verify.bpf.h"

SEC("struct_ops/verify_read")
__attribute__((naked)) int verify_read(void)
{
#ifdef OK
	asm volatile("r0 = 1;");
#endif
	asm volatile("exit;");
}

READER;
