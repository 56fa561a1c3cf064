// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the VM tests share; see vmtest.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>

#include "vmtest.h"

static char log_buf[65536];

static void on_log(void *ctx, enum lx_log_level level, const char *msg)
{
	size_t used = strlen(log_buf);

	if (level != LX_LOG_DEBUG)
		snprintf(log_buf + used, sizeof(log_buf) - used, "%s\n", msg);
}

void vmt_init(void)
{
	lx_set_log(on_log, NULL);
	vmt_log_clear();
}

const char *vmt_log(void)
{
	return log_buf;
}

void vmt_log_clear(void)
{
	log_buf[0] = 0;
}

static const char *env_dir(const char *name)
{
	const char *dir = getenv(name);

	cr_assert_not_null(dir, "%s is not set; run tests/vm/run.sh", name);
	return dir;
}

const char *vmt_bpf_dir(void)
{
	return env_dir("LIGHTEXIT_BPF_DIR");
}

const char *vmt_test_bpf_dir(void)
{
	return env_dir("LX_TEST_BPF_DIR");
}

/* So few are few enough for any kernel, and what tests ask for at least needs them. */
#define SCALE_LEAST 3000U

unsigned long vmt_scale(unsigned long full)
{
	const char *scale = getenv("LX_SCALE");
	double n = (double)full * (scale ? strtod(scale, NULL) : 1) / 10;
	unsigned long least = full / 10 < SCALE_LEAST ? full / 10 : SCALE_LEAST;

	if (n < (double)least)
		return least;
	return n < 1 ? 1 : (unsigned long)n;
}

int vmt_patience(int n)
{
	const char *times = getenv("LX_PATIENCE");

	return n * (times ? atoi(times) : 1);
}

void vmt_nap(unsigned int us)
{
	usleep(1 + (unsigned int)rand() % us);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void vmt_stay(unsigned int us)
{
	static uint64_t left_us;
	uint64_t away = left_us ? now_us() - left_us : 0;

	vmt_nap(2 * away > us ? (unsigned int)(2 * away) : us);
	left_us = now_us();
}

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
	FOREACH_SET(struct criterion_suite_set *s, set->suites) {
		if (s->suite.data)
			s->suite.data->timeout *= vmt_patience(1);
	}
}

struct lx_device *vmt_load_at(const char *dir, const char *name, const struct lx_region *regions,
			      unsigned int n)
{
	struct lx_open_opts opts = { .sz = sizeof(opts), .dir = dir };
	struct lx_device *dev;
	int err;

	err = lx_device_open(name, &opts, &dev);
	cr_assert_eq(err, 0, "open %s: %d: %s", name, err, vmt_log());
	if (regions) {
		err = lx_device_set_regions(dev, regions, n);
		cr_assert_eq(err, 0, "regions of %s: %d: %s", name, err, vmt_log());
	}
	err = lx_device_load(dev);
	cr_assert_eq(err, 0, "load %s: %d: %s", name, err, vmt_log());
	return dev;
}

struct lx_device *vmt_load(const char *dir, const char *name)
{
	return vmt_load_at(dir, name, NULL, 0);
}

void vmt_attach(struct lx_device *dev, const struct vmm *vm)
{
	int err = lx_device_attach(dev, vm->fd);

	cr_assert_eq(err, 0, "attach %s: %d: %s", lx_device_name(dev), err, vmt_log());
}

struct lx_stats vmt_stats(const struct lx_device *dev)
{
	struct lx_stats s = { .sz = sizeof(s) };
	int err = lx_device_stats(dev, &s);

	cr_assert_eq(err, 0, "stats of %s: %d: %s", lx_device_name(dev), err, vmt_log());
	return s;
}

const char *vmt_read_file(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = 0;
	return buf;
}

void vmt_set_param(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/lightexit/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %m", path);
	cr_assert_eq(write(fd, value, strlen(value)), (ssize_t)strlen(value), "%s: %m", path);
	close(fd);
}

int vmt_module_refs(void)
{
	const char *text = vmt_read_file("/sys/module/lightexit/refcnt");

	return *text ? atoi(text) : -1;
}

void vmt_wait_module_refs(int refs)
{
	for (int i = 0; i < vmt_patience(1000) && vmt_module_refs() != refs; i++)
		usleep(10000);
	cr_assert_eq(vmt_module_refs(), refs, "the module has %d references, not %d",
		     vmt_module_refs(), refs);
}

int vmt_unload(void)
{
	return syscall(SYS_delete_module, "lightexit", O_NONBLOCK) ? -errno : 0;
}

void vmt_reload(void)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/kernel/lightexit.ko", env_dir("LX_KMOD_DIR"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %m", path);
	cr_assert_eq(syscall(SYS_finit_module, fd, "", 0), 0, "load %s: %m", path);
	close(fd);
}
