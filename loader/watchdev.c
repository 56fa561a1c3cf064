// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Attaches the watching programs, and says what they have learnt. */
#include <inttypes.h>
#include <string.h>

#include <lightexit/dev/hpet.h>
#include <lightexit/dev/pmtimer.h>

#include "watchdev.h"

#define NS_PER_S 1000000000U

static const struct {
	const char *name, *object;
	__u32 space, len, bits;
} counters[COUNTERS] = {
	[COUNTER_PMTIMER] = { "pmtimer", "pmtimer_watch", LX_SPACE_PIO, PMTIMER_LEN,
			      WATCH_PMTIMER_BITS },
	[COUNTER_HPET] = { "hpet", "hpet_watch", LX_SPACE_MMIO, HPET_LEN, WATCH_HPET_BITS },
};

static const char *const ends[WATCH_ENDS] = {
	[WATCH_END_MISFIT] = "misfit",	   [WATCH_END_STOPPED] = "stopped",
	[WATCH_END_CLOCK] = "clock",	   [WATCH_END_WRITE] = "write",
	[WATCH_END_OTHER] = "other",	   [WATCH_END_LOST] = "lost",
	[WATCH_END_VANISHED] = "vanished",
};

bool counter_parse(const char *s, enum counter *c)
{
	for (*c = 0; *c < COUNTERS; ++*c) {
		if (!strcmp(s, counters[*c].name))
			return true;
	}
	return false;
}

const char *counter_name(enum counter c)
{
	return counters[c].name;
}

/* Before the first access; a calibration of an earlier attach does not count. */
static void set_up(struct watchdev *w, const struct watchdev_opts *o)
{
	struct watch_state *st = w->st;

	st->addr = o->addr;
	st->mul = w->counter == COUNTER_HPET ? HPET_FS_PER_NS : PMTIMER_HZ;
	st->div = w->counter == COUNTER_HPET ? o->period_fs : NS_PER_S;
	st->flags = o->dry_run ? WATCH_DRY_RUN : 0;
	st->bits = counters[w->counter].bits;
	st->verify_ns = WATCH_VERIFY_NS;
	st->trust_ns = WATCH_TRUST_NS;
	__atomic_add_fetch(&st->gen, 1, __ATOMIC_SEQ_CST);
}

int watchdev_attach(struct watchdev *w, const struct vm *vm, enum counter c,
		    const struct watchdev_opts *o)
{
	struct lx_region r = {
		.addr = o->addr,
		.len = counters[c].len,
		.space = counters[c].space,
		.flags = LX_REGION_STRINGS,
	};
	char name[PLAIN_SIZE(VM_NAME_LEN)];
	int err;

	*w = (struct watchdev){ .vm = vm, .counter = c, .addr = o->addr };
	err = lx_device_open(counters[c].object, NULL, &w->dev);
	err = err ?: lx_device_set_regions(w->dev, &r, 1);
	err = err ?: lx_device_load(w->dev);
	if (err)
		goto fail;
	w->st = lx_device_state(w->dev, NULL);
	set_up(w, o);
	err = lx_device_attach(w->dev, vm->fd);
	if (!err)
		return RC_OK;
fail:
	watchdev_detach(w);
	/* The library has said why, but has no words for this. */
	return complain("process %d (%s): %s at 0x%" PRIx64 " was not attached%s", vm->pid,
			plain_text(vm->name, name, sizeof(name)), counters[c].name, o->addr,
			err == -ENOMEM ? ": out of memory" : "");
}

void watchdev_detach(struct watchdev *w)
{
	lx_device_close(w->dev);
	w->dev = NULL;
	w->st = NULL;
}

static uint64_t per_second(uint64_t now, uint64_t before, double seconds)
{
	return seconds > 0 && now > before ? (now - before) / seconds : 0;
}

bool watchdev_update(struct watchdev *w, double seconds)
{
	struct lx_stats s = { .sz = sizeof(s) };

	if (!w->dev || lx_device_stats(w->dev, &s) || !s.pid)
		return false;
	w->handled = per_second(s.regions[0].handled, w->stats.regions[0].handled, seconds);
	w->passed = per_second(s.regions[0].passed, w->stats.regions[0].passed, seconds);
	w->stats = s;
	return true;
}

const char *watchdev_state(const struct watchdev *w)
{
	if (!w->st)
		return "ended";
	if (w->stats.eject)
		return "ejected";
	switch (w->st->off) {
	case WATCH_OFF_MISFITS:
		return "off: not such a counter";
	case WATCH_OFF_THREADS:
		return "off: too many threads";
	case WATCH_OFF_PROCESSES:
		return "off: several processes";
	}
	if (w->st->ready != w->st->gen + 1)
		return w->st->samples ? "learning" : "unread";
	return w->st->flags & WATCH_DRY_RUN ? "dry run" : "answering";
}

uint64_t watchdev_quantile(const struct watchdev *w, double q)
{
	uint64_t n = 0, all;
	unsigned int i;

	if (!w->st)
		return 0;
	all = w->st->compared - w->st->above;
	for (i = 0; all && i < WATCH_BUCKETS; i++) {
		n += w->st->error[i];
		if (n >= q * all)
			return 1ULL << i;
	}
	return 0;
}

static json_t *histogram(const __u64 *buckets)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < WATCH_BUCKETS; i++) {
		if (buckets[i])
			json_array_append_new(a,
					      json_pack("{s:I, s:I}", "to_ns", (json_int_t)1 << i,
							"n", (json_int_t)buckets[i]));
	}
	return a;
}

json_t *watchdev_json(const struct watchdev *w)
{
	json_t *o, *e = json_object();
	unsigned int i;

	o = json_pack("{s:i, s:o, s:s, s:I, s:I, s:s, s:I, s:I}", "pid", (int)w->vm->pid, "vm",
		      json_text(w->vm->name), "device", counters[w->counter].name, "addr",
		      (json_int_t)w->addr, "id", (json_int_t)w->stats.id, "state",
		      watchdev_state(w), "handled", (json_int_t)w->stats.regions[0].handled,
		      "passed", (json_int_t)w->stats.regions[0].passed);
	if (!w->st) {
		json_decref(e);
		return o;
	}
	for (i = 0; i < WATCH_ENDS; i++)
		json_object_set_new(e, ends[i], json_integer(w->st->ends[i]));
	json_object_set_new(o, "ends", e);
	json_object_set_new(o, "samples", json_integer(w->st->samples));
	json_object_set_new(o, "compared", json_integer(w->st->compared));
	json_object_set_new(o, "above", json_integer(w->st->above));
	json_object_set_new(o, "behind_ns", histogram(w->st->error));
	json_object_set_new(o, "exit_ns", histogram(w->st->exits));
	return o;
}
