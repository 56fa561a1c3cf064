// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What this host lacks, in words. */
#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "internal.h"

#define KERNEL_MAJOR 6
#define KERNEL_MINOR 12
#define ENABLE "/sys/module/" LX_MODULE "/parameters/enable"
#define MUST_BE_SIGNED "; it must be signed with a key that this machine trusts"
#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* A check answers 0, the errno of lx_probe(), or that it does not apply. */
enum {
	SKIP = 1
};

/* Who needs it. lx_probe() answers for PROBE, lx_device_load() for LOAD. */
enum {
	PROBE = 1,
	LOAD = 2
};

struct check {
	const char *name;
	int (*fn)(struct lx_check *c);
	unsigned int needed_by;
};

static void detail(struct lx_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int missing(struct lx_check *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void detail(struct lx_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->detail, sizeof(c->detail), fmt, ap);
	va_end(ap);
}

static int missing(struct lx_check *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->remedy, sizeof(c->remedy), fmt, ap);
	va_end(ap);
	return err;
}

static bool exists(const char *path)
{
	char full[LX_PATH_MAX];

	return !lx_path(full, sizeof(full), "%s", path) && !access(full, F_OK);
}

static int check_kernel(struct lx_check *c)
{
	struct utsname u;
	int major, minor;

	uname(&u);
	detail(c, "Linux %s %s", u.release, u.machine);
	if (sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return missing(c, -EOPNOTSUPP, "boot a kernel whose release begins with a version");
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		return missing(c, -EOPNOTSUPP, "boot a kernel of version %d.%d or later",
			       KERNEL_MAJOR, KERNEL_MINOR);
	return strcmp(u.machine, "x86_64") ? missing(c, -EOPNOTSUPP, "use an x86_64 host") : 0;
}

static int check_btf(struct lx_check *c)
{
	bool ok = exists("/sys/kernel/btf/vmlinux");

	detail(c, "/sys/kernel/btf/vmlinux %s", ok ? "is there" : "is missing");
	return ok ? 0 : missing(c, -EOPNOTSUPP, "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

static int check_kvm(struct lx_check *c)
{
	char path[LX_PATH_MAX];

	if (!exists("/dev/kvm")) {
		detail(c, "no /dev/kvm; module kvm is %s",
		       exists("/sys/module/kvm") ? "there" : "not loaded");
		return missing(c, -EOPNOTSUPP,
			       "modprobe kvm_intel or kvm_amd; see that virtualisation is on "
			       "in the firmware");
	}
	lx_path(path, sizeof(path), "/dev/kvm");
	if (access(path, R_OK | W_OK)) {
		detail(c, "/dev/kvm is there, but not for this user");
		return missing(c, -EPERM, "join the group of /dev/kvm (kvm), or run as root");
	}
	detail(c, "/dev/kvm can be opened");
	return 0;
}

/* True if a module of this name is installed for the kernel whose modules.dep this is. */
static bool in_modules_dep(const char *full)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen(full, "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, "/" LX_MODULE ".ko");
	}
	if (f)
		fclose(f);
	return found;
}

/* Kernels that it is installed for, but for this one: "6.1.0-1, 6.1.0-2". */
static void other_kernels(const char *release, char *buf, size_t size)
{
	char pattern[LX_PATH_MAX];
	glob_t g = { 0 };
	size_t i, n = 0;

	buf[0] = '\0';
	lx_path(pattern, sizeof(pattern), "/lib/modules/*/modules.dep");
	if (glob(pattern, 0, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc && n < size; i++) {
		char *dir = g.gl_pathv[i], *end = strrchr(dir, '/');
		bool found = in_modules_dep(dir);

		*end = '\0';
		dir = strrchr(dir, '/') + 1;
		if (found && strcmp(dir, release))
			n += snprintf(buf + n, size - n, "%s%s", n ? ", " : "", dir);
	}
	globfree(&g);
}

/* Why a module that is installed may still not load: "[integrity]" in lockdown's list. */
static void lockdown(char *buf, size_t size)
{
	char line[80], *from, *to;

	buf[0] = '\0';
	if (lx_read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		return;
	from = strchr(line, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = '\0';
	if (strcmp(from + 1, "none"))
		snprintf(buf, size, "; kernel lockdown: %.40s (Secure Boot)", from + 1);
}

static int check_module(struct lx_check *c)
{
	char others[80], locked[80], path[LX_PATH_MAX], version[40];
	struct utsname u;

	if (exists("/sys/module/" LX_MODULE)) {
		if (lx_read_line("/sys/module/" LX_MODULE "/version", version, sizeof(version)))
			version[0] = '\0';
		detail(c, "loaded%s%s", version[0] ? ", version " : "", version);
		return 0;
	}
	uname(&u);
	lockdown(locked, sizeof(locked));
	lx_path(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	if (in_modules_dep(path)) {
		detail(c, "not loaded; installed for this kernel%s", locked);
		return missing(c, -ENOENT, "modprobe " LX_MODULE "%s",
			       locked[0] ? MUST_BE_SIGNED : "");
	}
	other_kernels(u.release, others, sizeof(others));
	if (others[0]) {
		detail(c, "not loaded; installed for another kernel only: %s%s", others, locked);
		return missing(
			c, -ENOENT,
			"build it for %s: dkms autoinstall, or make dkms-install in a checkout",
			u.release);
	}
	detail(c, "not loaded; none is installed%s", locked);
	return missing(c, -ENOENT, "make dkms-install in a checkout of " LX_MODULE);
}

static int check_module_btf(struct lx_check *c)
{
	bool ok;

	if (!exists("/sys/module/" LX_MODULE))
		return SKIP;
	ok = exists("/sys/kernel/btf/" LX_MODULE);
	detail(c, "/sys/kernel/btf/" LX_MODULE " %s", ok ? "is there" : "is missing");
	return ok ? 0 :
		    missing(c, -EOPNOTSUPP,
			    "rebuild the module where pahole and "
			    "/sys/kernel/btf/vmlinux are");
}

static int check_enabled(struct lx_check *c)
{
	char line[16];

	if (!exists("/sys/module/" LX_MODULE))
		return SKIP;
	if (lx_read_line(ENABLE, line, sizeof(line)))
		line[0] = '\0';
	detail(c, ENABLE " is %s", line[0] ? line : "not readable");
	return line[0] == 'N' ? missing(c, -ESHUTDOWN, "switch it on: echo Y > " ENABLE) : 0;
}

static __u64 effective_capabilities(void)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	if (f)
		fclose(f);
	return caps;
}

/* CAP_SYS_ADMIN holds the other two; reading the module's BTF needs CAP_SYS_ADMIN itself. */
static int check_capabilities(struct lx_check *c)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} need[] = { { 39, "CAP_BPF" }, { 38, "CAP_PERFMON" }, { 21, "CAP_SYS_ADMIN" } };
	__u64 caps = effective_capabilities();
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < N_ELEMS(need); i++) {
		if (caps & 1ULL << need[i].bit)
			n += snprintf(c->detail + n, sizeof(c->detail) - n, "%s%s",
				      n ? ", " : "has ", need[i].name);
	}
	if (!n)
		detail(c, "none of CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN");
	if (caps & 1ULL << 21)
		return 0;
	return missing(c, -EPERM,
		       "run as root, or have a broker load and attach (lx_device_from_fds())");
}

static int check_bpf(struct lx_check *c)
{
	char line[16];
	__u32 id;
	int err = bpf_prog_get_next_id(0, &id);

	if (lx_read_line("/proc/sys/kernel/unprivileged_bpf_disabled", line, sizeof(line)))
		strcpy(line, "unknown");
	detail(c, "bpf(2) answers: %s; unprivileged_bpf_disabled is %s",
	       err && err != -ENOENT ? strerror(-err) : "success", line);
	if (!err || err == -ENOENT)
		return 0;
	if (err == -ENOSYS)
		return missing(c, -EOPNOTSUPP, "boot a kernel with CONFIG_BPF_SYSCALL=y");
	return missing(c, -EPERM,
		       "run as root of the host (not of a user namespace) and without a seccomp "
		       "filter on bpf(2)");
}

static int check_debugfs(struct lx_check *c)
{
	char path[LX_PATH_MAX];

	if (!exists("/sys/module/" LX_MODULE))
		return SKIP;
	lx_path(path, sizeof(path), "/sys/kernel/debug/" LX_MODULE);
	if (!access(path, R_OK | X_OK)) {
		detail(c, "/sys/kernel/debug/" LX_MODULE " can be read");
		return 0;
	}
	detail(c, "/sys/kernel/debug/" LX_MODULE ": %s", strerror(errno));
	if (errno == EACCES)
		return missing(c, -EPERM, "only list and stats need it; run them as root");
	return missing(c, -EPERM,
		       "only list and stats need it: mount -t debugfs none /sys/kernel/debug");
}

static int check_programs(struct lx_check *c)
{
	const char *dir = secure_getenv("LIGHTEXIT_BPF_DIR") ?: LX_BPF_DIR;
	char pattern[LX_PATH_MAX];
	glob_t g = { 0 };
	size_t n;

	snprintf(pattern, sizeof(pattern), "%s/*.bpf.o", dir);
	n = glob(pattern, 0, NULL, &g) ? 0 : g.gl_pathc;
	globfree(&g);
	detail(c, "%zu in %.100s", n, dir);
	return n ? 0 :
		   missing(c, -ENOENT,
			   "make install, or set LIGHTEXIT_BPF_DIR; objects can also be "
			   "opened by path");
}

/* In the order in which lx_probe() answers for them. */
static const struct check checks[] = {
	{ "kernel", check_kernel, PROBE | LOAD },
	{ "kernel BTF", check_btf, PROBE | LOAD },
	{ "KVM", check_kvm, PROBE },
	{ "module", check_module, PROBE | LOAD },
	{ "module BTF", check_module_btf, PROBE | LOAD },
	{ "switched on", check_enabled, PROBE | LOAD },
	{ "capabilities", check_capabilities, PROBE | LOAD },
	{ "bpf(2)", check_bpf, PROBE | LOAD },
	{ "debugfs", check_debugfs, 0 },
	{ "programs", check_programs, 0 },
};

static_assert(N_ELEMS(checks) <= LX_PROBE_MAX, "struct lx_probe is too small");

/* The first thing missing that @who needs is in @first. */
static int run_checks(struct lx_probe *p, unsigned int who, struct lx_check *first)
{
	int err, ret = 0;
	size_t i;

	p->n = 0;
	for (i = 0; i < N_ELEMS(checks); i++) {
		struct lx_check *c = &p->checks[p->n];

		*c = (struct lx_check){ .name = checks[i].name };
		err = checks[i].fn(c);
		if (err == SKIP)
			continue;
		c->ok = !err;
		p->n++;
		if (err && !ret && checks[i].needed_by & who) {
			ret = err;
			*first = *c;
		}
	}
	return ret;
}

int lx_probe(struct lx_probe *p)
{
	struct lx_probe all;
	struct lx_check first;
	size_t sz;
	int err;

	if (p && p->sz < sizeof(*p))
		return lx_fail(-EINVAL, "lx_probe.sz is %zu; set it to sizeof(struct lx_probe)",
			       p->sz);
	err = run_checks(&all, PROBE, &first);
	if (err)
		lx_logf(LX_LOG_WARN, "%s: %s: %s", first.name, first.detail, first.remedy);
	if (!p)
		return err;
	sz = p->sz;
	memcpy(p, &all, sizeof(all));
	p->sz = sz;
	return err;
}

int lx_probe_load(void)
{
	struct lx_probe all;
	struct lx_check first;
	int err = run_checks(&all, LOAD, &first);

	if (!err)
		return 0;
	lx_logf(LX_LOG_WARN, "%s: %s: %s", first.name, first.detail, first.remedy);
	return err == -ESHUTDOWN ? -ENOENT : err;
}
