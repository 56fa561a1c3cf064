/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the library says, for tests of its refusals. */
#ifndef SAID_H
#define SAID_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <lightexit/lightexit.h>

static char said[8192];

static inline void said_log(void *ctx, enum lx_log_level level, const char *msg)
{
	size_t n = strlen(said);

	cr_assert(!strchr(msg, '\n'), "a message of one line: %s", msg);
	if (level == LX_LOG_WARN)
		snprintf(said + n, sizeof(said) - n, "%s\n", msg);
}

static inline void said_listen(void)
{
	said[0] = '\0';
	lx_set_log(said_log, NULL);
}

#define says(_text) cr_assert(strstr(said, _text), "wanted \"%s\", it said: %s", _text, said)

#endif /* SAID_H */
