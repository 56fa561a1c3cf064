// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Structs of callers that were compiled with another version: they begin with their size. */
#include <errno.h>
#include <string.h>

#include "internal.h"

int lx_copy_opts(void *to, size_t size, const void *from, const char *name)
{
	const unsigned char *p = from;
	size_t sz, i;

	memset(to, 0, size);
	if (!from) {
		memcpy(to, &size, sizeof(size));
		return 0;
	}
	memcpy(&sz, from, sizeof(sz));
	if (sz < sizeof(sz))
		return lx_fail(-EINVAL, "%s.sz is %zu; set it to sizeof(struct %s)", name, sz,
			       name);
	for (i = size; i < sz; i++) {
		if (p[i])
			return lx_fail(-E2BIG,
				       "%s: byte %zu is set, which version %s does not know", name,
				       i, lx_version());
	}
	memcpy(to, from, sz < size ? sz : size);
	memcpy(to, &size, sizeof(size));
	return 0;
}
