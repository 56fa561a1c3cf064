// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What several sub-commands make of their arguments, and how they wait for their end. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "cmd.h"

static bool parse_digits(const char *s, int base, uint64_t min, uint64_t max, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, base);
	return s[0] >= '0' && s[0] <= '9' && !*end && !errno && *v >= min && *v <= max;
}

bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *v)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

	return parse_digits(s, hex ? 16 : 10, min, max, v);
}

bool parse_id(const char *s, uint32_t *id)
{
	uint64_t v;
	bool ok = parse_digits(s, 10, 1, UINT32_MAX, &v);

	if (ok)
		*id = v;
	return ok;
}

uint64_t arg_number(const struct argp_state *state, const char *option, const char *s, uint64_t min,
		    uint64_t max)
{
	uint64_t v;

	if (!parse_number(s, min, max, &v))
		argp_error(state, "%s takes %" PRIu64 " to %" PRIu64 ", not '%s'", option, min, max,
			   s);
	return v;
}

int open_end_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		complain("signalfd: %s", strerror(errno));
	return fd;
}
