// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What the module says of its devices, under /sys/kernel/debug/lightexit. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

#define DEBUGFS "/sys/kernel/debug"

struct parse {
	struct lx_stats *s;
	unsigned int line;
	unsigned int seen; /* bits of keys[] */
	unsigned int n_regions;
};

static int parse_u64(const char *val, uint64_t *out)
{
	char *end;

	if (val[0] < '0' || val[0] > '9')
		return -EPROTO;
	errno = 0;
	*out = strtoull(val, &end, 0);
	return errno || *end ? -EPROTO : 0;
}

static int region_value(struct lx_region_stats *r, const char *key, const char *val)
{
	const struct {
		const char *key;
		uint64_t *to;
	} counters[] = {
		{ "handled", &r->handled },   { "passed", &r->passed },
		{ "errors", &r->errors },     { "string_splits", &r->string_splits },
		{ "shadowed", &r->shadowed },
	};
	uint64_t v;
	size_t i;

	if (!strcmp(key, "space")) {
		if (strcmp(val, "pio") && strcmp(val, "mmio"))
			return -EPROTO;
		r->region.space = val[0] == 'p' ? LX_SPACE_PIO : LX_SPACE_MMIO;
		return 0;
	}
	if (parse_u64(val, &v))
		return -EPROTO;
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		if (!strcmp(key, counters[i].key))
			*counters[i].to = v;
	}
	if (!strcmp(key, "addr"))
		r->region.addr = v;
	else if (!strcmp(key, "len"))
		r->region.len = v;
	else if (!strcmp(key, "flags"))
		r->region.flags = v;
	return 0;
}

/* "region 0: space=mmio addr=0xfed00000 ..." */
static int parse_region(struct parse *p, char *line)
{
	char *save, *word, *eq, *end;
	unsigned long i = strtoul(line, &end, 10);

	if (end == line || end[0] != ':' || i != p->n_regions || i >= LX_MAX_REGIONS)
		return -EPROTO;
	p->n_regions++;
	for (word = strtok_r(end + 1, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		eq = strchr(word, '=');
		if (!eq)
			return -EPROTO;
		*eq = '\0';
		if (region_value(&p->s->regions[i], word, eq + 1))
			return -EPROTO;
	}
	return p->s->regions[i].region.len ? 0 : -EPROTO;
}

enum {
	KEY_ID,
	KEY_PID,
	KEY_LINK_ID,
	KEY_EJECT,
	KEY_DETAIL,
	KEY_OVERRUNS,
	KEY_MAX_NS,
	KEY_REGIONS,
	KEY_NAME,
	KEYS
};

static const char *const keys[KEYS] = {
	[KEY_ID] = "id",
	[KEY_PID] = "pid",
	[KEY_LINK_ID] = "link_id",
	[KEY_EJECT] = "eject",
	[KEY_DETAIL] = "eject_detail",
	[KEY_OVERRUNS] = "overruns",
	[KEY_MAX_NS] = "max_ns",
	[KEY_REGIONS] = "regions",
	[KEY_NAME] = "name",
};

static int set_number(struct lx_stats *s, int key, const char *val)
{
	uint64_t v;

	if (parse_u64(val, &v) || (key != KEY_OVERRUNS && key != KEY_MAX_NS && v > UINT32_MAX))
		return -EPROTO;
	switch (key) {
	case KEY_ID:
		s->id = v;
		break;
	case KEY_PID:
		s->pid = v;
		break;
	case KEY_LINK_ID:
		s->link_id = v;
		break;
	case KEY_EJECT:
		s->eject = v;
		break;
	case KEY_DETAIL:
		s->eject_detail = v;
		break;
	case KEY_OVERRUNS:
		s->overruns = v;
		break;
	case KEY_MAX_NS:
		s->max_ns = v;
		break;
	case KEY_REGIONS:
		s->n_regions = v;
		break;
	}
	return 0;
}

static int parse_line(struct parse *p, char *line)
{
	char *val;
	int i;

	if (!strncmp(line, "region ", 7))
		return parse_region(p, line + 7);
	val = strchr(line, ':');
	if (!val)
		return -EPROTO;
	*val++ = '\0';
	val += *val == ' ';
	if (!strcmp(line, "reason")) {
		snprintf(p->s->reason, sizeof(p->s->reason), "%s", val);
		return 0;
	}
	for (i = 0; i < KEYS && strcmp(line, keys[i]); i++)
		;
	if (i == KEYS)
		return 0; /* of a later version */
	p->seen |= 1U << i;
	if (i != KEY_NAME)
		return set_number(p->s, i, val);
	snprintf(p->s->name, sizeof(p->s->name), "%s", val);
	return 0;
}

#define VERSIONS "; are module and program of different versions?"

int lx_parse_info(FILE *f, const char *path, struct lx_stats *s)
{
	struct parse p = { .s = s };
	char line[1024];
	int i;

	*s = (struct lx_stats){ .sz = sizeof(*s) };
	while (fgets(line, sizeof(line), f)) {
		p.line++;
		if (!strchr(line, '\n'))
			return lx_fail(-EPROTO, "%s, line %u: cut short: %.60s" VERSIONS, path,
				       p.line, line);
		line[strcspn(line, "\n")] = '\0';
		if (parse_line(&p, line))
			return lx_fail(-EPROTO, "%s, line %u: cannot be read at \"%.60s\"" VERSIONS,
				       path, p.line, line);
	}
	if (ferror(f) || !p.line)
		return -EIO;
	for (i = 0; i < KEYS; i++) {
		if (!(p.seen & 1U << i))
			return lx_fail(-EPROTO, "%s: no line \"%s: ...\"" VERSIONS, path, keys[i]);
	}
	if (p.n_regions != s->n_regions)
		return lx_fail(-EPROTO, "%s: %u regions announced, %u found" VERSIONS, path,
			       s->n_regions, p.n_regions);
	return 0;
}

/* Why there is no directory to read. */
static int no_debugfs(int err)
{
	char path[LX_PATH_MAX];

	if (err == -EACCES || err == -EPERM)
		return lx_fail(-EACCES, DEBUGFS "/lightexit: permission denied; run as root");
	lx_path(path, sizeof(path), "/sys/module/" LX_MODULE);
	if (err == -ENOENT && access(path, F_OK))
		return lx_fail(-ENOENT,
			       "module " LX_MODULE " is not loaded; see `lightexit doctor`");
	if (err == -ENOENT)
		return lx_fail(-ENOENT,
			       DEBUGFS "/lightexit is missing; mount -t debugfs none " DEBUGFS);
	return lx_fail(err, DEBUGFS "/lightexit: %s", strerror(-err));
}

/* -EIO: it was detached meanwhile; another error: it was said. */
static int read_device(const char *id, struct lx_stats *s)
{
	char path[LX_PATH_MAX];
	FILE *f;
	int err;

	err = lx_path(path, sizeof(path), DEBUGFS "/lightexit/%s/info", id);
	if (err)
		return lx_fail(err, "%s: name too long", path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -EIO : lx_fail(-errno, "%s: %s", path, strerror(errno));
	err = lx_parse_info(f, path, s);
	fclose(f);
	return err;
}

static int is_device(const struct dirent *d)
{
	return d->d_name[0] >= '0' && d->d_name[0] <= '9';
}

static int by_id(const struct dirent **a, const struct dirent **b)
{
	unsigned long x = strtoul((*a)->d_name, NULL, 10), y = strtoul((*b)->d_name, NULL, 10);

	return (x > y) - (x < y);
}

typedef int (*device_fn)(const struct lx_stats *s, void *ctx);

int lx_for_each_device(device_fn fn, void *ctx)
{
	struct dirent **d = NULL;
	char path[LX_PATH_MAX];
	struct lx_stats s;
	int i, n, err;

	if (!fn)
		return lx_fail(-EINVAL, "lx_for_each_device: no function");
	err = lx_path(path, sizeof(path), DEBUGFS "/lightexit");
	if (err)
		return err;
	n = scandir(path, &d, is_device, by_id);
	if (n < 0)
		return no_debugfs(-errno);
	for (i = 0; i < n && !err; i++) {
		err = read_device(d[i]->d_name, &s);
		if (err == -EIO)
			err = 0;
		else if (!err)
			err = fn(&s, ctx);
	}
	while (n--)
		free(d[n]);
	free(d);
	return err;
}

struct wanted {
	__u32 link_id;
	struct lx_stats *to;
};

static int take(const struct lx_stats *s, void *ctx)
{
	struct wanted *w = ctx;
	size_t sz = w->to->sz;

	if (s->link_id != w->link_id)
		return 0;
	memcpy(w->to, s, sz < sizeof(*s) ? sz : sizeof(*s));
	w->to->sz = sz;
	return 1;
}

/* What had happened before the device was restored. */
static void add_saved(struct lx_stats *s, const struct lx_stats *saved)
{
	uint32_t i, n = s->n_regions < saved->n_regions ? s->n_regions : saved->n_regions;

	s->overruns += saved->overruns;
	if (s->max_ns < saved->max_ns)
		s->max_ns = saved->max_ns;
	for (i = 0; i < n; i++) {
		s->regions[i].handled += saved->regions[i].handled;
		s->regions[i].passed += saved->regions[i].passed;
		s->regions[i].errors += saved->regions[i].errors;
		s->regions[i].string_splits += saved->regions[i].string_splits;
	}
}

int lx_device_stats(const struct lx_device *dev, struct lx_stats *s)
{
	struct wanted w = { .to = s };
	__u64 id;
	int err;

	if (!dev || !s || s->sz < sizeof(*s))
		return lx_fail(-EINVAL,
			       "lx_device_stats: no device, or sz is not sizeof(struct lx_stats)");
	if (dev->link_fd < 0)
		return lx_fail(-ENOTCONN, "%s is not attached", dev->name);
	err = lx_fdinfo(dev->link_fd, "link_id", &id);
	if (err)
		return lx_fail(err, "link fd %d: %s", dev->link_fd, strerror(-err));
	w.link_id = id;
	err = lx_for_each_device(take, &w);
	if (err < 0)
		return err == -ENOENT ? -EACCES : err;
	if (!err)
		return lx_fail(-ENOTCONN, "%s: link %u is no longer attached", dev->name,
			       w.link_id);
	add_saved(s, &dev->saved);
	return 0;
}
