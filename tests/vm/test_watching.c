// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What operators see: counters and tracepoints count what happened, exactly;
 * bpftool shows a live device's registers by name, its link and its programs;
 * `lightexit list` and `stats` agree with both.
 */
#include <bpf/bpf.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/vt_probe.h"
#include "hpet.h"
#include "tracing.h"
#include "vmscript.h"

static struct lx_device *dev;

static void setup(void)
{
	vms_setup();
	vmt_set_param("budget_us", VMS_BUDGET_MAX);
}

static void teardown(void)
{
	vms_teardown();
	lx_device_close(dev);
	dev = NULL;
	trace_end();
	vmt_set_param("budget_us", VMS_BUDGET_DEFAULT);
}

TestSuite(watching, .init = setup, .fini = teardown, .timeout = 120);

/* One lx_access line of the trace, as trace.h prints it. */
struct line {
	unsigned int dev;
	unsigned int vcpu;
	unsigned int region;
	char bus[8];
	char dir[8];
	uint64_t addr;
	unsigned int len;
	uint64_t data;
	char verdict[16];
	int code;
};

static bool parse_access(const char *text, struct line *l)
{
	const char *p = strstr(text, "lx_access: ");
	int n;

	if (!p)
		return false;
	n = sscanf(p,
		   "lx_access: dev=%u vcpu=%u region=%u %7s %7s addr=%lx len=%u data=%lx "
		   "verdict=%15[a-z](%d)",
		   &l->dev, &l->vcpu, &l->region, l->bus, l->dir, &l->addr, &l->len, &l->data,
		   l->verdict, &l->code);
	cr_assert_eq(n, 10, "cannot read: %s", p);
	return true;
}

/* The trace's lx_access lines; @ejects: the others of ours, as text. */
static unsigned int trace_read(struct line *lines, unsigned int max, char *ejects, size_t size)
{
	FILE *f = fopen(TRACE "/trace", "re");
	unsigned int n = 0;
	char text[512];

	cr_assert_not_null(f);
	ejects[0] = 0;
	while (fgets(text, sizeof(text), f)) {
		const char *p = strstr(text, "lx_eject: ");

		if (p)
			snprintf(ejects + strlen(ejects), size - strlen(ejects), "%s", p);
		cr_assert_lt(n, max);
		n += parse_access(text, &lines[n]);
	}
	fclose(f);
	return n;
}

static struct line lines[4096];
static char ejects[256];

#define ROUNDS 100U

/* Ports 0 to 3 are handled, others pass; both vCPUs do the same on their own ports and MMIO. */
static void script_two_vcpus(void)
{
	for (unsigned int v = 0; v < 2; v++) {
		vms_add(v, SCRIPT_IN, 1, VMS_PORT + v, 0, ROUNDS);
		vms_add(v, SCRIPT_OUT, 2, VMS_PORT + 4 + 2 * v, 0xabcd + v, ROUNDS + v);
		vms_add(v, SCRIPT_READ, 8, VMS_MMIO + 0x100 * (v + 1), 0, 10 + v);
		vms_add(v, SCRIPT_WRITE, 4, VMS_MMIO + 2 + v, 0x12345678, 20 + v);
	}
	vms_run();
}

/* Lines that are like @want in all but dev. */
static unsigned int count_lines(unsigned int n, const struct line *want)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct line *l = &lines[i];

		found += l->dev == want->dev && l->vcpu == want->vcpu &&
			 l->region == want->region && l->addr == want->addr &&
			 l->len == want->len && l->data == want->data && l->code == want->code &&
			 !strcmp(l->bus, want->bus) && !strcmp(l->dir, want->dir) &&
			 !strcmp(l->verdict, want->verdict);
	}
	return found;
}

static void expect_lines(unsigned int n, unsigned int id)
{
	for (unsigned int v = 0; v < 2; v++) {
		const struct line want[] = {
			{ id, v, 0, "pio", "read", VMS_PORT + v, 1, 0x5a, "handled", 0 },
			{ id, v, 0, "pio", "write", VMS_PORT + 4 + 2 * v, 2, 0xabcd + v, "pass",
			  1 },
			{ id, v, 1, "mmio", "read", VMS_MMIO + 0x100 * (v + 1), 8, 0x5a, "pass",
			  1 },
			{ id, v, 1, "mmio", "write", VMS_MMIO + 2 + v, 4, 0x12345678, "handled",
			  0 },
		};
		const unsigned int times[] = { ROUNDS, ROUNDS + v, 10 + v, 20 + v };

		for (unsigned int i = 0; i < 4; i++)
			cr_expect_eq(count_lines(n, &want[i]), times[i],
				     "vCPU %u, line %u: %u of %u in the trace", v, i,
				     count_lines(n, &want[i]), times[i]);
	}
}

static struct vt_probe_state *attach_probe(void)
{
	struct vt_probe_state *st;

	dev = vmt_load(vmt_test_bpf_dir(), "vt_probe");
	st = lx_device_state(dev, NULL);
	st->data = 0x5a;
	vmt_attach(dev, vms.vm);
	return st;
}

Test(watching, trace_and_counters_are_exact)
{
	struct vt_probe_state *st;
	struct lx_stats s;
	unsigned int n;

	vms_teardown();
	vms_create(&(struct vmm_opts){ .vcpus = 2 });
	st = attach_probe();
	st->addr_mask = 0xf;
	trace_start();
	script_two_vcpus();
	n = trace_read(lines, 4096, ejects, sizeof(ejects));
	s = vmt_stats(dev);
	cr_expect_eq(n, 4 * ROUNDS + 1 + 21 + 41, "%u lines", n);
	expect_lines(n, s.id);
	cr_expect_str_empty(ejects);
	cr_expect_eq(s.regions[0].handled, 2 * ROUNDS);
	cr_expect_eq(s.regions[0].passed, 2 * ROUNDS + 1);
	cr_expect_eq(s.regions[1].handled, 41);
	cr_expect_eq(s.regions[1].passed, 21);
	for (unsigned int i = 0; i < 2; i++) {
		cr_expect_eq(s.regions[i].errors, 0);
		cr_expect_eq(s.regions[i].string_splits, 0);
	}
	/* The program and the VMM counted the same. */
	cr_expect_eq(st->n, n);
	cr_expect_eq(vms_count().accesses, s.regions[0].passed + s.regions[1].passed);

	/* With tracing off the counters go on, the trace does not. */
	trace_write("events/lightexit/enable", "0");
	vms_in(1, VMS_PORT);
	vms_run();
	cr_expect_eq(trace_read(lines, 4096, ejects, sizeof(ejects)), n);
	cr_expect_eq(vmt_stats(dev).regions[0].handled, 2 * ROUNDS + 1);
}

Test(watching, an_ejection_is_traced)
{
	struct vt_probe_state *st = attach_probe();
	char want[64];

	st->verdict = 77;
	trace_start();
	vms_add(0, SCRIPT_IN, 1, VMS_PORT, 0, LX_ERROR_LIMIT - 1);
	vms_run();
	trace_read(lines, 4096, ejects, sizeof(ejects));
	cr_expect_str_empty(ejects, "%s", ejects);
	vms_add(0, SCRIPT_IN, 1, VMS_PORT, 0, 5);
	vms_run();
	cr_expect_eq(trace_read(lines, 4096, ejects, sizeof(ejects)), LX_ERROR_LIMIT + 4);
	snprintf(want, sizeof(want), "lx_eject: dev=%u code=1 detail=0\n", vmt_stats(dev).id);
	cr_expect_str_eq(ejects, want, "%s", ejects);
	cr_expect_str_eq(lines[LX_ERROR_LIMIT - 1].verdict, "error");
	cr_expect_eq(lines[LX_ERROR_LIMIT - 1].code, 77);
	cr_expect_str_eq(lines[LX_ERROR_LIMIT].verdict, "pass");

	cr_assert_eq(lx_device_detach(dev), 0);
	vmt_attach(dev, vms.vm);
	trace_write("trace", "");
	st->verdict = LX_HANDLED;
	st->eject_at = st->n + 1;
	st->eject_code = 4711;
	vms_in(1, VMS_PORT);
	vms_run();
	trace_read(lines, 4096, ejects, sizeof(ejects));
	snprintf(want, sizeof(want), "lx_eject: dev=%u code=3 detail=4711\n", vmt_stats(dev).id);
	cr_expect_str_eq(ejects, want, "%s", ejects);
}

/* A command's output as JSON; the caller decrefs it. */
static __attribute__((format(printf, 1, 2))) json_t *json_of(const char *fmt, ...)
{
	json_error_t error;
	char command[256];
	json_t *json;
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	f = popen(command, "re");
	cr_assert_not_null(f);
	json = json_loadf(f, 0, &error);
	cr_assert_not_null(json, "%s: %s", command, error.text);
	cr_assert_eq(pclose(f), 0, "%s failed", command);
	return json;
}

static uint64_t number(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	cr_assert(json_is_integer(v), "no number %s", key);
	return (uint64_t)json_integer_value(v);
}

static const char *string(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	cr_assert(json_is_string(v), "no string %s", key);
	return json_string_value(v);
}

#define COUNTER 0x1020304050607ULL
#define RESERVED 0x300 /* passes */
#define HPET_CAP_LITERAL 0x009896808086a201ULL

/* A halted HPET that a guest has read 10 times. */
static struct vmm_hpet *watched_hpet(void)
{
	struct vmm_hpet *hpet;

	dev = vmt_load(vmt_bpf_dir(), "hpet");
	cr_assert_eq(vmm_hpet_new(vms.vm, HPET_BASE, LX_CLOCK_MONOTONIC, lx_device_state(dev, NULL),
				  &hpet),
		     0);
	vms_write(8, HPET_BASE + HPET_COUNTER, COUNTER);
	vms_write(4, HPET_BASE + HPET_CONFIG, HPET_CONFIG_LEGACY);
	/* jansson takes no integer of 2^63 or more, as comparators have after reset. */
	for (unsigned int i = 0; i < HPET_TIMERS; i++)
		vms_write(8, HPET_BASE + 0x108 + 0x20 * i, 1000);
	vms_run();
	vmt_attach(dev, vms.vm);
	vms_add(0, SCRIPT_READ, 4, HPET_BASE + HPET_COUNTER, 0, 10);
	vms_add(0, SCRIPT_READ, 4, HPET_BASE + RESERVED, 0, 3);
	vms_run();
	return hpet;
}

static uint32_t state_map_id(void)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	cr_assert_eq(bpf_map_get_info_by_fd(lx_device_fd(dev, LX_FD_STATE), &info, &len), 0);
	return info.id;
}

Test(watching, bpftool_shows_registers_by_name)
{
	struct vmm_hpet *hpet = watched_hpet();
	json_t *dump = json_of("bpftool -j map dump id %u", state_map_id());
	json_t *v = json_object_get(json_object_get(json_array_get(dump, 0), "formatted"), "value");
	json_t *hdr = json_object_get(v, "hdr");

	cr_assert_not_null(v, "no value with names");
	cr_expect_eq(number(v, "counter"), COUNTER);
	cr_expect_eq(number(v, "config"), HPET_CONFIG_LEGACY);
	cr_expect_eq(number(v, "cap"), HPET_CAP_LITERAL);
	cr_assert_not_null(hdr);
	cr_expect_eq(number(hdr, "clock"), LX_CLOCK_MONOTONIC);
	cr_expect_eq(number(hdr, "magic"), LX_STATE_MAGIC);
	cr_expect_eq(number(hdr, "abi"), LX_STATE_ABI);
	cr_expect_eq(number(hdr, "size"), sizeof(struct hpet_state));
	cr_expect_eq(number(hdr, "seq") & 1, 0);
	json_decref(dump);

	/* Live: what the guest sets next is there next. */
	vms_write(8, HPET_BASE + HPET_COUNTER, 42);
	vms_run();
	dump = json_of("bpftool -j map dump id %u", state_map_id());
	v = json_object_get(json_object_get(json_array_get(dump, 0), "formatted"), "value");
	cr_expect_eq(number(v, "counter"), 42);
	json_decref(dump);
	vmm_hpet_free(hpet);
}

/* The struct_ops program of that name which uses the state map; its id. */
static uint64_t bpftool_prog(const char *name)
{
	json_t *progs = json_of("bpftool -j prog show"), *p, *id;
	uint64_t found = 0;
	size_t i, j;

	json_array_foreach(progs, i, p) {
		if (strcmp(string(p, "type"), "struct_ops") || strcmp(string(p, "name"), name))
			continue;
		json_array_foreach(json_object_get(p, "map_ids"), j, id) {
			if ((uint32_t)json_integer_value(id) == state_map_id())
				found = number(p, "id");
		}
	}
	json_decref(progs);
	cr_assert(found, "bpftool prog does not show %s", name);
	return found;
}

Test(watching, bpftool_and_list_show_what_is_attached)
{
	struct vmm_hpet *hpet = watched_hpet();
	struct lx_stats s = vmt_stats(dev);
	uint64_t prog = bpftool_prog("hpet_io_read");
	json_t *links = json_of("bpftool -j link show"), *link;
	json_t *list = json_of("lightexit list --json"), *d, *r, *id;
	bool found = false;
	size_t n;

	cr_assert_eq(json_array_size(links), 1);
	link = json_array_get(links, 0);
	cr_expect_str_eq(string(link, "type"), "struct_ops");
	cr_expect_eq(number(link, "id"), s.link_id);
	cr_assert_eq(json_array_size(list), 1);
	d = json_array_get(list, 0);
	cr_expect_eq(number(d, "id"), s.id);
	cr_expect_str_eq(string(d, "name"), "hpet");
	cr_expect_eq(number(d, "pid"), (uint64_t)getpid());
	cr_expect_str_eq(string(d, "comm"), "test_watching");
	cr_expect_eq(number(d, "link_id"), s.link_id);
	cr_expect_str_eq(string(d, "state"), "live");
	cr_expect_eq(number(d, "map_id"), number(link, "map_id"));
	cr_expect_eq(number(d, "state_map_id"), state_map_id());
	cr_expect_str_eq(string(d, "state_map"), "hpet_state");
	cr_assert_eq(json_array_size(json_object_get(d, "prog_ids")), 3); /* read, write, timer */
	json_array_foreach(json_object_get(d, "prog_ids"), n, id)
		found |= (uint64_t)json_integer_value(id) == prog;
	cr_expect(found, "program %lu is not among those of the device", prog);
	r = json_array_get(json_object_get(d, "regions"), 0);
	cr_expect_str_eq(string(r, "space"), "mmio");
	cr_expect_eq(number(r, "addr"), HPET_BASE);
	cr_expect_eq(number(r, "len"), HPET_LEN);
	cr_expect_eq(number(r, "shadowed"), 0);
	json_decref(links);
	json_decref(list);
	vmm_hpet_free(hpet);
}

Test(watching, stats_agree_with_the_counters)
{
	struct vmm_hpet *hpet = watched_hpet();
	json_t *stats = NULL, *r;
	struct lx_stats s;

	do { /* the attach's kick may run late */
		json_decref(stats);
		s = vmt_stats(dev);
		stats = json_of("lightexit stats --json");
	} while (vmt_stats(dev).max_ns != s.max_ns);
	cr_assert_eq(json_array_size(stats), 1);
	cr_expect_eq(number(json_array_get(stats, 0), "id"), s.id);
	cr_expect_eq(number(json_array_get(stats, 0), "max_ns"), s.max_ns);
	cr_expect_gt(s.max_ns, 0);
	r = json_array_get(json_object_get(json_array_get(stats, 0), "regions"), 0);
	cr_expect_eq(number(r, "handled"), 10);
	cr_expect_eq(number(r, "passed"), 3);
	cr_expect_eq(number(r, "errors"), 0);
	cr_expect_eq(number(r, "string_splits"), 0);
	json_decref(stats);
	cr_expect(s.regions[0].handled == 10 && s.regions[0].passed == 3);

	/* Nothing is shown of what is detached. */
	cr_assert_eq(lx_device_detach(dev), 0);
	stats = json_of("lightexit stats --json");
	cr_expect_eq(json_array_size(stats), 0);
	json_decref(stats);
	vmm_hpet_free(hpet);
}
