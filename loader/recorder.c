// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Loads and attaches the recording program; see recorder.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cmd.h"
#include "internal.h"
#include "recorder.h"

#define RECORDER_PROGS 8

struct recorder {
	struct bpf_object *obj;
	struct bpf_map *filter, *events;
	struct ring_buffer *ring;
	struct bpf_link *links[RECORDER_PROGS];
	unsigned int n_links;
	void (*event)(void *ctx, const struct record_event *e);
	void *ctx;
};

static int on_event(void *ctx, void *data, size_t size)
{
	struct recorder *r = ctx;

	if (size >= sizeof(struct record_event))
		r->event(r->ctx, data);
	return 0;
}

/* A ring buffer's size is a power of two, and pages. */
static uint32_t round_up(uint32_t bytes)
{
	uint32_t size = sysconf(_SC_PAGESIZE);

	while (size < bytes)
		size *= 2;
	return size;
}

/* @err is libbpf's, of which strerror() knows not all. */
static const char *why(int err)
{
	return lx_libbpf_said()[0] ? lx_libbpf_said() : strerror(err);
}

static int open_file(struct recorder *r, const char *path)
{
	r->obj = bpf_object__open_file(path, NULL);
	if (r->obj)
		return RC_OK;
	if (errno == ENOENT || errno == EACCES || errno == ENOMEM)
		return complain("%s: %s", path, strerror(errno));
	return complain("%s: not a BPF object: %s", path, why(errno));
}

static int find_maps(struct recorder *r, const char *path)
{
	r->filter = bpf_object__find_map_by_name(r->obj, "record_filter");
	r->events = bpf_object__find_map_by_name(r->obj, "record_events");
	if (!r->filter || bpf_map__value_size(r->filter) != sizeof(struct record_filter) ||
	    !r->events || bpf_map__type(r->events) != BPF_MAP_TYPE_RINGBUF)
		return complain("%s is not the recording program of this version; make install",
				path);
	return RC_OK;
}

static int load(struct recorder *r, const char *path, uint32_t bytes)
{
	int err;

	bpf_map__set_max_entries(r->events, round_up(bytes));
	err = bpf_object__load(r->obj);
	if (err)
		return complain(
			"%s was not loaded: %s%s", path, why(-err),
			err == -EPERM ? "; that needs CAP_BPF and CAP_PERFMON, run as root" : "");
	r->ring = ring_buffer__new(bpf_map__fd(r->events), on_event, r, NULL);
	return r->ring ? RC_OK : complain("no ring buffer: %s", why(errno));
}

static int set_filter(struct recorder *r, const struct record_filter *filter)
{
	int err = bpf_map__update_elem(r->filter, &(__u32){ 0 }, sizeof(__u32), filter,
				       sizeof(*filter), BPF_ANY);

	return err ? complain("the recording program's filter: %s", why(-err)) : RC_OK;
}

static int attach(struct recorder *r)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, r->obj) {
		struct bpf_link *link = NULL;

		errno = E2BIG;
		if (r->n_links < RECORDER_PROGS)
			link = bpf_program__attach(prog);
		if (!link)
			return complain(
				"%s was not attached: %s; this kernel's KVM may have no such tracepoint",
				bpf_program__section_name(prog), why(errno));
		r->links[r->n_links++] = link;
	}
	return RC_OK;
}

int recorder_start(const struct record_filter *filter, uint32_t bytes,
		   void (*event)(void *ctx, const struct record_event *e), void *ctx,
		   struct recorder **out)
{
	struct recorder *r = calloc(1, sizeof(*r));
	char path[LX_PATH_MAX];
	int rc;

	if (!r)
		return complain("out of memory");
	r->event = event;
	r->ctx = ctx;
	lx_libbpf_begin();
	rc = lx_object_path("record", NULL, path, sizeof(path)) ? RC_FAILED : open_file(r, path);
	rc = rc ?: find_maps(r, path) ?: load(r, path, bytes);
	rc = rc ?: set_filter(r, filter) ?: attach(r);
	lx_libbpf_end();
	if (rc != RC_OK)
		recorder_free(r);
	else
		*out = r;
	return rc;
}

void recorder_take(struct recorder *r)
{
	ring_buffer__consume(r->ring);
}

void recorder_stop(struct recorder *r)
{
	while (r->n_links)
		bpf_link__destroy(r->links[--r->n_links]);
}

uint64_t recorder_lost(const struct recorder *r)
{
	struct record_filter f = { 0 };

	bpf_map__lookup_elem(r->filter, &(__u32){ 0 }, sizeof(__u32), &f, sizeof(f), 0);
	return f.lost;
}

void recorder_free(struct recorder *r)
{
	recorder_stop(r);
	ring_buffer__free(r->ring);
	bpf_object__close(r->obj);
	free(r);
}
