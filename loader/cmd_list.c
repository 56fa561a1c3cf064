// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit list: the attached devices. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "json.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = state->input;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "no argument is wanted: '%s'", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.parser = parse,
	.children = children,
	.doc = "Shows the devices that are attached to this host's VMs, with the BPF objects behind them "
	       "(see bpftool link, map, prog)."
	       "\vSHADOWED counts the pieces of a region that a device registered later by somebody else "
	       "(an ioeventfd, say) hides: accesses there do not reach the program.",
};

static const char *comm_of(const struct lx_stats *s, char *buf, size_t size)
{
	char path[64];
	FILE *f;

	buf[0] = '\0';
	if (!s->pid)
		return buf;
	snprintf(path, sizeof(path), "/proc/%d/comm", s->pid);
	f = fopen(path, "re");
	if (!f)
		return buf;
	if (!fgets(buf, size, f))
		buf[0] = '\0';
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static void add_ids(struct table *t, const struct bpf_view *v)
{
	char buf[VIEW_MAX * 12] = "";
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < v->n_progs; i++)
		n += snprintf(buf + n, sizeof(buf) - n, "%s%u", i ? "," : "", v->progs[i]);
	table_add(t, "%s", n ? buf : "-");
}

static void add_device(struct table *t, const struct lx_stats *s)
{
	struct bpf_view v;
	char comm[32];

	bpf_view_get(s->link_id, &v);
	table_add(t, "%u", s->id);
	table_add(t, "%s", s->name);
	table_add(t, "%d", s->pid);
	table_add(t, "%s", comm_of(s, comm, sizeof(comm))[0] ? comm : "-");
	table_add(t, "%u", s->link_id);
	if (v.map_id)
		table_add(t, "%u", v.map_id);
	else
		table_add(t, "-");
	add_ids(t, &v);
	if (v.state_map_id)
		table_add(t, "%u %s", v.state_map_id, v.state_map);
	else
		table_add(t, "-");
}

static void print(const struct devices *d)
{
	static const char *const head[] = { "ID",     "NAME",	  "PID",   "COMM",
					    "LINK",   "MAP",	  "PROGS", "STATE MAP",
					    "REGION", "SHADOWED", "STATE" };
	struct table *t = table_new(11, head);
	unsigned int i;
	size_t n;
	int c;

	for (n = 0; n < d->n; n++) {
		const struct lx_stats *s = &d->v[n];

		add_device(t, s);
		for (i = 0; i < s->n_regions; i++) {
			const struct lx_region *r = &s->regions[i].region;

			for (c = 0; i && c < 8; c++)
				table_add(t, "%s", "");
			table_add(t, "%s 0x%" PRIx64 "+0x%" PRIx64 "%s%s",
				  r->space == LX_SPACE_PIO ? "pio" : "mmio", (uint64_t)r->addr,
				  (uint64_t)r->len, r->flags & LX_REGION_OVERLAY ? " overlay" : "",
				  r->flags & LX_REGION_STRINGS ? " strings" : "");
			table_add(t, "%" PRIu64, s->regions[i].shadowed);
			table_add(t, "%s%s%s", i ? "" : device_state(s),
				  !i && s->reason[0] ? ": " : "", i ? "" : s->reason);
		}
	}
	table_print(t);
}

static int print_json(const struct devices *d)
{
	json_t *all = json_array();
	struct bpf_view v;
	char comm[32];
	size_t n;

	for (n = 0; n < d->n; n++) {
		bpf_view_get(d->v[n].link_id, &v);
		comm_of(&d->v[n], comm, sizeof(comm));
		json_array_append_new(all, json_device(&d->v[n], &v, comm));
	}
	return json_print(all, JSON_INDENT(2));
}

int cmd_list(int argc, char **argv)
{
	bool json = false;
	struct devices d;
	int rc = RC_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	if (devices_read(&d))
		return RC_FAILED;
	if (json)
		rc = print_json(&d);
	else if (d.n)
		print(&d);
	else
		printf("No device is attached.\n");
	devices_free(&d);
	return rc;
}
