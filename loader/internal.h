/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of liblightexit share, and the command and the tests with them. */
#ifndef LIGHTEXIT_INTERNAL_H
#define LIGHTEXIT_INTERNAL_H

#include <stdarg.h>
#include <stdio.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <lightexit/lightexit.h>

#define LX_MODULE "lightexit"
#define LX_OPS_TYPE "lightexit_ops"
#define LX_MAX_OPS 16
#define LX_PATH_MAX 512

/*
 * What an attach writes into a fresh struct_ops map, but for what differs from
 * one attach to the next: the offsets say where that goes. Follows the layout
 * of the loaded module, not of this build.
 */
struct lx_template {
	int btf_fd;	     /* the module's BTF; -1: no template yet */
	__u32 value_type_id; /* struct bpf_struct_ops_lightexit_ops in it */
	__u32 size;	     /* of the value */
	unsigned char *value;
	__u32 vm_fd, flags, nr_regions, regions, name; /* offsets in @value */
	__u32 max_regions;
	unsigned int nr_ops;
	struct {
		__u32 off;
		const struct bpf_program *prog;
	} ops[LX_MAX_OPS];
};

/* An opened object: the part of a device that lx_device_replace() exchanges. */
struct lx_object {
	struct bpf_object *obj; /* NULL: the device was made from fds */
	struct bpf_map *ops_map;
	struct bpf_map *state_map;
	char *kernel_log;
	bool load_tried; /* libbpf loads an object once */
	struct lx_template tmpl;
};

struct lx_device {
	struct lx_object o;
	char name[LX_NAME_LEN];
	struct lx_region regions[LX_MAX_REGIONS];
	unsigned int nr_regions;
	int state_fd, link_fd; /* -1: none */
	void *state;	       /* NULL before load */
	size_t state_size;
};

/* What one attach, move or replace brings. */
struct lx_request {
	int vm_fd;
	__u32 flags;
	const struct lx_region *regions;
	unsigned int nr_regions;
	const char *name;
};

/* log.c */
void lx_logf(enum lx_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Logs a warning; returns @err. */
int lx_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Between the two libbpf's messages go to LX_LOG_DEBUG; one thread at a time. */
void lx_libbpf_begin(void);
void lx_libbpf_end(void);
/* libbpf's first warning since this thread's lx_libbpf_begin(); "" if none. */
const char *lx_libbpf_said(void);

/* paths.c */
/* In front of every /sys, /proc, /dev and /lib path; "" but in tests. */
extern const char *lx_root;
int lx_path(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* First line of a file under lx_root, without its newline; or -errno. */
int lx_read_line(const char *path, char *buf, size_t size);
/* A number of /proc/self/fdinfo/@fd; -ENOENT if it has no such key. */
int lx_fdinfo(int fd, const char *key, __u64 *val);

/* regions.c */
/* @return 0, or what the kernel would say, having said why */
int lx_check_regions(const struct lx_region *r, unsigned int n);
int lx_check_vm_fd(int vm_fd);
/* "mmio 0xfed00000+0x400" */
const char *lx_region_str(const struct lx_region *r, char *buf, size_t size);
const char *lx_space_str(__u32 space);

/* object.c */
/* Opens the file, finds ops and state map in it, fills in name and regions. */
int lx_object_open(struct lx_device *dev, const char *path);
void lx_object_close(struct lx_object *o);
/* Has the object use an existing map as its state. */
int lx_object_reuse_state(struct lx_device *dev, int fd);

/* template.c */
struct lx_member {
	__u32 off, size;
	bool is_ptr;
};

int lx_btf_member(const struct btf *btf, const struct btf_type *t, const char *name,
		  struct lx_member *m);
/* The module's BTF as an fd; -ENOENT if it has none. */
int lx_module_btf_fd(__u32 *id);
/* Before load: follows the module's layout. */
int lx_template_init(struct lx_template *t, const struct lx_object *o);
/* After load: fills in the programs. */
int lx_template_bind(struct lx_template *t);
/* A struct_ops map, filled in and ready for a link: its fd, or -errno. */
int lx_template_map(const struct lx_object *o, const struct lx_request *req);
void lx_template_free(struct lx_template *t);

/* state.c */
int lx_state_open(struct lx_device *dev);
void lx_state_close(struct lx_device *dev);

/* errors.c */
/* Says what an errno of attach means; returns it. */
int lx_explain(int err, const char *step, const struct lx_request *req);
/* Says why the kernel did not load an object; returns @err. */
int lx_explain_load(int err, const char *path, const char *kernel_log);

/* probe.c */
/* As lx_probe(), for lx_device_load(): says what is missing, -ENOENT if it is switched off. */
int lx_probe_load(void);

/* stats.c */
/* Parses a device's info file. -EIO: it is gone; -EPROTO, with a message: it is none. */
int lx_parse_info(FILE *f, struct lx_stats *s);

#endif /* LIGHTEXIT_INTERNAL_H */
