// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// EXPECT: R[0-9] (invalid mem access 'scalar'|cannot write into rdonly_untrusted_mem)
/* A write through io->owner */
#include "verify.bpf.h"

WRITE_OP
{
	__u64 *owner = (__u64 *)io->owner;

	if (!owner)
		return LX_PASS;
#ifdef OK
	io->data = 1;
#else
	*owner = 1;
#endif
	return LX_PASS;
}

DEVICE(.write = (void *)verify_write);
