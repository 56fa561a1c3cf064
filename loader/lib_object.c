// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A device program's object file: its ops, its state map, what they say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

/*
 * libbpf asks for the verifier's log only after a refusal, and a log that does
 * not fit turns the errno into -ENOSPC. Memory is used up to the log's end only.
 */
#define KERNEL_LOG_SIZE (16U << 20)

struct found {
	struct bpf_map *map;
	unsigned int n;
	char others[256];
};

static void note(char *buf, size_t size, const char *name, const char *type)
{
	size_t n = strlen(buf);

	snprintf(buf + n, size - n, "%s%s (%s)", n ? ", " : "", name, type);
}

static const char *struct_ops_type(const struct bpf_map *map, const struct btf *btf)
{
	const struct btf_type *t = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));

	return t ? btf__name_by_offset(btf, t->name_off) : "?";
}

static bool is_ops_type(const char *name)
{
	size_t n = strlen(LX_OPS_TYPE);

	return !strncmp(name, LX_OPS_TYPE, n) && (!name[n] || !strncmp(name + n, "___", 3));
}

static bool is_state(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY && bpf_map__max_entries(map) == 1 &&
	       (bpf_map__map_flags(map) & BPF_F_MMAPABLE) && bpf_map__name(map)[0] != '.' &&
	       !strchr(bpf_map__name(map), '.');
}

static void look_at(const struct bpf_object *obj, struct found *ops, struct found *state)
{
	const struct btf *btf = bpf_object__btf(obj);
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map), *type;

		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS) {
			type = struct_ops_type(map, btf);
			note(ops->others, sizeof(ops->others), name, type);
			if (is_ops_type(type) && ops->n++ == 0)
				ops->map = map;
		} else {
			note(state->others, sizeof(state->others), name,
			     libbpf_bpf_map_type_str(bpf_map__type(map)) ?: "?");
			if (is_state(map) && state->n++ == 0)
				state->map = map;
		}
	}
}

static int find_maps(struct lx_object *o, const char *path)
{
	struct found ops = { 0 }, state = { 0 };

	look_at(o->obj, &ops, &state);
	if (ops.n != 1)
		return lx_fail(-EINVAL,
			       "%s: not a device program: it has %u struct_ops of type " LX_OPS_TYPE
			       " instead of one; struct_ops in it: %s",
			       path, ops.n, ops.others[0] ? ops.others : "none");
	if (state.n != 1)
		return lx_fail(-EINVAL,
			       "%s: not a device program: %u maps could be its state instead of "
			       "one (an array of 1 entry with BPF_F_MMAPABLE); maps in it: %s",
			       path, state.n, state.others[0] ? state.others : "none");
	if (bpf_map__value_size(state.map) < sizeof(struct lx_state))
		return lx_fail(-EINVAL,
			       "%s: state map %s has %u bytes; struct lx_state alone has %zu", path,
			       bpf_map__name(state.map), bpf_map__value_size(state.map),
			       sizeof(struct lx_state));
	o->ops_map = ops.map;
	o->state_map = state.map;
	return 0;
}

/* A member of the object's own struct lightexit_ops, which may be another version's. */
static const void *ops_member(const struct lx_object *o, const char *name, __u32 *size)
{
	const struct btf *btf = bpf_object__btf(o->obj);
	const unsigned char *data;
	struct lx_member m;
	size_t len;

	data = bpf_map__initial_value(o->ops_map, &len);
	if (lx_btf_member(btf, btf__type_by_id(btf, bpf_map__btf_value_type_id(o->ops_map)), name,
			  &m))
		return NULL;
	if (!data || m.off + m.size > len)
		return NULL;
	*size = m.size;
	return data + m.off;
}

bool lx_is_name(const char *name, size_t size)
{
	size_t i;

	for (i = 0; i < size && name[i] > ' ' && name[i] < 0x7f && name[i] != '/'; i++)
		;
	return i && i < size && !name[i];
}

static int read_name(struct lx_device *dev, const char *path)
{
	const char *name;
	__u32 size;

	name = ops_member(&dev->o, "name", &size);
	if (!name || size > sizeof(dev->name))
		return lx_fail(-EINVAL, "%s: its struct lightexit_ops has no name of %zu bytes",
			       path, sizeof(dev->name));
	if (!lx_is_name(name, size))
		return lx_fail(-EINVAL,
			       "%s: its name \"%.*s\" is not 1 to %u printable characters without "
			       "spaces and slashes",
			       path, (int)size, name, size - 1);
	memcpy(dev->name, name, size);
	return 0;
}

static int read_regions(struct lx_device *dev, const char *path)
{
	const void *regions;
	const __u32 *nr;
	__u32 size;

	nr = ops_member(&dev->o, "nr_regions", &size);
	if (!nr || size != sizeof(*nr))
		return lx_fail(-EINVAL, "%s: its struct lightexit_ops has no 32-bit nr_regions",
			       path);
	regions = ops_member(&dev->o, "regions", &size);
	if (!regions || size % sizeof(struct lx_region))
		return lx_fail(-EINVAL,
			       "%s: its struct lightexit_ops has no regions of this version", path);
	if (*nr > LX_MAX_REGIONS || *nr > size / sizeof(struct lx_region))
		return lx_fail(-EINVAL, "%s: it has %u regions; a device has 1 to %d", path, *nr,
			       LX_MAX_REGIONS);
	memcpy(dev->regions, regions, *nr * sizeof(struct lx_region));
	dev->nr_regions = *nr;
	return 0;
}

static int open_file(struct lx_object *o, const char *path, const char *remedy)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	int err;

	o->kernel_log = malloc(KERNEL_LOG_SIZE);
	if (!o->kernel_log)
		return -ENOMEM;
	o->kernel_log[0] = '\0';
	opts.kernel_log_buf = o->kernel_log;
	opts.kernel_log_size = KERNEL_LOG_SIZE;

	lx_libbpf_begin();
	o->obj = bpf_object__open_file(path, &opts);
	err = o->obj ? 0 : -errno;
	lx_libbpf_end();
	if (!err)
		return 0;
	if (err == -ENOENT)
		return lx_fail(err, "%s: %s%s", path, strerror(-err), remedy);
	if (err == -EACCES || err == -ENOMEM)
		return lx_fail(err, "%s: %s", path, strerror(-err));
	return lx_fail(-EINVAL, "%s: not a BPF object: %s", path,
		       lx_libbpf_said()[0] ? lx_libbpf_said() : "libbpf cannot open it");
}

int lx_object_open(struct lx_device *dev, const char *path, const char *remedy)
{
	int err = open_file(&dev->o, path, remedy);

	if (!err && !bpf_object__btf(dev->o.obj))
		err = lx_fail(-EINVAL,
			      "%s: not a device program: it has no BTF; compile with clang -g",
			      path);
	err = err ?: find_maps(&dev->o, path);
	err = err ?: read_name(dev, path);
	err = err ?: read_regions(dev, path);
	if (err)
		return err;
	dev->state_size = bpf_map__value_size(dev->o.state_map);
	return 0;
}

int lx_object_reuse_state(struct lx_device *dev, int fd)
{
	struct bpf_map *map = dev->o.state_map;
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int err;

	err = bpf_map_get_info_by_fd(fd, &info, &len);
	if (err)
		return lx_fail(err, "state fd %d: not a BPF map: %s", fd, strerror(-err));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.max_entries != 1 ||
	    info.value_size != bpf_map__value_size(map) || !(info.map_flags & BPF_F_MMAPABLE))
		return lx_fail(-EINVAL,
			       "state fd %d: map %s (type %u, %u entries of %u bytes, flags 0x%x) "
			       "is no state for %s: that is one mappable entry of %u bytes",
			       fd, info.name, info.type, info.max_entries, info.value_size,
			       info.map_flags, bpf_map__name(map), bpf_map__value_size(map));
	lx_libbpf_begin();
	err = bpf_map__reuse_fd(map, fd);
	lx_libbpf_end();
	return err ? lx_fail(err, "state fd %d: %s", fd, strerror(-err)) : 0;
}

static int attach_other(struct lx_object *o, const struct bpf_program *prog)
{
	struct bpf_link *link;
	int err;

	if (o->n_links == LX_MAX_OTHERS)
		return lx_fail(-E2BIG, "%s: more than %d programs that are not ops",
			       bpf_object__name(o->obj), LX_MAX_OTHERS);
	lx_libbpf_begin();
	link = bpf_program__attach(prog);
	err = link ? 0 : -errno;
	lx_libbpf_end();
	if (err)
		return lx_fail(err, "%s: cannot attach program %s (%s): %s",
			       bpf_object__name(o->obj), bpf_program__name(prog),
			       bpf_program__section_name(prog), strerror(-err));
	o->links[o->n_links++] = link;
	return 0;
}

int lx_object_attach_others(struct lx_object *o)
{
	struct bpf_program *prog;
	int err = 0;

	bpf_object__for_each_program(prog, o->obj) {
		if (bpf_program__type(prog) != BPF_PROG_TYPE_STRUCT_OPS)
			err = attach_other(o, prog);
		if (err)
			break;
	}
	if (err)
		lx_object_detach_others(o);
	return err;
}

void lx_object_detach_others(struct lx_object *o)
{
	while (o->n_links)
		bpf_link__destroy(o->links[--o->n_links]);
}

void lx_object_close(struct lx_object *o)
{
	lx_object_detach_others(o);
	lx_template_free(&o->tmpl);
	bpf_object__close(o->obj);
	free(o->kernel_log);
}
