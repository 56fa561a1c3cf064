// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The value of a struct_ops map, laid out as the loaded module wants it.
 *
 * libbpf makes one struct_ops map per object, and the kernel never lets a map's
 * value change. A device that attaches again, moves or changes its programs
 * needs a map each time: so they are made here, from one loaded object, with
 * no further verification.
 *
 * Members are matched by name, as libbpf does, between the object's BTF and the
 * module's. A member that the module does not know must be zero.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

#define VALUE_TYPE "bpf_struct_ops_" LX_OPS_TYPE

/* The two BTFs, while a template is made. */
struct layouts {
	const struct btf *obj, *mod;
	const struct btf_type *obj_ops, *mod_ops;
	const unsigned char *data; /* in the object's layout */
	__u32 data_off;		   /* of struct lightexit_ops in the value */
};

static const struct btf_type *skip_mods(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

int lx_btf_member(const struct btf *btf, const struct btf_type *t, const char *name,
		  struct lx_member *m)
{
	const struct btf_member *bm;
	__s64 size;
	__u32 i;

	if (!t || !btf_is_struct(t))
		return -ENOENT;
	bm = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++, bm++) {
		if (strcmp(btf__name_by_offset(btf, bm->name_off), name))
			continue;
		size = btf__resolve_size(btf, bm->type);
		if (size < 0 || btf_member_bitfield_size(t, i))
			return -EINVAL;
		m->off = btf_member_bit_offset(t, i) / 8;
		m->size = size;
		m->is_ptr = btf_is_ptr(skip_mods(btf, bm->type));
		return 0;
	}
	return -ENOENT;
}

static int btf_is_module(int fd, bool *yes)
{
	struct bpf_btf_info info = { 0 };
	__u32 len = sizeof(info);
	char name[64] = "";
	int err;

	info.name = (__u64)(unsigned long)name;
	info.name_len = sizeof(name);
	err = bpf_btf_get_info_by_fd(fd, &info, &len);
	*yes = !err && info.kernel_btf && !strcmp(name, LX_MODULE);
	return err;
}

int lx_module_btf_fd(__u32 *id)
{
	int fd, err;
	bool yes;

	for (*id = 0;;) {
		err = bpf_btf_get_next_id(*id, id);
		if (err)
			return err; /* -ENOENT after the last */
		fd = bpf_btf_get_fd_by_id(*id);
		if (fd == -ENOENT)
			continue; /* went away meanwhile */
		if (fd < 0)
			return fd;
		err = btf_is_module(fd, &yes);
		if (!err && yes)
			return fd;
		close(fd);
		if (err)
			return err;
	}
}

/* struct bpf_struct_ops_lightexit_ops { struct bpf_struct_ops_common_value; data; } */
static int find_types(struct lx_template *t, struct layouts *l)
{
	const struct btf_type *vt;
	struct lx_member data;
	__s32 id;

	id = btf__find_by_name_kind(l->mod, VALUE_TYPE, BTF_KIND_STRUCT);
	if (id < 0)
		return lx_fail(-EOPNOTSUPP,
			       "module " LX_MODULE ": its BTF has no struct " VALUE_TYPE);
	vt = btf__type_by_id(l->mod, id);
	t->value_type_id = id;
	t->size = vt->size;

	id = btf__find_by_name_kind(l->mod, LX_OPS_TYPE, BTF_KIND_STRUCT);
	if (id < 0 || lx_btf_member(l->mod, vt, "data", &data))
		return lx_fail(-EOPNOTSUPP,
			       "module " LX_MODULE ": its BTF has no struct " LX_OPS_TYPE);
	l->mod_ops = btf__type_by_id(l->mod, id);
	l->data_off = data.off;
	if (data.off > t->size || l->mod_ops->size > t->size - data.off)
		return lx_fail(-EOPNOTSUPP, "module " LX_MODULE ": its BTF's struct " VALUE_TYPE
					    " is smaller than what is in it");
	return 0;
}

static int find_slot(const struct layouts *l, const char *name, __u32 size, __u32 *off)
{
	struct lx_member m;

	if (lx_btf_member(l->mod, l->mod_ops, name, &m) || m.size != size)
		return lx_fail(-EOPNOTSUPP,
			       "module " LX_MODULE ": its struct " LX_OPS_TYPE
			       " has no member %s of %u bytes; install the module of version %s",
			       name, size, lx_version());
	*off = l->data_off + m.off;
	return 0;
}

static __u32 find_fd(const struct layouts *l, const char *name)
{
	struct lx_member m;

	if (lx_btf_member(l->mod, l->mod_ops, name, &m) || m.size != sizeof(__s32))
		return 0;
	return l->data_off + m.off;
}

/* Members that came later. A module without them takes devices without eventfds. */
static void find_eventfds(struct lx_template *t, const struct layouts *l)
{
	struct lx_member m;

	t->nr_eventfds = find_fd(l, "nr_eventfds");
	t->handover_fd = find_fd(l, "handover_fd");
	t->kick_fd = find_fd(l, "kick_fd");
	if (!lx_btf_member(l->mod, l->mod_ops, "eventfds", &m) && !(m.size % sizeof(__s32))) {
		t->eventfds = l->data_off + m.off;
		t->max_eventfds = m.size / sizeof(__s32);
	}
}

static int find_slots(struct lx_template *t, const struct layouts *l)
{
	struct lx_member m;
	int err;

	if (lx_btf_member(l->mod, l->mod_ops, "regions", &m) || !m.size ||
	    m.size % sizeof(struct lx_region))
		return lx_fail(-EOPNOTSUPP,
			       "module " LX_MODULE ": its struct " LX_OPS_TYPE
			       " has no regions of this version; install the module of version %s",
			       lx_version());
	t->regions = l->data_off + m.off;
	t->max_regions = m.size / sizeof(struct lx_region);
	err = find_slot(l, "vm_fd", sizeof(__s32), &t->vm_fd);
	err = err ?: find_slot(l, "flags", sizeof(__u32), &t->flags);
	err = err ?: find_slot(l, "nr_regions", sizeof(__u32), &t->nr_regions);
	err = err ?: find_slot(l, "name", LX_NAME_LEN, &t->name);
	find_eventfds(t, l);
	return err;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return !n;
}

static int copy_op(struct lx_template *t, __u32 off, const unsigned char *src, const char *name)
{
	const struct bpf_program *prog;

	memcpy(&prog, src, sizeof(prog));
	if (!prog)
		return 0;
	if (t->nr_ops == LX_MAX_OPS)
		return lx_fail(-E2BIG, "op %s: more than %d ops", name, LX_MAX_OPS);
	t->ops[t->nr_ops].off = off;
	t->ops[t->nr_ops++].prog = prog;
	return 0;
}

static int copy_member(struct lx_template *t, const struct layouts *l, const char *name)
{
	struct lx_member from, to;
	int err;

	err = lx_btf_member(l->obj, l->obj_ops, name, &from);
	if (err)
		return lx_fail(err, "struct " LX_OPS_TYPE ": member %s has no size", name);
	err = lx_btf_member(l->mod, l->mod_ops, name, &to);
	if (err) {
		if (all_zero(l->data + from.off, from.size))
			return 0;
		return lx_fail(-EOPNOTSUPP,
			       "struct " LX_OPS_TYPE ": the loaded module does not know the "
			       "member %s, which this program uses; install a newer module",
			       name);
	}
	if (from.is_ptr != to.is_ptr || from.size != to.size)
		return lx_fail(-EOPNOTSUPP,
			       "struct " LX_OPS_TYPE ": member %s has %u bytes in the program, "
			       "%u in the loaded module; compile the program for that module",
			       name, from.size, to.size);
	if (to.is_ptr)
		return copy_op(t, l->data_off + to.off, l->data + from.off, name);
	memcpy(t->value + l->data_off + to.off, l->data + from.off, from.size);
	return 0;
}

static int fill(struct lx_template *t, struct layouts *l)
{
	const struct btf_member *m;
	int err;
	__u32 i;

	err = find_types(t, l);
	err = err ?: find_slots(t, l);
	if (err)
		return err;
	t->value = calloc(1, t->size);
	if (!t->value)
		return -ENOMEM;
	m = btf_members(l->obj_ops);
	for (i = 0; !err && i < btf_vlen(l->obj_ops); i++, m++)
		err = copy_member(t, l, btf__name_by_offset(l->obj, m->name_off));
	return err;
}

int lx_template_init(struct lx_template *t, const struct lx_object *o)
{
	struct layouts l = { .obj = bpf_object__btf(o->obj) };
	struct btf *vmlinux, *mod = NULL;
	__u32 id;
	int err;

	t->btf_fd = lx_module_btf_fd(&id);
	if (t->btf_fd == -ENOENT)
		return lx_fail(-ENOENT,
			       "module " LX_MODULE " has no BTF; rebuild it where pahole and "
			       "/sys/kernel/btf/vmlinux are");
	if (t->btf_fd < 0)
		return lx_fail(t->btf_fd, "cannot look for the BTF of module " LX_MODULE ": %s",
			       strerror(-t->btf_fd));
	l.obj_ops = btf__type_by_id(l.obj, bpf_map__btf_value_type_id(o->ops_map));
	l.data = bpf_map__initial_value(o->ops_map, &(size_t){ 0 });
	lx_libbpf_begin();
	vmlinux = btf__load_vmlinux_btf();
	err = vmlinux ? 0 : -errno;
	if (!err) {
		mod = btf__load_from_kernel_by_id_split(id, vmlinux);
		err = mod ? 0 : -errno;
	}
	lx_libbpf_end();
	if (err)
		lx_fail(err, "cannot read the BTF of module " LX_MODULE ": %s", strerror(-err));
	l.mod = mod;
	err = err ?: fill(t, &l);
	btf__free(mod);
	btf__free(vmlinux);
	return err;
}

int lx_template_bind(struct lx_template *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_ops; i++) {
		/* The kernel reads an unsigned long there, and 0 as "no op". */
		long fd = bpf_program__fd(t->ops[i].prog);

		if (fd <= 0)
			return lx_fail(-EINVAL, "program %s was not loaded",
				       bpf_program__name(t->ops[i].prog));
		memcpy(t->value + t->ops[i].off, &fd, sizeof(fd));
	}
	return 0;
}

static int put_fd(unsigned char *value, __u32 off, const char *name, __s32 fd)
{
	fd = fd > 0 ? fd : 0;
	if (fd && !off)
		return lx_fail(-EOPNOTSUPP,
			       "module " LX_MODULE ": its struct " LX_OPS_TYPE
			       " has no member %s; install the module of version %s, or do without",
			       name, lx_version());
	if (off)
		memcpy(value + off, &fd, sizeof(fd));
	return 0;
}

/* Nothing of the object's own, whose fds are nobody's: in a move or replace all are 0. */
static int put_eventfds(const struct lx_template *t, const struct lx_eventfds *e,
			unsigned char *value)
{
	static const struct lx_eventfds none = { .sz = sizeof(none) };
	unsigned int i;
	int err;

	e = e ?: &none;
	if (t->eventfds)
		memset(value + t->eventfds, 0, t->max_eventfds * sizeof(__s32));
	err = put_fd(value, t->nr_eventfds, "nr_eventfds", e->n);
	for (i = 0; i < e->n && !err; i++)
		err = put_fd(value, i < t->max_eventfds ? t->eventfds + i * sizeof(__s32) : 0,
			     "eventfds", e->slots[i]);
	err = err ?: put_fd(value, t->handover_fd, "handover_fd", e->handover_fd);
	return err ?: put_fd(value, t->kick_fd, "kick_fd", e->kick_fd);
}

static int patch(const struct lx_template *t, const struct lx_request *req, unsigned char *value)
{
	__s32 vm_fd = req->vm_fd;
	__u32 n = req->nr_regions;

	if (n > t->max_regions)
		return lx_fail(-EINVAL, "%u regions; the loaded module takes %u", n,
			       t->max_regions);
	memcpy(value, t->value, t->size);
	memcpy(value + t->vm_fd, &vm_fd, sizeof(vm_fd));
	memcpy(value + t->flags, &req->flags, sizeof(req->flags));
	memcpy(value + t->nr_regions, &n, sizeof(n));
	memset(value + t->regions, 0, t->max_regions * sizeof(struct lx_region));
	memcpy(value + t->regions, req->regions, n * sizeof(struct lx_region));
	memcpy(value + t->name, req->name, LX_NAME_LEN);
	return put_eventfds(t, req->eventfds, value);
}

int lx_template_map(const struct lx_object *o, const struct lx_request *req)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	const struct lx_template *t = &o->tmpl;
	unsigned char *value = malloc(t->size);
	__u32 zero = 0;
	int fd, err;

	if (!value)
		return -ENOMEM;
	err = patch(t, req, value);
	if (err)
		goto free_value;
	/* The kernel asks for the object's own BTF too, though it does not use it. */
	opts.btf_fd = bpf_object__btf_fd(o->obj);
	opts.btf_vmlinux_value_type_id = t->value_type_id;
	opts.value_type_btf_obj_fd = t->btf_fd;
	opts.map_flags = BPF_F_LINK | BPF_F_VTYPE_BTF_OBJ_FD;
	fd = bpf_map_create(BPF_MAP_TYPE_STRUCT_OPS, bpf_map__name(o->ops_map), sizeof(zero),
			    t->size, 1, &opts);
	if (fd < 0) {
		err = lx_explain(fd, "creating the struct_ops map", req);
		goto free_value;
	}
	err = bpf_map_update_elem(fd, &zero, value, 0);
	if (err) {
		err = lx_explain(err, "filling the struct_ops map", req);
		close(fd);
	}
free_value:
	free(value);
	return err ?: fd;
}

void lx_template_free(struct lx_template *t)
{
	if (t->btf_fd >= 0)
		close(t->btf_fd);
	free(t->value);
	*t = (struct lx_template){ .btf_fd = -1 };
}
