/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The command's JSON. Members are only ever added. */
#ifndef LIGHTEXIT_JSON_H
#define LIGHTEXIT_JSON_H

#include <jansson.h>

#include "cmd.h"

json_t *json_checks(const struct lx_probe *p, int result);
json_t *json_stats(const struct lx_stats *s);
json_t *json_device(const struct lx_stats *s, const struct bpf_view *v, const char *comm);
/* Prints one value and a newline; takes its reference. */
int json_print(json_t *value, size_t flags);
/* "live", "ejected", "vm-gone" */
const char *device_state(const struct lx_stats *s);

#endif /* LIGHTEXIT_JSON_H */
