// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What the command says to stderr, and whether it got rid of what it says to stdout. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

int complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("lightexit: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return RC_FAILED;
}

int flush_output(void)
{
	static bool said;

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return RC_OK;
	if (!said)
		complain("stdout: %s", strerror(errno ?: EIO));
	said = true;
	return RC_FAILED;
}
