// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A state as bytes that any host takes, and back. saved.h has the format. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <zlib.h>

#include <lightexit/saved.h>

#include "internal.h"

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "struct lx_saved is written as it lies in memory");

static void put_counters(struct lx_saved *h, const struct lx_stats *s)
{
	__u32 i;

	if (!s)
		return;
	h->n_regions = s->n_regions;
	h->overruns = s->overruns;
	h->max_ns = s->max_ns;
	for (i = 0; i < s->n_regions; i++)
		h->regions[i] = (struct lx_saved_region){
			.handled = s->regions[i].handled,
			.passed = s->regions[i].passed,
			.errors = s->regions[i].errors,
			.string_splits = s->regions[i].string_splits,
		};
}

static void get_counters(struct lx_stats *s, const struct lx_saved *h)
{
	__u32 i;

	*s = (struct lx_stats){ .sz = sizeof(*s) };
	s->n_regions = h->n_regions;
	s->overruns = h->overruns;
	s->max_ns = h->max_ns;
	for (i = 0; i < h->n_regions; i++) {
		s->regions[i].handled = h->regions[i].handled;
		s->regions[i].passed = h->regions[i].passed;
		s->regions[i].errors = h->regions[i].errors;
		s->regions[i].string_splits = h->regions[i].string_splits;
	}
}

static __u32 checksum(const struct lx_saved *head, const void *rest)
{
	struct lx_saved h = *head;
	uLong crc;

	h.crc = 0;
	crc = crc32(crc32(0, NULL, 0), (const Bytef *)&h, sizeof(h));
	return crc32(crc, rest, head->size - sizeof(h));
}

/* The state, as both directions want it: its size is read once, as others may write there. */
static int check_state(const struct lx_state *st, const struct lx_save_req *req, const char *what,
		       __u32 *size)
{
	if (!st || !req->name)
		return lx_fail(-EINVAL, "%s a state: state or name is missing", what);
	if (!lx_is_name(req->name, LX_NAME_LEN))
		return lx_fail(-EINVAL,
			       "%s a state: its name \"%s\" is not 1 to %d printable characters "
			       "without spaces and slashes",
			       what, req->name, LX_NAME_LEN - 1);
	*size = __atomic_load_n(&st->size, __ATOMIC_RELAXED);
	if (st->magic != LX_STATE_MAGIC || (st->abi & ~LX_STATE_FROZEN) != LX_STATE_ABI ||
	    *size < sizeof(*st) || (req->size && *size != req->size))
		return lx_fail(-EINVAL,
			       "%s %s: what is given is no state: magic 0x%x, ABI %u, %u bytes; "
			       "lx_state_init() fills that in",
			       what, req->name, st->magic, st->abi & ~LX_STATE_FROZEN, *size);
	return 0;
}

static int take_lock(struct lx_state *st, const struct lx_save_req *req, const char *what)
{
	if (!req->lock_ms)
		lx_lock(st);
	else if (!lx_lock_for(st, req->lock_ms))
		return lx_fail(-EBUSY,
			       "%s %s: its state stays locked (0x%x); stop the VM's threads where "
			       "they do not hold it",
			       what, req->name, __atomic_load_n(&st->lock, __ATOMIC_RELAXED));
	return 0;
}

/* A consistent copy, and the device time of it; the lock is held. */
static int copy_state(const struct lx_state *st, const struct lx_save_req *req, __u64 *device_ns,
		      void *to, size_t size)
{
	__u64 now = req->clock_ns;
	__s64 ns;
	int err = 0;

	if (req->read_clock && !(st->abi & LX_STATE_FROZEN))
		err = lx_read_clock(st->clock, req->vm_fd, &now);
	if (err)
		return err;
	ns = lx_device_time(st, now);
	*device_ns = ns < 0 ? 0 : ns;
	memcpy(to, st + 1, size);
	return 0;
}

ssize_t lx_save(struct lx_state *st, const struct lx_save_req *req, void *buf, size_t size)
{
	struct lx_saved h = {
		.magic = LX_SAVED_MAGIC,
		.version = LX_SAVED_VERSION,
		.header_size = sizeof(h),
		.state_abi = LX_STATE_ABI,
	};
	void *raw = (char *)buf + sizeof(h);
	int err;

	err = check_state(st, req, "saving", &h.state_size);
	if (err)
		return err;
	h.size = sizeof(h) + h.state_size - sizeof(*st);
	if (!buf || size < h.size)
		return h.size;
	memcpy(h.name, req->name, strlen(req->name));
	put_counters(&h, req->stats);
	err = take_lock(st, req, "saving");
	if (err)
		return err;
	err = copy_state(st, req, &h.device_ns, raw, h.size - sizeof(h));
	lx_unlock(st);
	if (err)
		return err;
	h.crc = checksum(&h, raw);
	memcpy(buf, &h, sizeof(h));
	return h.size;
}

ssize_t lx_state_save(struct lx_state *st, const char *name, uint64_t clock_ns, void *buf,
		      size_t size)
{
	const struct lx_save_req req = { .name = name, .clock_ns = clock_ns };

	return lx_save(st, &req, buf, size);
}

/* Whole, and of a version that can be read; then no field contradicts another. */
static int check_saved(const struct lx_saved *h, const void *buf, size_t size)
{
	const char *name = lx_is_name(h->name, sizeof(h->name)) ? h->name : "a state";

	if (h->magic != LX_SAVED_MAGIC)
		return lx_fail(-EINVAL, "restoring: what is given (%zu bytes) is no saved state",
			       size);
	if (size < sizeof(*h) || h->size != size)
		return lx_fail(-EBADMSG, "restoring %s: %zu bytes are given of %u", name, size,
			       h->size);
	if (h->version > LX_SAVED_VERSION || h->state_abi > LX_STATE_ABI)
		return lx_fail(
			-EPROTO,
			"restoring %s: saved in format %u, of state ABI %u; version %s knows "
			"%u and %u; use the version that saved it, or a later one",
			name, h->version, h->state_abi, lx_version(), LX_SAVED_VERSION,
			LX_STATE_ABI);
	if (checksum(h, (const char *)buf + sizeof(*h)) != h->crc)
		return lx_fail(-EBADMSG, "restoring %s: wrong checksum: it was changed on its way",
			       name);
	if (!h->version || h->state_abi != LX_STATE_ABI || h->header_size < sizeof(*h) ||
	    h->state_size < sizeof(struct lx_state) ||
	    h->state_size - sizeof(struct lx_state) != size - h->header_size ||
	    h->n_regions > LX_MAX_REGIONS || h->device_ns > INT64_MAX || name != h->name)
		return lx_fail(-EBADMSG, "restoring %s: the saved state contradicts itself", name);
	return 0;
}

/* A state grows at its end, where 0 means what was before. */
static int check_fits(const struct lx_saved *h, const unsigned char *raw, const char *name,
		      __u32 size)
{
	__u32 i;

	if (strcmp(name, h->name))
		return lx_fail(-EINVAL, "restoring %s: what was saved is %s", name, h->name);
	for (i = size; i < h->state_size; i++) {
		if (raw[i - sizeof(struct lx_state)])
			return lx_fail(-EPROTO,
				       "restoring %s: it was saved from %u bytes; here it has %u, "
				       "and byte %u is in use; use the version that saved it, or a "
				       "later one",
				       name, h->state_size, size, i);
	}
	return 0;
}

static void write_state(struct lx_state *st, __u32 size, const struct lx_saved *h, const void *raw)
{
	size_t room = size - sizeof(*st), n = h->state_size - sizeof(*st);

	n = n < room ? n : room;
	lx_write_begin(st);
	memcpy(st + 1, raw, n);
	memset((char *)(st + 1) + n, 0, room - n);
	st->frozen_ns = h->device_ns;
	st->abi |= LX_STATE_FROZEN;
	lx_write_end(st);
}

int lx_restore(struct lx_state *st, const struct lx_save_req *req, const void *buf, size_t size,
	       struct lx_stats *stats)
{
	struct lx_saved h = { 0 };
	const void *raw;
	__u32 room;
	int err;

	err = check_state(st, req, "restoring", &room);
	if (err)
		return err;
	if (!buf)
		return lx_fail(-EINVAL, "restoring %s: nothing is given", req->name);
	memcpy(&h, buf, size < sizeof(h) ? size : sizeof(h));
	err = check_saved(&h, buf, size);
	if (err)
		return err;
	raw = (const char *)buf + h.header_size;
	err = check_fits(&h, raw, req->name, room);
	err = err ?: take_lock(st, req, "restoring");
	if (err)
		return err;
	write_state(st, room, &h, raw);
	lx_unlock(st);
	if (stats)
		get_counters(stats, &h);
	return 0;
}

int lx_state_restore(struct lx_state *st, const char *name, const void *buf, size_t size)
{
	const struct lx_save_req req = { .name = name };

	return lx_restore(st, &req, buf, size, NULL);
}

static int check_device(const struct lx_device *dev, const char *what)
{
	if (!dev)
		return lx_fail(-EINVAL, "lx_device_%s: no device", what);
	if (!dev->o.obj)
		return lx_fail(-EINVAL,
			       "lx_device_%s: the device was made from fds and has no name; use "
			       "lx_state_%s() with its name",
			       what, what);
	if (!dev->state)
		return lx_fail(-EINVAL, "lx_device_%s: %s is not loaded; call lx_device_load()",
			       what, dev->name);
	return 0;
}

ssize_t lx_device_save(struct lx_device *dev, int vm_fd, void *buf, size_t size)
{
	struct lx_save_req req = { .read_clock = true, .vm_fd = vm_fd };
	struct lx_stats stats = { .sz = sizeof(stats) };
	int err = check_device(dev, "save");

	if (err)
		return err;
	req.name = dev->name;
	req.size = dev->state_size;
	if (buf && dev->link_fd >= 0 && !lx_device_stats(dev, &stats))
		req.stats = &stats;
	else if (dev->link_fd < 0)
		req.stats = &dev->saved;
	return lx_save(dev->state, &req, buf, size);
}

int lx_device_restore(struct lx_device *dev, const void *buf, size_t size)
{
	struct lx_save_req req = { 0 };
	int err = check_device(dev, "restore");

	if (err)
		return err;
	req.name = dev->name;
	req.size = dev->state_size;
	return lx_restore(dev->state, &req, buf, size, &dev->saved);
}
