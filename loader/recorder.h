/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The BPF program that `lightexit record` hears of accesses from. */
#ifndef LIGHTEXIT_RECORDER_H
#define LIGHTEXIT_RECORDER_H

#include <lightexit/dev/record.h>

struct recorder;

/*
 * Starts; 0, or complained. @event is called by recorder_take(). @bytes: of the buffer; what is no
 * power of two, or less than a page, becomes the next that is one.
 */
int recorder_start(const struct record_filter *filter, uint32_t bytes,
		   void (*event)(void *ctx, const struct record_event *e), void *ctx,
		   struct recorder **out);
/* Hands over what has come since. */
void recorder_take(struct recorder *r);
/* Hears no more; what has come can still be taken. */
void recorder_stop(struct recorder *r);
/* Events lost so far, for want of room in the buffer. */
uint64_t recorder_lost(const struct recorder *r);
void recorder_free(struct recorder *r);

#endif /* LIGHTEXIT_RECORDER_H */
