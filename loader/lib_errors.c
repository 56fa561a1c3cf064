// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kernel's bare errnos and the verifier's long logs, in words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define WARN_LINES 3

static void regions_str(const struct lx_request *req, char *buf, size_t size)
{
	unsigned int i;
	size_t n = 0;
	char s[64];

	buf[0] = '\0';
	for (i = 0; i < req->nr_regions && n < size; i++)
		n += snprintf(buf + n, size - n, "%sregion %u (%s)", i ? ", " : "", i,
			      lx_region_str(&req->regions[i], s, sizeof(s)));
}

static const char *meaning(int err)
{
	switch (-err) {
	case EEXIST:
		return "another lightexit device of this VM is there; see `lightexit list`";
	case EBUSY:
		return "an in-kernel device of somebody else's is there (an ioeventfd, the PIT, the APIC): move, "
		       "or set LX_REGION_OVERLAY (if it is set, nothing of a region is left beside "
		       "such devices)";
	case EAGAIN:
		return "the VM's memory slots stay locked: its VMM changes them all the time, or a vCPU "
		       "waits inside KVM for user space (a page fault, say); try again";
	case ERANGE:
		return "a range wraps or leaves its address space";
	case ENOSPC:
		return "the VM's bus is full; use fewer regions, or take devices off it";
	case E2BIG:
		return "the program was compiled for a newer lightexit_ops than the loaded module's; update "
		       "the module";
	case ESHUTDOWN:
		return "lightexit is switched off on this host; switch it on: "
		       "echo Y > /sys/module/lightexit/parameters/enable";
	case EBADF:
		return "the VM's fd is not open in this process";
	case EPERM:
		return "this process did not create the VM and lacks CAP_SYS_ADMIN, or lacks CAP_BPF and "
		       "CAP_PERFMON";
	case EINVAL:
		return "the fd is no VM's or (move, replace) not this device's VM's, or a region, a flag, the "
		       "name or lightexit_ops.sz is not what the loaded module knows";
	default:
		return strerror(-err);
	}
}

int lx_explain(int err, const char *step, const struct lx_request *req)
{
	char regions[LX_MAX_REGIONS * 80];

	regions_str(req, regions, sizeof(regions));
	return lx_fail(err, "%s: %s: VM fd %d, %s: %s (errno %d)", req->name, step, req->vm_fd,
		       regions, meaning(err), -err);
}

/* What the verifier says after its reason. */
static bool is_trailer(const char *line)
{
	return !line[0] || !strncmp(line, "processed ", 10) ||
	       !strncmp(line, "verification time", 17) || !strncmp(line, "stack depth", 11) ||
	       !strncmp(line, "-- ", 3);
}

/* The reason is the log's last line; what precedes it is where it happened. */
static void log_verdict(char *log)
{
	const char *last[WARN_LINES] = { NULL };
	char *line, *save;
	unsigned int i;

	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		lx_logf(LX_LOG_DEBUG, "verifier: %s", line);
		if (is_trailer(line))
			continue;
		memmove(last, last + 1, sizeof(last) - sizeof(last[0]));
		last[WARN_LINES - 1] = line;
	}
	for (i = 0; i < WARN_LINES; i++) {
		if (last[i])
			lx_logf(LX_LOG_WARN, "verifier: %s", last[i]);
	}
}

int lx_explain_load(int err, const char *path, const char *kernel_log)
{
	const char *said = lx_libbpf_said();
	char *log;

	lx_logf(LX_LOG_WARN, "%s: the kernel did not load it: %s: %s", path, strerror(-err),
		said[0] ? said : "no message");
	log = kernel_log && kernel_log[0] ? strdup(kernel_log) : NULL;
	if (log)
		log_verdict(log);
	free(log);
	return err;
}
