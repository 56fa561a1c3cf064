// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * verify OUT SRC DEVICES: loads each program, and attaches it to a VM.
 *   OUT/good/X.bpf.o, DEVICES/X.bpf.o   must load and attach
 *   OUT/bad/X.bpf.o    must be refused, for the reason that SRC/bad/X.bpf.c names in its
 *                      "// EXPECT: regex" line (verifier's log, libbpf's warnings, errno)
 *   OUT/twin/X.bpf.o   the same without the offending line: must load and attach
 * TAP, then "N passed, N failed, N skipped".
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/kvm.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <lightexit/ops.h>

#define LOG_SIZE (4U << 20)
#define TEXT_SIZE (LOG_SIZE + 65536)

static int vm_fd;
static unsigned int passed, failed;

/* What the kernel and libbpf said about the last program. */
static char text[TEXT_SIZE];
static char kernel_log[LOG_SIZE];

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t n = strlen(text);

	if (level == LIBBPF_WARN)
		vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	return 0;
}

static void die(const char *what)
{
	printf("not ok - verify: %s: %m\n0 passed, 1 failed, 0 skipped\n", what);
	exit(1);
}

/* @detail is what was said, each line made a TAP comment. */
static void result(int ok, const char *name, const char *why, char *detail)
{
	char *line, *save;

	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", passed + failed + 1, name, why);
	if (ok)
		passed++;
	else
		failed++;
	if (ok || !detail)
		return;
	for (line = strtok_r(detail, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("#   %s\n", line);
}

static struct bpf_map *ops_map(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			return map;
	}
	return NULL;
}

static int attach(struct bpf_map *map)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(map);
	int err = link ? 0 : -errno;

	if (err)
		say("attach: %s\n", strerrorname_np(-err));
	bpf_link__destroy(link);
	return err;
}

static int load(struct bpf_object *obj)
{
	struct bpf_map *map = ops_map(obj);
	struct lightexit_ops *ops;
	int err;

	if (map) {
		ops = bpf_map__initial_value(map, &(size_t){ 0 });
		ops->vm_fd = vm_fd;
	}
	err = bpf_object__load(obj);
	if (err) {
		say("%s\nload: %s\n", kernel_log, strerrorname_np(-err));
		return err;
	}
	return map ? attach(map) : 0;
}

static int try_program(const char *path)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *obj;
	int err;

	text[0] = '\0';
	kernel_log[0] = '\0';
	opts.kernel_log_buf = kernel_log;
	opts.kernel_log_size = sizeof(kernel_log);
	obj = bpf_object__open_file(path, &opts);
	if (!obj) {
		err = -errno;
		say("%s: open: %s\n", path, strerrorname_np(-err));
		return err;
	}
	err = load(obj);
	bpf_object__close(obj);
	return err;
}

/* "good/clock_gen" of "/x/good/clock_gen.bpf.o" */
static const char *name_of(const char *path)
{
	static char name[128];
	const char *dir = strrchr(path, '/');

	while (dir > path && dir[-1] != '/')
		dir--;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(dir) - strlen(".bpf.o")), dir);
	return name;
}

static void must_load(const char *path)
{
	int err = try_program(path);

	result(!err, name_of(path), "loads and attaches", text);
}

static void read_expect(const char *src, const char *name, regex_t *re)
{
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.bpf.c", src, name);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "// EXPECT: ", 11))
			break;
	}
	fclose(f);
	if (strncmp(line, "// EXPECT: ", 11) || regcomp(re, line + 11, REG_EXTENDED)) {
		errno = EINVAL;
		die(path);
	}
}

static void must_be_refused(const char *path, const char *src)
{
	const char *name = name_of(path);
	regmatch_t m;
	regex_t re;

	read_expect(src, name, &re);
	if (!try_program(path)) {
		result(0, name, "was not refused", NULL);
	} else if (regexec(&re, text, 1, &m, 0)) {
		result(0, name, "was refused, but not for the reason that it names:", text);
	} else {
		text[m.rm_eo] = '\0';
		result(1, name, text + m.rm_so, NULL);
	}
	regfree(&re);
}

static void twin_must_load(const char *bad)
{
	char path[512];
	const char *at = strstr(bad, "/bad/");

	snprintf(path, sizeof(path), "%.*s/twin/%s", (int)(at - bad), bad, at + 5);
	must_load(path);
}

/* An empty directory is an error: nothing would have been shown. */
static void for_each(const char *dir, const char *sub, const char *src)
{
	char pattern[512];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s%s/*.bpf.o", dir, sub);
	if (glob(pattern, 0, NULL, &g))
		die(pattern);
	for (i = 0; i < g.gl_pathc; i++) {
		if (!src) {
			must_load(g.gl_pathv[i]);
			continue;
		}
		must_be_refused(g.gl_pathv[i], src);
		twin_must_load(g.gl_pathv[i]);
	}
	globfree(&g);
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (argc != 4) {
		fprintf(stderr, "usage: verify OUT SRC DEVICES\n");
		return 2;
	}
	if (kvm < 0)
		die("/dev/kvm");
	vm_fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm_fd < 0)
		die("KVM_CREATE_VM");
	libbpf_set_print(on_libbpf);
	for_each(argv[3], "", NULL);
	for_each(argv[1], "/good", NULL);
	for_each(argv[1], "/bad", argv[2]);
	printf("1..%u\n%u passed, %u failed, 0 skipped\n", passed + failed, passed, failed);
	return failed != 0;
}
