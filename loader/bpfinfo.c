// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * From a device's link to its struct_ops map, its programs and its state map.
 * The kernel names the programs nowhere but in the map's value, by id, where
 * the module's type has its functions. Needs CAP_SYS_ADMIN.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "cmd.h"
#include "internal.h"

/* The module's types; read once. */
static struct {
	bool tried;
	struct btf *vmlinux, *mod;
	const struct btf_type *ops;
	__u32 data_off;
} types;

static bool find_types(void)
{
	struct lx_member data;
	__s32 value, ops;
	__u32 id;
	int fd;

	if (types.tried)
		return types.ops;
	types.tried = true;
	fd = lx_module_btf_fd(&id);
	if (fd < 0)
		return false;
	close(fd);
	types.vmlinux = btf__load_vmlinux_btf();
	types.mod = types.vmlinux ? btf__load_from_kernel_by_id_split(id, types.vmlinux) : NULL;
	if (!types.mod)
		return false;
	value = btf__find_by_name_kind(types.mod, "bpf_struct_ops_" LX_OPS_TYPE, BTF_KIND_STRUCT);
	ops = btf__find_by_name_kind(types.mod, LX_OPS_TYPE, BTF_KIND_STRUCT);
	if (value < 0 || ops < 0 ||
	    lx_btf_member(types.mod, btf__type_by_id(types.mod, value), "data", &data))
		return false;
	types.data_off = data.off;
	types.ops = btf__type_by_id(types.mod, ops);
	return true;
}

static bool map_info(__u32 id, struct bpf_map_info *info)
{
	__u32 len = sizeof(*info);
	int fd = bpf_map_get_fd_by_id(id), err;

	if (fd < 0)
		return false;
	memset(info, 0, sizeof(*info));
	err = bpf_map_get_info_by_fd(fd, info, &len);
	close(fd);
	return !err;
}

static void find_state(struct bpf_view *v, __u32 prog_id)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info), ids[64], i;
	struct bpf_map_info map;
	int fd, err;

	fd = bpf_prog_get_fd_by_id(prog_id);
	if (fd < 0)
		return;
	info.nr_map_ids = sizeof(ids) / sizeof(ids[0]);
	info.map_ids = (__u64)(unsigned long)ids;
	err = bpf_prog_get_info_by_fd(fd, &info, &len);
	close(fd);
	for (i = 0; !err && i < info.nr_map_ids && i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (!map_info(ids[i], &map) || map.type != BPF_MAP_TYPE_ARRAY ||
		    map.max_entries != 1 || !(map.map_flags & BPF_F_MMAPABLE) ||
		    strchr(map.name, '.'))
			continue;
		v->state_map_id = map.id;
		memcpy(v->state_map, map.name, sizeof(v->state_map));
	}
}

static void find_progs(struct bpf_view *v, const unsigned char *ops)
{
	const struct btf_member *m = btf_members(types.ops);
	struct lx_member at;
	unsigned long id;
	__u32 i;

	for (i = 0; i < btf_vlen(types.ops); i++, m++) {
		if (lx_btf_member(types.mod, types.ops, btf__name_by_offset(types.mod, m->name_off),
				  &at) ||
		    !at.is_ptr || v->n_progs == VIEW_MAX)
			continue;
		memcpy(&id, ops + at.off, sizeof(id));
		if (id)
			v->progs[v->n_progs++] = id;
	}
}

static void look_into(struct bpf_view *v)
{
	struct bpf_map_info info;
	unsigned char *value;
	__u32 zero = 0;
	int fd;

	if (!find_types() || !map_info(v->map_id, &info) ||
	    info.value_size < types.data_off + types.ops->size)
		return;
	fd = bpf_map_get_fd_by_id(v->map_id);
	value = malloc(info.value_size);
	if (fd >= 0 && value && !bpf_map_lookup_elem(fd, &zero, value))
		find_progs(v, value + types.data_off);
	free(value);
	if (fd >= 0)
		close(fd);
}

void bpf_view_get(uint32_t link_id, struct bpf_view *v)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info), i;
	int fd, err;

	*v = (struct bpf_view){ 0 };
	fd = bpf_link_get_fd_by_id(link_id);
	if (fd < 0)
		return;
	err = bpf_link_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (err || info.type != BPF_LINK_TYPE_STRUCT_OPS)
		return;
	v->map_id = info.struct_ops.map_id;
	look_into(v);
	for (i = 0; i < v->n_progs; i++)
		find_state(v, v->progs[i]);
}

const char *bpf_errstr(int err)
{
	switch (-err) {
	case EPERM:
		return "not permitted; run as root";
	case ENOENT:
		return "the device was detached meanwhile";
	default:
		return strerror(-err);
	}
}
