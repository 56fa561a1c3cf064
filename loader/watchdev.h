/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One counter of one VM that `lightexit attach` has a program watch. */
#ifndef LIGHTEXIT_WATCHDEV_H
#define LIGHTEXIT_WATCHDEV_H

#include <lightexit/dev/watch.h>
#include <lightexit/lightexit.h>

#include "json.h"
#include "vms.h"

enum counter {
	COUNTER_PMTIMER = 0,
	COUNTER_HPET = 1,
	COUNTERS = 2,
};

struct watchdev {
	const struct vm *vm;
	enum counter counter;
	uint64_t addr;
	struct lx_device *dev; /* NULL: ended */
	struct watch_state *st;
	struct lx_stats stats;	  /* last seen */
	uint64_t handled, passed; /* per second, since the one before */
};

/* "pmtimer" or "hpet"; false: no counter */
bool counter_parse(const char *s, enum counter *c);
const char *counter_name(enum counter c);

struct watchdev_opts {
	uint64_t addr;	    /* of the port or register block */
	uint64_t period_fs; /* the HPET's */
	bool dry_run;
};

/* Attaches; 0, or complained. */
int watchdev_attach(struct watchdev *w, const struct vm *vm, enum counter c,
		    const struct watchdev_opts *o);
/* Reads the counters; false: the device has ended (VM gone, or detached by somebody). */
bool watchdev_update(struct watchdev *w, double seconds);
void watchdev_detach(struct watchdev *w);
/* In words: "answering", "learning", ...; why it is given up. */
const char *watchdev_state(const struct watchdev *w);
/* The share of compared answers that lag by at most so many ns; 0: none compared. */
uint64_t watchdev_quantile(const struct watchdev *w, double q);
json_t *watchdev_json(const struct watchdev *w);

#endif /* LIGHTEXIT_WATCHDEV_H */
