/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command's complaints, for a test that includes one of its files: the last one, in words. */
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

#endif /* COMPLAINT_H */
