/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The doorbell guest: makes buffers available and rings a virtio doorbell; from time to
 * time it waits until all of them were seen, which they never are after a lost wakeup.
 * Host and guest.
 */
#ifndef DOORBELL_GUEST_H
#define DOORBELL_GUEST_H

#include <stdint.h>

#define DOORBELL_NUM 64U /* entries of the ring */
#define DOORBELL_BURST 32U

/* enum doorbell_mode - what saves doorbells or signals */
enum doorbell_mode {
	DOORBELL_ALWAYS = 0, /* nothing does */
	DOORBELL_BELL,	     /* the bell, and the guest rings each time */
	DOORBELL_FLAGS,	     /* the bell, and the used ring's flags, which the guest heeds */
	DOORBELL_EVENT,	     /* the bell, and avail_event */
};

/**
 * struct doorbell_params - the parameter block
 * @mode:   enum doorbell_mode. Writer: host, as of @items, @notify, @avail, @used, @seed
 * @items:  buffers to make available
 * @notify: guest-physical address of QueueNotify
 * @avail, @used: of the rings
 * @made:   buffers made available. Writer: guest
 * @rings:  doorbells rung. Writer: guest
 * @waits:  for all to be seen. Writer: guest
 * @seen:   avail->idx as the device saw it last. Writer: host
 */
struct doorbell_params {
	uint32_t mode;
	uint32_t pad;
	uint64_t items;
	uint64_t notify;
	uint64_t avail;
	uint64_t used;
	uint64_t seed;
	uint64_t made;
	uint64_t rings;
	uint64_t waits;
	uint32_t seen;
};

#endif /* DOORBELL_GUEST_H */
