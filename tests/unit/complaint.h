/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* loader/say.c for a test that includes one of loader's files: the last complaint, in words. */
#ifndef COMPLAINT_H
#define COMPLAINT_H

#include <stdarg.h>
#include <stdio.h>

static char complaint[1024];

int complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(complaint, sizeof(complaint), fmt, ap);
	va_end(ap);
	return RC_FAILED;
}

int flush_output(void)
{
	return fflush(stdout) ? RC_FAILED : RC_OK;
}

#endif /* COMPLAINT_H */
