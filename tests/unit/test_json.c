// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `lightexit list --json`, `stats --json` and `doctor --json` print, read back. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../loader/json.c"
#include "complaint.h"

static const struct lx_stats hpet = {
	.sz = sizeof(hpet),
	.id = 3,
	.link_id = 17,
	.pid = 123,
	.n_regions = 2,
	.max_ns = 1234,
	.overruns = 5,
	.name = "hp\"et\\",
	.regions = {
		{ .region = { .addr = 0xfed00000, .len = 0x400, .space = LX_SPACE_MMIO,
			      .flags = LX_REGION_OVERLAY },
		  .handled = 1000000000000,
		  .passed = 2,
		  .errors = 3,
		  .string_splits = 4,
		  .shadowed = 6 },
		{ .region = { .addr = 0x608, .len = 4, .space = LX_SPACE_PIO,
			      .flags = LX_REGION_STRINGS } },
	},
};

/* Through text and back, as a program that reads it would. */
static json_t *reread(json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));
	json_error_t err;
	json_t *back;

	cr_assert(text);
	back = json_loads(text, JSON_REJECT_DUPLICATES, &err);
	cr_assert(back, "%s in %s", err.text, text);
	free(text);
	json_decref(value);
	return back;
}

static json_int_t num(json_t *o, const char *key)
{
	cr_assert(json_is_integer(json_object_get(o, key)), "%s is no number", key);
	return json_integer_value(json_object_get(o, key));
}

static const char *str(json_t *o, const char *key)
{
	cr_assert(json_is_string(json_object_get(o, key)), "%s is no string", key);
	return json_string_value(json_object_get(o, key));
}

Test(json, stats)
{
	json_t *dev = reread(json_stats(&hpet)), *r;

	cr_assert(num(dev, "id") == 3 && num(dev, "link_id") == 17 && num(dev, "pid") == 123);
	cr_assert(num(dev, "max_ns") == 1234 && num(dev, "overruns") == 5);
	cr_assert_str_eq(str(dev, "name"), "hp\"et\\");
	cr_assert_str_eq(str(dev, "state"), "live");
	cr_assert_eq(json_array_size(json_object_get(dev, "regions")), 2);
	r = json_array_get(json_object_get(dev, "regions"), 0);
	cr_assert_str_eq(str(r, "space"), "mmio");
	cr_assert(num(r, "addr") == 0xfed00000 && num(r, "len") == 0x400);
	cr_assert(json_is_true(json_object_get(r, "overlay")));
	cr_assert(json_is_false(json_object_get(r, "strings")));
	cr_assert(num(r, "handled") == 1000000000000 && num(r, "passed") == 2 &&
		  num(r, "errors") == 3);
	cr_assert(num(r, "string_splits") == 4 && num(r, "shadowed") == 6);
	r = json_array_get(json_object_get(dev, "regions"), 1);
	cr_assert_str_eq(str(r, "space"), "pio");
	cr_assert(json_is_false(json_object_get(r, "overlay")));
	cr_assert(json_is_true(json_object_get(r, "strings")));
	json_decref(dev);
}

Test(json, list_with_bpf_objects)
{
	struct bpf_view v = {
		.map_id = 8,
		.state_map_id = 9,
		.state_map = "hpet_state",
		.n_progs = 2,
		.progs = { 40, 41 },
	};
	json_t *dev = reread(json_device(&hpet, &v, "qemu"));
	json_t *progs = json_object_get(dev, "prog_ids");

	cr_assert_str_eq(str(dev, "comm"), "qemu");
	cr_assert_str_eq(str(dev, "state_map"), "hpet_state");
	cr_assert(num(dev, "map_id") == 8 && num(dev, "state_map_id") == 9);
	cr_assert_eq(json_array_size(progs), 2);
	cr_assert_eq(json_integer_value(json_array_get(progs, 1)), 41);
	cr_assert_eq(num(json_array_get(json_object_get(dev, "regions"), 0), "shadowed"), 6);
	json_decref(dev);
}

Test(json, list_without_privileges)
{
	struct bpf_view v = { 0 };
	json_t *dev = reread(json_device(&hpet, &v, ""));

	cr_assert(json_is_null(json_object_get(dev, "map_id")));
	cr_assert(json_is_null(json_object_get(dev, "state_map")));
	cr_assert_eq(json_array_size(json_object_get(dev, "prog_ids")), 0);
	json_decref(dev);
}

Test(json, states)
{
	struct lx_stats s = hpet;
	json_t *dev;

	s.eject = LX_EJECT_PROGRAM;
	s.eject_detail = 7;
	strcpy(s.reason, "the program asked for it, code 7");
	dev = reread(json_stats(&s));
	cr_assert_str_eq(str(dev, "state"), "ejected");
	cr_assert_str_eq(str(dev, "reason"), s.reason);
	cr_assert(num(dev, "eject") == LX_EJECT_PROGRAM && num(dev, "eject_detail") == 7);
	json_decref(dev);
	s.pid = 0;
	cr_assert_str_eq(device_state(&s), "vm-gone");
}

Test(json, doctor)
{
	struct lx_probe p = {
		.n = 2,
		.checks = { { .name = "kernel", .ok = true, .detail = "Linux" },
			    { .name = "module",
			      .detail = "not loaded",
			      .remedy = "modprobe lightexit" } },
	};
	json_t *o = reread(json_checks(&p, -2)), *checks = json_object_get(o, "checks");

	cr_assert(json_is_false(json_object_get(o, "usable")));
	cr_assert_eq(num(o, "errno"), 2);
	cr_assert_eq(json_array_size(checks), 2);
	cr_assert_null(json_object_get(json_array_get(checks, 0), "remedy"));
	cr_assert_str_eq(str(json_array_get(checks, 1), "remedy"), "modprobe lightexit");
	cr_assert(json_is_false(json_object_get(json_array_get(checks, 1), "ok")));
	json_decref(o);
}

Test(json, a_line_for_programs)
{
	char path[] = "/tmp/lx_json.XXXXXX", text[4096];
	int fd = mkstemp(path);
	json_error_t err;
	json_t *back;
	size_t n;
	FILE *f;

	cr_assert_geq(fd, 0);
	close(fd);
	f = freopen(path, "w", stdout);
	cr_assert(f);
	cr_assert_eq(json_print(json_stats(&hpet), JSON_COMPACT), RC_OK);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	unlink(path);
	cr_assert_eq(strchr(text, '\n'), text + n - 1, "one line");
	back = json_loads(text, 0, &err);
	cr_assert(back, "%s", err.text);
	json_decref(back);
}

/* Text, and what becomes of it: by Unicode 16, 3.9, table 3-7 (well-formed sequences). */
static const char *const texts[][2] = {
	{ "", "" },
	{ "qemu-system-x86", "qemu-system-x86" },
	{ "\x7e caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xc2\xa0",
	  "\x7e caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xc2\xa0" },
	{ "vm\xff", "vm\uFFFD" },
	{ "\x80g\xbf", "\uFFFDg\uFFFD" },
	/* cut short: at the end, and before another character */
	{ "v\xe2\x82", "v\uFFFD\uFFFD" },
	{ "\xf0\x9f\x98v", "\uFFFD\uFFFD\uFFFDv" },
	/* too long, a surrogate, beyond U+10FFFF */
	{ "\xc0\xaf", "\uFFFD\uFFFD" },
	{ "\xe0\x80\xaf", "\uFFFD\uFFFD\uFFFD" },
	{ "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD" },
	{ "\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD" },
	/* control characters: C0, DEL, C1 */
	{ "\033[2J\n\x01\x1f\x7f", "\uFFFD[2J\uFFFD\uFFFD\uFFFD\uFFFD" },
	{ "\xc2\x80\xc2\x9bm", "\uFFFD\uFFFDm" },
};

/* Proves: any bytes make a string that JSON takes and a terminal does not obey. */
Test(json, text_of_any_bytes)
{
	char buf[64];
	json_t *t;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		t = reread(json_pack("{s:o}", "text", json_text(texts[i][0])));
		cr_expect_str_eq(str(t, "text"), texts[i][1], "%zu: '%s'", i, str(t, "text"));
		json_decref(t);
		plain_text(texts[i][0], buf, sizeof(buf));
		cr_expect_str_eq(buf, texts[i][1], "%zu: '%s'", i, buf);
	}
}

/* Proves: what has no room is left out by whole characters. */
Test(json, text_of_a_size)
{
	static const char *const cut[] = { "", "v", "v", "v", "v\uFFFD", "v\uFFFDw", "v\uFFFDw" };
	char buf[8];
	size_t size;

	for (size = 1; size <= sizeof(cut) / sizeof(cut[0]); size++) {
		memset(buf, '!', sizeof(buf));
		cr_expect_str_eq(plain_text("v\xffw", buf, size), cut[size - 1], "%zu bytes: '%s'",
				 size, buf);
		cr_expect_eq(buf[size], '!', "written behind %zu bytes", size);
	}
}
