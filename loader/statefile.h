/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The files of `lightexit save` and `restore`. */
#ifndef LIGHTEXIT_STATEFILE_H
#define LIGHTEXIT_STATEFILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * All or nothing for a regular file, which is made for its owner alone: after a failure, or a
 * signal, what was there before still is, and nothing else. A symbolic link is followed; what is no
 * regular file is written to, and so is stdout for "-". 0, or complained.
 */
int statefile_write(const char *file, const void *buf, size_t size);
/*
 * All that @file (-: stdin) has, into @buf, which the caller frees. The bytes; or RC_FAILED as a
 * negative number, complained.
 */
ssize_t statefile_read(const char *file, char **buf);

#endif /* LIGHTEXIT_STATEFILE_H */
