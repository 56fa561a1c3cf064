// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * lightexit save, restore: a device's state to a file and back, by the state's map. The VMM
 * is not asked: it has to have stopped the VM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cmd.h"
#include "internal.h"
#include "json.h"
#include "statefile.h"

/* Longer than any thread of a VMM that was stopped at a good place keeps the lock. */
#define LOCK_MS 1000

struct args {
	bool json; /* first: the child's input */
	bool saves;
	uint32_t id;
	const char *file;
};

/* A device's state, mapped beside the VMM. */
struct view {
	struct lx_state *st;
	size_t size;
	const struct lx_stats *stats;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->json;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "one ID and one FILE, please");
		if (state->arg_num)
			a->file = arg;
		else if (!parse_id(arg, &a->id))
			argp_error(state, "'%s' is not the ID of a device; see lightexit list",
				   arg);
		return 0;
	case ARGP_KEY_END:
		if (!a->file)
			argp_error(state, "give the ID of a device, and a FILE");
		if (a->saves && a->json && !strcmp(a->file, "-"))
			argp_error(state, "the state and JSON cannot both go to stdout");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { JSON_CHILD, { 0 } };

static const struct argp save_argp = {
	.parser = parse,
	.args_doc = "ID FILE",
	.children = children,
	.doc = "Saves a device's state, as lx_device_save() does. Stop the VM first, by its VMM: what "
	       "guests or the VMM do meanwhile would be in the file in part. FILE is replaced; -: to stdout.",
};

static const struct argp restore_argp = {
	.parser = parse,
	.args_doc = "ID FILE",
	.children = children,
	.doc = "Restores a device's state from a file (-: stdin) that save, or lx_device_save(), wrote. The VMM has to "
	       "have stopped the VM, and frozen the state (lx_state_freeze()); the device goes on from the "
	       "time of the save when the VMM thaws it.",
};

/* Who may see the link, and finds no map behind it, sees that of a device that was detached. */
static int why_unseen(uint32_t link_id)
{
	int fd = bpf_link_get_fd_by_id(link_id);

	if (fd < 0)
		return fd;
	close(fd);
	return -ENOENT;
}

static int map_state(const struct lx_stats *s, struct view *v)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	struct bpf_view ids;
	int fd, err;
	void *p;

	bpf_view_get(s->link_id, &ids);
	if (!ids.state_map_id)
		return complain("device %u (%s): its state: %s", s->id, s->name,
				bpf_errstr(why_unseen(s->link_id)));
	fd = bpf_map_get_fd_by_id(ids.state_map_id);
	err = fd < 0 ? fd : bpf_map_get_info_by_fd(fd, &info, &len);
	if (!err) {
		p = mmap(NULL, lx_map_len(info.value_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
		err = p == MAP_FAILED ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (err)
		return complain("device %u (%s): state map %u: %s", s->id, s->name,
				ids.state_map_id, bpf_errstr(err));
	*v = (struct view){ .st = p, .size = info.value_size, .stats = s };
	return RC_OK;
}

static bool is_frozen(const struct view *v)
{
	return __atomic_load_n(&v->st->abi, __ATOMIC_RELAXED) & LX_STATE_FROZEN;
}

/* With the state's lock held a signal must not end this process. */
static void block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, old);
}

static ssize_t save_state(const struct view *v, void *buf, size_t size)
{
	const struct lx_save_req req = {
		.name = v->stats->name,
		.size = v->size,
		.lock_ms = LOCK_MS,
		.read_clock = true,
		.vm_fd = -1,
		.stats = v->stats,
	};
	sigset_t old;
	ssize_t n;

	block_signals(&old);
	n = lx_save(v->st, &req, buf, size);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return n;
}

static int restore_state(const struct view *v, const void *buf, size_t size)
{
	const struct lx_save_req req = {
		.name = v->stats->name,
		.size = v->size,
		.lock_ms = LOCK_MS,
	};
	sigset_t old;
	int err;

	block_signals(&old);
	err = lx_restore(v->st, &req, buf, size, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int report(const struct args *a, const struct view *v, const char *done, size_t size)
{
	const struct lx_stats *s = v->stats;
	bool frozen = is_frozen(v);
	FILE *f = a->saves && !strcmp(a->file, "-") ? stderr : stdout;

	if (a->json)
		return json_print(json_pack("{s:I, s:s, s:i, s:s, s:o, s:I, s:b}", "id",
					    (json_int_t)s->id, "name", s->name, "pid", (int)s->pid,
					    "done", done, "file", json_text(a->file), "bytes",
					    (json_int_t)size, "frozen", (int)frozen),
				  JSON_INDENT(2));
	fprintf(f, "Device %u (%s) of process %d: %s, %zu bytes, %s.\n", s->id, s->name, s->pid,
		done, size, a->file);
	if (!frozen)
		fprintf(f,
			"Its time runs: the VMM has not frozen it. What was saved is of one instant, but the "
			"guest may have seen a later one.\n");
	return RC_OK;
}

static int save(const struct args *a, const struct view *v)
{
	ssize_t n = save_state(v, NULL, 0);
	void *buf = n < 0 ? NULL : malloc(n);
	int rc;

	if (n < 0)
		return RC_FAILED;
	if (!buf)
		return complain("%s: %s", a->file, strerror(ENOMEM));
	n = save_state(v, buf, n);
	rc = n < 0 ? RC_FAILED : statefile_write(a->file, buf, n);
	free(buf);
	return rc == RC_OK ? report(a, v, "saved", n) : rc;
}

static int restore(const struct args *a, const struct view *v)
{
	const struct lx_stats *s = v->stats;
	ssize_t n;
	char *buf;
	int rc;

	n = statefile_read(a->file, &buf);
	rc = n < 0 ? RC_FAILED : RC_OK;
	if (rc == RC_OK && !is_frozen(v))
		rc = complain(
			"device %u (%s): its time runs, and the guest would see it jump; have "
			"its VMM stop the VM and freeze the state (lx_state_freeze())",
			s->id, s->name);
	if (rc == RC_OK && restore_state(v, buf, n))
		rc = RC_FAILED;
	free(buf);
	return rc == RC_OK ? report(a, v, "restored", n) : rc;
}

static int run(const struct argp *argp, int argc, char **argv,
	       int (*fn)(const struct args *a, const struct view *v))
{
	struct args a = { .saves = argp == &save_argp };
	const struct lx_stats *s;
	struct devices d;
	struct view v;
	int rc;

	argp_parse(argp, argc, argv, 0, NULL, &a);
	if (devices_read(&d))
		return RC_FAILED;
	s = devices_find(&d, a.id);
	rc = s ? map_state(s, &v) : complain("no device has ID %u; see lightexit list", a.id);
	if (rc == RC_OK) {
		rc = fn(&a, &v);
		munmap(v.st, lx_map_len(v.size));
	}
	devices_free(&d);
	return rc;
}

int cmd_save(int argc, char **argv)
{
	return run(&save_argp, argc, argv, save);
}

int cmd_restore(int argc, char **argv)
{
	return run(&restore_argp, argc, argv, restore);
}
