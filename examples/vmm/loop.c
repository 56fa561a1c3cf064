// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A machine's own thread: epoll over eventfds and timerfds. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop.h"
#include "vmm.h"

/**
 * struct vmm_watch - an fd and its function
 * @fd:   eventfd or timerfd
 * @own:  close it in the end
 * @dead: freed by its owner; no call any more. Protected by the loop's lock
 * @next: in the loop's list of all, or of dead ones. Protected by the loop's lock
 */
struct vmm_watch {
	struct vmm_loop *loop;
	int fd;
	bool own;
	bool dead;
	void (*fn)(void *opaque);
	void *opaque;
	struct vmm_watch *next;
};

/**
 * struct vmm_loop - the thread
 * @lock:    held while a function runs: so vmm_watch_free() waits for it. Recursive, for
 *           functions that free watches. Protects @watches and @dead
 * @watches: all that live
 * @dead:    to be freed when the events that may point to them are done
 */
struct vmm_loop {
	int epoll;
	int stop;
	pthread_t thread;
	pthread_mutex_t lock;
	struct vmm_watch *watches;
	struct vmm_watch *dead;
};

static void free_list(struct vmm_watch *w)
{
	while (w) {
		struct vmm_watch *next = w->next;

		if (w->own)
			close(w->fd);
		free(w);
		w = next;
	}
}

static void call(struct vmm_loop *loop, struct vmm_watch *w)
{
	uint64_t count;

	pthread_mutex_lock(&loop->lock);
	if (!w->dead && read(w->fd, &count, sizeof(count)) == sizeof(count))
		w->fn(w->opaque);
	pthread_mutex_unlock(&loop->lock);
}

static void bury(struct vmm_loop *loop)
{
	struct vmm_watch *dead;

	pthread_mutex_lock(&loop->lock);
	dead = loop->dead;
	loop->dead = NULL;
	pthread_mutex_unlock(&loop->lock);
	free_list(dead);
}

static void *loop_thread(void *arg)
{
	struct vmm_loop *loop = arg;
	struct epoll_event ev[16];

	for (;;) {
		int n = epoll_wait(loop->epoll, ev, 16, -1);

		for (int i = 0; i < n; i++) {
			if (!ev[i].data.ptr)
				return NULL;
			call(loop, ev[i].data.ptr);
		}
		bury(loop);
	}
}

static int loop_setup(struct vmm_loop *loop)
{
	struct epoll_event ev = { .events = EPOLLIN };
	pthread_mutexattr_t attr;
	int err;

	loop->stop = eventfd(0, EFD_CLOEXEC);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->stop < 0 || loop->epoll < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->stop, &ev))
		return vmm_error(-errno, "the machine's own thread: epoll");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&loop->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	err = pthread_create(&loop->thread, NULL, loop_thread, loop);
	return err ? vmm_error(-err, "the machine's own thread") : 0;
}

static void loop_close(struct vmm_loop *loop)
{
	if (loop->stop >= 0)
		close(loop->stop);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

int vmm_loop_new(struct vmm_loop **out)
{
	struct vmm_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return vmm_error(-ENOMEM, "the machine's own thread");
	loop->stop = -1;
	loop->epoll = -1;
	err = loop_setup(loop);
	if (err) {
		loop_close(loop);
		return err;
	}
	*out = loop;
	return 0;
}

void vmm_loop_free(struct vmm_loop *loop)
{
	if (!loop)
		return;
	eventfd_write(loop->stop, 1);
	pthread_join(loop->thread, NULL);
	free_list(loop->watches);
	free_list(loop->dead);
	pthread_mutex_destroy(&loop->lock);
	loop_close(loop);
}

static int watch_add(struct vmm_loop *loop, int fd, bool own, void (*fn)(void *opaque),
		     void *opaque, struct vmm_watch **out)
{
	struct vmm_watch *w = calloc(1, sizeof(*w));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };
	int err;

	if (!w)
		return vmm_error(-ENOMEM, "watching fd %d", fd);
	*w = (struct vmm_watch){ loop, fd, own, false, fn, opaque, NULL };
	pthread_mutex_lock(&loop->lock);
	*out = w; /* before the first call */
	w->next = loop->watches;
	loop->watches = w;
	pthread_mutex_unlock(&loop->lock);
	if (!epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &ev))
		return 0;
	err = -errno;
	w->own = false;
	vmm_watch_free(w);
	*out = NULL;
	return vmm_error(err, "watching fd %d", fd);
}

int vmm_watch_new(struct vmm_loop *loop, int fd, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out)
{
	return watch_add(loop, fd, false, fn, opaque, out);
}

int vmm_timer_new(struct vmm_loop *loop, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return vmm_error(-errno, "timerfd");
	err = watch_add(loop, fd, true, fn, opaque, out);
	if (err)
		close(fd);
	return err;
}

void vmm_timer_set(struct vmm_watch *timer, uint64_t ns)
{
	const struct itimerspec ts = {
		.it_value.tv_sec = (time_t)(ns / 1000000000),
		.it_value.tv_nsec = (long)(ns % 1000000000),
	};

	timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &ts, NULL);
}

void vmm_watch_free(struct vmm_watch *w)
{
	struct vmm_watch **p;

	if (!w)
		return;
	epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	pthread_mutex_lock(&w->loop->lock);
	w->dead = true;
	for (p = &w->loop->watches; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	w->next = w->loop->dead;
	w->loop->dead = w;
	pthread_mutex_unlock(&w->loop->lock);
}
