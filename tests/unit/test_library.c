// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* liblightexit without module and privileges: arguments, files, what it says of them. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../loader/internal.h"
#include "said.h"
#include "tmpdir.h"

static void make_tmp(void)
{
	said_listen();
	tmp_make();
}

static void remove_tmp(void)
{
	lx_root = "";
	tmp_remove();
}

TestSuite(nothing, .init = said_listen);
TestSuite(open, .init = make_tmp, .fini = remove_tmp);
TestSuite(regions, .init = said_listen);
TestSuite(probe, .init = make_tmp, .fini = remove_tmp);
TestSuite(info, .init = make_tmp, .fini = remove_tmp);

Test(nothing, null_is_refused_or_harmless)
{
	struct lx_region r = { .len = 1 };
	struct lx_stats s = { .sz = sizeof(s) };
	unsigned int n = 7;

	lx_device_close(NULL);
	cr_assert_eq(lx_device_open(NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(lx_device_open("x", NULL, NULL), -EINVAL);
	cr_assert_eq(lx_device_from_fds(0, -1, NULL), -EINVAL);
	cr_assert_eq(lx_device_set_regions(NULL, &r, 1), -EINVAL);
	cr_assert_eq(lx_device_set_eventfds(NULL, NULL), -EINVAL);
	cr_assert_null(lx_device_regions(NULL, &n));
	cr_assert_eq(n, 0);
	cr_assert_null(lx_device_regions(NULL, NULL));
	cr_assert_str_empty(lx_device_name(NULL));
	cr_assert_eq(lx_device_load(NULL), -EINVAL);
	cr_assert_null(lx_device_state(NULL, NULL));
	cr_assert_eq(lx_device_attach(NULL, 0), -EINVAL);
	cr_assert_eq(lx_device_move(NULL, 0, &r, 1), -EINVAL);
	cr_assert_eq(lx_device_replace(NULL, 0, NULL), -EINVAL);
	cr_assert_eq(lx_device_detach(NULL), -EINVAL);
	cr_assert_eq(lx_device_fd(NULL, LX_FD_STATE), -1);
	cr_assert_eq(lx_device_save(NULL, -1, NULL, 0), -EINVAL);
	cr_assert_eq(lx_device_restore(NULL, "", 0), -EINVAL);
	cr_assert_eq(lx_device_mirror(NULL, 0, 0, 0, 0, 0), -EINVAL);
	cr_assert_eq(lx_device_unmirror(NULL, 0), -EINVAL);
	cr_assert_eq(lx_state_adopt(NULL), -EINVAL);
	cr_assert_eq(lx_state_save(NULL, "x", 0, NULL, 0), -EINVAL);
	cr_assert_eq(lx_state_restore(NULL, "x", "", 0), -EINVAL);
	cr_assert_eq(lx_device_stats(NULL, &s), -EINVAL);
	cr_assert_eq(lx_for_each_device(NULL, NULL), -EINVAL);
}

Test(nothing, version_is_the_headers)
{
	char v[16];

	snprintf(v, sizeof(v), "%d.%d", LX_VERSION_MAJOR, LX_VERSION_MINOR);
	cr_assert_str_eq(lx_version(), v);
}

Test(nothing, silence_without_a_log_function)
{
	lx_set_log(NULL, NULL);
	cr_assert_eq(lx_device_open("/none", NULL, &(struct lx_device *){ NULL }), -ENOENT);
	cr_assert_str_empty(said);
}

Test(open, missing_object_is_named)
{
	struct lx_open_opts o = { .sz = sizeof(o), .dir = tmp };
	struct lx_device *dev = (void *)1;

	cr_assert_eq(lx_device_open("hpet", &o, &dev), -ENOENT);
	cr_assert_null(dev);
	says("/hpet.bpf.o: No such file");
	cr_assert_eq(lx_device_open("./hpet", &o, &dev), -ENOENT);
	says("./hpet: No such file");
	cr_assert(!strstr(said, "make install"), "of a place that the caller chose: %s", said);
}

Test(open, directory_of_the_environment)
{
	struct lx_device *dev;

	setenv("LIGHTEXIT_BPF_DIR", "/some/where", 1);
	cr_assert_eq(lx_device_open("hpet", NULL, &dev), -ENOENT);
	says("/some/where/hpet.bpf.o: No such file or directory; make install, or set "
	     "LIGHTEXIT_BPF_DIR");
}

Test(open, garbage_is_no_object)
{
	struct lx_device *dev;

	cr_assert_eq(lx_device_open(put("garbage.bpf.o", "no elf at all"), NULL, &dev), -EINVAL);
	says("garbage.bpf.o: not a BPF object");
	cr_assert_eq(lx_device_open(put("empty.bpf.o", ""), NULL, &dev), -EINVAL);
	says("empty.bpf.o: not a BPF object");
}

Test(open, native_program_is_no_object)
{
	struct lx_device *dev;

	cr_assert_eq(lx_device_open("/proc/self/exe", NULL, &dev), -EINVAL);
	says("/proc/self/exe: not a BPF object");
}

Test(open, long_name_is_refused)
{
	struct lx_device *dev;
	char name[2000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(lx_device_open(name, NULL, &dev), -ENAMETOOLONG);
	cr_assert_eq(lx_device_open("", NULL, &dev), -EINVAL);
}

Test(open, opts_of_other_versions)
{
	struct {
		struct lx_open_opts o;
		char later[8];
	} bigger = { .o.sz = sizeof(bigger), .o.dir = tmp };
	struct lx_open_opts o = { .sz = offsetof(struct lx_open_opts, dir),
				  .dir = "/not/looked/at" };
	struct lx_device *dev;

	setenv("LIGHTEXIT_BPF_DIR", tmp, 1);
	cr_assert_eq(lx_device_open("a", &bigger.o, &dev), -ENOENT, "zeros of a later version");
	bigger.later[3] = 1;
	cr_assert_eq(lx_device_open("a", &bigger.o, &dev), -E2BIG, "a field of a later version");
	cr_assert_eq(lx_device_open("a", &o, &dev), -ENOENT,
		     "a field that the caller did not have");
	cr_assert(!strstr(said, "/not/looked/at"));
	o.sz = 0;
	cr_assert_eq(lx_device_open("a", &o, &dev), -EINVAL, "sz forgotten");
	says("lx_open_opts.sz is 0");
}

Test(open, fds_that_are_no_state)
{
	int fd = open("/dev/null", O_RDWR);
	struct lx_device *dev = (void *)1;

	cr_assert_eq(lx_device_from_fds(fd, -1, &dev), -EINVAL);
	cr_assert_null(dev);
	says("is not an open BPF map");
	close(fd);
	cr_assert_eq(lx_device_from_fds(fd, -1, &dev), -EINVAL);
	cr_assert_eq(lx_device_from_fds(-1, -1, &dev), -EINVAL);
}

/* What the kernel refuses, with the same errno and a reason. */
static int check_one(__u32 space, __u64 addr, __u64 len, __u32 flags)
{
	struct lx_region r = { .space = space, .addr = addr, .len = len, .flags = flags };

	return lx_check_regions(&r, 1);
}

Test(regions, good_ones)
{
	cr_assert_eq(check_one(LX_SPACE_PIO, 0, 0x10000, 0), 0);
	cr_assert_eq(check_one(LX_SPACE_PIO, 0xffff, 1, LX_REGION_OVERLAY), 0);
	cr_assert_eq(check_one(LX_SPACE_PIO, 0x1f0, 8, LX_REGION_STRINGS), 0);
	cr_assert_eq(check_one(LX_SPACE_MMIO, 0xfed00000, 0x400, 0), 0);
	cr_assert_eq(check_one(LX_SPACE_MMIO, 0, INT_MAX, 0), 0);
	cr_assert_eq(check_one(LX_SPACE_MMIO, UINT64_MAX - 8, 8, 0), 0);
	cr_assert_str_empty(said);
}

Test(regions, numbers)
{
	struct lx_region r[LX_MAX_REGIONS + 1];
	int i;

	for (i = 0; i <= LX_MAX_REGIONS; i++)
		r[i] = (struct lx_region){ .addr = i * 16, .len = 16 };
	cr_assert_eq(lx_check_regions(r, LX_MAX_REGIONS), 0);
	cr_assert_eq(lx_check_regions(r, LX_MAX_REGIONS + 1), -EINVAL);
	says("9 regions; a device has 1 to 8");
	cr_assert_eq(lx_check_regions(r, 0), -EINVAL);
	cr_assert_eq(lx_check_regions(NULL, 1), -EINVAL);
}

Test(regions, what_makes_no_sense)
{
	cr_assert_eq(check_one(LX_SPACE_PIO, 0x608, 0, 0), -EINVAL);
	says("region 0 (pio 0x608+0x0): its length is 0");
	cr_assert_eq(check_one(2, 0x608, 4, 0), -EINVAL);
	says("space 2 is unknown");
	cr_assert_eq(check_one(LX_SPACE_PIO, 0x608, 4, 4), -EINVAL);
	says("flags 0x4 has unknown bits");
}

Test(regions, what_leaves_its_space)
{
	cr_assert_eq(check_one(LX_SPACE_PIO, 0xfffe, 3, 0), -ERANGE);
	says("region 0 (pio 0xfffe+0x3): goes past the last port, 0xffff");
	cr_assert_eq(check_one(LX_SPACE_PIO, 0x10000, 1, 0), -ERANGE);
	cr_assert_eq(check_one(LX_SPACE_PIO, UINT64_MAX, 2, 0), -ERANGE);
	cr_assert_eq(check_one(LX_SPACE_MMIO, UINT64_MAX - 7, 8, 0), -ERANGE);
	says("wraps");
	cr_assert_eq(check_one(LX_SPACE_MMIO, 0, INT_MAX + 1ULL, 0), -ERANGE);
	says("longer than");
}

Test(regions, each_other)
{
	struct lx_region r[] = {
		{ .space = LX_SPACE_MMIO, .addr = 0x1000, .len = 0x100 },
		{ .space = LX_SPACE_PIO, .addr = 0x1000, .len = 0x100 },
		{ .space = LX_SPACE_MMIO, .addr = 0x1100, .len = 0x100 },
	};

	cr_assert_eq(lx_check_regions(r, 3), 0);
	r[2].addr = 0x10ff;
	cr_assert_eq(lx_check_regions(r, 3), -EEXIST);
	says("regions 0 (mmio 0x1000+0x100) and 2 (mmio 0x10ff+0x100) overlap");
}

Test(regions, the_vms_fd)
{
	int fd = open("/dev/null", O_RDONLY);

	cr_assert_eq(lx_check_vm_fd(fd), -EINVAL);
	says("is /dev/null, not a VM");
	close(fd);
	cr_assert_eq(lx_check_vm_fd(fd), -EBADF);
	cr_assert_eq(lx_check_vm_fd(-1), -EBADF);
}

static const struct lx_check *check_named(const struct lx_probe *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		if (!strcmp(p->checks[i].name, name))
			return &p->checks[i];
	}
	return NULL;
}

/* Files of a host that has all but the module. */
static struct lx_probe probe_host(int *err)
{
	struct lx_probe p = { .sz = sizeof(p) };

	put("sys/kernel/btf/vmlinux", "");
	put("sys/module/kvm/version", "");
	put("dev/kvm", "");
	lx_root = tmp;
	*err = lx_probe(&p);
	return p;
}

Test(probe, no_module_at_all)
{
	int err;
	struct lx_probe p = probe_host(&err);
	const struct lx_check *c = check_named(&p, "module");

	cr_assert_eq(err, -ENOENT, "%d", err);
	cr_assert(c && !c->ok);
	cr_assert(strstr(c->detail, "none is installed"), "%s", c->detail);
	cr_assert(strstr(c->remedy, "dkms"), "%s", c->remedy);
	cr_assert_null(check_named(&p, "switched on"), "no module to be on");
	cr_assert(check_named(&p, "KVM")->ok);
	cr_assert(check_named(&p, "kernel BTF")->ok);
	says("module: not loaded; none is installed");
}

Test(probe, module_of_this_kernel_is_installed)
{
	struct utsname u;
	char path[128];
	struct lx_probe p;
	int err;

	uname(&u);
	snprintf(path, sizeof(path), "lib/modules/%s/modules.dep", u.release);
	put(path,
	    "kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko\nupdates/dkms/lightexit.ko.xz: kernel/kvm.ko\n");
	put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	p = probe_host(&err);
	cr_assert_eq(err, -ENOENT);
	cr_assert(strstr(check_named(&p, "module")->detail, "installed for this kernel"));
	cr_assert(strstr(check_named(&p, "module")->detail, "lockdown: integrity"));
	cr_assert(strstr(check_named(&p, "module")->remedy, "lightexit; it must be signed"));
}

Test(probe, module_of_another_kernel_is_installed)
{
	struct lx_probe p;
	int err;

	put("lib/modules/6.1.0-other/modules.dep", "extra/lightexit.ko:\n");
	put("lib/modules/6.2.0-none/modules.dep", "extra/lightexit_other.ko: kernel/x.ko\n");
	put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	p = probe_host(&err);
	cr_assert_eq(err, -ENOENT);
	cr_assert_str_eq(check_named(&p, "module")->detail,
			 "not loaded; installed for another kernel only: 6.1.0-other");
}

Test(probe, switched_off)
{
	struct lx_probe p;
	int err;

	put("sys/module/lightexit/parameters/enable", "N\n");
	put("sys/kernel/btf/lightexit", "");
	p = probe_host(&err);
	cr_assert_eq(err, -ESHUTDOWN, "%d", err);
	cr_assert(!check_named(&p, "switched on")->ok);
	cr_assert(check_named(&p, "module")->ok);
	says("echo Y > /sys/module/lightexit/parameters/enable");
	said[0] = '\0';
	cr_assert_eq(lx_probe_load(), -ENOENT, "as lx_device_load() has it");
	says("is N");
}

Test(probe, module_without_btf)
{
	struct lx_probe p;
	int err;

	put("sys/module/lightexit/parameters/enable", "Y\n");
	p = probe_host(&err);
	cr_assert_eq(err, -EOPNOTSUPP);
	cr_assert(!check_named(&p, "module BTF")->ok);
	cr_assert(check_named(&p, "switched on")->ok);
}

Test(probe, no_kvm)
{
	struct lx_probe p = { .sz = sizeof(p) };

	put("sys/kernel/btf/vmlinux", "");
	lx_root = tmp;
	cr_assert_eq(lx_probe(&p), -EOPNOTSUPP);
	cr_assert(strstr(check_named(&p, "KVM")->detail, "not loaded"));
}

Test(probe, arguments)
{
	struct lx_probe p = { .sz = 8 };

	lx_root = tmp;
	cr_assert_eq(lx_probe(&p), -EINVAL);
	says("lx_probe.sz is 8");
	cr_assert_eq(lx_probe(NULL), -EOPNOTSUPP, "no BTF under an empty root");
}

Test(probe, every_failure_has_a_remedy)
{
	struct lx_probe p = { .sz = sizeof(p) };
	unsigned int i, bad = 0;

	lx_root = tmp;
	lx_probe(&p);
	cr_assert_leq(p.n, LX_PROBE_MAX);
	for (i = 0; i < p.n; i++) {
		cr_assert(p.checks[i].detail[0], "%s has no detail", p.checks[i].name);
		cr_assert_eq(p.checks[i].ok, !p.checks[i].remedy[0], "%s", p.checks[i].name);
		bad += !p.checks[i].ok;
	}
	cr_assert_geq(bad, 3, "kernel BTF, KVM and module are missing under an empty root");
}

#define INFO "sys/kernel/debug/lightexit"

static const char good[] =
	"id: 3\nname: hpet\npid: 123\nlink_id: 17\nstate: live\neject: 0\n"
	"eject_detail: 0\nreason: "
	"\noverruns: 5\nmax_ns: 1234\nregions: 2\n"
	"region 0: space=mmio addr=0xfed00000 len=0x400 flags=0x1 handled=1 passed=2 "
	"errors=3 string_splits=4 pieces=1 shadowed=6\n"
	"region 1: space=pio addr=0x608 len=0x4 flags=0x0 handled=18446744073709551615 "
	"passed=0 errors=0 string_splits=0 pieces=1 shadowed=0\n";

static int parse(const char *text, struct lx_stats *s)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");
	int err;

	cr_assert(f);
	err = lx_parse_info(f, "/x/info", s);
	fclose(f);
	return err;
}

Test(info, every_field)
{
	struct lx_stats s;

	cr_assert_eq(parse(good, &s), 0);
	cr_assert_eq(s.sz, sizeof(s));
	cr_assert(s.id == 3 && s.pid == 123 && s.link_id == 17 && s.eject == 0 &&
		  s.eject_detail == 0);
	cr_assert(s.overruns == 5 && s.max_ns == 1234 && s.n_regions == 2);
	cr_assert_str_eq(s.name, "hpet");
	cr_assert_str_empty(s.reason);
	cr_assert(s.regions[0].region.space == LX_SPACE_MMIO &&
		  s.regions[0].region.addr == 0xfed00000 && s.regions[0].region.len == 0x400 &&
		  s.regions[0].region.flags == LX_REGION_OVERLAY);
	cr_assert(s.regions[0].handled == 1 && s.regions[0].passed == 2 &&
		  s.regions[0].errors == 3 && s.regions[0].string_splits == 4 &&
		  s.regions[0].shadowed == 6);
	cr_assert(s.regions[1].region.space == LX_SPACE_PIO && s.regions[1].region.addr == 0x608);
	cr_assert_eq(s.regions[1].handled, UINT64_MAX);
}

/* @good with one piece of text exchanged. */
static int parse_with(const char *from, const char *to, struct lx_stats *s)
{
	const char *at = strstr(good, from);
	char text[2048];

	cr_assert(at, "%s", from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	said[0] = '\0';
	return parse(text, s);
}

Test(info, a_reason_with_spaces)
{
	struct lx_stats s;

	cr_assert_eq(parse_with("reason: ", "reason: the program asked for it, code 7", &s), 0);
	cr_assert_str_eq(s.reason, "the program asked for it, code 7");
}

Test(info, later_versions_may_say_more)
{
	struct lx_stats s;

	cr_assert_eq(parse_with("max_ns:", "future: a: b\nmax_ns:", &s), 0);
	cr_assert_eq(parse_with("pieces=1", "pieces=1 future=2", &s), 0);
	cr_assert_eq(s.regions[0].shadowed, 6);
}

Test(info, malformed_lines)
{
	static const struct {
		const char *from, *to, *says;
	} t[] = {
		{ "id: 3", "id: x", "line 1" },
		{ "id: 3", "id: -3", "line 1" },
		{ "pid: 123", "pid: 4294967296", "line 3" },
		{ "pid: 123", "pid: ", "line 3" },
		{ "max_ns: 1234", "max_ns: 12x", "line 10" },
		{ "max_ns: 1234", "max_ns: 18446744073709551616", "line 10" },
		{ "state: live", "state live", "line 5" },
		{ "space=mmio", "space=isa", "line 12" },
		{ "handled=1 ", "handled ", "line 12" },
		{ "passed=2", "passed=", "line 12" },
		{ "len=0x400", "len=0x0", "line 12" },
		{ "region 0:", "region 1:", "line 12" },
		{ "region 1:", "region x:", "line 13" },
		{ "region 1:", "region 9:", "line 13" },
		{ "regions: 2", "regions: 1", "1 regions announced, 2 found" },
		{ "regions: 2", "regions: 3", "3 regions announced, 2 found" },
		{ "link_id: 17\n", "", "no line \"link_id" },
		{ "name: hpet\n", "", "no line \"name" },
		{ "shadowed=0\n", "shadowed=0", "cut short" },
	};
	struct lx_stats s;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cr_assert_eq(parse_with(t[i].from, t[i].to, &s), -EPROTO, "%s -> %s", t[i].from,
			     t[i].to);
		says(t[i].says);
		says("/x/info");
		says("of different versions");
	}
	cr_assert_eq(parse_with("name: hpet", "name: hpet", &s), 0, "the text itself is good");
}

struct seen {
	unsigned int n, stop_at;
	uint32_t ids[8];
};

static int see(const struct lx_stats *s, void *ctx)
{
	struct seen *seen = ctx;

	seen->ids[seen->n++] = s->id;
	return seen->n == seen->stop_at ? 42 : 0;
}

static void put_device(const char *path, unsigned int id)
{
	char text[1024];

	snprintf(text, sizeof(text), "id: %u%s", id, good + strlen("id: 3"));
	put(path, text);
}

Test(info, devices_come_in_order_of_their_ids)
{
	struct seen seen = { 0 };

	put_device(INFO "/10/info", 10);
	put_device(INFO "/9/info", 9);
	put(INFO "/notes", "not a device");
	put(INFO "/11/other", "detached while we look");
	lx_root = tmp;
	cr_assert_eq(lx_for_each_device(see, &seen), 0);
	cr_assert_eq(seen.n, 2);
	cr_assert(seen.ids[0] == 9 && seen.ids[1] == 10);

	seen = (struct seen){ .stop_at = 1 };
	cr_assert_eq(lx_for_each_device(see, &seen), 42);
	cr_assert_eq(seen.n, 1);
}

Test(info, a_broken_file_is_an_error)
{
	struct seen seen = { 0 };

	put(INFO "/1/info", "id: one\n");
	lx_root = tmp;
	cr_assert_eq(lx_for_each_device(see, &seen), -EPROTO);
	says(INFO "/1/info, line 1: cannot be read at \"id\"");
}

Test(info, a_file_that_cannot_be_opened_is_an_error)
{
	struct seen seen = { 0 };
	char path[128];

	put_device(INFO "/1/info", 1);
	snprintf(path, sizeof(path), "%s/" INFO "/2", tmp);
	cr_assert(!mkdir(path, 0700));
	strcat(path, "/info");
	cr_assert(!symlink("info", path));
	lx_root = tmp;
	cr_assert_eq(lx_for_each_device(see, &seen), -ELOOP);
	cr_assert_eq(seen.n, 1);
	says(INFO "/2/info: Too many levels of symbolic links");
}

Test(info, why_there_is_nothing_to_read)
{
	struct seen seen = { 0 };

	lx_root = tmp;
	cr_assert_eq(lx_for_each_device(see, &seen), -ENOENT);
	says("module lightexit is not loaded");
	put("sys/module/lightexit/version", "");
	cr_assert_eq(lx_for_each_device(see, &seen), -ENOENT);
	says("mount -t debugfs");
}
