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
/*
 * A string of what may hold anything, a process's name, say: each byte that is not of UTF-8, and
 * each control character, is U+FFFD. jansson makes no string of the former.
 */
json_t *json_text(const char *s);
/* Room for all of a text of @len bytes. */
#define PLAIN_SIZE(len) (3 * (size_t)(len) + 1)
/* The same for a terminal: @buf, of @size > 0 bytes, with as many whole characters as have room. */
const char *plain_text(const char *s, char *buf, size_t size);
/* "live", "ejected", "vm-gone" */
const char *device_state(const struct lx_stats *s);

#endif /* LIGHTEXIT_JSON_H */
