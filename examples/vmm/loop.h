/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A machine's own thread, for what no vCPU does: the eventfds that back ends wait
 * for (doorbells, handovers, resamples) and their timers. One loop serves many
 * devices; their functions run one after the other on its thread, and may block it
 * only for as long as a state's lock is held.
 *
 * Functions return 0 or a negative errno, and then say why on stderr. All of them may
 * be called from any thread, the loop's own too, but for vmm_loop_free().
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdint.h>

struct vmm_loop;
struct vmm_watch;

/* Starts the thread. */
int vmm_loop_new(struct vmm_loop **out);

/* Ends the thread; what still watches is freed with it. NULL is fine. */
void vmm_loop_free(struct vmm_loop *loop);

/**
 * vmm_watch_new() - call a function when an eventfd is signalled
 * @fd: an eventfd; the loop empties it before it calls @fn. Stays the caller's
 */
int vmm_watch_new(struct vmm_loop *loop, int fd, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out);

/* vmm_timer_new() - call a function at times that vmm_timer_set() says */
int vmm_timer_new(struct vmm_loop *loop, void (*fn)(void *opaque), void *opaque,
		  struct vmm_watch **out);

/* Sets a timer to a time of CLOCK_MONOTONIC, once; a past one means now. 0: never. */
void vmm_timer_set(struct vmm_watch *timer, uint64_t ns);

/*
 * Frees it. When that returns its function does not run and will not be called; except
 * from a function on the loop's thread, where it returns at once. NULL is fine.
 */
void vmm_watch_free(struct vmm_watch *watch);

#endif /* VMM_LOOP_H */
