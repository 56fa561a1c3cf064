// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Makes of the command one whose /sys and /dev are those under $LX_ROOT. */
#include <stdlib.h>

#include "../../loader/internal.h"

__attribute__((constructor)) static void set_root(void)
{
	lx_root = getenv("LX_ROOT") ?: "";
}
