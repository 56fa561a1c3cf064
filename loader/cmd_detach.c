// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* lightexit detach: takes a device off its VM from outside. */
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cmd.h"
#include "json.h"

struct args {
	bool json;
	uint32_t id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case ARGP_KEY_ARG:
		if (a->id)
			argp_error(state, "one ID, please");
		if (!parse_id(arg, &a->id))
			argp_error(state, "'%s' is not the ID of a device; see lightexit list",
				   arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the ID of a device is missing; see lightexit list");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp argp = {
	.parser = parse,
	.args_doc = "ID",
	.children = children,
	.doc = "Takes a device off its VM. From then on its accesses exit to the VMM, as if it had never been "
	       "there; the VMM is not told, and may attach it again.",
};

static int detach(const struct lx_stats *s)
{
	int fd = bpf_link_get_fd_by_id(s->link_id), err;

	if (fd < 0)
		return complain("device %u (%s): link %u: %s", s->id, s->name, s->link_id,
				bpf_errstr(fd));
	err = bpf_link_detach(fd);
	close(fd);
	if (err)
		return complain("device %u (%s): detaching link %u: %s", s->id, s->name, s->link_id,
				bpf_errstr(err));
	return RC_OK;
}

static int report(const struct args *a, const struct lx_stats *s)
{
	if (a->json)
		return json_print(json_pack("{s:I, s:s, s:i, s:I, s:b}", "id", (json_int_t)s->id,
					    "name", s->name, "pid", (int)s->pid, "link_id",
					    (json_int_t)s->link_id, "detached", 1),
				  JSON_INDENT(2));
	printf("Device %u (%s) is off the VM of process %d: link %u detached. Its accesses exit to the VMM.\n",
	       s->id, s->name, s->pid, s->link_id);
	return RC_OK;
}

int cmd_detach(int argc, char **argv)
{
	const struct lx_stats *s;
	struct args a = { 0 };
	struct devices d;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (devices_read(&d))
		return RC_FAILED;
	s = devices_find(&d, a.id);
	rc = s ? detach(s) : complain("no device has ID %u; see lightexit list", a.id);
	if (rc == RC_OK)
		rc = report(&a, s);
	devices_free(&d);
	return rc;
}
