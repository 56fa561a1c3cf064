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
#define LX_MAX_OTHERS 8 /* programs of an object that are not ops */
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
	__u32 nr_eventfds, eventfds, handover_fd, kick_fd; /* 0: an older module has none */
	__u32 max_eventfds;
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
	unsigned int n_links;
	struct bpf_link *links[LX_MAX_OTHERS]; /* of its other programs, while it is attached */
};

/* A read-only memory slot over pages of the state. */
struct lx_mirror {
	int vm_fd; /* its own */
	__u32 slot;
};

#define LX_MAX_MIRRORS 8

struct lx_device {
	struct lx_object o;
	char name[LX_NAME_LEN];
	struct lx_region regions[LX_MAX_REGIONS];
	unsigned int nr_regions;
	struct lx_eventfds eventfds; /* its own fds */
	int state_fd, link_fd;	     /* -1: none */
	void *state;		     /* NULL before load */
	size_t state_size;
	struct lx_stats saved; /* counters from before the last lx_device_restore() */
	struct lx_mirror mirrors[LX_MAX_MIRRORS];
	unsigned int nr_mirrors;
};

/* What one attach, move or replace brings. */
struct lx_request {
	int vm_fd;
	__u32 flags;
	const struct lx_region *regions;
	unsigned int nr_regions;
	const struct lx_eventfds *eventfds; /* NULL: the device keeps what it has */
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
/* Where the object of a program's name is, or the path that it is. @dir: NULL: the installed one */
int lx_object_path(const char *name, const char *dir, char *path, size_t size);
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

/* opts.c */
/* Copies a caller's struct that begins with its sz; @from NULL: zeros. @to has our sz. */
int lx_copy_opts(void *to, size_t size, const void *from, const char *name);

/* eventfds.c */
void lx_eventfds_close(struct lx_eventfds *e);

/* object.c */
/* Whether a name ends within @size bytes, and is one for a device. */
bool lx_is_name(const char *name, size_t size);
/*
 * Opens the file, finds ops and state map in it, fills in name and regions. @remedy ends what is
 * said if there is no such file.
 */
int lx_object_open(struct lx_device *dev, const char *path, const char *remedy);
void lx_object_close(struct lx_object *o);
/* Attaches the programs that are not ops, to what their sections name; before the device. */
int lx_object_attach_others(struct lx_object *o);
/* After the device. */
void lx_object_detach_others(struct lx_object *o);
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
/* Bytes of a state's mapping. */
size_t lx_map_len(size_t size);
/* lx_lock() for at most so long; false: somebody else still has it. */
bool lx_lock_for(struct lx_state *st, unsigned int ms);
/* The time by an enum lx_clock; @vm_fd: where KVM_GET_CLOCK is asked, or -1. */
int lx_read_clock(__u32 clock, int vm_fd, __u64 *ns);

/* save.c */
/* How a state is saved or restored. */
struct lx_save_req {
	const char *name;
	__u32 size;		      /* the state has to have it; 0: any */
	unsigned int lock_ms;	      /* how long to wait for the lock; 0: for ever */
	__u64 clock_ns;		      /* the state's clock, but */
	bool read_clock;	      /* read it here, with the lock held, */
	int vm_fd;		      /* by this VM's fd or -1 */
	const struct lx_stats *stats; /* counters to save; NULL: none */
};

/* As lx_state_save() and lx_state_restore(); -EBUSY after lock_ms. @stats: counters, or NULL. */
ssize_t lx_save(struct lx_state *st, const struct lx_save_req *req, void *buf, size_t size);
int lx_restore(struct lx_state *st, const struct lx_save_req *req, const void *buf, size_t size,
	       struct lx_stats *stats);

/* mirror.c */
void lx_mirrors_close(struct lx_device *dev);

/* errors.c */
/* Says what an errno of attach means; returns it. */
int lx_explain(int err, const char *step, const struct lx_request *req);
/* Says why the kernel did not load an object; returns @err. */
int lx_explain_load(int err, const char *path, const char *kernel_log);

/* probe.c */
/* As lx_probe(), for lx_device_load(): says what is missing, -ENOENT if it is switched off. */
int lx_probe_load(void);

/* stats.c */
/* Parses a device's info file, @path. -EIO: it is gone; -EPROTO, with a message: it is none. */
int lx_parse_info(FILE *f, const char *path, struct lx_stats *s);

#endif /* LIGHTEXIT_INTERNAL_H */
