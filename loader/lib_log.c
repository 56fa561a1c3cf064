// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Messages: the caller's log function, and libbpf's messages on their way to it. */
#include <pthread.h>
#include <string.h>

#include "internal.h"

#define STR_(x) #x
#define STR(x) STR_(x)

static struct {
	lx_log_fn fn;
	void *ctx;
} log_to;

/* libbpf has one print function per process: hold the lock while it is ours. */
static pthread_mutex_t libbpf_lock = PTHREAD_MUTEX_INITIALIZER;
static libbpf_print_fn_t libbpf_old;
static __thread char libbpf_first[256];

const char *lx_version(void)
{
	return STR(LX_VERSION_MAJOR) "." STR(LX_VERSION_MINOR);
}

void lx_set_log(lx_log_fn fn, void *ctx)
{
	log_to.fn = fn;
	log_to.ctx = ctx;
}

static void vlog(enum lx_log_level level, const char *fmt, va_list ap)
{
	char msg[1024];

	if (!log_to.fn)
		return;
	vsnprintf(msg, sizeof(msg), fmt, ap);
	log_to.fn(log_to.ctx, level, msg);
}

void lx_logf(enum lx_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(level, fmt, ap);
	va_end(ap);
}

int lx_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LX_LOG_WARN, fmt, ap);
	va_end(ap);
	return err;
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char buf[1024], *msg = buf;

	vsnprintf(buf, sizeof(buf), fmt, ap);
	buf[strcspn(buf, "\n")] = '\0';
	if (!strncmp(msg, "libbpf: ", 8))
		msg += 8;
	if (level == LIBBPF_WARN && !libbpf_first[0])
		snprintf(libbpf_first, sizeof(libbpf_first), "%.255s", msg);
	lx_logf(LX_LOG_DEBUG, "libbpf: %s", msg);
	return 0;
}

void lx_libbpf_begin(void)
{
	pthread_mutex_lock(&libbpf_lock);
	libbpf_first[0] = '\0';
	libbpf_old = libbpf_set_print(on_libbpf);
}

void lx_libbpf_end(void)
{
	libbpf_set_print(libbpf_old);
	pthread_mutex_unlock(&libbpf_lock);
}

const char *lx_libbpf_said(void)
{
	return libbpf_first;
}
