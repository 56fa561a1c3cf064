// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The machine's own thread (loop.h) without a thread: what was signalled, and timers of the
 * virtual clock, are called when ls_loop_turn() says so. Linked in place of the real one.
 */
#include <stdlib.h>
#include <sys/eventfd.h>

#include "lockstep.h"

/* fd: -1: a timer. at: 0: it is not set. turn: it was called in that turn. */
struct vmm_watch {
	struct vmm_loop *loop;
	int fd;
	uint64_t at;
	uint64_t turn;
	void (*fn)(void *opaque);
	void *opaque;
	struct vmm_watch *next;
};

struct vmm_loop {
	uint64_t turn;
	struct vmm_watch *watches;
};

int vmm_loop_new(struct vmm_loop **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -1;
}

void vmm_loop_free(struct vmm_loop *loop)
{
	while (loop->watches)
		vmm_watch_free(loop->watches);
	free(loop);
}

int vmm_watch_new(struct vmm_loop *loop, int fd, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out)
{
	struct vmm_watch *w = calloc(1, sizeof(*w));

	if (!w)
		ls_die("no memory");
	*w = (struct vmm_watch){
		.loop = loop, .fd = fd, .fn = fn, .opaque = opaque, .next = loop->watches
	};
	loop->watches = w;
	*out = w;
	return 0;
}

int vmm_timer_new(struct vmm_loop *loop, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out)
{
	return vmm_watch_new(loop, -1, fn, opaque, out);
}

void vmm_timer_set(struct vmm_watch *timer, uint64_t ns)
{
	timer->at = ns;
}

void vmm_watch_free(struct vmm_watch *w)
{
	struct vmm_watch **p;

	if (!w)
		return;
	for (p = &w->loop->watches; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	free(w);
}

/* An early timer once in a turn: who is woken looks at the state. */
static bool is_due(struct vmm_watch *w, uint64_t slack_ns)
{
	eventfd_t count;

	if (w->fd >= 0)
		return !eventfd_read(w->fd, &count);
	if (!w->at || w->at > ls_now + slack_ns || (w->at > ls_now && w->turn == w->loop->turn))
		return false;
	w->turn = w->loop->turn;
	w->at = 0;
	return true;
}

void ls_loop_turn(struct vmm_loop *loop, uint64_t slack_ns)
{
	struct vmm_watch *w;

	loop->turn++;
	for (w = loop->watches; w;) {
		if (is_due(w, slack_ns)) {
			w->fn(w->opaque);
			w = loop->watches; /* watches may have come and gone */
		} else {
			w = w->next;
		}
	}
}
