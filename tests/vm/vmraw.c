// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Devices made with bpf(2) alone; see vmraw.h. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <criterion/criterion.h>
#include <lightexit/dev/pmtimer.h>
#include <lightexit/state.h>

#include "../../loader/internal.h"
#include "vmraw.h"
#include "vmtest.h"

/* The map's value: struct bpf_struct_ops_lightexit_ops of the module's BTF. */
static struct {
	int btf_fd;
	struct btf *own; /* the kernel asks for a BTF of the map's creator too */
	__u32 type_id;
	__u32 size;
	__u32 off; /* of struct lightexit_ops in it */
} raw;

struct lightexit_ops vmr_ops(int vm_fd)
{
	return (struct lightexit_ops){
		.sz = sizeof(struct lightexit_ops),
		.vm_fd = vm_fd,
		.nr_regions = 1,
		.regions = { { .addr = PMTIMER_PORT, .len = PMTIMER_LEN, .space = LX_SPACE_PIO } },
		.name = "raw",
	};
}

static void find_types(__u32 btf_id)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	struct btf *mod = btf__load_from_kernel_by_id_split(btf_id, vmlinux);
	struct lx_member data;
	__s32 id;

	cr_assert_not_null(mod);
	id = btf__find_by_name_kind(mod, "bpf_struct_ops_lightexit_ops", BTF_KIND_STRUCT);
	cr_assert_gt(id, 0);
	cr_assert_eq(lx_btf_member(mod, btf__type_by_id(mod, id), "data", &data), 0);
	cr_assert_eq(data.size, sizeof(struct lightexit_ops), "the module is another version's");
	raw.type_id = id;
	raw.size = btf__type_by_id(mod, id)->size;
	raw.off = data.off;
	btf__free(mod);
	btf__free(vmlinux);
}

void vmr_init(void)
{
	__u32 id;

	raw.btf_fd = lx_module_btf_fd(&id);
	cr_assert_geq(raw.btf_fd, 0, "BTF of the module: %d", raw.btf_fd);
	find_types(id);
	raw.own = btf__new_empty();
	cr_assert_gt(btf__add_int(raw.own, "int", 4, BTF_INT_SIGNED), 0);
	cr_assert_eq(btf__load_into_kernel(raw.own), 0);
}

void vmr_exit(void)
{
	close(raw.btf_fd);
	btf__free(raw.own);
}

static size_t page_align(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void vmr_load(struct vmr_prog *prog, const char *name, size_t size)
{
	char path[256];
	int err;

	snprintf(path, sizeof(path), "%s/%s.bpf.o", vmt_test_bpf_dir(), name);
	prog->obj = bpf_object__open_file(path, NULL);
	cr_assert_not_null(prog->obj, "%s: %m", path);
	err = bpf_object__load(prog->obj);
	cr_assert_eq(err, 0, "load %s: %d", path, err);
	snprintf(path, sizeof(path), "%s_state", name);
	prog->state_fd = bpf_object__find_map_fd_by_name(prog->obj, path);
	cr_assert_geq(prog->state_fd, 0, "no map %s", path);
	prog->state =
		mmap(NULL, page_align(size), PROT_READ | PROT_WRITE, MAP_SHARED, prog->state_fd, 0);
	cr_assert_neq(prog->state, MAP_FAILED, "%s: %m", path);
	lx_state_init(prog->state, (__u32)size);
}

void vmr_unload(struct vmr_prog *prog)
{
	struct lx_state *st = prog->state;

	if (st)
		munmap(st, page_align(st->size));
	bpf_object__close(prog->obj);
	*prog = (struct vmr_prog){ .state_fd = -1 };
}

/* The kernel takes a program's fd where the op's address would be, 0 for no op. */
static void *op_of(const struct vmr_prog *prog, const char *op)
{
	struct bpf_program *p;
	const char *name;

	bpf_object__for_each_program(p, prog->obj) {
		name = bpf_program__name(p);
		if (strlen(name) > strlen(op) && !strcmp(name + strlen(name) - strlen(op), op))
			return (void *)(unsigned long)bpf_program__fd(p);
	}
	return NULL;
}

void vmr_set_ops(struct lightexit_ops *ops, const struct vmr_prog *prog)
{
	ops->read = op_of(prog, "_read");
	ops->write = op_of(prog, "_write");
	ops->timer = op_of(prog, "_timer");
}

int vmr_map(const struct lightexit_ops *ops, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = btf__fd(raw.own),
		    .btf_vmlinux_value_type_id = raw.type_id, .value_type_btf_obj_fd = raw.btf_fd,
		    .map_flags = BPF_F_VTYPE_BTF_OBJ_FD | flags);
	unsigned char value[4096] = { 0 };
	int fd, err;

	if (raw.size > sizeof(value))
		return -E2BIG;
	memcpy(value + raw.off, ops, sizeof(*ops));
	fd = bpf_map_create(BPF_MAP_TYPE_STRUCT_OPS, "raw", sizeof(__u32), raw.size, 1, &opts);
	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(fd, &(__u32){ 0 }, value, 0);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int vmr_link(int map_fd)
{
	return bpf_link_create(map_fd, 0, BPF_STRUCT_OPS, NULL);
}

int vmr_attach(const struct lightexit_ops *ops)
{
	int map = vmr_map(ops, BPF_F_LINK), link;

	if (map < 0)
		return map;
	link = vmr_link(map);
	close(map);
	return link;
}

int vmr_update(int link_fd, const struct lightexit_ops *ops)
{
	int map = vmr_map(ops, BPF_F_LINK), err;

	if (map < 0)
		return map;
	err = bpf_link_update(link_fd, map, NULL);
	close(map);
	return err;
}
