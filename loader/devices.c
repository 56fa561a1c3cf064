// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The devices of this host, as the commands that show them want them. */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"

static int collect(const struct lx_stats *s, void *ctx)
{
	struct devices *d = ctx;
	struct lx_stats *v = reallocarray(d->v, d->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	d->v = v;
	d->v[d->n++] = *s;
	return 0;
}

int devices_read(struct devices *d)
{
	int err;

	*d = (struct devices){ 0 };
	err = lx_for_each_device(collect, d);
	if (err)
		devices_free(d);
	return err;
}

void devices_free(struct devices *d)
{
	free(d->v);
	*d = (struct devices){ 0 };
}

const struct lx_stats *devices_find(const struct devices *d, uint32_t id)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		if (d->v[i].id == id)
			return &d->v[i];
	}
	return NULL;
}
