// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The command's JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The bytes of the character at @s; 0: it is none of UTF-8. */
static size_t character(const char *s)
{
	json_t *t = NULL;
	size_t n;

	for (n = 1; n <= 4 && s[n - 1]; n++) {
		t = json_stringn(s, n);
		if (t)
			break;
	}
	json_decref(t);
	return t ? n : 0;
}

/* C0, DEL, C1 */
static bool is_control(const char *s)
{
	unsigned char c = s[0];

	return c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

const char *plain_text(const char *s, char *buf, size_t size)
{
	size_t n = 0, in, out;
	const char *c;

	for (; *s; s += in ?: 1, n += out) {
		in = character(s);
		c = in && !is_control(s) ? s : REPLACEMENT;
		out = c == s ? in : strlen(REPLACEMENT);
		if (out >= size - n)
			break;
		memcpy(buf + n, c, out);
	}
	buf[n] = '\0';
	return buf;
}

json_t *json_text(const char *s)
{
	size_t size = PLAIN_SIZE(strlen(s));
	char *buf = malloc(size);
	json_t *t = buf ? json_string(plain_text(s, buf, size)) : NULL;

	free(buf);
	return t;
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

const char *device_state(const struct lx_stats *s)
{
	if (!s->pid)
		return "vm-gone";
	return s->eject ? "ejected" : "live";
}

json_t *json_checks(const struct lx_probe *p, int result)
{
	json_t *checks = json_array(), *c;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		c = json_pack("{s:s, s:b, s:o}", "name", p->checks[i].name, "ok",
			      (int)p->checks[i].ok, "detail", json_text(p->checks[i].detail));
		if (!p->checks[i].ok)
			json_object_set_new(c, "remedy", json_text(p->checks[i].remedy));
		json_array_append_new(checks, c);
	}
	return json_pack("{s:b, s:i, s:o}", "usable", result == 0, "errno", -result, "checks",
			 checks);
}

static json_t *region(const struct lx_region *r)
{
	return json_pack("{s:s, s:o, s:o, s:b, s:b}", "space",
			 r->space == LX_SPACE_PIO ? "pio" : "mmio", "addr", number(r->addr), "len",
			 number(r->len), "overlay", (int)!!(r->flags & LX_REGION_OVERLAY),
			 "strings", (int)!!(r->flags & LX_REGION_STRINGS));
}

static json_t *identity(const struct lx_stats *s)
{
	return json_pack("{s:o, s:s, s:i, s:o, s:s, s:o, s:o, s:s}", "id", number(s->id), "name",
			 s->name, "pid", (int)s->pid, "link_id", number(s->link_id), "state",
			 device_state(s), "eject", number(s->eject), "eject_detail",
			 number(s->eject_detail), "reason", s->reason);
}

json_t *json_stats(const struct lx_stats *s)
{
	json_t *dev = identity(s), *regions = json_array(), *r;
	unsigned int i;

	json_object_set_new(dev, "overruns", number(s->overruns));
	json_object_set_new(dev, "max_ns", number(s->max_ns));
	for (i = 0; i < s->n_regions; i++) {
		const struct lx_region_stats *rs = &s->regions[i];

		r = region(&rs->region);
		json_object_set_new(r, "handled", number(rs->handled));
		json_object_set_new(r, "passed", number(rs->passed));
		json_object_set_new(r, "errors", number(rs->errors));
		json_object_set_new(r, "string_splits", number(rs->string_splits));
		json_object_set_new(r, "shadowed", number(rs->shadowed));
		json_array_append_new(regions, r);
	}
	json_object_set_new(dev, "regions", regions);
	return dev;
}

json_t *json_device(const struct lx_stats *s, const struct bpf_view *v, const char *comm)
{
	json_t *dev = identity(s), *regions = json_array(), *progs = json_array(), *r;
	unsigned int i;

	json_object_set_new(dev, "comm", json_text(comm));
	json_object_set_new(dev, "map_id", v->map_id ? number(v->map_id) : json_null());
	json_object_set_new(dev, "state_map_id",
			    v->state_map_id ? number(v->state_map_id) : json_null());
	json_object_set_new(dev, "state_map",
			    v->state_map_id ? json_string(v->state_map) : json_null());
	for (i = 0; i < v->n_progs; i++)
		json_array_append_new(progs, number(v->progs[i]));
	json_object_set_new(dev, "prog_ids", progs);
	for (i = 0; i < s->n_regions; i++) {
		r = region(&s->regions[i].region);
		json_object_set_new(r, "shadowed", number(s->regions[i].shadowed));
		json_array_append_new(regions, r);
	}
	json_object_set_new(dev, "regions", regions);
	return dev;
}

int json_print(json_t *value, size_t flags)
{
	bool ok = value && !json_dumpf(value, stdout, flags);

	json_decref(value);
	if (ok)
		putchar('\n');
	if (flush_output() != RC_OK)
		return RC_FAILED;
	return ok ? RC_OK : complain("no JSON: out of memory, or a text is not UTF-8");
}
