// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Take an accelerator in, or do without. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"

struct vmm_accel {
	struct lx_device *dev;
	enum vmm_path path;
	bool active;
};

/* Why the library's last call failed, in its words. Set-up is one thread's. */
static char reason[512];

static void keep_reason(void *ctx, enum lx_log_level level, const char *msg)
{
	if (level == LX_LOG_WARN)
		snprintf(reason, sizeof(reason), "%s", msg);
}

/* The one line about why there is no acceleration. */
static int refuse(const char *name, enum vmm_path path, int err)
{
	const char *why = *reason ? reason : strerror(-err);

	if (path == VMM_PATH_AUTO) {
		fprintf(stderr, "vmm: %s: not accelerated, the VMM answers: %s\n", name, why);
		return 0;
	}
	fprintf(stderr, "vmm: %s: %s\n", name, why);
	return err;
}

static int load(struct lx_device *dev, size_t state_size, const struct vmm_accel_opts *opts)
{
	size_t size;
	int err = 0;

	if (opts->regions)
		err = lx_device_set_regions(dev, opts->regions, opts->n_regions);
	if (!err)
		err = lx_device_load(dev);
	if (err)
		return err;
	lx_device_state(dev, &size);
	if (size >= state_size)
		return 0;
	snprintf(reason, sizeof(reason),
		 "the program's state has %zu bytes, not %zu: rebuild bpf-progs and this VMM", size,
		 state_size);
	return -EINVAL;
}

int vmm_accel_open(const char *name, size_t state_size, const struct vmm_accel_opts *opts,
		   struct vmm_accel **out)
{
	const struct lx_open_opts open_opts = { .sz = sizeof(open_opts), .dir = opts->bpf_dir };
	struct vmm_accel *accel;
	int err;

	*out = NULL;
	if (opts->path == VMM_PATH_VMM)
		return 0;
	accel = calloc(1, sizeof(*accel));
	if (!accel)
		return vmm_error(-ENOMEM, "accelerator %s", name);
	accel->path = opts->path;
	*reason = '\0';
	lx_set_log(keep_reason, NULL);
	err = lx_device_open(name, &open_opts, &accel->dev);
	if (!err)
		err = load(accel->dev, state_size, opts);
	if (err) {
		vmm_accel_close(accel);
		return refuse(name, opts->path, err);
	}
	*out = accel;
	return 0;
}

void *vmm_accel_state(const struct vmm_accel *accel)
{
	return accel ? lx_device_state(accel->dev, NULL) : NULL;
}

int vmm_accel_set_eventfds(struct vmm_accel *accel, const struct lx_eventfds *fds)
{
	int err = accel ? lx_device_set_eventfds(accel->dev, fds) : 0;

	return err ? refuse(lx_device_name(accel->dev), VMM_PATH_BPF, err) : 0;
}

int vmm_accel_attach(struct vmm_accel *accel, struct vmm *vm)
{
	int err;

	if (!accel)
		return 0;
	*reason = '\0';
	err = lx_device_attach(accel->dev, vm->fd);
	if (err)
		return refuse(lx_device_name(accel->dev), accel->path, err);
	accel->active = true;
	return 0;
}

bool vmm_accel_active(const struct vmm_accel *accel)
{
	return accel && accel->active;
}

struct lx_device *vmm_accel_device(const struct vmm_accel *accel)
{
	return accel ? accel->dev : NULL;
}

void vmm_accel_close(struct vmm_accel *accel)
{
	if (!accel)
		return;
	lx_device_close(accel->dev);
	free(accel);
}
