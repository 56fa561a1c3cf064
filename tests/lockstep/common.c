// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What devices/ needs, whoever runs the traces. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lockstep.h"

struct ls_rig ls_rig;
uint64_t ls_now;

void ls_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	exit(2);
}

int ls_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		ls_die("eventfd: %m");
	return fd;
}

int ls_irqfd(struct ls_side *side, uint32_t gsi)
{
	return ls_rig.irqfd(side, gsi);
}

static void close_fd(int fd)
{
	if (fd > 0)
		close(fd);
}

void ls_make_fds(struct ls_side *side, uint32_t gsi)
{
	side->fds = (struct lx_eventfds){
		.sz = sizeof(side->fds),
		.n = 1,
		.slots = { ls_rig.irqfd(side, gsi) },
		.handover_fd = ls_eventfd(),
		.kick_fd = ls_eventfd(),
	};
}

void ls_close_fds(const struct ls_side *side)
{
	for (unsigned int i = 0; i < side->fds.n; i++)
		close_fd(side->fds.slots[i]);
	close_fd(side->fds.kick_fd);
	close_fd(side->fds.handover_fd);
}

void ls_kick(const struct ls_side *side)
{
	eventfd_write(side->fds.kick_fd, 1);
}
