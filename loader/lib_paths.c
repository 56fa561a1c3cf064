// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Small files of /sys and /proc. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

const char *lx_root = "";

int lx_path(char *buf, size_t size, const char *fmt, ...)
{
	size_t n = snprintf(buf, size, "%s", lx_root);
	va_list ap;
	int len;

	if (n >= size)
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	len = vsnprintf(buf + n, size - n, fmt, ap);
	va_end(ap);
	return len < 0 || (size_t)len >= size - n ? -ENAMETOOLONG : 0;
}

int lx_object_path(const char *name, const char *dir, char *path, size_t size)
{
	int n;

	if (strchr(name, '/')) {
		n = snprintf(path, size, "%s", name);
	} else {
		dir = dir ?: secure_getenv("LIGHTEXIT_BPF_DIR") ?: LX_BPF_DIR;
		n = snprintf(path, size, "%s/%s.bpf.o", dir, name);
	}
	return (size_t)n < size ? 0 : lx_fail(-ENAMETOOLONG, "%s: name too long", name);
}

int lx_read_line(const char *path, char *buf, size_t size)
{
	char full[LX_PATH_MAX];
	int err = lx_path(full, sizeof(full), "%s", path);
	FILE *f;

	if (err)
		return err;
	f = fopen(full, "re");
	if (!f)
		return -errno;
	errno = 0;
	if (!fgets(buf, size, f)) {
		err = errno ? -errno : -ENODATA;
		fclose(f);
		return err;
	}
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int lx_fdinfo(int fd, const char *key, __u64 *val)
{
	size_t len = strlen(key);
	char path[64], line[256];
	int err = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		*val = strtoull(line + len + 1, NULL, 0);
		err = 0;
		break;
	}
	fclose(f);
	return err;
}
